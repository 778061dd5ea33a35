"""Laplacians of samples beside nested passes and folx; sparse Hessians beside asdex."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import peers
from benchmarks._measure import Bench, Here, at_least
from benchmarks.functions import (
    Function,
    attention,
    convolve,
    kernel,
    network,
    numbers,
)
from jnumerics import derivatives
from jnumerics.workbench import plots


class Case(NamedTuple):
    """A function of one sample, and samples.

    Attributes:
        fun: The function, a scalar's.
        X: The samples.
        folx: The least time of folx over ours that is aimed at.
        sparsity: Up to which share of nonzeros folx propagates their pattern.
        is_dense: Whether nothing is sparse or narrow, so that nested passes gain
            nothing from structure.
    """

    fun: Function
    X: Any
    folx: float
    sparsity: float = 0
    is_dense: bool = False


def _dense(*sizes: int, samples: int) -> Case:
    layers = network(*sizes)
    X = numbers(samples, sizes[0])
    return Case(lambda x: layers(x)[0], X, 0.95, is_dense=True)


def _apart(x: Any) -> Any:
    """Sum a network over particles that do not see each other."""
    return jnp.sum(network(3, 64, 64, 1)(x))


def _ring(x: Any) -> Any:
    """Couple each number to its neighbor on a ring."""
    return jnp.sum(jnp.sin(x * jnp.roll(x, 1)) + x**4)


def _images(x: Any) -> Any:
    """Convolve an image twice, and add up."""
    h = jnp.tanh(convolve(x[None, :, :, None], kernel(3, 1, 8, 0)))
    return jnp.sum(jnp.tanh(convolve(h, kernel(3, 8, 1, 1))))


def _attending(x: Any) -> Any:
    """Let particles attend to each other."""
    wide = jnp.tanh(x @ numbers(3, 32, seed=7))
    return jnp.sum(jnp.tanh(attention(32)(wide)))


CASES: Mapping[str, Callable[[], Case]] = {
    "30-64-64-1, 256 samples": lambda: _dense(30, 64, 64, 1, samples=256),
    "100-256-256-1, 32 samples": lambda: _dense(100, 256, 256, 1, samples=32),
    "50-768-768-512-512-1, 8 samples": lambda: _dense(
        50, 768, 768, 512, 512, 1, samples=8
    ),
    "30 x 3 particles apart, 8 samples": lambda: Case(
        _apart, numbers(8, 30, 3), 1.0, sparsity=0.6
    ),
    "a ring of 512, 8 samples": lambda: Case(
        _ring, numbers(8, 512), 0.95, sparsity=0.6
    ),
    "3 x 3 convolutions of 16 x 16, 1 sample": lambda: Case(
        _images, numbers(1, 16, 16), 4.0
    ),
    "3 x 3 convolutions of 16 x 16, 8 samples": lambda: Case(
        _images, numbers(8, 16, 16), 15.0
    ),
    "200-32-256-256-1, 32 samples": lambda: Case(
        lambda x: network(200, 32, 256, 256, 1)(x)[0], numbers(32, 200), 6.0
    ),
    "attention over 16 x 3 particles, 8 samples": lambda: Case(
        _attending, numbers(8, 16, 3), 1.0
    ),
}
MOST_OF_A_HESSIAN = 256  # inputs up to which JAX's whole Hessian is a contender
GROWING = (16, 32, 64, 128, 256, 512)  # inputs
RIVALS = ("nested", "the trace of jax.hessian", "folx")


def laplacians(bench: Bench) -> None:
    """Laplacians of networks, particles, rings and images, sample by sample."""
    for name, make in list(CASES.items())[: 2 if bench.is_quick else None]:
        _race(bench, name, make())


def _race(bench: Bench, name: str, case: Case) -> None:
    programs = _programs(case)
    ours = f"laplacian of {name}"
    calls = {
        ours if rival == "auto" else f"{ours}, {rival}": _call(
            jax.jit(jax.vmap(run)), case
        )
        for rival, run in programs.items()
    }
    folx = {f"{ours}, folx": peers.contender("folx", "folx_laplacian", name=name)}
    race = bench.race(calls | folx, seconds=2.5, same=2e-3)
    for rival in RIVALS:
        target = at_least(case.folx) if rival == "folx" else None
        if rival == "nested" and case.is_dense:
            target = at_least(1.6)
        if rival in programs or rival == "folx":
            what = f"{ours}: {rival} over ours"
            bench.compare(what, target, race, f"{ours}, {rival}", ours)


def _programs(case: Case) -> dict[str, Callable]:
    programs: dict[str, Callable] = {
        "auto": derivatives.laplacian(case.fun),
        "nested": derivatives.laplacian(case.fun, mode="nested"),
    }
    if case.X[0].size <= MOST_OF_A_HESSIAN:
        n = case.X[0].size
        full = jax.hessian(case.fun)
        programs["the trace of jax.hessian"] = lambda x: jnp.trace(
            full(x).reshape(n, n)
        )
    return programs


def _call(run: Callable, case: Case) -> Callable:
    return lambda: run(case.X)


def growth(bench: Bench) -> None:
    """The time of each mode for more and more inputs of a network that is narrow."""
    inputs = GROWING[:2] if bench.is_quick else GROWING
    times: dict[str, list[float]] = {}
    for n in inputs:
        layers, X = network(n, 16, 256, 256, 1), numbers(8, n)

        def fun(x: Any, layers: Function = layers) -> Any:
            return layers(x)[0]

        case = Case(fun, X, 0)
        full = jax.hessian(fun)
        ways = {
            mode: derivatives.laplacian(fun, mode=mode)
            for mode in ("nested", "collapsed", "narrow")
        } | {"trace of jax.hessian": lambda x, full=full: jnp.trace(full(x))}
        calls = {
            name: _call(jax.jit(jax.vmap(run)), case) for name, run in ways.items()
        }
        race = bench.race(calls, seconds=1.5, keep=False)
        for name in calls:
            times.setdefault(name, []).append(float(np.median(race.runs(name))))
    figure = plots.lines(
        {name: (np.array(inputs), np.array(t)) for name, t in times.items()},
        x_label="inputs n of a network n-16-256-256-1, 8 samples",
        y_label="time of its Laplacian",
        scales=("log", "log"),
        markers=True,
        seconds=True,
    )
    bench.draw("laplacians.png", lambda file: plots.save(figure, file))


def _arrow(x: Any) -> Any:
    """Couple each number to the first."""
    return jnp.sum(x[0] ** 2 * jnp.sin(x))


def _grid(x: Any) -> Any:
    """Couple each number of a square to its four neighbors."""
    square = x.reshape(20, 20)
    along = jnp.diff(square, axis=0), jnp.diff(square, axis=1)
    return sum(jnp.sum(d**4) for d in along)


def _band(x: Any) -> Any:
    """Couple each number to the next."""
    return jnp.sum(jnp.sin(x[1:] * x[:-1]))


HESSIANS: Mapping[str, Function] = {
    "an arrow of 400": _arrow,
    "a grid of 20 x 20": _grid,
    "a band of 400": _band,
}


def hessians(bench: Bench) -> None:
    """Sparse Hessians, as BCOO, beside those by columns alone and asdex."""
    for name, fun in list(HESSIANS.items())[: 1 if bench.is_quick else None]:
        _race_hessians(bench, name, fun)


def _race_hessians(bench: Bench, name: str, fun: Function) -> None:
    x, ours = numbers(400), f"hessian of {name}"
    columns, asdex, dense = (
        f"{ours}, by columns",
        f"{ours}, asdex",
        jax.jit(jax.hessian(fun)),
    )
    programs = {
        ours: derivatives.hessian(fun, format="bcoo"),
        columns: derivatives.hessian(fun, mode="compressed", format="bcoo"),
    }
    calls: dict[str, Any] = {
        key: Here(lambda run=run: run(x), lambda H: H.todense())
        for key, run in programs.items()
    }
    calls[asdex] = peers.contender("asdex", "asdex_hessian", x, name=name)
    calls[f"{ours}, jax.hessian"] = lambda: dense(x)
    race = bench.race(calls, same=1e-4)
    bench.compare(f"{ours}: by columns over ours", None, race, columns, ours)
    bench.compare(f"{ours}: asdex over ours", at_least(1), race, asdex, ours)


BENCHMARKS: Mapping[str, Callable[[Bench], None]] = {
    "laplacians": laplacians,
    "laplacian_growth": growth,
    "hessians": hessians,
}
