"""Figures of derivative modes, side by side."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jnumerics import _table
from jnumerics.derivatives import ModeComparison
from jnumerics.workbench.plots._style import (
    COLORS,
    FAINT,
    INK,
    SERIES,
    canvas,
    save,
    short_seconds,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW = 0.42  # inches of height for each mode
LEAST_SPAN = 8.0  # of an axis of times: its end over its start


def mode_comparison(comparison: ModeComparison, file: Path | None = None) -> "Figure":
    """Draw a comparison: times with quartiles beside the prediction, and memory.

    Modes that come down to another's program share its row.

    Args:
        comparison: What `derivatives.compare_modes` returns.
        file: Where to write the figure, if anywhere.

    Returns:
        The figure.

    Example:
        >>> import jax.numpy as jnp
        >>> from jnumerics.derivatives import compare_modes
        >>> figure = mode_comparison(compare_modes(jnp.sin, jnp.ones(3), repeats=2))
        >>> [axes.get_xlabel() for axes in figure.axes]
        ['time', 'temporary memory']
    """
    rows = [m for m in comparison.modes if m.same_as is None]
    others = {
        m.mode: [o.mode for o in comparison.modes if o.same_as == m.mode] for m in rows
    }
    names = [", ".join([m.mode, *others[m.mode]]) for m in rows]
    figure, (times, memory) = canvas(2, (7.6, 1.6 + ROW * len(rows)), widths=[2.6, 1.0])
    with styled():
        _draw_times(times, comparison, rows)
        _draw_memory(memory, rows)
        times.set_yticks(range(len(rows)), names)
        memory.set_yticks([])
        for axes in (times, memory):
            axes.set_ylim(len(rows) - 0.5, -0.5)
            axes.tick_params(axis="y", length=0)
            axes.spines["left"].set_visible(False)
        for label, m in zip(times.get_yticklabels(), rows, strict=True):
            label.set(weight="bold" if m.mode == comparison.fastest else "normal")
        figure.align_xlabels()
        winner = "a tie" if comparison.tie else comparison.fastest or "none"
        figure.suptitle(
            f"{comparison.function}: fastest {winner}, "
            f"predicted {comparison.predicted}",
            x=0.012, ha="left", fontsize=11,
        )  # fmt: skip
        handles, labels = times.get_legend_handles_labels()
        figure.legend(  # what was measured comes first
            handles[::-1], labels[::-1], loc="outside lower left", ncols=3,
            handlelength=1.6, borderaxespad=0.2,
        )  # fmt: skip
    if file is not None:
        save(figure, file)
    return figure


def mode_comparisons(
    comparisons: Sequence[ModeComparison], file: Path | None = None
) -> "Figure":
    """Draw several comparisons: each mode's time, in evaluations of its function.

    Args:
        comparisons: What `derivatives.compare_modes` returns, of at least one function.
        file: Where to write the figure, if anywhere.

    Returns:
        The figure.

    Example:
        >>> import jax.numpy as jnp
        >>> from jnumerics.derivatives import compare_modes
        >>> figure = mode_comparisons([compare_modes(jnp.sin, jnp.ones(3), repeats=2)])
        >>> figure.axes[0].get_xlabel()
        'time, in evaluations of the function'
    """
    rows = [[m for m in c.modes if m.same_as is None and m.run_s] for c in comparisons]
    multiples = [m.times_evaluation or 1.0 for modes in rows for m in modes]
    middle = np.sqrt(min(multiples, default=1.0) * max(multiples, default=1.0))
    figure, (axes,) = canvas(1, (7.6, 0.9 + 0.24 * sum(len(r) + 1 for r in rows)))
    with styled():
        axes.set_xscale("log")
        bottom, ticks = 0.0, []
        for comparison, modes in zip(comparisons, rows, strict=True):
            places = bottom + 1.0 + np.arange(len(modes))
            for m, y in zip(modes, places, strict=True):
                _draw_multiple(axes, m, y, comparison, middle)
            ticks.append(bottom + (len(modes) + 1) / 2)
            bottom += len(modes) + 1
            _write_verdict(axes, comparison, ticks[-1])
            axes.axhline(bottom, color=FAINT, linewidth=0.6)
        axes.set_yticks(ticks, [c.function for c in comparisons])
        axes.set_ylim(bottom, 0.0)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("time, in evaluations of the function")
        _tick_logarithms(axes, lambda t, _: f"{t:,g}", 1000)
        axes.grid(visible=True, axis="x")
        axes.minorticks_off()
    if file is not None:
        save(figure, file)
    return figure


def _draw_multiple(
    axes: "Axes", m: Any, y: float, comparison: ModeComparison, middle: float
) -> None:
    """Draw a mode, filled if it is named the fastest; its name on the roomier side."""
    once = comparison.evaluation.median
    x, low, high = (t / once for t in (m.run_s.median, m.run_s.q1, m.run_s.q3))
    won, color = m.mode == comparison.fastest, COLORS[m.mode]
    axes.errorbar(
        x, y, xerr=[[x - low], [high - x]], fmt="o", color=color, capsize=2,
        markersize=6, markerfacecolor=color if won else "white",
    )  # fmt: skip
    at, side, align = (high, 8, "left") if x <= middle else (low, -8, "right")
    passes = (
        "" if m.passes is None else f", {_table.plural(m.passes, 'pass', 'passes')}"
    )
    axes.annotate(
        m.mode + passes, (at, y), (side, 0), textcoords="offset points", ha=align,
        va="center_baseline", fontsize=9, color=color,
        weight="bold" if won else "normal",
    )  # fmt: skip


def _write_verdict(axes: "Axes", comparison: ModeComparison, y: float) -> None:
    is_right = comparison.fastest == comparison.predicted
    outcome = "as predicted" if is_right else f"predicted {comparison.predicted}"
    text = "a tie" if comparison.tie else f"{comparison.fastest or 'none'},\n{outcome}"
    place = axes.get_yaxis_transform()
    axes.text(1.02, y, text, transform=place, va="center", fontsize=9)


def _draw_times(axes: "Axes", comparison: ModeComparison, rows: Sequence[Any]) -> None:
    ran = [(k, m) for k, m in enumerate(rows) if m.run_s is not None]
    places, medians = [k for k, _ in ran], np.array([m.run_s.median for _, m in ran])
    low, high = (np.array([getattr(m.run_s, q) for _, m in ran]) for q in ("q1", "q3"))
    axes.set_xscale("log")
    axes.errorbar(
        medians, places, xerr=[medians - low, high - medians], fmt="o", capsize=3,
        color=SERIES[0], label="measured, quartiles",
    )  # fmt: skip
    predicted = [(k, m.predicted_s) for k, m in ran if m.predicted_s]
    if predicted:
        axes.plot(
            [s for _, s in predicted], [k for k, _ in predicted], "D", markersize=6,
            markerfacecolor="none", color=SERIES[1], label="predicted",
        )  # fmt: skip
    axes.axvline(
        comparison.evaluation.median, color=INK, linewidth=1, linestyle=":",
        label="one evaluation",
    )  # fmt: skip
    for k in set(range(len(rows))) - set(places):
        axes.text(
            0.98, k, "no figures", transform=axes.get_yaxis_transform(), ha="right",
            va="center",
        )  # fmt: skip
    axes.set_xlabel("time")
    _tick_logarithms(axes, lambda t, _: short_seconds(t), 100)
    axes.grid(visible=True, axis="x")
    axes.minorticks_off()


def _tick_logarithms(
    axes: "Axes", write: Callable[[float, float], str], long: int
) -> None:
    """Write two numbers or more below a logarithmic axis, powers of ten if long."""
    from matplotlib.ticker import LogLocator

    low, high = axes.get_xlim()
    wider = max(1.0, np.sqrt(LEAST_SPAN * low / high))
    axes.set_xlim(low / wider, high * wider)
    subs = (1.0,) if high / low > long else (1.0, 2.0, 5.0)
    axes.xaxis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axes.xaxis.set_major_formatter(write)


def _draw_memory(axes: "Axes", rows: Sequence[Any]) -> None:
    sizes = [m.temp_bytes for m in rows]
    largest = max([1, *(s for s in sizes if s is not None)])
    axes.barh(range(len(rows)), [s or 0 for s in sizes], height=0.5, color=SERIES[2])
    for k, size in enumerate(sizes):
        text = "no figures" if size is None else _table.memory(size)
        axes.text((size or 0) + 0.02 * largest, k, text, va="center")
    axes.set(xlim=(0, 1.6 * largest), xticks=[])
    axes.set_xlabel("temporary memory", loc="left")
    axes.spines["bottom"].set_visible(False)
