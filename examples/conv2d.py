"""Images are correlated with kernels, as TensorFlow's conv2d does.

The original was four nested loops, right for one image, square kernels and stride 1.
The same function smooths a photograph and takes its edges: each is a kernel.
"""

from functools import partial
from typing import Annotated

import numpy as np

from jnumerics import conv
from jnumerics.workbench import cli, originals, plots
from jnumerics.workbench.config import Field, Settings
from jnumerics.workbench.lesson import Lesson

SMOOTH = np.outer([1.0, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256
SOBEL = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8


class Config(Settings):
    """Settings of this example."""

    smoothings: Annotated[int, Field(ge=1, le=100)]  # each takes four rows of pixels
    """times that the photograph is smoothed before its edges are taken"""


def main(config: Config, lesson: Lesson) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 28, 28, 3)).astype(config.precision)
    kernel = rng.normal(size=(5, 5, 3, 16)).astype(config.precision)
    correlate = partial(conv.conv2d, precision=config.matmul_precision)
    features = correlate(x, kernel)

    expected = originals.conv2d(x, kernel)
    lesson.compare("16 kernels 5x5x3 over an image 28x28x3", features, expected)
    lesson.race(lambda: correlate(x, kernel), lambda: originals.conv2d(x, kernel))
    lesson.picture(
        "edges",
        "Smoothed by a 5x5 kernel; edges are the length of the two slopes that a pair "
        "of 3x3 kernels finds.",
        lambda: edges(
            plots.photograph().astype(config.precision), config.smoothings, correlate
        ),
    )


def edges(photograph, smoothings, correlate):
    smooth = SMOOTH[:, :, None, None].astype(photograph.dtype)
    slopes = np.stack([SOBEL, SOBEL.T], axis=-1)[:, :, None].astype(photograph.dtype)
    image = photograph[None, :, :, None]
    for _ in range(smoothings):
        image = correlate(image, smooth)
    steepness = np.linalg.norm(correlate(image, slopes), axis=-1)
    return plots.images(
        {
            "photograph": photograph,
            f"smoothed {smoothings} times": np.asarray(image)[0, :, :, 0],
            "its edges": -steepness[0],
        }
    )


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
