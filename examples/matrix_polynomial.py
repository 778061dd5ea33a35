"""A polynomial with matrices for coefficients is found from its values at 12 nodes.

`np.linalg.solve` refuses values of shape (12, 60, 60); flattened, it works, but the
Vandermonde matrix has condition number 2.6e9 and takes nine digits. The recurrences
of Björck and Pereyra lose hardly one. Expected are the exact coefficients, computed in
rational numbers from the same rounded values.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated

import jax.numpy as jnp
import numpy as np

from jnumerics import polynomial
from jnumerics.workbench import cli, originals, plots
from jnumerics.workbench.config import Field, Settings
from jnumerics.workbench.lesson import Lesson, Picture, ask

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NODES = np.linspace(0.1, 1.2, 12)


class Config(Settings):
    """Settings of this example."""

    steps: Annotated[int, Field(ge=4, le=48)]  # more nodes overflow float32
    """largest number of nodes in the picture"""
    size: Annotated[int, Field(ge=1, le=1000)]
    """rows and columns of a coefficient"""


def exact_fit(nodes: np.ndarray, values: np.ndarray) -> np.ndarray:
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


def main(config: Config) -> Lesson:
    values = np.random.default_rng(0).uniform(size=(12, config.size, config.size))
    exact = exact_fit(NODES, values[:, :2])  # of two rows: rational numbers are slow
    matrices = jnp.asarray(values)  # where they are wanted, before the clock starts

    def fit():
        return polynomial.fit(NODES, matrices)

    def solve():
        return originals.polynomial_fit(NODES, values)

    def between_nodes():
        return polynomial.interpolate(NODES, matrices, 0.55)

    def solve_and_evaluate():
        return np.polynomial.polynomial.polyval(0.55, solve())

    coefficients = exact.astype(float)
    value = sum(a * Fraction(0.55) ** k for k, a in enumerate(exact))
    lost = np.max(np.abs(solve()[:, :2] - coefficients)) / np.max(np.abs(coefficients))
    return Lesson(
        answers=[
            ask(
                f"coefficients {config.size}x{config.size} of 12 nodes",
                fit,
                solve,
                expected=coefficients,
                compared=np.s_[:, :2],
            ),
            ask(
                "the value at 0.55, between two nodes",
                between_nodes,
                solve_and_evaluate,
                expected=np.asarray(value, float),
                compared=np.s_[:2],
            ),
        ],
        notes=[f"np.linalg.solve returns the coefficients with error {lost:.1e}"],
        pictures=[
            Picture(
                "errors",
                "Largest error of a coefficient against rational arithmetic. Solving "
                "with the Vandermonde matrix loses a digit with each node.",
                lambda: errors_by_nodes(range(4, config.steps + 1, 4)),
            )
        ],
    )


def errors_by_nodes(counts: Sequence[int]) -> Figure:
    def error(way, n, dtype):
        nodes = np.linspace(0.1, 1.2, n).astype(dtype)
        values = np.random.default_rng(n).uniform(size=(n, 8)).astype(dtype)
        exact = exact_fit(nodes, values).astype(float)
        return np.max(np.abs(np.asarray(way(nodes, values)) - exact) / np.abs(exact))

    ways = {
        "polynomial.fit": polynomial.fit,
        "np.linalg.solve": originals.polynomial_fit,
    }
    return plots.lines(
        {
            f"{name}, {dtype}": (counts, [error(way, n, dtype) for n in counts])
            for name, way in ways.items()
            for dtype in ("float64", "float32")
        },
        x_label="equispaced nodes in [0.1, 1.2]",
        y_label="largest relative error",
        scales=("linear", "log"),
        paired=True,
    )


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
