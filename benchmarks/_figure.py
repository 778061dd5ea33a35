"""The figure of growth: small multiples, a column for each subject."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jnumerics.workbench import plots
from jnumerics.workbench.plots._style import short_seconds, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 4
KINDS = (("time", "times", plots.SERIES[0]), ("memory", "bytes", plots.SERIES[1]))


def growth(subjects: Mapping[str, Any], file: Path) -> None:
    """Draw time above memory against size, both logarithmic, for each subject.

    The dashed line has the expected exponent and meets the curve at its end; what was
    fitted stands in the corner, beside what was expected.

    Args:
        subjects: By subject: `what`, `sizes`, `times`, `bytes`, `fitted`, `expected`.
        file: Where the figure goes.
    """
    from matplotlib.figure import Figure

    bands = -(-len(subjects) // COLUMNS)
    with styled():
        figure = Figure((10.0, 3.7 * bands), layout="constrained")
        panels = figure.subplots(2 * bands, COLUMNS, squeeze=False)
        for axes in panels.flat:
            axes.set_visible(False)  # but those that are drawn
        for k, (name, data) in enumerate(subjects.items()):
            band, column = divmod(k, COLUMNS)
            pair = panels[2 * band, column], panels[2 * band + 1, column]
            for axes, kind in zip(pair, KINDS, strict=True):
                _panel(axes, data, *kind)
                if column == 0:
                    axes.set_ylabel(kind[0])
            pair[0].set_title(f"{name}\n{data['what']}", fontsize=8.5, loc="left")
            pair[0].tick_params(labelbottom=False)
            pair[1].set_xlabel(name)
    plots.save(figure, file)


def _panel(
    axes: "Axes", data: Mapping[str, Any], kind: str, key: str, color: str
) -> None:
    x, y = np.array(data["sizes"], float), np.array(data[key], float)
    expected, fitted = data["expected"][kind], data["fitted"][kind]
    axes.set_visible(True)
    axes.loglog(
        x, y[-1] * (x / x[-1]) ** expected, "--", color=plots.INK, linewidth=0.9
    )
    axes.loglog(x, y, "o-", color=color, markersize=3.5, linewidth=1.5)
    axes.set_ylim(y.min() / 2.5, y.max() * 2.5)
    axes.grid(visible=True)
    axes.minorticks_off()
    axes.text(
        0.97, 0.05, f"{fitted:.2f} (expected {expected:g})", transform=axes.transAxes,
        ha="right", fontsize=8,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
    )  # fmt: skip
    axes.set_xticks(x[::2], [f"{n:,.0f}" for n in x[::2]])
    write = short_seconds if kind == "time" else _short_memory
    axes.yaxis.set_major_formatter(lambda value, _: write(value))
    axes.tick_params(labelsize=7.5)


def _short_memory(n: float) -> str:
    """Write bytes for an axis in powers of ten: `10 kB`."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n >= scale:
            return f"{n / scale:g} {unit}"
    return f"{n:g} B"
