"""Curves over one another."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jnumerics.workbench.plots._style import (
    INK,
    SERIES,
    canvas,
    legend_above,
    save,
    short_seconds,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from jnumerics.workbench.training import Training

Series = Mapping[str, tuple[Any, Any]]

NAME_HEIGHT = 0.065  # of the panel's height
FEW_POINTS = 8  # on a logarithmic axis, up to which each has its tick

MOST_SHOWN = 600  # losses of a run, each, beyond which their range is drawn
SMOOTHED = 0.02  # of a run, over which its mean is taken


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
        if len(points) <= FEW_POINTS:  # within a decade there may be no other tick
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


def training(
    runs: "Training | Any | Mapping[str, Training | Any]", file: Path | None = None
) -> "Figure":
    """Draw how the losses of runs fall: faintly each batch's, over it their mean.

    Of many losses the range of neighbors is drawn. What is not finite leaves a gap. The
    vertical axis is logarithmic where all finite losses are positive.

    Args:
        runs: What `training.train` returns, or losses of shape (steps,), or several of
            them by name, at most five.
        file: Where to write the figure, if anywhere.

    Returns:
        The figure.

    Raises:
        ValueError: If there are more than five runs.

    Example:
        >>> figure = training({"slow": np.ones(5), "fast": np.array([1.0, 0.1])})
        >>> figure.axes[0].get_ylabel()
        'loss'
    """
    named = dict(runs) if isinstance(runs, Mapping) else {"": runs}
    if len(named) > len(SERIES):
        msg = f"`runs` must be at most {len(SERIES)}, got {len(named)}"
        raise ValueError(msg)
    figure, (axes,) = canvas(1, (6.4, 3.8))
    losses = {
        name: np.asarray(getattr(run, "losses", run), float)
        for name, run in named.items()
    }
    with styled():
        for (name, y), color in zip(losses.items(), SERIES, strict=False):
            _draw_losses(axes, y, name, color)
        axes.set(xlabel="update", ylabel="loss")
        finite = [y[np.isfinite(y)] for y in losses.values()]
        if all(np.all(y > 0) for y in finite) and any(y.size for y in finite):
            _set_logarithmic(axes)
        axes.grid(visible=True)
        axes.minorticks_off()
        axes.locator_params(axis="x", integer=True)
        if len(named) > 1:
            legend_above(axes, columns=3)
    if file is not None:
        save(figure, file)
    return figure


def _set_logarithmic(axes: "Axes") -> None:
    """Make y logarithmic, with ticks within a decade where there are few decades."""
    from matplotlib.ticker import LogLocator

    axes.set(yscale="log")
    low, high = axes.get_ylim()
    if high < 100 * low:
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(lambda y, _: f"{y:g}")


def _draw_losses(axes: "Axes", losses: np.ndarray, name: str, color: str) -> None:
    """Draw the losses before updates 1, 2, ..., and their mean over a few of them."""
    updates, y = np.arange(1, len(losses) + 1), losses.copy()
    y[~np.isfinite(y)] = np.nan
    if len(y) <= MOST_SHOWN:
        axes.plot(updates, y, color=color, linewidth=0.8, alpha=0.4)
    else:
        starts = np.linspace(0, len(y), MOST_SHOWN + 1).astype(int)[:-1]
        low, high = np.fmin.reduceat(y, starts), np.fmax.reduceat(y, starts)
        axes.fill_between(updates[starts], low, high, color=color, alpha=0.25, lw=0)
    few = max(1, round(SMOOTHED * len(y)))
    sums = np.cumsum(np.nan_to_num(np.concatenate([np.zeros(1), y])))
    counts = np.cumsum(np.concatenate([[0], np.isfinite(y)]))
    with np.errstate(invalid="ignore"):
        means = (sums[few:] - sums[:-few]) / (counts[few:] - counts[:-few])
    axes.plot(updates[few - 1 :], means, color=color, label=name or "mean")
