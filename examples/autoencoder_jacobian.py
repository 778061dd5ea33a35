"""What is an autoencoder's Jacobian, when neither forward nor reverse mode is the way?

Forward mode takes a pass for each input, reverse mode one for each output: hundreds of
both. But everything that the outputs know of the inputs goes through the narrow code, so
the derivative is the product of two thin factors. The plan finds the cut by itself.
"""

from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np

from jnumerics import derivatives, mlp
from jnumerics.workbench import cli, plots
from jnumerics.workbench.config import Count, Settings, condition
from jnumerics.workbench.lesson import Lesson, Picture, ask

BACK = condition(
    lambda sizes: len(sizes) > 1 and sizes[0] == sizes[-1],
    "2 sizes or more, the last like the first",
)


class Config(Settings):
    """Settings of this example."""

    steps: Count
    """samples in the batch"""
    sizes: Annotated[tuple[Count, ...], BACK]
    """units from the image through the code and back"""
    stencil: Count
    """points along a side of the grid in the picture"""


def main(config: Config) -> Lesson:
    params = mlp.init(jax.random.key(0), config.sizes)
    x = jax.random.normal(jax.random.key(1), (config.sizes[0],))

    def autoencoder(x):
        return mlp.apply(params, x)

    jacobian = derivatives.jacobian(autoencoder)
    diagonal = derivatives.jacobian_diagonal(autoencoder)
    forward, reverse = (
        jax.jit(jax.jacfwd(autoencoder)),
        jax.jit(jax.jacrev(autoencoder)),
    )
    its_diagonal = jax.jit(lambda x: jnp.diagonal(jax.jacfwd(autoencoder)(x)))

    samples = np.asarray(jax.random.normal(jax.random.key(2), (config.steps, len(x))))
    blocks = derivatives.batch_jacobian(autoencoder)
    each = jax.jit(jax.vmap(jax.jacrev(autoencoder)))

    return Lesson(
        answers=[
            ask(
                f"the Jacobian of {' - '.join(map(str, config.sizes))}",
                lambda: jacobian(x),
                lambda: forward(x),
                rival="jax.jacfwd",
            ),
            ask(
                "the same beside reverse mode",
                lambda: jacobian(x),
                lambda: reverse(x),
                rival="jax.jacrev",
            ),
            ask(
                "its diagonal, without the Jacobian",
                lambda: diagonal(x),
                lambda: its_diagonal(x),
                rival="the diagonal of jax.jacfwd",
            ),
            ask(
                f"the Jacobian of each of {config.steps} samples",
                lambda: blocks(samples),
                lambda: each(samples),
                rival="vmap of jax.jacrev",
            ),
        ],
        notes=[str(derivatives.plan(autoencoder, x))],
        pictures=[
            Picture(
                "dependence",
                "What a two-dimensional five-point stencil depends on, proven without "
                "evaluating it: for each output (down), the range of inputs (across) "
                "that the boxes leave, and the entries that shared passes prove.",
                lambda: dependence_picture(config.stencil),
            )
        ],
    )


def dependence_picture(n):
    """Draw the range of inputs behind each output of a stencil on an n x n grid."""

    def heat(x):
        x = x.reshape(n, n)
        around = jnp.pad(x, 1)
        near = (
            around[2:, 1:-1] + around[:-2, 1:-1] + around[1:-1, 2:] + around[1:-1, :-2]
        )
        return (x + 0.1 * (near - 4 * x)).reshape(-1)

    at = jnp.ones(n * n)
    found = derivatives.dependence(heat, at)
    columns = np.arange(n * n)
    box = (found.lower <= columns) & (columns <= found.upper)
    entries = derivatives.jacobian(heat, mode="compressed")(at) != 0
    return plots.images({"boxes": ~box, "entries, 5 passes": ~np.asarray(entries)})


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
