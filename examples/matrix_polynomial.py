"""A polynomial with matrices for coefficients is found from its values at 12 nodes.

`np.linalg.solve` refuses values of shape (12, 60, 60); flattened, it works, but the
Vandermonde matrix has condition number 2.6e9 and takes nine digits. The recurrences
of Björck and Pereyra lose hardly one. Expected are the exact coefficients, computed in
rational numbers from the same rounded values.
"""

from fractions import Fraction
from typing import Annotated

import jax.numpy as jnp
import numpy as np
from numpy.polynomial.polynomial import polyval

from jnumerics import polynomial
from jnumerics.workbench import cli, originals, plots
from jnumerics.workbench.config import Field, Settings
from jnumerics.workbench.lesson import Lesson

NODES = np.linspace(0.1, 1.2, 12)


class Config(Settings):
    """Settings of this example."""

    size: Annotated[int, Field(ge=1, le=1000)]
    """rows and columns of a coefficient"""
    max_nodes: Annotated[int, Field(ge=4, le=48)]  # more overflow float32
    """largest number of nodes in the picture"""


def main(config: Config, lesson: Lesson) -> None:
    size, y = config.size, 0.55
    values = np.random.default_rng(0).uniform(size=(12, size, size))
    matrices = jnp.asarray(values)  # where they are wanted, before the clock starts
    coefficients = polynomial.fit(NODES, matrices)
    between_nodes = polynomial.interpolate(NODES, matrices, y)

    exact = exact_fit(NODES, values[:, :2])  # of two rows: rational numbers are slow
    expected, solved = exact.astype(float), originals.polynomial_fit(NODES, values)
    asked = f"coefficients {size}x{size} of 12 nodes"
    lesson.compare(asked, coefficients[:, :2], expected)
    lesson.race(
        lambda: polynomial.fit(NODES, matrices),
        lambda: originals.polynomial_fit(NODES, values),
    )
    value = np.asarray(sum(a * Fraction(y) ** k for k, a in enumerate(exact)), float)
    lesson.compare("the value at 0.55, between two nodes", between_nodes[:2], value)
    lesson.race(
        lambda: polynomial.interpolate(NODES, matrices, y),
        lambda: polyval(y, originals.polynomial_fit(NODES, values)),
    )
    lost = np.max(np.abs(solved[:, :2] - expected)) / np.max(np.abs(expected))
    lesson.note(f"np.linalg.solve returns the coefficients with error {lost:.1e}")
    lesson.picture(
        "errors",
        "Largest error of a coefficient against rational arithmetic. Solving with the "
        "Vandermonde matrix loses a digit with each node.",
        lambda: errors_by_nodes(range(4, config.max_nodes + 1, 4)),
    )


def exact_fit(nodes, values):
    """Newton's divided differences, expanded to powers, in rational numbers."""
    x = [Fraction(float(node)) for node in nodes]
    c = np.vectorize(lambda v: Fraction(float(v)), otypes=[object])(values)
    n = len(x)
    for k in range(1, n):
        for i in range(n - 1, k - 1, -1):
            c[i] = (c[i] - c[i - 1]) / (x[i] - x[i - k])
    for k in range(n - 2, -1, -1):
        for i in range(k, n - 1):
            c[i] = c[i] - x[k] * c[i + 1]
    return c


def errors_by_nodes(counts):
    fits = {
        "polynomial.fit": polynomial.fit,
        "np.linalg.solve": originals.polynomial_fit,
    }
    return plots.lines(
        {
            f"{name}, {dtype}": (counts, [error(fit, n, dtype) for n in counts])
            for name, fit in fits.items()
            for dtype in ("float64", "float32")
        },
        x_label="equispaced nodes in [0.1, 1.2]",
        y_label="largest relative error",
        scales=("linear", "log"),
        paired=True,
    )


def error(fit, n, dtype):
    nodes = np.linspace(0.1, 1.2, n).astype(dtype)
    values = np.random.default_rng(n).uniform(size=(n, 8)).astype(dtype)
    exact = exact_fit(nodes, values).astype(float)
    return np.max(np.abs(np.asarray(fit(nodes, values)) - exact) / np.abs(exact))


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
