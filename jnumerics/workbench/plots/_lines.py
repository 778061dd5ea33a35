"""Curves over one another."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from jnumerics.workbench.plots._style import INK, SERIES, canvas, legend_above, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Series = Mapping[str, tuple[Any, Any]]


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
