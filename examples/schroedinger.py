"""What is the ground state of a few particles, and what is its energy?

Two electrons in a trap (Hooke's atom) and three particles on springs have energies that
are known, and no state's energy is lower. A network is the state's logarithm, whose
gradient and Laplacian give the energy at a point: one sweep makes both. Its mean over
the state's square is minimized by gradient descent (variational Monte Carlo).
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jnumerics import derivatives, descent, mlp, softmax
from jnumerics.workbench import cli, plots
from jnumerics.workbench.config import Count, Field, Settings
from jnumerics.workbench.lesson import Lesson


class Config(Settings):
    """Settings of this example."""

    hidden: tuple[Count, ...]
    """units of the hidden layers, of what a particle and a pair add"""
    steps: Count
    """updates of the network"""
    tolerance: Annotated[float, Field(gt=0)]
    """largest relative error of an energy"""


class System(NamedTuple):
    """Particles x, (n, 3), of mass 1, in atomic units."""

    particles: int
    energy: float  # of the ground state
    potential: Callable
    start: Callable  # a state's logarithm that falls outwards and has the cusps
    spread: float  # of the normal points that are drawn


def main(config: Config, lesson: Lesson) -> None:
    adam = optax.adam(optax.cosine_decay_schedule(0.01, config.steps))
    energies, waves = {}, {}
    for name, system in SYSTEMS.items():
        params, wave = network(config, system)  # wave(x, params): the state's logarithm
        sweep = jax.vmap(derivatives.value_grad_and_laplacian(wave), (0, None))
        local = partial(local_energies, system, sweep)
        trained = descent.minimize(
            partial(energy, local), params, optimizer=adam, steps=config.steps,
            batches=draw(system, 0, config.steps, 256),  # points of each update
        )  # fmt: skip
        at, weights, _ = jax.jit(local)(trained.params, draw(system, 1, 20_000))
        energies[name] = float(weights @ at)
        waves[name] = partial(wave, params=trained.params)

    tell(lesson, config, energies, waves)


def network(config, system):
    """Parameters to start from, and the state: the same for each order of particles."""
    one, two = jax.random.split(jax.random.key(0))
    params = (
        mlp.init(one, (3, *config.hidden, 1)), mlp.init(two, (7, *config.hidden, 1))
    )  # fmt: skip
    apply = partial(mlp.apply, precision=config.matmul_precision)
    i, j = np.nonzero(~np.eye(system.particles, dtype=bool))  # both orders of each pair

    def wave(x, params):
        smooth = jnp.sqrt(1 + jnp.sum((x[i] - x[j]) ** 2, -1, keepdims=True))
        pairs = apply(params[1], jnp.concatenate([x[i], x[j], smooth], -1))
        return system.start(x) + jnp.sum(apply(params[0], x)) + jnp.sum(pairs)

    return params, wave


def local_energies(system, sweep, params, points):
    """The energy at each point, its weight in means over the square, and the log."""
    log, gradient, laplacian = sweep(points, params)
    kinetic = -(laplacian + jnp.sum(gradient**2, (1, 2))) / 2
    drawn = -jnp.sum((points / system.spread) ** 2, (1, 2)) / 2  # log of their density
    at = jax.vmap(system.potential)(points) + kinetic
    return at, softmax.softmax(2 * log - drawn), log


def energy(local, params, points):
    """The mean energy, with the derivative of the mean over the state's square."""
    at, weights, log = local(params, points)
    mean = weights @ at
    slope = 2 * jax.lax.stop_gradient(weights * (at - mean)) @ log
    return jax.lax.stop_gradient(mean - slope) + slope


def draw(system, seed, *shape):
    key, shape = jax.random.key(seed), (*shape, system.particles, 3)
    return system.spread * jax.random.normal(key, shape)


def distances(x):
    i, j = np.triu_indices(len(x), 1)
    return jnp.linalg.norm(x[i] - x[j], axis=-1)


SYSTEMS = {
    "electrons": System(
        particles=2, energy=2.0, spread=1.2,
        potential=lambda x: jnp.sum(x**2) / 8 + jnp.sum(1 / distances(x)),
        start=lambda x: jnp.sum(0.5 / (1 + 1 / distances(x))) - jnp.sum(x**2) / 4,
    ),
    "springs": System(
        particles=3, energy=7.5, spread=0.75,
        potential=lambda x: jnp.sum(x**2) / 2 + jnp.sum(distances(x) ** 2) / 2,
        start=lambda x: -0.75 * jnp.sum(x**2),
    ),
}  # fmt: skip


def tell(lesson, config, energies, waves):
    """Compare the energies, and a network's Laplacian with its Hessian's trace."""
    ratios = np.array([energies[name] / s.energy for name, s in SYSTEMS.items()])
    asked = f"energies over the exact ones: {', '.join(SYSTEMS)}"
    lesson.compare(asked, ratios, np.ones(len(ratios)), within=config.tolerance)
    wave, points = waves["springs"], draw(SYSTEMS["springs"], 2, 1000)
    ours = partial(jax.jit(jax.vmap(derivatives.laplacian(wave))), points)
    hessian = jax.hessian(lambda x: wave(x.reshape(-1, 3)))
    other = partial(jax.jit(jax.vmap(lambda x: jnp.trace(hessian(x.ravel())))), points)
    lesson.compare("the network's Laplacian at 1,000 points", ours(), other())
    lesson.race(ours, other, rival="jax.hessian")
    caption = "Two electrons avoid each other, and are at a distance most of all."
    lesson.picture("electrons", caption, lambda: electrons(waves["electrons"]))


def electrons(wave):
    r = np.linspace(0.01, 8.0, 200)
    apart = r[:, None, None] * np.array([[0.5, 0, 0], [-0.5, 0, 0]])
    state, exact = np.exp(jax.vmap(wave)(apart)), (1 + r / 2) * np.exp(-(r**2) / 8)
    panel = plots.Panel(
        {"network": (r, state / state.max())},
        "distance of the electrons, bohr",
        "state, over its largest value",
        dashed={"exact": (r, exact / exact.max())},
    )
    return plots.panels(panel)


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
