"""What does a filter do to a picture, and can it be learned from what it did?

A photograph is blurred and its edges are found, by correlations timed beside SciPy's.
Then a hidden filter is recovered from the photograph before and after it. Pixels are
much like their neighbors, which conditions the least squares badly, and gradient
descent crawls. But filters commute: once both pictures are sharpened, the same filter
lies between them, the Hessian's condition number falls from 110,000 to 12, and 200
updates find it.
"""

from functools import partial
from typing import Annotated

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
    steps: Count
    """updates of the filter"""


def main(config: Config, lesson: Lesson) -> None:
    colors, gray = photograph(config.precision)
    correlate = partial(conv.conv2d, precision=config.matmul_precision)
    smooth = partial(blur, colors, config.sigma, correlate)
    slopes = partial(correlate, gray, kernels(SOBEL, SOBEL.T), padding="SAME")
    before, sharpen = gray[:, :128, :128], kernels(SHARPEN)  # it learns from a part
    after = correlate(before, kernels(HIDDEN))
    sharpened = correlate(before, sharpen), correlate(after, sharpen)
    plain, worse = learn(before, after, correlate, config.steps)
    learned, condition = learn(*sharpened, correlate, config.steps)

    by_scipy, slopes_by_scipy = rivals(colors, gray, config.sigma)
    lesson.compare("a photograph, blurred", smooth(), by_scipy())
    lesson.race(smooth, by_scipy, rival="scipy.ndimage.gaussian_filter")
    lesson.compare("its slopes, across and down", slopes(), slopes_by_scipy())
    lesson.race(slopes, slopes_by_scipy, rival="scipy.signal.correlate2d")
    lesson.compare("the hidden filter, learned", learned, kernels(HIDDEN))
    off = np.abs(plain - kernels(HIDDEN)).max() / np.abs(HIDDEN).max()
    plainly = f"not sharpened {worse:,.0f}, error {off:.1e}"
    lesson.note(f"condition number of the Hessian: {condition:,.0f}; {plainly}")
    filters = {"hidden": HIDDEN, "learned": learned, "learned, not sharpened": plain}
    draw(lesson, filters, colors, smooth(), slopes())


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


def rivals(colors, gray, sigma):
    """SciPy's functions for the blur and for the slopes."""
    planes, plane = np.asarray(colors)[..., 0], np.asarray(gray)[0, :, :, 0]
    sobel = SOBEL.astype(plane.dtype)

    def smooth():
        blurred = ndimage.gaussian_filter(planes, sigma, mode="constant", axes=(1, 2))
        return blurred[..., None]

    def slopes():
        both = [signal.correlate2d(plane, f, mode="same") for f in (sobel, sobel.T)]
        return np.stack(both, -1)[None]

    return smooth, slopes


def learn(before, after, correlate, steps):
    """The filter between two pictures, learned, and the Hessian's condition number."""

    def loss(kernel):
        return jnp.mean((correlate(before, kernel) - after) ** 2) / 2

    start = jnp.zeros((*HIDDEN.shape, 1, 1), before.dtype)
    hessian = derivatives.hessian(loss)(start)  # the same at every kernel
    curvatures = np.linalg.eigvalsh(np.reshape(hessian, (start.size, start.size)))
    optimizer = optax.sgd(1 / float(curvatures[-1]))  # the longest step that is safe
    fitted = descent.minimize(loss, start, optimizer=optimizer, steps=steps)
    return fitted.params, curvatures[-1] / curvatures[0]


def draw(lesson, filters, colors, blurred, edges):
    pictures = {
        "photograph": np.moveaxis(np.asarray(colors)[..., 0], 0, -1),
        "blurred": np.moveaxis(np.asarray(blurred)[..., 0], 0, -1),
        "its edges": -np.linalg.norm(edges[0], axis=-1),
    }
    caption = "A photograph, its blur and the steepness of its gray."
    lesson.picture("photograph", caption, lambda: plots.images(pictures))
    kernels = {name: x.reshape(HIDDEN.shape) for name, x in filters.items()}
    caption = "The hidden filter, and what gradient descent finds of it."
    lesson.picture("filters", caption, lambda: plots.images(kernels))


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
