"""The product with softmax's Jacobian, beside one evaluation and PyTorch."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks import peers
from benchmarks._measure import Bench, Here, at_least, at_most
from jnumerics import softmax


def softmax_product(bench: Bench) -> None:
    """The product with softmax's Jacobian: one evaluation's time and memory."""
    keys = jax.random.split(jax.random.key(0))
    x, cotangent = (jax.random.normal(key, (4096, 1_000)) for key in keys)
    evaluation, ours = "softmax (4096,1000)", "softmax.vjp"
    torch = "torch's softmax and grad"

    def product(s: Any) -> Any:
        return s * (cotangent - jnp.sum(s * cotangent, axis=-1, keepdims=True))

    race = bench.race(
        {
            evaluation: Here(lambda: softmax.softmax(x), product),
            ours: lambda: softmax.vjp(x, cotangent),
            torch: peers.contender("torch", "softmax_product", x, cotangent),
        },
        seconds=5,
        same=1e-4,
    )
    what = "softmax product (4096,1000)"
    bench.compare(
        f"{what}, in evaluations of softmax", at_most(1.5), race, ours, evaluation
    )
    bench.compare(f"{what}: torch over ours", at_least(1), race, torch, ours)
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
