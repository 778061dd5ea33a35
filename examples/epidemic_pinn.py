"""Which rates does an epidemic have, of which noisy counts are known?

A network t -> (S, E, I, R) learns to pass through the counts and to satisfy the
equations, whose rates are parameters beside its own:

    S' = -beta S I    E' = beta S I - sigma E    I' = sigma E - gamma I    R' = gamma I

The derivative by time, at each time of a batch, is one forward pass for all of them:
`batch_jacobian` proves that times do not mix, and the loss differentiates it again.
"""

from functools import partial
from pathlib import Path
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

RATES = {"beta": 0.9, "sigma": 0.3, "gamma": 0.2}  # a day, to be found
START, END = (0.99, 0.01, 0.0, 0.0), 60.0  # shares of the population; days
GUESS = 0.5  # of each rate
SPAN = 10.0  # days over which a residual counts as much as an error of a share


class Config(Settings):
    """Settings of this example."""

    hidden: tuple[Count, ...]
    """units of the hidden layers"""
    points: Count
    """times at which the equations have to hold"""
    noise: Annotated[float, Field(gt=0)]
    """standard deviation of the counts, as a share of the population"""
    seed: Annotated[int, Field(ge=0)]
    """of the noise and of the network"""
    steps: Count
    """updates of the network and the rates"""
    learning_rate: float
    """size of the first updates, from which it falls to zero"""
    tolerance: Annotated[float, Field(gt=0)]
    """largest relative error of a rate, and absolute one of a share"""
    report_every: Count
    """updates between two lines of metrics.csv"""
    checkpoint_every: Count
    """updates between two checkpoints"""
    resume: bool = False
    """whether to go on from the newest checkpoint in the folder"""


def main(config: Config, lesson: Lesson) -> None:
    times, counts = observed(config)
    start, states = network(config)
    velocity = derivatives.batch_jacobian(states)  # (n, 4), a row for each time
    everywhere = jnp.linspace(0.0, END, config.points)

    def loss(params, data):
        t, counts = data
        misfit, found = states(t, params) - counts, states(everywhere, params)
        slopes = jnp.stack(seir(found, rates(params)), -1)
        residual = SPAN * (velocity(everywhere, params) - slopes)
        return (jnp.mean(misfit**2) + jnp.mean(residual**2)) / config.noise**2

    trained = training.train(
        loss, start, optimizer=descent(config), steps=config.steps,
        data=(times, counts), evaluate=jax.jit(rates), checkpoint=config.out,
        report_every=config.report_every, checkpoint_every=config.checkpoint_every,
        resume=config.resume,
    )  # fmt: skip

    tell(lesson, config, trained.params, states)
    lesson.picture(
        "fit",
        "Counts, the network through them, and the integrator's solution at the true "
        "rates; beside them the errors of the rates that are found.",
        lambda: fit(config, times, counts, partial(states, params=trained.params)),
    )


def network(config):
    """Parameters to start from, and the shares of the population that they give."""
    layers = mlp.init(jax.random.key(config.seed), (1, *config.hidden, 4))
    logs = dict.fromkeys(RATES, jnp.log(GUESS))

    def states(t, params):  # all are positive and sum to 1, as softmax makes them
        scaled = 2 * t[:, None] / END - 1
        scores = mlp.apply(params["layers"], scaled, precision=config.matmul_precision)
        return softmax.softmax(scores)

    return {"layers": layers, "logs": logs}, states


def rates(params):
    """The rates that the parameters give: positive, whatever these are."""
    return jax.tree.map(jnp.exp, params["logs"])


def seir(y, rates):
    """The right-hand sides of the four equations, for shares in the last axis."""
    s, e, i = (y[..., k] for k in range(3))
    infected, ill, over = rates["beta"] * s * i, rates["sigma"] * e, rates["gamma"] * i
    return -infected, infected - ill, ill - over, over


def integrated(rates, times):
    """The shares by SciPy's integrator."""
    solution = solve_ivp(
        lambda _, y: seir(y, rates), (0.0, END), START, t_eval=times, rtol=1e-9,
        atol=1e-12,
    )  # fmt: skip
    return solution.y.T


def observed(config):
    """A count each day, with noise."""
    times = np.linspace(0.0, END, 61)
    noise = np.random.default_rng(config.seed).normal(size=(61, 4))
    return times, integrated(RATES, times) + config.noise * noise


def descent(config):
    return optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))


# what it has to say


def tell(lesson, config, params, states):
    """Compare with the true rates, the integrator's solution, and `jax.jacrev`."""
    times, found = observed(config)[0], rates(params)
    ratios = np.array([found[name] / rate for name, rate in RATES.items()])
    asked = f"{', '.join(RATES)}, over the true rates"
    lesson.compare(asked, ratios, np.ones(3), within=config.tolerance)
    expected, asked = integrated(RATES, times), "S, E, I, R as SciPy integrates them"
    lesson.compare(asked, states(times, params), expected, within=config.tolerance)
    ours = jax.jit(derivatives.batch_jacobian(states))
    of_one = jax.jacrev(lambda t, params: states(t[None], params)[0])
    other = jax.jit(jax.vmap(of_one, (0, None)))
    lesson.compare("their derivatives", ours(times, params), other(times, params))
    lesson.race(
        lambda: ours(times, params), lambda: other(times, params), rival="jax.jacrev"
    )
    named = ", ".join(f"{name} = {float(rate):.4f}" for name, rate in found.items())
    lesson.note(f"a day: {named}; true are {', '.join(map(str, RATES.values()))}")


def fit(config, times, counts, states):
    t = np.linspace(0.0, END, 241)
    found, exact, names = np.asarray(states(t)), integrated(RATES, t), "SEIR"
    file = Path(config.out, "metrics.csv")
    rows = np.atleast_1d(np.genfromtxt(file, delimiter=",", names=True, deletechars=""))
    of_time = plots.Panel(
        {name: (t, found[:, k]) for k, name in enumerate(names)},
        "days",
        "share of the population",
        points={name: (times, counts[:, k]) for k, name in enumerate(names)},
        dashed={
            f"_{n}" if k else "SciPy": (t, exact[:, k]) for k, n in enumerate(names)
        },
    )
    errors = {n: abs(rows[f"evaluation.{n}"] / RATES[n] - 1) for n in RATES}
    of_updates = plots.Panel(
        {name: (rows["step"], error) for name, error in errors.items()},
        "updates",
        "relative error of the rate",
        ("linear", "log"),
        levels={"tolerance": config.tolerance},
    )
    return plots.panels(of_time, of_updates)


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
