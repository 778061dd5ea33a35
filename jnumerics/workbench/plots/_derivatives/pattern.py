"""What depends on what: the pattern of a Jacobian, and the place that all paths cross.

`cut` draws how many numbers cross from the inputs to the outputs, at each place of the
program that the tangents run through. A Jacobian is a product across each place, so the
narrowest one says how few passes suffice.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jnumerics import _table
from jnumerics.derivatives import Dependence, Plan
from jnumerics.derivatives._plan.crossing import Crossing, crossing
from jnumerics.workbench.plots._style import (
    COLORS,
    FAINT,
    INK,
    SERIES,
    canvas,
    save,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LIMIT = 256  # cells along a side
FEW = 40  # entries along a side up to which each has an outline
SIDE = 4.2  # inches of the longer side


def dependence(
    boxes: Dependence, jacobian: Any = None, file: Path | None = None
) -> "Figure":
    """Draw which entries of a Jacobian may be nonzero, and which are, if it is given.

    Args:
        boxes: What `derivatives.dependence` returns.
        jacobian: The Jacobian of one array by another at some point, dense or `BCOO`,
            of shape (*out, *in); its nonzeros are drawn as dots on the boxes.
        file: Where to write the figure, if anywhere.

    Returns:
        The figure.

    Raises:
        TypeError: If `boxes` is something else.
        ValueError: If the Jacobian has another number of entries.

    Example:
        >>> import jax.numpy as jnp
        >>> from jnumerics.derivatives import dependence as prove
        >>> figure = dependence(prove(jnp.diff, jnp.ones(9)))
        >>> figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()
        ('inputs', 'outputs')
    """
    if not isinstance(boxes, Dependence):
        kind = type(boxes).__name__
        msg = f"`boxes` must be what `derivatives.dependence` returns, got {kind}"
        raise TypeError(msg)
    pattern = boxes.pattern(LIMIT, LIMIT)
    m, n = int(pattern.rows[-1]), int(pattern.columns[-1])
    width, height = _size(m, n)
    figure, (axes,) = canvas(1, (width + 1.0, height + 1.0))
    with styled():
        _draw_pattern(axes, pattern)
        if jacobian is not None:
            _draw_nonzeros(axes, jacobian, m, n, SIDE / max(m, n, 1))
    if file is not None:
        save(figure, file)
    return figure


def _size(m: int, n: int) -> tuple[float, float]:
    """Return width and height in inches, in proportion but never too slim."""
    longer = max(m, n, 1)
    return max(SIDE * n / longer, 2.0), max(SIDE * m / longer, 1.2)


def _draw_pattern(axes: "Axes", pattern: Any) -> None:
    rows, columns, shares = pattern.rows, pattern.columns, pattern.shares
    axes.set(xlabel="inputs", ylabel="outputs")
    axes.set_title(pattern.title.replace("; ", ";\n"), loc="left", fontsize=9)
    if pattern.size:
        is_few = max(rows[-1], columns[-1]) <= FEW
        shown = np.where(shares > 0, 0.15 + 0.4 * shares, np.nan)
        axes.pcolormesh(
            columns, rows, shown, cmap=_shades(), vmin=0, vmax=1, rasterized=True,
            edgecolor="white" if is_few else "face", linewidth=0.8 if is_few else 0.1,
        )  # fmt: skip
        for k in pattern.breaks[0]:
            axes.axhline(rows[k], color=INK, linewidth=0.8)
        for k in pattern.breaks[1]:
            axes.axvline(columns[k], color=INK, linewidth=0.8)
        axes.set(xlim=(0, columns[-1]), ylim=(rows[-1], 0))
        if 1 / 3 <= rows[-1] / columns[-1] <= 3:
            axes.set_aspect("equal")
    axes.spines[:].set(visible=True, color=FAINT)
    axes.locator_params(nbins=5, integer=True)


def _shades() -> Any:
    """Return the colors from a faint blue to that of forward mode."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("boxes", ["#ffffff", SERIES[0]])


def _draw_nonzeros(axes: "Axes", jacobian: Any, m: int, n: int, inches: float) -> None:
    dense = np.asarray(jacobian.todense() if hasattr(jacobian, "todense") else jacobian)
    if dense.size != m * n:
        msg = f"`jacobian` must have {m} x {n} entries, got shape {dense.shape}"
        raise ValueError(msg)
    i, j = np.nonzero(dense.reshape(m, n))
    points = np.clip(72 * inches * 0.4, 0.6, 6.0)
    axes.scatter(j + 0.5, i + 0.5, s=points**2, color=SERIES[1], linewidth=0)


