"""What is an autoencoder's Jacobian, when neither forward nor reverse mode is the way?

Forward mode takes a pass for each input, reverse mode one for each output: hundreds of
both. But everything that the outputs know of the inputs goes through the narrow code,
so the derivative is the product of two thin factors. The plan finds the cut by itself.
"""

import math
from functools import partial
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np

from jnumerics import derivatives, mlp
from jnumerics.workbench import cli, plots
from jnumerics.workbench.config import Count, Settings, condition
from jnumerics.workbench.lesson import Lesson

BACK = condition(
    lambda sizes: len(sizes) > 1 and sizes[0] == sizes[-1],
    "2 sizes or more, the last like the first",
)


class Config(Settings):
    """Settings of this example."""

    sizes: Annotated[tuple[Count, ...], BACK]
    """units from the image through the code and back"""
    samples: Count
    """samples in the batch"""
    stencil: Count
    """points along a side of the grid in the picture"""


def main(config: Config, lesson: Lesson) -> None:
    autoencoder = network(config)
    x = jax.random.normal(jax.random.key(1), (config.sizes[0],))
    samples = jax.random.normal(jax.random.key(2), (config.samples, len(x)))
    jacobian = derivatives.jacobian(autoencoder)
    diagonal = derivatives.jacobian_diagonal(autoencoder)
    blocks = derivatives.batch_jacobian(autoencoder)  # one for each sample

    forward = jax.jit(jax.jacfwd(autoencoder))
    reverse = jax.jit(jax.jacrev(autoencoder))
    full = jax.jit(lambda x: jnp.diagonal(jax.jacfwd(autoencoder)(x)))
    each = jax.jit(jax.vmap(jax.jacrev(autoencoder)))
    asked = f"the Jacobian of {' - '.join(map(str, config.sizes))}"
    lesson.compare(asked, jacobian(x), forward(x))
    lesson.race(lambda: jacobian(x), lambda: forward(x), rival="jax.jacfwd")
    lesson.compare("the same beside reverse mode", jacobian(x), reverse(x))
    lesson.race(lambda: jacobian(x), lambda: reverse(x), rival="jax.jacrev")
    lesson.compare("its diagonal, without the Jacobian", diagonal(x), full(x))
    lesson.race(lambda: diagonal(x), lambda: full(x), rival="the diagonal of jacfwd")
    asked = f"the Jacobian of each of {config.samples} samples"
    lesson.compare(asked, blocks(samples), each(samples))
    lesson.race(lambda: blocks(samples), lambda: each(samples), rival="vmap of jacrev")
    lesson.note(str(derivatives.plan(autoencoder, x)))
    lesson.picture(
        "dependence",
        "What a two-dimensional five-point stencil depends on, proven without "
        "evaluating it: for each output (down), the range of inputs (across) that the "
        "boxes leave, and the entries that shared passes prove.",
        lambda: dependence(config.stencil),
    )


def network(config):
    params = mlp.init(jax.random.key(0), config.sizes)
    return partial(mlp.apply, params, precision=config.matmul_precision)


def heat(x):
    """One step of a heat equation on a square grid, flattened."""
    n = math.isqrt(x.size)
    x = x.reshape(n, n)
    around = jnp.pad(x, 1)
    near = around[2:, 1:-1] + around[:-2, 1:-1] + around[1:-1, 2:] + around[1:-1, :-2]
    return (x + 0.1 * (near - 4 * x)).reshape(-1)


def dependence(n):
    at = jnp.ones(n * n)
    boxes = derivatives.dependence(heat, at)
    columns = np.arange(n * n)
    box = (boxes.lower <= columns) & (columns <= boxes.upper)
    entries = derivatives.jacobian(heat, mode="compressed")(at) != 0
    return plots.images({"boxes": ~box, "entries, 5 passes": ~np.asarray(entries)})


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
