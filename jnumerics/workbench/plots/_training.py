"""How the losses of runs fall."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jnumerics.workbench.plots._style import (
    SERIES,
    canvas,
    legend_above,
    save,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from jnumerics.workbench.training import Training

MOST_SHOWN = 600  # losses of a run, each, beyond which their range is drawn
SMOOTHED = 0.02  # of a run, over which its mean is taken


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
    marker = "o" if len(losses) == 1 else None  # a line of one point is nothing
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
    axes.plot(
        updates[few - 1 :], means, color=color, marker=marker, label=name or "mean"
    )