def cut(plan: Plan, file: Path | None = None) -> "Figure":
    """Draw how many numbers cross each place of a derivative's program.

    Operations are in an order that has the narrowest cut at one place; skip connections
    that were split off are left out. A plan for samples counts those of one sample.

    Args:
        plan: What `derivatives.plan` returns, for a target of first order or "hessian".
        file: Where to write the figure, if anywhere.

    Returns:
        The figure.

    Raises:
        ValueError: If the plan was pickled, or has no program to cut, as one of a
            Laplacian.

    Example:
        >>> import jax.numpy as jnp
        >>> from jnumerics.derivatives import plan
        >>> figure = cut(plan(lambda x: jnp.cumsum(x.sum() * x), jnp.ones(50)))
        >>> figure.axes[0].get_ylabel()
        'numbers that cross'
    """
    profile = crossing(plan)
    figure, (axes,) = canvas(1, (6.4, 3.6))
    with styled():
        _draw_crossing(axes, profile)
    if file is not None:
        save(figure, file)
    return figure


def _draw_crossing(axes: "Axes", profile: Crossing) -> None:
    widths = np.maximum(profile.widths, 1)
    places = np.arange(len(widths) + 1)
    axes.set(yscale="log")
    axes.stairs(widths, places - 0.5, color=INK, linewidth=1.4, baseline=None)
    axes.stairs(widths, places - 0.5, fill=True, color=FAINT, alpha=0.5)
    top, bottom = max(widths) * 2.5, 0.6
    if profile.at is not None:
        _draw_place(axes, profile, profile.at, top)
    axes.set(
        xlim=(-0.5, len(widths) - 0.5), ylim=(bottom, top),
        xlabel="operations, from the inputs to the outputs",
        ylabel="numbers that cross",
    )  # fmt: skip
    axes.yaxis.set_major_formatter(lambda n, _: f"{n:,g}")
    axes.locator_params(axis="x", integer=True)
    axes.grid(visible=True, axis="y")
    axes.minorticks_off()
    axes.set_title(profile.title, loc="left")


def _draw_place(axes: "Axes", profile: Crossing, at: int, top: float) -> None:
    """Mark the cut, and say which passes run on its two sides."""
    color, width = COLORS["cut"], max(profile.widths[at], 1)
    axes.axvline(at, color=color, linewidth=1.2, linestyle="--")
    axes.plot(at, width, "o", color=color, zorder=4)
    passes = _table.plural(profile.widths[at], "pass", "passes")
    sides = [("right", -1, f"← {passes} of reverse mode")]
    sides.append(("left", 1, f"{passes} of forward mode →"))
    share = at / max(len(profile.widths) - 1, 1)
    for align, side, text in sides:
        is_roomy = 0.3 < share < 0.7
        row = 0 if is_roomy or (side > 0) == (share < 0.5) else 1
        away = ("left" if share < 0.5 else "right") if not is_roomy else align
        axes.annotate(
            text, (at, top), (8 if away == "left" else -8, -10 - 14 * row),
            textcoords="offset points", ha=away, va="center", fontsize=9, color=color,
        )  # fmt: skip


def plan(
    plan: Plan, boxes: Dependence | None = None, file: Path | None = None
) -> "Figure":
    """Draw what a plan rests on: what depends on what, and the narrowest place.

    Args:
        plan: What `derivatives.plan` returns.
        boxes: What `derivatives.dependence` returns, if it is to be drawn.
        file: Where to write the figure, if anywhere.

    Returns:
        The figure; a plan without a program to cut has no second panel.

    Raises:
        ValueError: If there is nothing to draw.

    Example:
        >>> import jax.numpy as jnp
        >>> from jnumerics.derivatives import dependence, plan as make_plan
        >>> square = lambda x: x**2
        >>> figure = plan(
        ...     make_plan(square, jnp.ones(5)), dependence(square, jnp.ones(5))
        ... )
        >>> len(figure.axes)
        2
    """
    has_program = plan.choice.problem is not None
    profile = crossing(plan) if has_program or boxes is None else None
    panels: Sequence[Any] = [x for x in (boxes, profile) if x is not None]
    widths = [1.0 if isinstance(x, Dependence) else 1.5 for x in panels]
    figure, axes = canvas(len(panels), (4.6 * sum(widths), 4.2), widths)
    with styled():
        for one, shown in zip(axes, panels, strict=True):
            if isinstance(shown, Dependence):
                _draw_pattern(one, shown.pattern(LIMIT, LIMIT))
            else:
                _draw_crossing(one, shown)
        passes = _table.plural(plan.passes, "pass", "passes")
        text = f"{plan.target}: {plan.mode}, {passes}"
        figure.suptitle(text, x=0.012, ha="left", fontsize=11)
    if file is not None:
        save(figure, file)
    return figure
