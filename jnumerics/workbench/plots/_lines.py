"""Curves over one another."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jnumerics.workbench.plots._style import (
    INK,
    SERIES,
    canvas,
    legend_above,
    short_seconds,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Series = Mapping[str, tuple[Any, Any]]

NAME_HEIGHT = 0.065  # of the panel's height
FEW_POINTS = 8  # of whole numbers on a logarithmic axis, up to which each has a tick
MANY_DOTS = 24  # more are small and let others through
SHORT_LEGEND = 28  # letters of one, up to which its names stand in a row


class Panel(NamedTuple):
    """One of several panels of curves, as `lines` draws them."""

    series: Series
    """The curves by name, in the order of their colors; at most five."""
    x_label: str
    """What the horizontal axis shows, with its unit."""
    y_label: str
    """What the vertical axis shows, with its unit."""
    scales: tuple[str, str] = ("linear", "linear")
    """Of the horizontal and the vertical axis: "linear" or "log"."""
    points: Series | None = None
    """Dots by name, in the colors of the curves of that name, or in the next ones."""
    dashed: Series | None = None
    """Dashed curves by name, in ink, over others: what is known. Columns of y are as
    many curves of one name."""
    levels: Mapping[str, float] | None = None
    """Named horizontal lines."""


def panels(*panels: Panel) -> "Figure":
    """Draw panels of curves and dots side by side.

    Example:
        >>> falls = Panel({"cost": ([0, 1], [2.0, 1.0])}, "step", "cost")
        >>> fits = Panel({}, "true", "found", points={"x": ([0.0, 1.0], [0.1, 1.0])})
        >>> [axes.get_ylabel() for axes in panels(falls, fits).axes]
        ['cost', 'found']
    """
    figure, drawn = canvas(len(panels), (4.6 * len(panels), 3.8))
    with styled():
        for axes, panel in zip(drawn, panels, strict=True):
            _draw_panel(axes, panel)
    return figure


def _draw_panel(axes: "Axes", panel: Panel) -> None:
    points, dashed = panel.points or {}, panel.dashed or {}
    names = [*panel.series, *(n for n in points if n not in panel.series)]
    colors = dict(zip(names, SERIES, strict=False))
    for name, (x, y) in points.items():
        label = None if name in panel.series else name  # a curve's name is its dots'
        many = np.size(y) > MANY_DOTS
        axes.plot(
            x, y, "o", color=colors[name], markersize=3 if many else 6, label=label,
            alpha=0.6 if many else 1.0, markeredgewidth=0,
        )  # fmt: skip
    for name, (x, y) in panel.series.items():
        axes.plot(x, y, color=colors[name], label=name)
    for name, (x, y) in dashed.items():
        first, *_ = axes.plot(x, y, "--", color=INK, linewidth=1.0)
        first.set_label(name)
    for name, level in (panel.levels or {}).items():
        axes.axhline(level, color=INK, linewidth=1.0, linestyle=":", label=name)
    axes.set(xlabel=panel.x_label, ylabel=panel.y_label)
    _set_scales(axes, {**points, **panel.series, **dashed}, panel.scales)
    shown = axes.get_legend_handles_labels()[1]
    if len(shown) > 1:
        legend_above(axes, columns=5 if len("".join(shown)) < SHORT_LEGEND else 2)


def lines(
    series: Series,
    *,
    x_label: str,
    y_label: str,
    scales: tuple[str, str] = ("linear", "linear"),
    markers: bool = False,
    seconds: bool = False,
    paired: bool = False,
    levels: Mapping[str, float] | None = None,
) -> "Figure":
    """Draw named curves over one another, each given by its x and its y.

    Args:
        series: The curves by name, in the order of their colors; at most five.
        x_label: What the horizontal axis shows, with its unit.
        y_label: What the vertical axis shows, with its unit.
        scales: "linear" or "log", for the horizontal and the vertical axis.
        markers: Whether to mark the points, and to name the curves at their ends
            instead of above the panel.
        seconds: Whether y are seconds, to be written with their units.
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
    figure, (axes,) = canvas(1, (7.6 if markers else 6.4, 3.8))
    with styled():
        for k, (name, (x, y)) in enumerate(series.items()):
            dashes = "--" if paired and k % 2 else "-"
            color = SERIES[k // 2 if paired else k]
            marker = "o" if markers else None
            axes.plot(x, y, dashes, color=color, marker=marker, label=name)
        for name, level in (levels or {}).items():
            axes.axhline(level, color=INK, linewidth=1.0, linestyle=":", label=name)
        axes.set(xlabel=x_label, ylabel=y_label)
        _set_scales(axes, series, scales)
        if seconds:
            axes.yaxis.set_major_formatter(lambda t, _: short_seconds(t))
        if markers:
            _name_at_ends(axes)
        elif len(series) + len(levels or {}) > 1:
            legend_above(axes)
    return figure


def _set_scales(axes: "Axes", series: Series, scales: tuple[str, str]) -> None:
    if any(np.isfinite(y).any() for _, y in series.values()):  # else no range
        axes.set(xscale=scales[0], yscale=scales[1])
    axes.grid(visible=True)
    axes.minorticks_off()
    if scales[0] == "log":
        points = np.unique(np.concatenate([np.asarray(x) for x, _ in series.values()]))
        is_whole = points.dtype.kind in "iu"
        if is_whole and len(points) <= FEW_POINTS:  # there may be no other tick
            axes.set_xticks(points, [f"{x:,}" for x in points])
    if scales[0] == "linear":
        whole = all(np.asarray(x).dtype.kind in "iu" for x, _ in series.values())
        axes.locator_params(axis="x", integer=whole)
    if scales[1] == "linear" and all(np.min(y) >= 0 for _, y in series.values()):
        axes.set_ylim(bottom=0.0)


def _name_at_ends(axes: "Axes") -> None:
    """Write each curve's name beside its last point, none over another."""
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())  # the names come after
    to_panel = axes.transScale + axes.transLimits
    ends = [
        (to_panel.transform(np.asarray(line.get_xydata())[-1])[1], line)
        for line in axes.lines
    ]
    at = -np.inf
    for end, line in sorted(ends, key=lambda pair: pair[0]):
        at = max(end, at + NAME_HEIGHT)
        axes.text(
            1.02, at, str(line.get_label()), color=line.get_color(), va="center",
            transform=axes.transAxes,
        )  # fmt: skip
