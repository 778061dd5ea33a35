"""What is the ground state of a particle in a box, and what is its energy?

Schrödinger's equation needs the Laplacian of the wave function at every point of a
batch, and the gradient of that by the parameters of a network. The trace of a Hessian
takes as many passes over the gradient as there are coordinates, and makes d^2 numbers
of which d are wanted. `value_grad_and_laplacian` pushes the value, the gradient and the
one sum forward together.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jnumerics import derivatives, descent, mlp
from jnumerics.workbench import cli, plots
from jnumerics.workbench.config import Count, Settings
from jnumerics.workbench.lesson import Lesson


class Config(Settings):
    """Settings of this example."""

    dimensions: Count
    """coordinates of the particle, each between 0 and 1"""
    nodes: Count
    """points of the quadrature in each dimension"""
    hidden: tuple[Count, ...]
    """units of the hidden layers"""
    steps: Count
    """updates of the network"""
    learning_rate: float
    """size of an update"""


def main(config: Config, lesson: Lesson) -> None:
    start, wave = network(config)
    points, weights = quadrature(config.nodes, config.dimensions)
    local = jax.vmap(derivatives.value_grad_and_laplacian(wave), (0, None))

    def energy(params):  # of H = -laplacian / 2, in the state that params give
        value, _, laplacian = local(points, params)
        return -weights @ (value * laplacian) / (2 * weights @ value**2)

    optimizer = optax.sgd(config.learning_rate, momentum=0.9)
    trained = descent.minimize(energy, start, optimizer=optimizer, steps=config.steps)

    ours, hessians = jax.jit(local), jax.jit(jax.vmap(jax.hessian(wave), (0, None)))
    params, exact = trained.params, config.dimensions * math.pi**2 / 2
    expected = np.trace(hessians(points, params), axis1=1, axis2=2)
    asked = f"the Laplacian at {len(points)} points"
    lesson.compare(asked, ours(points, params).laplacian, expected)
    lesson.race(
        lambda: ours(points, params), lambda: hessians(points, params), rival="hessian"
    )
    found = jax.vmap(derivatives.laplacian(sines))(points) / jax.vmap(sines)(points)
    asked = "the energy of the exact state, at each point"
    lesson.compare(asked, -found / 2, np.full(len(points), exact))
    lesson.note(said(trained.losses[0], energy(params), exact))
    lesson.picture(
        "energy",
        "The state's energy above that of the exact ground state, below which no state "
        "goes, update after update.",
        lambda: convergence(trained.losses - exact),
    )


def network(config):
    """Parameters to start from, and the state that they give."""
    params = mlp.init(jax.random.key(0), (config.dimensions, *config.hidden, 1))
    return params, partial(state, precision=config.matmul_precision)


def state(x, params, *, precision):
    """A positive state that is zero on the box's walls."""
    height = mlp.apply(params, x, precision=precision)[0]
    return jnp.exp(height) * jnp.prod(x * (1 - x))


def sines(x):
    """The ground state; its energy is dimensions times pi^2 / 2."""
    return jnp.prod(jnp.sin(math.pi * x))


def quadrature(nodes, dimensions):
    """Gauss and Legendre's points in the box, and their weights."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    points = np.stack(np.meshgrid(*[(x + 1) / 2] * dimensions), -1)
    weights = np.stack(np.meshgrid(*[w / 2] * dimensions), -1).prod(-1)
    return jnp.asarray(points.reshape(-1, dimensions)), jnp.asarray(weights.ravel())


def said(first, last, exact):
    return (
        f"the energy fell from {first:.5f} to {last:.5f}; that of the exact ground "
        f"state is {exact:.5f}"
    )


def convergence(above):
    return plots.lines(
        {"energy": (np.arange(len(above)), np.maximum(above, 1e-7))},
        x_label="update",
        y_label="energy above the ground state's",
        scales=("linear", "log"),
    )


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
