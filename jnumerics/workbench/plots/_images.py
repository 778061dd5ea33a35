"""Surfaces, images, and a photograph to try things on."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from jnumerics.workbench.plots._style import FAINT, canvas, legend_above, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLACK = "#111111"  # on a surface, whose colors do not follow the page's scheme


def surface(
    values: np.ndarray,
    *,
    x: tuple[float, float],
    y: tuple[float, float],
    labels: tuple[str, str, str],
    points: np.ndarray,
    classes: np.ndarray,
) -> "Figure":
    """Draw the surface of a decision between 0 and 1, with the points it learned from.

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
                values, levels=[0.5], extent=extent, colors=BLACK, linewidths=1.2
            )
        for answer, (face, edge) in enumerate((("white", BLACK), (BLACK, "white"))):
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
