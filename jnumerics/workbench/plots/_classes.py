"""How a classifier learns, what it takes things for, and what it takes for others."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from jnumerics.workbench.plots._style import (
    FAINT,
    INK,
    SERIES,
    canvas,
    legend_above,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

_COLUMNS, _LIMIT = 6, 24  # of a gallery


def learning(
    losses: np.ndarray, steps: np.ndarray, unseen: np.ndarray, accuracy: np.ndarray
) -> "Figure":
    """Draw how losses fall, and beside it how many mistakes are left.

    Args:
        losses: Of each batch, shape (updates,).
        steps: Numbers of updates after which the rest was measured.
        unseen: The loss of held-out samples.
        accuracy: The share of them that is right.

    Returns:
        The figure.

    Example:
        >>> figure = learning(
        ...     np.ones(4), np.array([2, 4]), np.ones(2), np.array([0.5, 0.9])
        ... )
        >>> [axes.get_ylabel() for axes in figure.axes]
        ['loss', 'mistakes on held-out samples, %']
    """
    figure, (left, right) = canvas(2, (9.0, 3.6))
    with styled():
        updates = np.arange(1, len(losses) + 1)
        left.plot(updates, losses, color=FAINT, linewidth=0.9, label="each batch")
        left.plot(steps, unseen, color=SERIES[0], label="held-out samples")
        left.set(xlabel="update", ylabel="loss", yscale="log")
        legend_above(left)
        right.plot(steps, 100 * (1 - np.asarray(accuracy)), color=SERIES[1])
        right.set(xlabel="update", ylabel="mistakes on held-out samples, %")
        right.set_ylim(bottom=0.0)
        for axes in (left, right):
            axes.grid(visible=True)
            axes.minorticks_off()
            axes.set_xlim(0, len(losses) + 1)
            axes.locator_params(axis="x", integer=True)
    return figure


def confusion(counts: np.ndarray, names: Sequence[str] | None = None) -> "Figure":
    """Draw how often things of each class, a row, are taken for each, a column.

    Areas are shares of the row; what is right is one color, what is wrong another, so
    that one mistake shows beside a hundred answers that are right.

    Args:
        counts: Shape (n, n).
        names: Of the classes; None numbers them.

    Returns:
        The figure.

    Example:
        >>> figure = confusion(np.array([[9, 1], [0, 8]]))
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['9', '8', '1']
    """
    n = len(counts)
    names = [str(k) for k in range(n)] if names is None else names
    figure, (axes,) = canvas(1, (0.42 * n + 1.2, 0.42 * n + 1.0))
    with styled():
        diagonal = np.eye(n, dtype=bool)
        shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
        for chosen, color in ((diagonal, SERIES[0]), (~diagonal, SERIES[1])):
            for i, j in np.argwhere(chosen & (counts > 0)):
                strength = 0.15 + 0.6 * float(shares[i, j]) if i == j else 0.45
                axes.add_patch(_cell(i, j, color, strength))
                axes.text(j, i, str(counts[i, j]), ha="center", va="center")
        axes.set(
            xlim=(-0.5, n - 0.5),
            ylim=(n - 0.5, -0.5),
            aspect="equal",
            xlabel="taken for",
            ylabel="is",
        )
        axes.set_xticks(range(n), names)
        axes.set_yticks(range(n), names)
        axes.set_xticks(np.arange(-0.5, n), minor=True)
        axes.set_yticks(np.arange(-0.5, n), minor=True)
        axes.grid(visible=True, which="minor")
        axes.tick_params(which="both", length=0)
        axes.spines[:].set(visible=True, color=FAINT)
    return figure


def _cell(row: int, column: int, color: str, strength: float) -> "Rectangle":
    from matplotlib.patches import Rectangle

    corner = (column - 0.5, row - 0.5)
    return Rectangle(corner, 1, 1, facecolor=color, alpha=strength, linewidth=0)


def gallery(pictures: np.ndarray, names: Sequence[str]) -> "Figure":
    """Show small gray pictures in rows, dark on white, each with its name.

    Args:
        pictures: Shape (n, height, width), 0 for white and 1 for black.
        names: One for each. Of more than 24 the first are shown.

    Returns:
        The figure; where there is nothing to show, it says so.

    Example:
        >>> figure = gallery(np.zeros((3, 8, 8)), ["one", "two", "three"])
        >>> [axes.get_title() for axes in figure.axes]
        ['one', 'two', 'three']
    """
    from matplotlib.figure import Figure

    shown = min(len(pictures), _LIMIT)
    columns = max(min(shown, _COLUMNS), 1)
    rows = max(math.ceil(shown / columns), 1)
    with styled():
        figure = Figure((1.25 * columns + 0.4, 1.5 * rows + 0.2), layout="constrained")
        if not shown:
            figure.text(0.5, 0.5, "none", ha="center", va="center", color=INK)
        for k in range(shown):
            axes = figure.add_subplot(rows, columns, k + 1)
            axes.imshow(pictures[k], cmap="gray_r", vmin=0, vmax=1)
            axes.set_title(names[k], fontsize=9)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set(visible=True, color=FAINT)
    return figure
