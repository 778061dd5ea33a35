"""How fast do a network's outputs change in time, at every time of a batch?

The original looped reverse mode over every output of every sample, then took the full
Jacobian of the batch and kept its diagonal, whose cost grows with the square of the
batch. The input has one dimension, so forward mode needs one pass a sample,
and one JVP serves the whole batch, at about the cost of an evaluation.
"""

from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np

from jnumerics import derivatives, mlp
from jnumerics.workbench import cli, originals, plots
from jnumerics.workbench.config import Count, Settings, condition
from jnumerics.workbench.lesson import Lesson, Picture, ask, median_s

FROM_TIME = condition(
    lambda sizes: len(sizes) > 1 and sizes[0] == 1, "2 sizes or more, the first 1"
)
SOME = condition(lambda counts: len(counts) > 0, "1 number or more")


class Config(Settings):
    """Settings of this example."""

    steps: Count
    """points in time"""
    sizes: Annotated[tuple[Count, ...], FROM_TIME]
    """units from the time to the outputs"""
    growth: Annotated[tuple[Count, ...], SOME]
    """numbers of times in the picture"""


def main(config: Config) -> Lesson:
    params = mlp.init(jax.random.key(0), config.sizes)
    times = np.linspace(0.0, 10.0, config.steps)

    def network(time):
        return mlp.apply(params, time[None])

    def batch(times):
        return mlp.apply(params, times[:, None])

    @jax.jit
    def per_sample(times):
        return jax.vmap(jax.jacfwd(network))(times)

    @jax.jit
    def one_jvp(times):
        return jax.jvp(batch, (times,), (jnp.ones_like(times),))[1]

    @jax.jit
    def full_jacobian(times):
        return jnp.einsum("iki->ik", jax.jacfwd(batch)(times))

    blocks = derivatives.batch_jacobian(lambda times: batch(times[:, 0]))

    def proven(times):
        return blocks(times[:, None])[:, :, 0]

    def normalized(times):  # as batch normalization does in training
        outputs = batch(times[:, 0])
        mean, std = outputs.mean(0, keepdims=True), outputs.std(0, keepdims=True)
        return (outputs - mean) / std

    def loop(times):
        layers = [(np.asarray(w, float), np.asarray(b, float)) for w, b in params]
        return originals.mlp_derivative(layers, times)

    def growth():
        ways = {
            "one JVP": one_jvp,
            "full Jacobian, its diagonal": full_jacobian,
            "reverse mode, sample by sample": loop,
            "vmap of jacfwd": per_sample,
        }
        batches = [np.linspace(0.0, 10.0, n) for n in config.growth]
        return plots.lines(
            {
                name: (
                    config.growth,
                    [median_s(lambda w=way, t=t: w(t)) for t in batches],
                )
                for name, way in ways.items()
            },
            x_label="times in the batch",
            y_label="time for all derivatives",
            scales=("log", "log"),
            markers=True,
            seconds=True,
        )

    return Lesson(
        answers=[
            ask(
                f"d output / d time at {len(times)} times",
                lambda: per_sample(times),
                lambda: loop(times),
                shown=per_sample,
            ),
            ask(
                "the same by one JVP",
                lambda: one_jvp(times),
                lambda: loop(times),
                shown=one_jvp,
            ),
            ask(
                "the same by batch_jacobian, proven first",
                lambda: proven(times),
                lambda: per_sample(times),
                shown=proven,
                rival="vmap of jacfwd",
            ),
            ask(
                "one JVP beside the full Jacobian's diagonal",
                lambda: one_jvp(times),
                lambda: full_jacobian(times),
                shown=one_jvp,
                rival="the full Jacobian",
            ),
        ],
        notes=[refusal(normalized, times)],
        pictures=[
            Picture(
                "growth",
                "The full Jacobian's cost grows with the square of the batch; the one "
                "JVP stays near the cost of a call until the batch fills the machine.",
                growth,
            )
        ],
    )


def refusal(network, times):
    """The message for a network in which samples influence each other."""
    try:
        derivatives.batch_jacobian(network)(times[:, None])
    except derivatives.SampleMixingError as error:
        return f"with batch normalization, batch_jacobian refuses: {error}"
    return "with batch normalization, batch_jacobian does not refuse: WRONG"


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
