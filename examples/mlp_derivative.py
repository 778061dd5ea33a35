"""How fast do a network's outputs change in time, at every time of a batch?

The original looped reverse mode over every output of every sample, then took the full
Jacobian of the batch and kept its diagonal, whose cost grows with the square of the
batch. The input has one dimension, so forward mode needs one pass a sample,
and one JVP serves the whole batch, at about the cost of an evaluation.
`batch_jacobian` finds that by itself, once it has proven that times do not mix.
"""

from functools import partial
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np

from jnumerics import derivatives, mlp
from jnumerics.workbench import cli, originals, plots
from jnumerics.workbench.config import Count, Settings, condition
from jnumerics.workbench.lesson import Lesson, median_s

FROM_TIME = condition(
    lambda sizes: len(sizes) > 1 and sizes[0] == 1, "2 sizes or more, the first 1"
)
SOME = condition(lambda counts: len(counts) > 0, "1 number or more")


class Config(Settings):
    """Settings of this example."""

    times: Count
    """points in time"""
    sizes: Annotated[tuple[Count, ...], FROM_TIME]
    """units from the time to the outputs"""
    growth: Annotated[tuple[Count, ...], SOME]
    """numbers of times in the picture"""


def main(config: Config, lesson: Lesson) -> None:
    params = mlp.init(jax.random.key(0), config.sizes)
    times = np.linspace(0.0, 10.0, config.times)

    def network(times):
        precision = config.matmul_precision
        return mlp.apply(params, times[:, None], precision=precision)

    velocity = derivatives.batch_jacobian(network)
    velocities = velocity(times)  # a row for each time

    one_jvp = jax.jit(lambda t: jax.jvp(network, (t,), (jnp.ones_like(t),))[1])
    each = jax.jit(jax.vmap(jax.jacfwd(lambda time: network(time[None])[0])))
    full = jax.jit(lambda t: jnp.einsum("iki->ik", jax.jacfwd(network)(t)))
    expected = loop(params, times)
    lesson.compare(f"d output / d time at {len(times)} times", velocities, expected)
    lesson.race(lambda: velocity(times), lambda: loop(params, times))
    lesson.compare("the same by one JVP", velocities, one_jvp(times))
    lesson.race(lambda: velocity(times), lambda: one_jvp(times), rival="one JVP")
    lesson.compare("the same by vmap of jacfwd", velocities, each(times))
    lesson.race(lambda: velocity(times), lambda: each(times), rival="vmap of jacfwd")
    lesson.compare("the same by the full Jacobian", velocities, full(times))
    lesson.race(lambda: velocity(times), lambda: full(times), rival="the full Jacobian")
    lesson.note(f"with batch normalization, {refusal(network, times)}")
    lesson.picture(
        "growth",
        "The full Jacobian's cost grows with the square of the batch; the one JVP "
        "stays near the cost of a call until the batch fills the machine.",
        lambda: growth(config.growth, one_jvp, full, partial(loop, params), each),
    )


def loop(params, times):
    layers = [(np.asarray(w, float), np.asarray(b, float)) for w, b in params]
    return originals.mlp_derivative(layers, times)


def refusal(network, times):
    def normalized(times):  # as batch normalization does in training
        y = network(times)
        return (y - y.mean(0, keepdims=True)) / y.std(0, keepdims=True)

    try:
        derivatives.batch_jacobian(normalized)(times)
    except derivatives.SampleMixingError as error:
        return f"batch_jacobian refuses: {error}"
    return "batch_jacobian does not refuse: WRONG"


def growth(counts, one_jvp, full, loop, each):
    ways = {
        "one JVP": one_jvp,
        "full Jacobian, its diagonal": full,
        "reverse mode, sample by sample": loop,
        "vmap of jacfwd": each,
    }
    batches = [np.linspace(0.0, 10.0, n) for n in counts]
    return plots.lines(
        {
            name: (counts, [median_s(way, times) for times in batches])
            for name, way in ways.items()
        },
        x_label="times in the batch",
        y_label="time for all derivatives",
        scales=("log", "log"),
        markers=True,
        seconds=True,
    )


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
