"""Measure the weights of the plan's cost model: `python -m benchmarks.measure_weights`.

Prints the dataclass for this platform, to paste into `derivatives/_plan/cost.py`. Each
rate is that of programs such as passes are made of; the least time of many runs counts.
The choice is not sensitive to them: see the benchmark `choice`.
"""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.functions import convolve, kernel, numbers
from jnumerics.derivatives._plan.cost import Weights, count

RUNS = 200
UNIT = Weights(
    product=1.0, convolution=1.0, factor=1.0, elementwise=1.0, bandwidth=1.0, fixed=0.0
)


def least_s(fun: Callable, *args: Any) -> float:
    """Return the least time of a compiled program, calling it included."""
    program = jax.jit(fun).lower(*args).compile()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        jax.block_until_ready(program(*args))
        times.append(time.perf_counter() - start)
    return min(times)


def rate(programs: list[tuple[Callable, tuple]], calling: float) -> float:
    """Return operations a second, as the plan counts them: the median of programs."""
    rates = []
    for fun, args in programs:
        operations = count(jax.make_jaxpr(fun)(*args), UNIT).operations
        rates.append(operations / (least_s(fun, *args) - calling))
    return float(np.median(rates))


def measure() -> Weights:
    """Measure all weights."""
    tiny = numbers(8, 8)
    calling = least_s(lambda x: x + 1, tiny)
    products = [
        (jnp.matmul, (numbers(rows, n), numbers(n, n)))
        for rows, n in ((512, 64), (512, 256), (1024, 256), (784, 512))
    ]
    convolutions = [
        (convolve, (numbers(n, size, size, c), kernel(3, c, c, 0)))
        for n, size, c in ((64, 14, 16), (128, 28, 4), (256, 7, 32))
    ]
    factors = [
        (lambda x: jnp.linalg.qr(x, mode="r"), (numbers(rows, n),))
        for rows, n in ((200, 32), (400, 64), (1000, 16))
    ]
    elementwise = [
        (jnp.add, (numbers(1 << 20), numbers(1 << 20))),
        (jnp.tanh, (numbers(1 << 20),)),
        (jnp.multiply, (numbers(512, 512), numbers(512, 512))),
    ]
    moves = [
        (lambda x: x[::-1], (numbers(4096, 1024),)),
        (jnp.transpose, (numbers(2048, 1024),)),
        (lambda x: jnp.moveaxis(x, 0, -1), (numbers(64, 128, 128),)),
    ]
    return Weights(
        product=rate(products, calling),
        convolution=rate(convolutions, calling),
        factor=rate(factors, calling),
        elementwise=rate(elementwise, calling),
        bandwidth=_bandwidth(moves, calling),
        fixed=_fixed(tiny),
    )


def _bandwidth(moves: list[tuple[Callable, tuple]], calling: float) -> float:
    """Return bytes a second, read and written, where data change their places."""
    rates = [2 * x.nbytes / (least_s(fun, x) - calling) for fun, (x,) in moves]
    return float(np.median(rates))


def _fixed(tiny: Any) -> float:
    """Measure what an equation costs by itself: products too small to take time."""

    def chain(n: int) -> Callable:
        def run(x: Any) -> Any:
            for _ in range(n):
                x = jnp.tanh(x @ tiny)
            return x

        return run

    few, many = 10, 110
    per_pair = (least_s(chain(many), tiny) - least_s(chain(few), tiny)) / (many - few)
    return per_pair / 2


if __name__ == "__main__":
    weights = measure()
    print(f"# {jax.devices()[0].device_kind}, JAX {jax.__version__}")
    print("Weights(")
    for name, value in vars(weights).items():
        print(f"    {name}={value:.1e},")
    print(")")
