"""What is the ground state of a few particles, and what is its energy?

A particle in a box, two electrons in a trap (Hooke's atom), three particles on springs:
their energies are known, and no state's energy is lower. A network is the state's
logarithm, whose gradient and Laplacian give the energy at a point; one sweep,
`value_grad_and_laplacian`, makes both. The mean over the state's square descends
(variational Monte Carlo).
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jnumerics import derivatives, descent, mlp, softmax
from jnumerics.workbench import cli, plots
from jnumerics.workbench.config import Count, Field, Settings, condition
from jnumerics.workbench.lesson import Lesson

SOME = condition(
    lambda names: "electrons" in names and {*names} <= {*SYSTEMS},
    "electrons, and with them box and springs or not",
)


class Config(Settings):
    """Settings of this example."""

    systems: Annotated[tuple[str, ...], SOME]
    """what to find the ground states of: box, electrons, springs"""
    one_body: tuple[Count, ...]
    """units of the hidden layers of what each particle adds"""
    two_body: tuple[Count, ...]
    """units of the hidden layers of what each pair adds"""
    samples: Count
    """points that an update sees"""
    steps: Count
    """updates of the network"""
    learning_rate: float
    """size of the first updates, from which it falls to zero"""
    last_samples: Count
    """points of the energies at the end"""
    tolerance: Annotated[float, Field(gt=0)]
    """largest relative error of an energy"""


class System(NamedTuple):
    """Particles x, (n, 3), with mass 1; states are given by their logarithms."""

    particles: int
    energy: float  # of the ground state
    ground: Callable  # the ground state
    start: Callable  # what the network is added to: walls and cusps are its affair
    potential: Callable
    spread: float = 0.0  # of the normal points that are drawn; 0: uniform in the box


def main(config: Config, lesson: Lesson) -> None:
    adam = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))
    systems = {name: SYSTEMS[name] for name in config.systems}
    losses, energies, waves = {}, {}, {}
    for name, system in systems.items():
        start, wave = network(config, system)  # wave(x, params): the state's logarithm
        local = jax.vmap(derivatives.value_grad_and_laplacian(wave), (0, None))
        loss, last = (partial(f, system, local) for f in (energy, estimate))
        batches = draw(system, 0, (config.steps, config.samples))
        trained = descent.minimize(
            loss, start, optimizer=adam, steps=config.steps, batches=batches
        )
        losses[name], waves[name] = trained.losses, partial(wave, params=trained.params)
        points = draw(system, 1, (config.last_samples,))
        energies[name] = jax.jit(last)(trained.params, points)

    tell(lesson, config.tolerance, systems, energies)
    test(lesson, systems, waves)
    lesson.picture(
        "states",
        "Energies, each the mean of twenty updates, come down to the exact ones; and "
        "two electrons avoid each other.",
        lambda: states(losses, waves["electrons"]),
    )


def network(config, system):
    """Parameters to start from, and the state: the same for each order of particles."""
    one, two = jax.random.split(jax.random.key(0))
    params = {
        "one": mlp.init(one, (3, *config.one_body, 1)),
        "two": mlp.init(two, (7, *config.two_body, 1)),
    }
    apply = partial(mlp.apply, precision=config.matmul_precision)
    i, j = np.nonzero(~np.eye(system.particles, dtype=bool))  # both orders of each pair

    def wave(x, params):
        smooth = jnp.sqrt(1 + jnp.sum((x[i] - x[j]) ** 2, -1, keepdims=True))
        pairs = apply(params["two"], jnp.concatenate([x[i], x[j], smooth], -1))
        return system.start(x) + jnp.sum(apply(params["one"], x)) + jnp.sum(pairs)

    return params, wave


def energy(system, local, params, points):
    """The mean energy, with the derivative of the mean over the state's square."""
    found = local(points, params)
    at, weights = energies_at(system, found, points), weigh(system, found, points)
    mean = jax.lax.stop_gradient(weights @ at)
    slope = 2 * jax.lax.stop_gradient(weights * (at - mean)) @ found.value
    return mean + slope - jax.lax.stop_gradient(slope)


def estimate(system, local, params, points):
    """The mean energy and its standard error."""
    found = local(points, params)
    at, weights = energies_at(system, found, points), weigh(system, found, points)
    mean = weights @ at
    return mean, jnp.linalg.norm(weights * (at - mean))


def weigh(system, found, points):
    """Weights in means over the state's square, of points that are drawn elsewhere."""
    density = jax.vmap(partial(log_density, system))(points)
    return softmax.softmax(2 * found.value - density)


def energies_at(system, found, points):
    """The energy at each point, from derivatives of the state's logarithm."""
    squares = jnp.sum(found.gradient**2, (1, 2))
    return jax.vmap(system.potential)(points) - (found.laplacian + squares) / 2


