"""Forward or reverse mode? Both side by side, on functions that each have a winner.

Forward mode takes a pass for each input, reverse mode one for each output. So the ends
of a function say which of them is faster, unless it is narrower in between (a cut
wins), or most of its Jacobian is zero (passes are shared). Where two modes do the same
work there is no winner, and none may be named.
"""

from functools import partial

import jax
import jax.numpy as jnp

from jnumerics import derivatives, mlp
from jnumerics.workbench import cli, plots
from jnumerics.workbench.config import Count, Settings
from jnumerics.workbench.lesson import Lesson


class Config(Settings):
    """Settings of this example."""

    repeats: Count
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


def functions(config: Config):
    few, many = config.few, config.many
    keys = jax.random.split(jax.random.key(0), 3)
    grows = mlp.init(keys[0], [few, many, many])
    shrinks = mlp.init(keys[1], [many, many, few])
    narrows = mlp.init(keys[2], [many, many, config.code, many, many])
    k = jnp.arange(1.0, 1.0 + config.terms)
    network = partial(mlp.apply, precision=config.matmul_precision)

    def tall(x):
        return network(grows, x)

    def wide(x):
        return network(shrinks, x)

    def bottleneck(x):
        return network(narrows, x)

    def stencil(x):  # heat in a rod that conducts better where it is warm
        return x[1:-1] + 0.1 * x[1:-1] * (x[2:] - 2 * x[1:-1] + x[:-2])

    def tie(t):  # one number of one number: the same products in either order
        return jnp.sum(jnp.sin(k * t) / k**2)

    return tall, wide, bottleneck, stencil, tie


def main(config: Config, lesson: Lesson) -> None:
    tall, wide, bottleneck, stencil, tie = functions(config)
    few, many = normal(config.few), normal(config.many)
    rod, t = normal(config.points), normal()
    comparisons = [
        derivatives.compare_modes(tall, few, repeats=config.repeats),
        derivatives.compare_modes(wide, many, repeats=config.repeats),
        derivatives.compare_modes(bottleneck, many, repeats=config.repeats),
        derivatives.compare_modes(stencil, rod, repeats=config.repeats),
        derivatives.compare_modes(tie, t, repeats=config.repeats),
    ]

    compare(lesson, tall, few, jax.jacrev)
    compare(lesson, wide, many, jax.jacfwd)
    compare(lesson, bottleneck, many, jax.jacrev)
    compare(lesson, stencil, rod, jax.jacfwd)
    compare(lesson, tie, t, jax.jacfwd)
    for comparison in comparisons:
        lesson.note(str(comparison))
    lesson.picture(
        "times",
        "What a Jacobian costs by each mode, in evaluations of the function.",
        lambda: plots.mode_comparisons(comparisons),
    )


def normal(*shape):
    return jax.random.normal(jax.random.key(1), shape)


def compare(lesson, fun, x, blindly):
    """Compare the Jacobian by the planned mode with that by a mode named blindly."""
    jacobian, other = derivatives.jacobian(fun), jax.jit(blindly(fun))
    mode = derivatives.plan(fun, x).mode
    asked = f"{fun.__name__}: the Jacobian, by {mode} mode"
    lesson.compare(asked, jacobian(x), other(x))
    lesson.race(lambda: jacobian(x), lambda: other(x), rival=f"jax.{blindly.__name__}")


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
