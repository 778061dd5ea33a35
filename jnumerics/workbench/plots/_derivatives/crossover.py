"""The map of where forward and reverse mode change places."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jnumerics.workbench.plots._style import COLORS, INK, canvas, save, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

    from jnumerics.workbench.commands._map import Cell, Crossover

BORDER = "#111111"  # on colors, whatever the page
MOST_SHOWN = 64.0  # times faster: from here on the color stays the same


def crossover(result: "Crossover", file: Path | None = None) -> "Figure":
    """Draw which of forward and reverse mode wins, with the predicted border on it.

    A tie has no color, whatever its medians.

    Args:
        result: What `crossover.measure` returns.
        file: Where to write the figure, if anywhere.

    Returns:
        The figure.
    """
    inputs, outputs = result.inputs, result.outputs
    size = (2.6 + 0.62 * len(inputs), 1.5 + 0.52 * len(outputs))
    figure, (axes,) = canvas(1, (max(size[0], 6.0), max(size[1], 3.2)))
    ratios = [[_ratio(result.measured.get((n, m))) for n in inputs] for m in outputs]
    limit = np.log2(MOST_SHOWN)
    colors = _colors_between("forward", "reverse")
    with styled():
        image = axes.imshow(
            np.log2(ratios), origin="lower", cmap=colors, vmin=-limit, vmax=limit,
            aspect="auto",
        )  # fmt: skip
        _write_cells(axes, result)
        _draw_border(axes, result)
        _ring_wrong(axes, result)
        axes.set_xticks(range(len(inputs)), [str(n) for n in inputs])
        axes.set_yticks(range(len(outputs)), [str(m) for m in outputs])
        axes.set(xlabel="inputs", ylabel="outputs")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        _draw_scale(figure, axes, image)
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside upper left", ncols=2, handlelength=1.6,
            markerscale=0.3, borderaxespad=0.2,
        )  # fmt: skip
    if file is not None:
        save(figure, file)
    return figure


def _write_cells(axes: "Axes", result: "Crossover") -> None:
    """Write into each cell which mode is how many times faster."""
    for cell in result.cells:
        at = result.inputs.index(cell.inputs), result.outputs.index(cell.outputs)
        text = "tie" if cell.tie else f"{'F' if cell.ratio < 1 else 'R'} {cell.margin}"
        on_blue = _ratio(cell) < MOST_SHOWN**-0.6
        color = "white" if on_blue else INK
        axes.text(*at, text, ha="center", va="center", color=color, fontsize=9)


def _ratio(cell: "Cell | None") -> float:
    if cell is None:
        return np.nan  # has no color
    return 1.0 if cell.tie else cell.ratio


def _colors_between(low: str, high: str) -> "Colormap":
    """Return the colors from one mode's, over white, to another's."""
    from matplotlib.colors import LinearSegmentedColormap

    ends = COLORS[low], "#ffffff", COLORS[high]
    return LinearSegmentedColormap.from_list("modes", ends)


def _draw_border(axes: "Axes", result: "Crossover") -> None:
    """Draw the edges between cells for which different modes are predicted."""
    rows, columns = len(result.outputs), len(result.inputs)
    mode = np.full((rows + 1, columns + 1), "", object)  # nothing beyond, or unmeasured
    for cell in result.cells:
        at = result.outputs.index(cell.outputs), result.inputs.index(cell.inputs)
        mode[at] = cell.predicted
    xs: list[float] = []
    ys: list[float] = []
    for row, column in np.ndindex(rows, columns):
        here, beside, above = mode[row : row + 2, column : column + 2].flat[:3]
        if here and beside and here != beside:
            xs += [column + 0.5, column + 0.5, np.nan]
            ys += [row - 0.5, row + 0.5, np.nan]
        if here and above and here != above:
            xs += [column - 0.5, column + 0.5, np.nan]
            ys += [row + 0.5, row + 0.5, np.nan]
    label = "predicted: forward above, reverse below"
    axes.plot(
        xs, ys, color=BORDER, linewidth=2.4, solid_capstyle="round",
        label=label if xs else f"predicted: {result.cells[0].predicted} everywhere",
    )  # fmt: skip


def _ring_wrong(axes: "Axes", result: "Crossover") -> None:
    """Put a ring around the cells whose faster mode was not predicted."""
    wrong = [cell for cell in result.decided if cell.fastest != cell.predicted]
    if wrong:
        axes.scatter(
            [result.inputs.index(cell.inputs) for cell in wrong],
            [result.outputs.index(cell.outputs) for cell in wrong],
            s=1100, facecolor="none", edgecolor=BORDER, label="the other one is faster",
        )  # fmt: skip


def _draw_scale(figure: "Figure", axes: "Axes", image: Any) -> None:
    ticks = [-6, -3, 0, 3, 6]
    bar = figure.colorbar(image, ax=axes, ticks=ticks, extend="both")
    bar.ax.set_yticklabels(["64", "8", "1", "8", "64"])
    bar.set_label("reverse  ←  times faster  →  forward")
    bar.ax.invert_yaxis()  # forward mode is above, as in the map
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
