"""What does a filter do to a picture, and can it be learned from what it did?

A photograph is blurred, and its edges are taken: correlations, each beside SciPy's.
Then a hidden filter is recovered from the photograph before and after it. Pixels are
much like their neighbors, which conditions the least squares badly, and gradient
descent crawls. But filters commute: once both pictures are sharpened, the same filter
lies between them, the Hessian's condition number falls from 110,000 to 12, and 200
updates find it.
"""

from functools import partial
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy import ndimage, signal

from jnumerics import conv, derivatives, descent
from jnumerics.workbench import cli, plots
from jnumerics.workbench.config import Count, Field, Settings
from jnumerics.workbench.lesson import Lesson

SOBEL = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
SHARPEN = np.array([[-1.0, -1, -1], [-1, 8, -1], [-1, -1, -1]])
HIDDEN = np.array(
    [[-4.0, -2, 0, 1, 0], [-2, -1, 0, 2, 1], [0, 0, 8, 0, 0], [0, 1, 0, 1, 2],
     [0, 1, 2, 2, 4]],
) / 8  # fmt: skip


class Config(Settings):
    """Settings of this example."""

    sigma: Annotated[float, Field(gt=0, le=50)]
    """standard deviation of the blur, in pixels"""
    rows: Annotated[int, Field(ge=16, le=427)]
    """rows and columns of the part from which the filter is learned"""
    steps: Count
    """updates of the filter"""


class Learned(NamedTuple):
    """What gradient descent came to."""

    kernel: jax.Array
    losses: jax.Array
    condition: float


def main(config: Config, lesson: Lesson) -> None:
    colors, gray = photograph(config.precision)
    correlate = partial(conv.conv2d, precision=config.matmul_precision)
    sobel, sharpen = kernels(SOBEL, SOBEL.T), kernels(SHARPEN)
    blurred = blur(colors, config.sigma, correlate)
    edges = correlate(gray, sobel, padding="SAME")
    before = gray[:, : config.rows, : config.rows]
    after = correlate(before, kernels(HIDDEN))
    sharpened = correlate(before, sharpen), correlate(after, sharpen)
    plain = learn(before, after, correlate, config.steps)
    learned = learn(*sharpened, correlate, config.steps)

    lesson.compare("a photograph, blurred", blurred, by_scipy(colors, config.sigma))
    lesson.race(
        lambda: blur(colors, config.sigma, correlate),
        lambda: by_scipy(colors, config.sigma),
        rival="scipy.ndimage.gaussian_filter",
    )
    lesson.compare("its slopes, across and down", edges, slopes_by_scipy(gray))
    lesson.race(
        lambda: correlate(gray, sobel, padding="SAME"),
        lambda: slopes_by_scipy(gray),
        rival="scipy.signal.correlate2d",
    )
    lesson.compare("the hidden filter, learned", learned.kernel, kernels(HIDDEN))
    draw(lesson, {"as it is": plain, "sharpened": learned}, colors, blurred, edges)


def photograph(precision):
    """A photograph in [0, 1], its three colors (3, h, w, 1), and gray (1, h, w, 1)."""
    from sklearn.datasets import load_sample_image

    colors = np.moveaxis(load_sample_image("china.jpg") / 255, -1, 0)[..., None]
    gray = np.tensordot([0.299, 0.587, 0.114], colors, 1)[None]
    return jnp.asarray(colors, precision), jnp.asarray(gray, precision)


def kernels(*filters):
    return np.stack(filters, axis=-1)[:, :, None]


def blur(x, sigma, correlate):
    """Correlate with a bell curve down, then across: what one in the plane would do."""
    radius = int(4 * sigma + 0.5)
    bell = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    bell = (bell / bell.sum())[:, None]
    down = correlate(x, kernels(bell), padding="SAME")
    return correlate(down, kernels(bell.T), padding="SAME")


def by_scipy(x, sigma):
    planes = np.asarray(x)[..., 0]
    return ndimage.gaussian_filter(planes, sigma, mode="constant", axes=(1, 2))[
        ..., None
    ]


def slopes_by_scipy(x):
    plane = np.asarray(x)[0, :, :, 0]
    filters = SOBEL.astype(plane.dtype), SOBEL.T.astype(plane.dtype)
    return np.stack([signal.correlate2d(plane, f, mode="same") for f in filters], -1)[
        None
    ]


def learn(before, after, correlate, steps):
    """Find the filter between two pictures by gradient descent on the squared error."""

    def loss(kernel):
        return jnp.mean((correlate(before, kernel) - after) ** 2) / 2

    start = jnp.zeros((*HIDDEN.shape, 1, 1), before.dtype)
    hessian = derivatives.hessian(loss)(start)  # the same at every kernel
    curvatures = np.linalg.eigvalsh(np.reshape(hessian, (start.size, start.size)))
    optimizer = optax.sgd(1 / float(curvatures[-1]))  # the longest step that is safe
    found = descent.minimize(loss, start, optimizer=optimizer, steps=steps)
    return Learned(found.params, found.losses, curvatures[-1] / curvatures[0])


def draw(lesson, ways, colors, blurred, edges):
    """Say how well each way went, and show the pictures."""
    for name, way in ways.items():
        error = np.abs(way.kernel[..., 0, 0] - HIDDEN).max() / np.abs(HIDDEN).max()
        lesson.note(
            f"learned from the photograph {name}: the Hessian's condition number is "
            f"{way.condition:,.0f}, the filter's error {error:.1e}"
        )
    in_color = [np.moveaxis(np.asarray(x)[..., 0], 0, -1) for x in (colors, blurred)]
    lesson.picture(
        "photograph",
        "A photograph, its blur and the steepness of its gray.",
        lambda: plots.images(
            {
                "photograph": in_color[0],
                "blurred": in_color[1],
                "its edges": -np.linalg.norm(edges[0], axis=-1),
            }
        ),
    )
    lesson.picture(
        "filters",
        "The hidden filter, and what gradient descent finds of it.",
        lambda: plots.images(
            {"hidden": HIDDEN}
            | {f"learned, {name}": way.kernel[..., 0, 0] for name, way in ways.items()}
        ),
    )
    lesson.picture(
        "losses",
        "The squared error that is left, of the one at first, update after update.",
        lambda: plots.lines(
            {
                name: (np.arange(len(way.losses)), way.losses / way.losses[0])
                for name, way in ways.items()
            },
            x_label="updates",
            y_label="squared error, of the first",
            scales=("linear", "log"),
        ),
    )


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
