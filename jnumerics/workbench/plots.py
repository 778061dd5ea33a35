"""Figures in one restrained style, legible in print, on white and on black.

Functions take plain arrays and return a `matplotlib.figure.Figure`; no window opens
and no global state of matplotlib changes. Colors come from `INK`, `FAINT` and `SERIES`,
so that `inline_svg` can hand the first two over to the page around the figure.
"""

import io
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from jnumerics.workbench._mode_plots import (
    crossover,
    mode_comparison,
    mode_comparisons,
)
from jnumerics.workbench._style import (
    FAINT,
    INK,
    SERIES,
    canvas,
    legend_above,
    save,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "FAINT",
    "INK",
    "SERIES",
    "crossover",
    "images",
    "inline_svg",
    "lines",
    "mode_comparison",
    "mode_comparisons",
    "photograph",
    "save",
    "surface",
]

Series = Mapping[str, tuple[Any, Any]]

_BLACK = "#111111"  # on a surface, whose colors do not follow the page's scheme


def lines(
    series: Series,
    *,
    x_label: str,
    y_label: str,
    scales: tuple[str, str] = ("linear", "linear"),
    markers: bool = False,
    paired: bool = False,
    levels: Mapping[str, float] | None = None,
) -> "Figure":
    """Draw named curves over one another, each given by its x and its y.

    Args:
        series: The curves by name, in the order of their colors; at most five.
        x_label: What the horizontal axis shows, with its unit.
        y_label: What the vertical axis shows, with its unit.
        scales: "linear" or "log", for the horizontal and the vertical axis.
        markers: Whether to mark the points.
        paired: Whether every second curve is the dashed companion, in the same color,
            of the one before.
        levels: Named horizontal lines.

    Returns:
        The figure.

    Example:
        >>> figure = lines(
        ...     {"cost": ([0, 1], [2.0, 1.0])}, x_label="step", y_label="cost"
        ... )
        >>> len(figure.axes[0].lines)
        1
    """
    figure, (axes,) = canvas(1, (6.4, 3.8))
    with styled():
        for k, (name, (x, y)) in enumerate(series.items()):
            color = SERIES[k // 2 if paired else k]
            dashed = paired and k % 2
            marker = "o" if markers else None
            axes.plot(
                x, y, "--" if dashed else "-", color=color, marker=marker, label=name
            )
        for name, level in (levels or {}).items():
            axes.axhline(level, color=INK, linewidth=1.0, linestyle=":", label=name)
        axes.set(xlabel=x_label, ylabel=y_label)
        if any(np.isfinite(y).any() for _, y in series.values()):  # else no range
            axes.set(xscale=scales[0], yscale=scales[1])
        axes.grid(visible=True)
        axes.minorticks_off()
        if scales[0] == "linear":
            whole = all(np.asarray(x).dtype.kind in "iu" for x, _ in series.values())
            axes.locator_params(axis="x", integer=whole)
        if scales[1] == "linear" and all(np.min(y) >= 0 for _, y in series.values()):
            axes.set_ylim(bottom=0.0)
        if len(series) + len(levels or {}) > 1:
            legend_above(axes)
    return figure


def surface(
    values: np.ndarray,
    *,
    x: tuple[float, float],
    y: tuple[float, float],
    labels: tuple[str, str, str],
    points: np.ndarray,
    classes: np.ndarray,
) -> "Figure":
    """Draw the surface of a decision between 0 and 1, with the points it learnt from.

    Args:
        values: Heights, shape (rows, columns); rows run upwards along y.
        x: First and last position of the columns.
        y: First and last position of the rows.
        labels: Names of x, of y and of the height.
        points: Positions, shape (n, 2).
        classes: The answer at each point, 0 or 1.

    Returns:
        The figure.

    Example:
        >>> figure = surface(
        ...     np.zeros((2, 2)),
        ...     x=(0.0, 1.0),
        ...     y=(0.0, 1.0),
        ...     labels=("x", "y", "output"),
        ...     points=np.zeros((1, 2)),
        ...     classes=np.zeros(1),
        ... )
        >>> [axes.get_ylabel() for axes in figure.axes]
        ['y', 'output']
    """
    figure, (axes,) = canvas(1, (5.2, 4.2))
    with styled():
        extent = (*x, *y)
        image = axes.imshow(
            values,
            extent=extent,
            origin="lower",
            cmap="RdBu_r",
            vmin=0,
            vmax=1,
        )
        if values.min() < 0.5 < values.max():
            axes.contour(
                values, levels=[0.5], extent=extent, colors=_BLACK, linewidths=1.2
            )
        for answer, (face, edge) in enumerate((("white", _BLACK), (_BLACK, "white"))):
            chosen = points[np.asarray(classes) == answer]
            axes.scatter(
                *chosen.T, s=64, color=face, edgecolor=edge, label=f"target {answer}",
                clip_on=False, zorder=3,
            )  # fmt: skip
        axes.set(xlabel=labels[0], ylabel=labels[1])
        axes.locator_params(nbins=5)
        axes.spines[:].set_visible(False)
        bar = figure.colorbar(image, ax=axes, label=labels[2], ticks=[0, 0.5, 1])
        bar.outline.set_visible(False)
        legend_above(axes)
    return figure


def images(pictures: Mapping[str, np.ndarray]) -> "Figure":
    """Show named images side by side, gray ones each in its own range.

    Example:
        >>> len(images({"one": np.zeros((4, 4)), "two": np.ones((4, 4))}).axes)
        2
    """
    tallest = max(len(image) / len(image[0]) for image in pictures.values())
    figure, panels = canvas(len(pictures), (2.6 * len(pictures), 2.5 * tallest + 0.4))
    with styled():
        for axes, (name, image) in zip(panels, pictures.items(), strict=True):
            axes.imshow(
                image,
                cmap="gray",
                interpolation="lanczos" if min(image.shape[:2]) > 100 else "nearest",
            )
            axes.set_title(name)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set(visible=True, color=FAINT)
    return figure


def photograph() -> np.ndarray:
    """Return matplotlib's sample photograph, Grace Hopper, gray, in [0, 1].

    Example:
        >>> photograph().ndim
        2
    """
    import matplotlib.cbook
    import matplotlib.image

    file = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    colors = matplotlib.image.imread(str(file))
    return colors @ np.array([0.299, 0.587, 0.114]) / 255


def inline_svg(figure: "Figure", prefix: str) -> str:
    """Write a figure as an `<svg>` element that takes its ink from the page around it.

    Args:
        figure: The figure; its background becomes transparent.
        prefix: Made part of every id, so that several figures can share a page. The
            page's style sheet gives `--ink` and `--faint`.

    Returns:
        The element.

    Example:
        >>> inline_svg(images({"one": np.zeros((4, 4))}), "one").startswith("<svg")
        True
    """
    file = io.StringIO()
    with styled():
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = text[text.index("<svg") :].strip()
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", text)
    return text.replace(INK, "var(--ink)").replace(FAINT, "var(--faint)")
