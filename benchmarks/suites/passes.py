"""What one forward and one reverse pass cost, in evaluations of the function."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from benchmarks._measure import Bench
from benchmarks.functions import attention, convolve, kernel, network, numbers

WAYS = ("one JVP", "one VJP")
Case = tuple[Callable[[Any], Any], Any]


def passes(bench: Bench) -> None:
    """One JVP and one VJP beside the evaluation, the value included."""
    cases = list(CASES.items())
    for name, make in cases[:2] if bench.is_quick else cases:
        fun, x = make()
        race = bench.race(_programs(fun, x), seconds=1.5, keep=False)
        for way in WAYS:
            bench.report(f"{name}: {way}", None, race.ratio(way, "evaluation"))


def _programs(fun: Callable, x: Any) -> dict[str, Callable[[], Any]]:
    """Compile the function, and it with one derivative along fixed directions."""
    cotangent = jax.tree.map(jnp.ones_like, jax.jit(fun)(x))
    tangent = jax.tree.map(jnp.ones_like, x)

    def jvp(x: Any, tangent: Any) -> Any:
        return jax.jvp(fun, (x,), (tangent,))

    def vjp(x: Any, cotangent: Any) -> Any:
        value, pull = jax.vjp(fun, x)
        return value, pull(cotangent)

    return {
        "evaluation": _call(fun, x),
        WAYS[0]: _call(jvp, x, tangent),
        WAYS[1]: _call(vjp, x, cotangent),
    }


def _call(fun: Callable, *args: Any) -> Callable[[], Any]:
    program = jax.jit(fun).lower(*args).compile()
    return lambda: program(*args)


def linear_solve() -> Case:
    A = numbers(256, 256) + 32 * jnp.eye(256)
    return lambda b: jnp.linalg.solve(A, b), numbers(256)


def recurrent() -> Case:
    into, again = numbers(64, 64, scale=0.1), numbers(64, 64, seed=1, scale=0.1)

    def apply(xs: Any) -> Any:
        def step(h: Any, x: Any) -> tuple[Any, Any]:
            h = jnp.tanh(x @ into + h @ again)
            return h, h

        return lax.scan(step, jnp.zeros((32, 64)), xs)[1]

    return apply, numbers(100, 32, 64)


def rounds() -> Case:
    def apply(x: Any) -> Any:
        for _ in range(5):
            x = jnp.sin(x) * jnp.exp(-x * x)
        return x

    return apply, numbers(1_000_000)


def of_weights() -> Case:
    sizes = ((256, 512), (512, 512), (512, 256))
    weights = [numbers(n, m, seed=n + m, scale=n**-0.5) for n, m in sizes]
    X = numbers(256, 256)

    def apply(weights: Any) -> Any:
        h = X
        for weight in weights[:-1]:
            h = jnp.tanh(h @ weight)
        return h @ weights[-1]

    return apply, weights


def convolutions() -> Case:
    first, second = kernel(3, 8, 8, 0), kernel(3, 8, 8, 1)
    return (
        lambda x: convolve(jnp.tanh(convolve(x, first)), second),
        numbers(4, 64, 64, 8),
    )


def one_head() -> Case:
    return attention(64), numbers(256, 64)


def stencil() -> Case:
    return lambda x: x[1:-1] + 0.1 * x[1:-1] * (x[2:] - x[:-2]), numbers(1_000_000)


def one_sample() -> Case:
    return network(784, 512, 512, 784), numbers(784)


def many_samples() -> Case:
    return network(256, 512, 512, 256), numbers(256, 256)


CASES: Mapping[str, Callable[[], Case]] = {
    "linear solve with a 256 x 256 matrix": linear_solve,
    "100 steps of a recurrent network, scanned": recurrent,
    "network 784-512-512-784, one sample": one_sample,
    "five rounds of sin, exp and products, 10⁶ numbers": rounds,
    "network 256-512-512-256, 256 samples": many_samples,
    "two convolutions 3x3, 4 images 64x64x8": convolutions,
    "attention, 256 tokens of 64": one_head,
    "network 256-512-512-256, 256 samples, its weights": of_weights,
    "three-point stencil, 10⁶ numbers": stencil,
}
BENCHMARKS: Mapping[str, Callable[[Bench], None]] = {"passes": passes}
