"""What density does a score network give a point, and what does a divergence cost?

A flow that carries data to normal noise knows their density: along it log p changes by
minus the divergence. Of n coordinates that is the trace of n passes; Hutchinson's
estimate takes few, with an error of one over the root of their number. But this network
is narrow in its middle: `divergence` finds the place, and is exact after a few passes,
cheap enough to learn from (Hyvärinen's score matching) and to flow along.

The data are a mixture of normal distributions, so that the density is known.
"""

import math
from functools import partial
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jnumerics import derivatives, mlp, softmax
from jnumerics.workbench import cli, plots, training
from jnumerics.workbench.config import Count, Field, Settings
from jnumerics.workbench.lesson import Lesson, median_s

HALF = 0.5  # the share of the data at which divergences are compared
COUNTS = 1, 4, 16, 64, 256  # of random directions that an estimate takes
CODE = 2  # dimensions of the plane in which the centers lie
ANGLES = 2 * math.pi * np.arange(5) / 5
RING = 4 * np.stack([np.cos(ANGLES), np.sin(ANGLES)], -1)  # the centers, in the plane


class Config(Settings):
    """Settings of this example."""

    dimensions: Annotated[int, Field(ge=CODE, le=10_000)]
    """coordinates of a point"""
    hidden: tuple[Count, ...]
    """units of the hidden layers between the code and back"""
    samples: Count
    """points that an update sees"""
    steps: Count
    """updates of the network"""
    learning_rate: float
    """size of the first updates, from which it falls to zero"""
    report_every: Count
    """updates between two reports"""
    flow_steps: Count
    """Runge-Kutta steps from a point to normal noise"""
    points: Count
    """points whose density is asked for"""
    tolerance: Annotated[float, Field(gt=0)]
    """largest error of a logarithm of a density, over their largest"""


def main(config: Config, lesson: Lesson) -> None:
    start, denoise = network(config)  # denoise(x, a, params): the center behind x
    divergence = derivatives.divergence(denoise)

    def loss(params, batch):  # (score² / 2 + its divergence) / a, without constants
        def of_point(x, a):  # where the score is a * denoise - x
            found = denoise(x, a, params)
            return a * found @ found / 2 - found @ x + divergence(x, a, params)

        return jnp.mean(jax.vmap(of_point)(*batch))

    adam = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))
    trained = training.train(
        loss, start, optimizer=adam, steps=config.steps, data=partial(noisy, config),
        report_every=config.report_every,
    )  # fmt: skip
    learned = partial(denoise, params=trained.params)
    x = mixture(config, config.points, np.random.default_rng(2))
    flow = log_density(learned, derivatives.divergence(learned), config.flow_steps)
    found = flow(x)
    tell(lesson, config, learned, x, found)
    lesson.note(str(derivatives.plan(learned, x[0], HALF, target="diagonal")))
    lesson.picture(
        "density",
        "What the divergence at all points costs, and how far off it is; and the "
        "density by the network's flow beside the true one, with the exact divergence "
        "and with one random direction for each flow.",
        lambda: density(config, learned, x, found),
    )


def network(config):
    """Parameters to start from, and the network: of each point, where it comes from."""
    n, keys = config.dimensions, jax.random.split(jax.random.key(0), 3)
    sizes = (n, CODE), (CODE + 1, *config.hidden, CODE), (CODE, n)
    params = [mlp.init(key, size) for key, size in zip(keys, sizes, strict=True)]
    apply = partial(mlp.apply, precision=config.matmul_precision)

    def denoise(x, a, params):
        encode, middle, decode = params
        code = apply(encode, x)  # here it is narrow
        return apply(decode, apply(middle, jnp.append(code, a)))

    return params, denoise


def log_density(field, divergence, steps):
    """Return log p over a normal distribution's, of points, and of what `field` takes.

    Data a times, with noise, have the score a field(x, a) - x. Along dx/da = field the
    density changes by minus the divergence, from normal noise at a = 0 to data at 1:
    `steps` steps of Runge and Kutta's method.
    """
    h = 1 / steps

    def of_point(x, *args):
        def slope(state, a):
            return field(state[0], a), -divergence(state[0], a, *args)

        def step(state, a):
            k1 = slope(state, a)
            k2 = slope(moved(state, k1, -h / 2), a - h / 2)
            k3 = slope(moved(state, k2, -h / 2), a - h / 2)
            k4 = slope(moved(state, k3, -h), a - h)
            for k, weight in ((k1, 1), (k2, 2), (k3, 2), (k4, 1)):
                state = moved(state, k, -h * weight / 6)
            return state, None

        start, times = (x, jnp.zeros((), x.dtype)), 1 - h * jnp.arange(float(steps))
        (noise, change), _ = jax.lax.scan(step, start, times)
        return (x @ x - noise @ noise) / 2 - change

    return jax.jit(jax.vmap(of_point))


