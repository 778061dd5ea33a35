"""How warm does a plate become that conducts the better the warmer it is?

Each point of a grid has its equation, and shares unknowns with four neighbors alone. So
five numbers in each row of Newton's Jacobian are not zero: five shared passes find them
at a million points too, and SciPy eliminates. Newton-Krylov multiplies by the Jacobian
instead, hundreds of times a step. Since the conductivity is linear, Kirchhoff's
transformation gives the answer in closed form.
"""

import time
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from scipy.fft import dstn, idstn
from scipy.sparse import coo_array
from scipy.sparse.linalg import LinearOperator, bicgstab, spsolve

from jnumerics import derivatives
from jnumerics.workbench import cli, plots
from jnumerics.workbench.config import Count, Field, Settings, condition
from jnumerics.workbench.lesson import Lesson, median_s

SOME = condition(lambda sides: len(sides) > 0, "1 number or more")
HEATERS = (0.3, 0.4), (0.7, 0.6)
HALF_OF_THE_DIGITS = 1e-8  # a smaller step leaves no error but rounding's


class Config(Settings):
    """Settings of this example."""

    grid: Count
    """points along a side of the plate that both ways solve"""
    large: Count
    """points along a side of the plate that elimination alone solves"""
    growth: Annotated[tuple[Count, ...], SOME]
    """points along a side of the plates in the picture of times"""
    warming: Annotated[float, Field(gt=0)]
    """growth of the conductivity with a degree"""
    steps: Count
    """updates of the temperatures, at most"""


def main(config: Config, lesson: Lesson) -> None:
    heat = heaters(config.grid)
    eliminate = newton(elimination, heat, config)
    multiply = newton(krylov, heat, config)
    found, other = eliminate(), multiply()

    expected = kirchhoff(heat, config.warming)
    lesson.compare(f"temperatures of {heat.size:,} points", found[-1], expected)
    lesson.race(eliminate, multiply, rival="Newton-Krylov")
    lesson.compare("the same by Newton-Krylov", other[-1], expected)
    falls = {
        "elimination": np.abs(found - expected).max(1) / expected.max(),
        "Krylov, to three digits": np.abs(other - expected).max(1) / expected.max(),
    }
    large, start = heaters(config.large), time.perf_counter()
    answer = newton(elimination, large, config)()
    seconds = time.perf_counter() - start
    expected = kirchhoff(large, config.warming)
    lesson.compare(f"temperatures of {large.size:,} points", answer[-1], expected)
    lesson.note(f"their {len(answer) - 1} steps took {seconds:.1f} s, all included")
    draw(config, lesson, falls)


def heaters(n):
    """Heat given to n x n points of a square plate, by two heaters."""
    x = np.arange(1, n + 1) / (n + 1)
    bells = [np.exp(-100 * ((x[:, None] - a) ** 2 + (x - b) ** 2)) for a, b in HEATERS]
    return 5e4 * np.sum(bells, axis=0)


def balance(heat, warming):
    """Return what points gain at their temperatures: nothing, once all is still."""
    n = len(heat)

    def flow(
        a, b
    ):  # conductivity is that of the mean, which is exact where it rises so
        return (1 + warming * (a + b) / 2) * (b - a)

    def gains(x):
        wide = jnp.pad(x.reshape(n, n), 1)  # the rim is kept at 0 degrees
        down = jnp.diff(flow(wide[:-1, 1:-1], wide[1:, 1:-1]), axis=0)
        across = jnp.diff(flow(wide[1:-1, :-1], wide[1:-1, 1:]), axis=1)
        return ((down + across) * (n + 1) ** 2 + heat).ravel()

    return gains


def elimination(gains):
    """Newton's step from the Jacobian, whose numbers five shared passes find."""
    value_and_jacobian = derivatives.value_and_jacobian(gains, format="bcoo")

    def step(x):
        value, J = value_and_jacobian(x)
        at, numbers = np.asarray(J.indices), np.asarray(J.data)
        inside = (at < J.shape).all(1)  # what is beyond the shape is padding
        A = coo_array((numbers[inside], tuple(at[inside].T)), J.shape).tocsc()
        return spsolve(A, -np.asarray(value), permc_spec="MMD_AT_PLUS_A")

    return step


def krylov(gains):
    """Newton's step to three digits, from products with the Jacobian."""
    value = jax.jit(gains)
    push = jax.jit(lambda x, t: jax.jvp(gains, (x,), (t,))[1])

    def step(x):
        x = jnp.asarray(x)
        product, shape = lambda t: np.asarray(push(x, t)), (x.size, x.size)
        J = LinearOperator(
            shape,
            product,
            dtype=x.dtype,  # pyright: ignore[reportCallIssue]
        )
        return bicgstab(J, -np.asarray(value(x)), rtol=1e-3)[0]

    return step


def newton(way, heat, config):
    """Return a function that gives the temperatures at first and after each step."""
    step = way(balance(heat, config.warming))

    def solve():
        found = [np.zeros(heat.size)]
        for _ in range(config.steps):
            change = step(found[-1])
            found.append(found[-1] + change)
            if np.abs(change).max() < HALF_OF_THE_DIGITS * np.abs(found[-1]).max():
                break
        return np.stack(found)

    return solve


def kirchhoff(heat, warming):
    """Return the temperatures u: u + warming u^2 / 2 is linear in the heat.

    The grid's equations are those of its sine transform, to rounding.
    """
    n = len(heat)
    waves = (2 - 2 * np.cos(np.pi * np.arange(1, n + 1) / (n + 1))) * (n + 1) ** 2
    linear = idstn(dstn(heat, type=1) / (waves[:, None] + waves), type=1)
    return ((np.sqrt(1 + 2 * warming * linear) - 1) / warming).ravel()


def draw(config, lesson, falls):
    """Show how the errors fall, and what a plate of each size costs."""
    for name, e in falls.items():
        ratios = np.log(e[1 : np.argmin(e)] / e[: np.argmin(e) - 1])  # above rounding
        orders = ", ".join(f"{p:.2f}" for p in ratios[1:] / ratios[:-1])
        shown = ", ".join(f"{error:.0e}" for error in e)
        lesson.note(f"by {name}, errors of {shown}: orders {orders}")
    lesson.picture(
        "convergence",
        "Newton's method doubles the digits in each step once it is near; solved to "
        "three digits, a step adds three.",
        lambda: plots.lines(
            {name: (np.arange(len(e)), e) for name, e in falls.items()},
            x_label="Newton steps",
            y_label="largest error, of the largest temperature",
            scales=("linear", "log"),
        ),
    )
    plates = [heaters(n) for n in config.growth]
    sizes = [plate.size for plate in plates]
    ways = {"elimination": elimination, "Krylov": krylov}
    lesson.picture(
        "growth",
        "Elimination beside products with the Jacobian, of which a larger plate needs "
        "more.",
        lambda: plots.lines(
            {
                name: (sizes, [median_s(newton(way, p, config)) for p in plates])
                for name, way in ways.items()
            },
            x_label="points",
            y_label="time for all steps",
            scales=("log", "log"),
            markers=True,
            seconds=True,
        ),
    )


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
