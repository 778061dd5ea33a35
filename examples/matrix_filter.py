"""At how many frequencies must a filter's response be sampled, and at which?

A chain of masses and springs turns forces into accelerations, by a matrix for each
frequency, which takes a linear solve: H(s) = C (sI - A)^-1 B + D. A polynomial through
a few of these matrices gives the others. At Chebyshev's nodes its error falls with each
node by a factor that the poles of H decide, down to rounding. At equispaced nodes it
hardly falls, and in the end grows as rounding errors do: no formula helps. Coefficients
of powers lose the digits again that Chebyshev's nodes have won, from thirty nodes on.
"""

from functools import partial
from typing import Annotated

import jax.numpy as jnp
import numpy as np

from jnumerics import polynomial
from jnumerics.workbench import cli, plots
from jnumerics.workbench.config import Count, Field, Settings, condition
from jnumerics.workbench.lesson import Lesson

RISING = condition(
    lambda band: len(band) == 2 and 0 <= band[0] < band[1],
    "2 numbers, the second one larger",
)
DAMPING = 0.5  # friction of a mass, for a velocity of 1


class Config(Settings):
    """Settings of this example."""

    masses: Annotated[int, Field(ge=3, le=1000)]
    """masses in the chain"""
    band: Annotated[tuple[float, ...], RISING]
    """lowest and highest frequency of the filter, in radians a second"""
    nodes: Count
    """frequencies at which the response is sampled"""
    max_nodes: Annotated[int, Field(ge=4, le=200)]
    """largest number of nodes in the picture of errors"""


def main(config: Config, lesson: Lesson) -> None:
    chain = state_space(config.masses)
    t = np.linspace(-1.0, 1.0, 2_000)  # the band, moved to [-1, 1]
    nodes = chebyshev(config.nodes)
    samples = jnp.asarray(response(chain, frequency(nodes, config.band)))
    interpolated = polynomial.interpolate(nodes, samples, t)

    expected = response(chain, frequency(t, config.band))
    lesson.compare(f"a 3x2 response at {len(t):,} frequencies", interpolated, expected)
    lesson.race(
        lambda: polynomial.interpolate(nodes, samples, t),
        lambda: response(chain, frequency(t, config.band)),
        rival="a linear solve at each",
    )
    draw(config, lesson, chain)


def state_space(masses):
    """Return A, B, C, D of x'' = F u - K x - DAMPING x', whose outputs are of x''."""
    one, none = np.eye(masses), np.zeros((masses, masses))
    K = 2 * one - np.eye(masses, k=1) - np.eye(masses, k=-1)  # springs of stiffness 1
    A = np.block([[none, one], [-K, -DAMPING * one]])
    pushed, watched = [0, masses // 2], [0, masses // 3, masses - 1]
    B = np.vstack([none, one])[:, pushed]
    return A, B, A[masses:][watched], B[masses:][watched]


def response(chain, frequencies):
    """Return H(s) at s = i frequency, shape (n, 3, 2)."""
    A, B, C, D = chain
    s = 1j * frequencies[:, None, None] * np.eye(len(A))
    return C @ np.linalg.solve(s - A, B) + D


def frequency(t, band):
    return band[0] + (t + 1) * (band[1] - band[0]) / 2


def chebyshev(n):
    return np.cos((2 * np.arange(n) + 1) * np.pi / (2 * n))


def factor(chain, band):
    """Return what divides the error with each of Chebyshev's nodes.

    The sum of the half-axes of the largest ellipse around -1 and 1 without a pole of H.
    """
    poles = np.linalg.eigvals(chain[0]) / 1j  # frequencies; s is i times that
    z = 2 * (poles - band[0]) / (band[1] - band[0]) - 1
    sums = np.abs(z + np.sqrt(z * z - 1))
    return np.min(np.maximum(sums, 1 / sums))


def draw(config, lesson, chain):
    at = partial(frequency, band=config.band)
    t = np.linspace(-1.0, 1.0, 401)
    exact = response(chain, at(t))
    counts = np.arange(4, config.max_nodes + 1, 4)
    kinds = {"Chebyshev": chebyshev, "equispaced": partial(np.linspace, -1.0, 1.0)}
    ways = {
        "barycentric": polynomial.interpolate,
        "coefficients": lambda x, y, t: polynomial.evaluate(polynomial.fit(x, y), t),
    }

    def error(nodes, way):
        interpolated = way(nodes, response(chain, at(nodes)), t)
        return np.abs(interpolated - exact).max() / np.abs(exact).max()

    ratio = factor(chain, config.band)
    lesson.note(f"poles predict an error {ratio:.2f} times smaller with each node")
    lesson.picture(
        "errors",
        "Largest error of the interpolated response. Without coefficients Chebyshev's "
        "nodes reach rounding as fast as the poles allow (gray, without a constant).",
        lambda: plots.lines(
            {
                f"{kind}, {name}": (counts, [error(nodes(n), way) for n in counts])
                for kind, nodes in kinds.items()
                for name, way in ways.items()
            }
            | {"predicted from the poles": (counts, ratio ** -counts.astype(float))},
            x_label="nodes", y_label="largest error, of the largest response",
            scales=("linear", "log"), paired=True,
        ),
    )  # fmt: skip


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