def moved(state, slope, h):
    return jax.tree.map(lambda y, k: y + h * k, state, slope)


# the data, and what is known of them


def centers(config):
    """The centers of the mixture, shape (5, n), on a ring in a plane."""
    plane = np.random.default_rng(0).normal(size=(config.dimensions, CODE))
    return RING @ np.linalg.qr(plane)[0].T


def mixture(config, size, rng):
    """Points of the mixture: one of the centers each, and normal noise."""
    at = centers(config)[rng.integers(len(RING), size=size)]
    return (at + rng.normal(size=at.shape)).astype(config.precision)


def noisy(config, step):
    """Data a times, with as much noise as keeps their variance; and a.

    New ones for each step: what repeats is learned with its noise.
    """
    rng = np.random.default_rng((3, step))
    x, a = mixture(config, config.samples, rng), rng.uniform(size=config.samples)
    noise = np.sqrt(1 - a**2)[:, None] * rng.normal(size=x.shape)
    return a[:, None] * x + noise, a


def log_mixture(centers, x):
    """The logarithm of the true density over a normal distribution's."""
    exponents = centers @ x - jnp.sum(centers**2, -1) / 2
    return jax.nn.logsumexp(exponents) - math.log(len(centers))


def posterior(centers, x, a):
    """What the network should learn: the mean of the centers that may be behind x."""
    exponents = a * centers @ x - a**2 * jnp.sum(centers**2, -1) / 2
    return softmax.softmax(exponents) @ centers


# what it has to say


def tell(lesson, config, learned, x, found):
    """Compare with all passes, and with the density that is known."""
    ours, trace = (each(f(learned)) for f in (derivatives.divergence, traced))
    asked = f"the divergence at {len(x)} points of {x.shape[1]} coordinates"
    lesson.compare(asked, ours(x, HALF), trace(x, HALF))
    lesson.race(lambda: ours(x, HALF), lambda: trace(x, HALF), rival="trace of jacrev")
    known = jax.vmap(partial(log_mixture, centers(config)))(x)
    exact = partial(posterior, centers(config))
    flow = log_density(exact, derivatives.divergence(exact), 2 * config.flow_steps)
    asked = "log p over a normal distribution's, along the true score's flow"
    lesson.compare(asked, flow(x), known, within=1e-4)
    asked = "log p over a normal distribution's, along the network's flow"
    lesson.compare(asked, found, known, within=config.tolerance)
    off = float(np.mean(np.abs(found - known)))
    lesson.note(f"the logarithm of the network's density is off by {off:.3f}, in mean")


def each(fun):
    return jax.jit(jax.vmap(fun, (0, None)))


def traced(field):
    return lambda x, a: jnp.trace(jax.jacrev(field)(x, a))


def hutchinson(field):
    """The mean of v'Jv over directions v, each of random signs."""

    def estimate(x, a, signs):
        along = jax.vmap(lambda v: v @ jax.jvp(lambda x: field(x, a), (x,), (v,))[1])
        return jnp.mean(along(signs))

    return estimate


def density(config, learned, x, found):
    shape = len(x), max(COUNTS), x.shape[1]
    signs = jax.random.rademacher(jax.random.key(5), shape, x.dtype)
    ours, trace = (each(f(learned)) for f in (derivatives.divergence, traced))
    estimate = jax.jit(jax.vmap(hutchinson(learned), (0, None, 0)))
    truth = trace(x, HALF)
    calls = [partial(estimate, x, HALF, signs[:, :k]) for k in COUNTS]
    calls += [partial(ours, x, HALF), partial(trace, x, HALF)]
    ms = np.array([1e3 * median_s(call) for call in calls])
    off = np.array([rms(call() - truth) for call in calls])
    of_cost = plots.Panel(
        {"Hutchinson's estimate": (ms[:-2], off[:-2])},
        "time for all points, ms",
        "error of the divergence",
        ("log", "log"),
        points={
            "Hutchinson's estimate": (ms[:-2], off[:-2]),
            "divergence": (ms[-2:-1], off[-2:-1]),
            "trace of jacrev": (ms[-1:], off[-1:]),
        },
    )
    one = log_density(learned, hutchinson(learned), config.flow_steps)
    known = jax.vmap(partial(log_mixture, centers(config)))(x)
    of_density = plots.Panel(
        {},
        "log p over a normal distribution's, true",
        "by the network's flow",
        points={
            "one direction": (known, one(x, signs[:, :1])),
            "exact divergence": (known, found),
        },
        dashed={"equal": (np.sort(known), np.sort(known))},
    )
    return plots.panels(of_cost, of_density)


def rms(errors):
    eps = float(jnp.finfo(errors.dtype).eps)  # a logarithmic axis has no zero
    return max(eps, float(jnp.sqrt(jnp.mean(errors**2))))


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