def draw(system, seed, shape):
    """Points in the box, or normal ones in the trap."""
    key, shape = jax.random.key(seed), (*shape, system.particles, 3)
    if system.spread:
        return system.spread * jax.random.normal(key, shape)
    return jax.random.uniform(key, shape)


def log_density(system, x):
    """The logarithm of the density that points are drawn from, up to a constant."""
    return -jnp.sum((x / system.spread) ** 2) / 2 if system.spread else 0.0


def distances(x):
    i, j = np.triu_indices(len(x), 1)
    return jnp.linalg.norm(x[i] - x[j], axis=-1)


SYSTEMS = {
    "box": System(
        particles=1,
        energy=1.5 * math.pi**2,
        ground=lambda x: jnp.sum(jnp.log(jnp.sin(math.pi * x))),
        start=lambda x: jnp.sum(jnp.log(x * (1 - x))),
        potential=lambda _: 0.0,
    ),
    "electrons": System(
        particles=2,
        energy=2.0,
        ground=lambda x: jnp.sum(jnp.log1p(distances(x) / 2)) - jnp.sum(x**2) / 4,
        start=lambda x: (
            jnp.sum(distances(x) / (1 + distances(x))) / 2 - jnp.sum(x**2) / 4
        ),
        potential=lambda x: jnp.sum(x**2) / 8 + jnp.sum(1 / distances(x)),
        spread=1.2,
    ),
    "springs": System(
        particles=3,
        energy=7.5,
        ground=lambda x: (
            -1.5 * jnp.sum(jnp.mean(x, 0) ** 2) - jnp.sum(distances(x) ** 2) / 3
        ),
        start=lambda x: -0.75 * jnp.sum(x**2),
        potential=lambda x: jnp.sum(x**2) / 2 + jnp.sum(distances(x) ** 2) / 2,
        spread=0.75,
    ),
}


# what it has to say


def tell(lesson, tolerance, systems, energies):
    """Compare the energies, and those of the exact states at each point."""
    found = np.array([energies[name][0] / s.energy for name, s in systems.items()])
    asked = f"energies over the exact ones: {', '.join(systems)}"
    lesson.compare(asked, found, np.ones(len(found)), within=tolerance)
    for name, system in systems.items():
        mean, error = energies[name]
        of_exact = f"{mean:.5f} ± {error:.5f} hartree, exact {system.energy:.5f}"
        lesson.note(f"{name}: {of_exact}")
        points = draw(system, 2, (1000,))
        if not system.spread:
            points = 0.1 + 0.8 * points  # at a wall large numbers cancel
        sweep = jax.jit(jax.vmap(derivatives.value_grad_and_laplacian(system.ground)))
        found = energies_at(system, sweep(points), points)
        asked = f"{name}: the exact state's energy, at each point"
        lesson.compare(asked, found, np.full(len(points), system.energy))


def test(lesson, systems, waves):
    """Compare the last network's Laplacian with the traces of its Hessians."""
    *_, (name, system) = systems.items()
    wave, points = waves[name], draw(system, 3, (1000,))
    ours = jax.jit(jax.vmap(derivatives.laplacian(wave)))
    hessian = jax.hessian(lambda x: wave(x.reshape(-1, 3)))
    other = jax.jit(jax.vmap(lambda x: jnp.trace(hessian(x.reshape(-1)))))
    asked = f"{name}: the network's Laplacian at {len(points):,} points"
    lesson.compare(asked, ours(points), other(points))
    lesson.race(lambda: ours(points), lambda: other(points), rival="jax.hessian")


def states(losses, electrons):
    of_updates = plots.Panel(
        {name: off(each, SYSTEMS[name].energy) for name, each in losses.items()},
        "updates",
        "relative error of the energy",
        ("linear", "log"),
    )
    r = np.linspace(0.01, 8.0, 200)
    apart = jnp.asarray(r)[:, None, None] * np.array([[[0.5, 0, 0], [-0.5, 0, 0]]])
    found, exact = (
        np.exp(jax.vmap(f)(apart)) for f in (electrons, SYSTEMS["electrons"].ground)
    )
    of_distance = plots.Panel(
        {"network": (r, found / found.max())},
        "distance of the electrons, bohr",
        "state, over its largest value",
        dashed={"exact": (r, exact / exact.max())},
    )
    return plots.panels(of_updates, of_distance)


def off(energies, exact):
    """The relative error of the mean energy of each twenty updates, one at least."""
    blocks = np.array_split(np.asarray(energies), max(len(energies) // 20, 1))
    ends = np.cumsum([len(block) for block in blocks])
    return ends, np.array([abs(np.mean(block) / exact - 1) for block in blocks])


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
