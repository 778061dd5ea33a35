"""How time and memory grow with size, beside the exponents that the methods have.

Each subject grows along one axis, everything else fixed. Memory is what a compiled
program holds at once: its arguments, results and temporaries. The exponent is fitted to
the largest three sizes: below, calling and what does not grow are the cost.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import _figure
from benchmarks._measure import Bench
from benchmarks.functions import kernel, network, numbers
from jnumerics import (
    _table,
    conv,
    derivatives,
    linear_regression,
    mlp,
    perceptron,
    polynomial,
)

LARGEST = 3  # sizes that the exponent is fitted to


class Subject(NamedTuple):
    """What grows, and how fast it must.

    Attributes:
        what: The function.
        sizes: Ascending.
        time: The exponent of its time.
        memory: The exponent of its memory.
        make: From a size to the function and its arguments.
    """

    what: str
    sizes: Sequence[int]
    time: float
    memory: float
    make: Callable[[int], tuple[Callable, tuple]]


class Growth(NamedTuple):
    """A subject, measured.

    Attributes:
        times: Seconds, size by size.
        bytes: What the program holds, size by size.
    """

    subject: Subject
    times: np.ndarray
    bytes: np.ndarray

    @property
    def exponents(self) -> tuple[float, float]:
        """The fitted exponents of time and of memory."""
        n = self.subject.sizes
        return fitted(n, self.times), fitted(n, self.bytes)


def fitted(sizes: Any, values: Any) -> float:
    """Fit the exponent of the largest sizes: the slope between logarithms."""
    x, y = np.log(sizes[-LARGEST:]), np.log(values[-LARGEST:])
    return float(np.polyfit(x, y, 1)[0])


def _samples(n: int) -> tuple[Callable, tuple]:
    params = mlp.init(jax.random.key(0), (1, 20, 20, 4))
    fun = derivatives.batch_jacobian(lambda X: mlp.apply(params, X))
    return fun, (numbers(n, 1),)


def _features(n: int) -> tuple[Callable, tuple]:
    return linear_regression.solve, (numbers(2_000, n), numbers(2_000, seed=1))


def _inputs(n: int) -> tuple[Callable, tuple]:
    layers = network(n, 128, 128, 1)
    one = derivatives.laplacian(lambda x: layers(x)[0], mode="collapsed")
    return jax.vmap(one), (numbers(16, n),)


def _outputs(n: int) -> tuple[Callable, tuple]:
    return derivatives.jacobian(network(16, 256, n)), (numbers(16),)


def _nodes(n: int) -> tuple[Callable, tuple]:
    nodes = np.cos(np.pi * (np.arange(n) + 0.5) / n)
    values = np.exp(nodes[:, None] * np.linspace(0.5, 1.5, 3_600))
    return polynomial.fit, (jnp.asarray(nodes, float), jnp.asarray(values, float))


def _pixels(n: int) -> tuple[Callable, tuple]:
    side = round(n**0.5)
    return conv.conv2d, (numbers(1, side, side, 16), kernel(3, 16, 16, 0))


def _steps(n: int) -> tuple[Callable, tuple]:
    def fit(weights: Any, X: Any, y: Any) -> Any:
        return perceptron.fit(weights, X, y, steps=n)

    return fit, (numbers(3), numbers(4, 3, seed=1), jnp.ones(4))


def _colors(n: int) -> tuple[Callable, tuple]:
    """Couple numbers within blocks of n, at a cost that does not depend on n."""

    def blocks(x: Any) -> Any:
        rows = x.reshape(-1, n)
        return (rows * jnp.sum(jnp.sin(rows), axis=1, keepdims=True)).reshape(-1)

    fun = derivatives.jacobian(blocks, mode="compressed", format="bcoo")
    return fun, (numbers(1 << 14),)


SUBJECTS: Mapping[str, Subject] = {
    "samples": Subject(
        "batch_jacobian of 1-20-20-4", [4**k for k in range(4, 10)], 1, 1, _samples
    ),
    "features": Subject(
        "solve, 2,000 rows", [8, 16, 32, 64, 128, 256], 2, 1, _features
    ),
    "inputs": Subject(
        "laplacian of n-128-128-1", [16, 32, 64, 128, 256, 512], 1, 1, _inputs
    ),
    "outputs": Subject(
        "jacobian of 16-256-n", [4**k for k in range(3, 9)], 1, 1, _outputs
    ),
    "nodes": Subject("fit of 3,600 polynomials", [4, 8, 16, 32, 64, 128], 2, 1, _nodes),
    "pixels": Subject(
        "conv2d 3x3, 16 channels", [4**k for k in range(4, 10)], 1, 1, _pixels
    ),
    "steps": Subject("perceptron.fit", [4**k for k in range(4, 10)], 1, 1, _steps),
    "colors": Subject(
        "sparse jacobian, 16,384 inputs", [2, 4, 8, 16, 32, 64], 1, 1, _colors
    ),
}


def scaling(bench: Bench) -> None:
    """Time and memory of each subject, and their exponents."""
    names = list(SUBJECTS)[:1] if bench.is_quick else list(SUBJECTS)
    growths = {name: _measure(bench, SUBJECTS[name]) for name in names}
    rows = [_row(name, growth) for name, growth in growths.items()]
    header = ("in", "of", "sizes", "time", "expected", "memory", "expected")
    bench.shown["text"] = _table.text(header, rows)
    bench.shown["growth"] = {name: _data(growth) for name, growth in growths.items()}
    bench.draw("scaling.png", lambda file: _figure.growth(bench.shown["growth"], file))


def _measure(bench: Bench, subject: Subject) -> Growth:
    calls, held = {}, []
    for size in subject.sizes[:3] if bench.is_quick else subject.sizes:
        fun, args = subject.make(size)
        program = jax.jit(lambda *args, fun=fun: fun(*args)).lower(*args).compile()
        calls[str(size)] = lambda run=program, args=args: run(*args)
        held.append(held_bytes(program))
    race = bench.race(calls, seconds=1.5, keep=False)
    times = [float(np.median(race.runs(size))) for size in calls]
    done = subject._replace(sizes=[int(size) for size in calls])
    return Growth(done, np.array(times), np.array(held))


def held_bytes(program: Any) -> float:
    """Return the bytes of arguments, results and temporaries."""
    m = program.memory_analysis()
    if m is None:  # not every platform tells
        return float("nan")
    parts = m.argument_size_in_bytes, m.output_size_in_bytes, m.temp_size_in_bytes
    return float(sum(parts) - m.alias_size_in_bytes)


def _row(name: str, growth: Growth) -> tuple[str, ...]:
    s, (time, memory) = growth.subject, growth.exponents
    sizes = f"{s.sizes[0]:,} - {s.sizes[-1]:,}"
    return (
        name, s.what, sizes, f"{time:.2f}", f"{s.time:g}", f"{memory:.2f}",
        f"{s.memory:g}",
    )  # fmt: skip


def _data(growth: Growth) -> dict[str, Any]:
    s, (time, memory) = growth.subject, growth.exponents
    return {
        "what": s.what,
        "sizes": list(s.sizes),
        "times": growth.times.tolist(),
        "bytes": growth.bytes.tolist(),
        "fitted": {"time": time, "memory": memory},
        "expected": {"time": s.time, "memory": s.memory},
    }


BENCHMARKS: Mapping[str, Callable[[Bench], None]] = {"scaling": scaling}
