"""Which rates does an epidemic have, of which noisy counts are known?

A network t -> (S, E, I, R) learns to pass through the counts and to satisfy

    S' = -beta S I    E' = beta S I - sigma E    I' = sigma E - gamma I    R' = gamma I

whose rates are learned together with its own parameters. Its derivatives by time, at
all times of a batch, are one forward pass: `batch_jacobian` proves that times do not
mix, and the loss differentiates it again.
"""

from functools import partial
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.integrate import solve_ivp

from jnumerics import derivatives, mlp, softmax
from jnumerics.workbench import cli, plots, training
from jnumerics.workbench.config import Count, Field, Settings
from jnumerics.workbench.lesson import Lesson

RATES = {"beta": 0.9, "sigma": 0.3, "gamma": 0.2}  # a day, to be found; first 0.5 each
START = 0.99, 0.01, 0.0, 0.0  # shares of the population
DAYS, EVERYWHERE = np.linspace(0, 60, 61), np.linspace(0, 60, 128)
NOISE = 0.01  # of the counts, as a share of the population
SPAN = 10.0  # days over which a residual counts as much as an error of a share


class Config(Settings):
    """Settings of this example."""

    hidden: tuple[Count, ...]
    """units of the hidden layers"""
    seed: Annotated[int, Field(ge=0)]
    """of the noise and of the network"""
    steps: Count
    """updates of the network and the rates"""
    learning_rate: float
    """size of the first updates, from which it falls to zero"""
    tolerance: Annotated[float, Field(gt=0)]
    """largest relative error of a rate, and absolute one of a share"""
    report_every: Count
    """updates between two lines of metrics.csv, two checkpoints"""
    resume: bool = False
    """whether to go on from the newest checkpoint in the folder"""


def main(config: Config, lesson: Lesson) -> None:
    noise = np.random.default_rng(config.seed).normal(size=(len(DAYS), 4))
    counts = integrated(RATES) + NOISE * noise
    shares = partial(network, precision=config.matmul_precision)
    adam = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))
    velocity = derivatives.batch_jacobian(shares)  # (n, 4), a row for each time
    layers = mlp.init(jax.random.key(config.seed), (1, *config.hidden, 4))

    def loss(params, data):
        t, counts = data
        slopes = seir(shares(EVERYWHERE, params), rates(params))
        residual = SPAN * (velocity(EVERYWHERE, params) - jnp.stack(slopes, -1))
        misfit = shares(t, params) - counts
        return (jnp.mean(misfit**2) + jnp.mean(residual**2)) / NOISE**2

    trained = training.train(
        loss, {"layers": layers, "logs": dict.fromkeys(RATES, jnp.log(0.5))},
        optimizer=adam, steps=config.steps, data=(DAYS, counts),
        evaluate=jax.jit(rates), report_every=config.report_every,
        checkpoint=config.out, checkpoint_every=config.report_every,
        resume=config.resume,
    )  # fmt: skip

    tell(lesson, config, shares, trained.params, counts)


def network(t, params, precision):
    """The shares at some times: positive, and of sum 1, as softmax makes them."""
    scaled = (t[:, None] - 30) / 30
    return softmax.softmax(mlp.apply(params["layers"], scaled, precision=precision))


def rates(params):
    """The rates that the parameters give: positive, whatever these are."""
    return jax.tree.map(jnp.exp, params["logs"])


def seir(y, rates):
    """The right-hand sides of the four equations, for shares in the last axis."""
    s, e, i = (y[..., k] for k in range(3))
    infected, ill, over = rates["beta"] * s * i, rates["sigma"] * e, rates["gamma"] * i
    return -infected, infected - ill, ill - over, over


def integrated(rates):
    """The shares each day, by SciPy's integrator."""
    accuracy = {"t_eval": DAYS, "rtol": 1e-9, "atol": 1e-12}
    return solve_ivp(lambda _, y: seir(y, rates), (0, 60), START, **accuracy).y.T


def tell(lesson, config, shares, params, counts):
    """Compare with the true rates, the integrator's solution, and `jax.jacrev`."""
    fitted, exact, y = rates(params), integrated(RATES), shares(DAYS, params)
    ratios = np.array([fitted[name] / rate for name, rate in RATES.items()])
    asked, solved = f"{', '.join(RATES)}, over the true", "S, E, I, R as SciPy has them"
    lesson.compare(asked, ratios, np.ones(3), within=config.tolerance)
    lesson.compare(solved, y, exact, within=config.tolerance)
    ours = partial(jax.jit(derivatives.batch_jacobian(shares)), DAYS, params)
    of_one = jax.jacrev(lambda t, params: shares(t[None], params)[0])
    other = partial(jax.jit(jax.vmap(of_one, (0, None))), DAYS, params)
    lesson.compare("their derivatives", ours(), other())
    lesson.race(ours, other, rival="jax.jacrev")
    lesson.picture(
        "fit",
        "Counts, the network through them, and SciPy's solution at the true rates.",
        lambda: fit(y, counts, exact),
    )


def fit(y, counts, exact):
    names = dict(enumerate("SEIR"))
    curves = {name: (DAYS, y[:, k]) for k, name in names.items()}
    dots = {name: (DAYS, counts[:, k]) for k, name in names.items()}
    known = {"SciPy": (DAYS, exact)}
    return plots.panels(plots.Panel(curves, "days", "share", points=dots, dashed=known))


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
