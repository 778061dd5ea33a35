"""How warm does a plate become that conducts the better the warmer it is?

Each point of a grid has its equation, in which only its four neighbors appear beside
it. So five numbers in each row of Newton's Jacobian are not zero: five shared passes
find them, at a million points too, and SciPy eliminates. Newton-Krylov multiplies by
the Jacobian instead, hundreds of times a step. Kirchhoff's transformation gives the
answer in closed form.
"""

import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from scipy.fft import dstn, idstn
from scipy.sparse import coo_array
from scipy.sparse.linalg import LinearOperator, bicgstab, spsolve

from jnumerics import derivatives
from jnumerics.workbench import cli, plots
from jnumerics.workbench.config import Count, Settings
from jnumerics.workbench.lesson import Lesson, numbers

WARMING = 0.1  # growth of the conductivity with a degree
HEATERS = (0.3, 0.4), (0.7, 0.6)


class Config(Settings):
    """Settings of this example."""

    grid: Count
    """points along a side of the plate that both ways solve"""
    large: Count
    """points along a side of the plate that elimination alone solves"""


def main(config: Config, lesson: Lesson) -> None:
    heat = heaters(config.grid)
    eliminate = partial(newton, elimination(balance(heat)), heat.size)
    multiply = partial(newton, krylov(balance(heat)), heat.size)
    direct, other = eliminate(), multiply()

    expected = kirchhoff(heat)
    lesson.compare(f"temperatures of {heat.size:,} points", direct[-1], expected)
    lesson.race(eliminate, multiply, rival="Newton-Krylov")
    show(lesson, {"elimination": direct, "Krylov, to three digits": other}, expected)
    heat, start = heaters(config.large), time.perf_counter()
    answer = newton(elimination(balance(heat)), heat.size)[-1]
    lesson.compare(f"temperatures of {heat.size:,} points", answer, kirchhoff(heat))
    took = f"{time.perf_counter() - start:.1f} s, all included"
    lesson.note(f"by elimination the {heat.size:,} points took {took}")


def heaters(n: int) -> np.ndarray:
    """Heat given to n x n points of a square plate, by two heaters."""
    x, y = np.mgrid[1 : n + 1, 1 : n + 1] / (n + 1)
    bells = [np.exp(-100 * ((x - a) ** 2 + (y - b) ** 2)) for a, b in HEATERS]
    return 5e4 * np.sum(bells, axis=0)


def balance(heat):
    """Return what points gain at their temperatures: nothing, once all is still."""
    n = len(heat)

    def gains(x):
        wide = jnp.pad(x.reshape(n, n), 1)  # the rim is kept at 0 degrees
        k = 1 + WARMING * wide  # conductivity; between two points it is the mean
        down = jnp.diff((k[:-1] + k[1:]) / 2 * jnp.diff(wide, axis=0), axis=0)[:, 1:-1]
        across = jnp.diff((k[:, :-1] + k[:, 1:]) / 2 * jnp.diff(wide))[1:-1]
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
        n, product = x.size, lambda t: np.asarray(push(x, t.astype(x.dtype)))
        J = LinearOperator((n, n), product)
        return bicgstab(J, -np.asarray(value(x)), rtol=1e-3)[0]

    return step


def newton(step, n):
    """Return n temperatures at first and after each step, until they stand."""
    iterates = [np.zeros(n)]
    for _ in range(20):
        iterates.append(iterates[-1] + step(iterates[-1]))
        if np.abs(iterates[-1] - iterates[-2]).max() < 1e-8 * iterates[-1].max():
            break  # what is left is rounding's
    return np.stack(iterates)


def kirchhoff(heat):
    """Return the temperatures u: sine transforms solve for u + WARMING u^2 / 2."""
    n = len(heat)
    waves = (2 - 2 * np.cos(np.pi * np.arange(1, n + 1) / (n + 1))) * (n + 1) ** 2
    linear = np.asarray(idstn(dstn(heat, type=1) / (waves[:, None] + waves), type=1))
    return ((np.sqrt(1 + 2 * WARMING * linear) - 1) / WARMING).ravel()


def show(lesson, ways, expected):
    """Show how the errors fall: an order is the growth of their digits in a step."""
    errors = {k: abs(x - expected).max(1) / expected.max() for k, x in ways.items()}
    for name, e in errors.items():
        falls = np.diff(np.log(e[: np.argmin(e)]))  # above rounding
        shown, orders = numbers(e, 1, 20), numbers(falls[1:] / falls[:-1], 3, 20)
        lesson.note(f"by {name}, errors of {shown}: orders {orders}")
    curves = {name: (np.arange(len(e)), e) for name, e in errors.items()}
    panel = plots.Panel(curves, "Newton steps", "relative error", ("linear", "log"))
    caption = "Newton's method doubles its digits in each step once it is near."
    lesson.picture("convergence", caption, lambda: plots.panels(panel))


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
