"""What density does a score network give a point, and what does a divergence cost?

A flow that carries data to normal noise knows their density: along it log p changes by
minus the divergence. For n coordinates that is a trace, which takes n passes;
Hutchinson's estimate takes few, and its error falls as one over the root of their
number. But this network is narrow in its middle: `divergence` finds the place, and is
exact after a few passes, cheap enough to learn from (Hyvärinen's score matching) and to
flow along. The data are a mixture of normal distributions, whose density is known.
"""

from functools import partial
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jnumerics import derivatives, mlp
from jnumerics.workbench import cli, plots, training
from jnumerics.workbench.config import Count, Field, Settings
from jnumerics.workbench.lesson import Lesson, median_s

COUNTS = 1, 4, 16, 64, 256  # of random directions that an estimate takes
ANGLES = 2 * np.pi * np.arange(5) / 5  # of the centers, on a ring in a plane


class Config(Settings):
    """Settings of this example."""

    dimensions: Annotated[int, Field(ge=2, le=10_000)]
    """coordinates of a point"""
    hidden: tuple[Count, ...]
    """units of the hidden layers between the code and back"""
    steps: Count
    """updates of the network"""
    tolerance: Annotated[float, Field(gt=0)]
    """largest error of a logarithm of a density, over their largest"""


def main(config: Config, lesson: Lesson) -> None:
    start, denoise = network(config)  # denoise(x, a, params): the center behind x
    divergence = derivatives.divergence(denoise)

    def loss(params, batch):  # (score² / 2 + its divergence) / a, without constants
        def of_point(x, a):  # where the score is a * denoise - x
            center = denoise(x, a, params)
            return a * center @ center / 2 - center @ x + divergence(x, a, params)

        return jnp.mean(jax.vmap(of_point)(*batch))

    adam = optax.adam(optax.cosine_decay_schedule(0.005, config.steps))
    trained = training.train(
        loss, start, optimizer=adam, steps=config.steps, data=partial(noisy, config),
        report_every=1000,
    )  # fmt: skip
    learned = partial(denoise, params=trained.params)
    x = jnp.asarray(noisy(config, 10**9, low=1.0)[0])  # data alone
    logs = jax.jit(jax.vmap(log_density(learned)))(x)

    tell(lesson, partial(learned, a=0.5), x)
    mu = centers(config.dimensions)
    exponents = x @ mu.T - np.sum(mu**2, -1, keepdims=True).T / 2
    known = jax.nn.logsumexp(exponents, -1) - np.log(len(mu))
    asked = "log p over a normal distribution's, along the network's flow"
    lesson.compare(asked, logs, known, within=config.tolerance)


def network(config):
    """Parameters to start from, and the network: of each point, where it comes from."""
    n, keys = config.dimensions, jax.random.split(jax.random.key(0), 3)
    sizes = (n, 2), (3, *config.hidden, 2), (2, n)
    params = [mlp.init(*both) for both in zip(keys, sizes, strict=True)]
    apply = partial(mlp.apply, precision=config.matmul_precision)

    def denoise(x, a, params):
        encode, middle, decode = params
        code = apply(encode, x)  # two numbers: here it is narrow
        return apply(decode, apply(middle, jnp.append(code, a)))

    return params, denoise


def log_density(field, steps=100):
    """Return log p over a normal distribution's, of a point.

    Data a times, with noise, have the score a field(x, a) - x. Along dx/da = field the
    density changes by minus the divergence, from noise at a = 0 to data at 1: the
    midpoint rule goes back from there.
    """
    h, divergence = -1 / steps, derivatives.divergence(field)

    def slope(y, a):  # y is x, and what the logarithm has gained
        return jnp.append(field(y[:-1], a), -divergence(y[:-1], a))

    def step(y, a):
        return y + h * slope(y + h * slope(y, a) / 2, a + h / 2), None

    def of_point(x):
        y, _ = jax.lax.scan(step, jnp.append(x, 0.0), 1 + h * jnp.arange(steps))
        return (x @ x - y[:-1] @ y[:-1]) / 2 - y[-1]

    return of_point


def centers(n):
    """The centers of the mixture, shape (5, n), on a ring in a plane."""
    plane = np.linalg.qr(np.random.default_rng(0).normal(size=(n, 2)))[0]
    return 4 * np.stack([np.cos(ANGLES), np.sin(ANGLES)], -1) @ plane.T


def noisy(config, seed, size=256, low=0.0):
    """Data a times, with as much noise as keeps their variance; and their a."""
    rng, mu = np.random.default_rng(seed), centers(config.dimensions)
    a, at = rng.uniform(low, 1.0, size), mu[rng.integers(len(mu), size=size)]
    return a[:, None] * at + rng.normal(size=at.shape), a


def hutchinson(field, x, directions):
    """The mean of v'Jv over some directions v of random signs, for each point."""
    push = jax.linearize(jax.vmap(field), x)[1]
    return jnp.mean(jax.vmap(lambda v: jnp.sum(v * push(v), -1))(directions), 0)


def tell(lesson, field, x):
    """Compare with all passes, and with estimates: their errors and their costs."""
    ours = partial(jax.jit(jax.vmap(derivatives.divergence(field))), x)
    trace = partial(jax.jit(jax.vmap(lambda x: jnp.trace(jax.jacrev(field)(x)))), x)
    lesson.compare(f"the divergence at {len(x)} points", ours(), trace())
    lesson.race(ours, trace, rival="trace of jacrev")
    lesson.note(str(derivatives.plan(field, x[0], target="diagonal")))
    signs = jax.random.rademacher(jax.random.key(5), (max(COUNTS), *x.shape), x.dtype)
    estimate = jax.jit(partial(hutchinson, field, x))
    calls = [*(partial(estimate, signs[:count]) for count in COUNTS), ours, trace]
    caption = "What the divergence at all points costs, and how far off it is."
    lesson.picture("cost", caption, lambda: cost(calls))


def cost(calls):
    ms, truth = np.array([1e3 * median_s(call) for call in calls]), calls[-1]()
    off = np.array([np.sqrt(np.mean((call() - truth) ** 2)) for call in calls])
    off = np.maximum(off, np.finfo(truth.dtype).eps)  # a logarithmic axis has no zero
    dots = {"Hutchinson's estimate": (ms[:-2], off[:-2])}
    dots |= {"divergence": (ms[[-2]], off[[-2]]), "jacrev": (ms[[-1]], off[[-1]])}
    labels = "time for all points, ms", "error of the divergence"
    return plots.panels(plots.Panel({}, *labels, ("log", "log"), points=dots))


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
