"""The product with softmax's Jacobian, beside one evaluation and PyTorch."""

import math
from collections.abc import Callable, Mapping

import jax

from benchmarks import peers
from benchmarks._measure import Bench, at_least, at_most
from jnumerics import softmax


def softmax_product(bench: Bench) -> None:
    """The product with softmax's Jacobian: one evaluation's time and memory."""
    keys = jax.random.split(jax.random.key(0))
    x, cotangent = (jax.random.normal(key, (4096, 1_000)) for key in keys)
    evaluation, ours = "softmax (4096,1000)", "softmax.vjp"
    race = bench.race(
        {
            evaluation: lambda: softmax.softmax(x),
            ours: lambda: softmax.vjp(x, cotangent),
        }
    )
    what = "softmax product (4096,1000)"
    bench.compare(
        f"{what}, in evaluations of softmax", at_most(1.5), race, ours, evaluation
    )
    torch = peers.contender("torch", "softmax_product", x, cotangent)
    race = bench.race(
        {ours: lambda: softmax.vjp(x, cotangent), "torch's softmax and grad": torch},
        same=1e-4,
    )
    bench.compare(
        f"{what}: torch over ours", at_least(1), race, "torch's softmax and grad", ours
    )
    compiled = jax.jit(softmax.vjp).lower(x, cotangent).compile()
    analysis = compiled.memory_analysis()
    memory = 0 if analysis is None else analysis.temp_size_in_bytes
    bench.report(
        "its temporary memory, in arrays of the scores' size; one (n, n) array for "
        "each row would be 1,000",
        at_most(1.0),
        memory / (math.prod(x.shape) * x.dtype.itemsize),
    )


BENCHMARKS: Mapping[str, Callable[[Bench], None]] = {"softmax": softmax_product}
