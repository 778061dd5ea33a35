"""Forward or reverse mode? Both side by side, on functions that each have a winner.

Forward mode takes a pass for each input, reverse mode one for each output. So the ends of
a function say which of them is faster, unless it is narrower in between (a cut wins), or
most of its Jacobian is zero (passes are shared). Where two modes do the same work there
is no winner, and none may be named.
"""

import jax
import jax.numpy as jnp

from jnumerics import derivatives, mlp
from jnumerics.workbench import cli, plots
from jnumerics.workbench.config import Count, Settings
from jnumerics.workbench.lesson import Lesson, Picture, ask


class Config(Settings):
    """Settings of this example."""

    steps: Count
    """runs of each mode"""
    few: Count
    """inputs of the tall function, outputs of the wide one"""
    many: Count
    """numbers at the other ends"""
    code: Count
    """numbers in the bottleneck"""
    points: Count
    """points of the stencil's rod"""
    terms: Count
    """terms of the series whose modes tie"""


def main(config: Config) -> Lesson:
    few, many = config.few, config.many
    keys = jax.random.split(jax.random.key(0), 3)
    grows = mlp.init(keys[0], [few, many, many])
    shrinks = mlp.init(keys[1], [many, many, few])
    narrows = mlp.init(keys[2], [many, many, config.code, many, many])
    k = jnp.arange(1.0, 1.0 + config.terms)

    def tall(x):
        return mlp.apply(grows, x)

    def wide(x):
        return mlp.apply(shrinks, x)

    def bottleneck(x):
        return mlp.apply(narrows, x)

    def stencil(x):  # heat in a rod that conducts better where it is warm
        return x[1:-1] + 0.1 * x[1:-1] * (x[2:] - 2 * x[1:-1] + x[:-2])

    def tie(t):  # one number of one number: the same products in either order
        return jnp.sum(jnp.sin(k * t) / k**2)

    cases = [
        (tall, (few,), jax.jacrev),
        (wide, (many,), jax.jacfwd),
        (bottleneck, (many,), jax.jacrev),
        (stencil, (config.points,), jax.jacfwd),
        (tie, (), jax.jacfwd),
    ]
    comparisons = [
        derivatives.compare_modes(fun, at(shape), repeats=config.steps)
        for fun, shape, _ in cases
    ]
    return Lesson(
        answers=[beside(fun, at(shape), take) for fun, shape, take in cases],
        notes=[str(found) for found in comparisons],
        pictures=[
            Picture(
                "times",
                "What a Jacobian costs by each mode, in evaluations of the function.",
                lambda: plots.mode_comparisons(comparisons),
            )
        ],
    )


def at(shape):
    return jax.random.normal(jax.random.key(1), shape)


def beside(fun, x, take):
    """The Jacobian by the predicted mode, beside a mode that is named blindly."""
    jacobian, other = derivatives.jacobian(fun), jax.jit(take(fun))

    def planned():
        return jacobian(x)

    return ask(
        f"{fun.__name__}: the Jacobian, by {derivatives.plan(fun, x).mode} mode",
        planned,
        lambda: other(x),
        rival=f"jax.{take.__name__}",
    )


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
