"""Jacobians, per-sample blocks and diagonals, beside JAX's own ways and asdex."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from benchmarks import functions, peers
from benchmarks._measure import Bench, Here, at_least, at_most, usual_s
from benchmarks.functions import (
    classifier,
    convolutional_autoencoder,
    convolve,
    deep,
    kernel,
    network,
    numbers,
    star,
)
from jnumerics import derivatives
from tests import scenarios

WAYS = {"jacfwd": jax.jacfwd, "jacrev": jax.jacrev}


def _calls(programs: Mapping[str, Callable], *args: Any) -> dict[str, Callable]:
    """Make a call without arguments of each program."""
    return {name: lambda run=run: run(*args) for name, run in programs.items()}


def autoencoder(bench: Bench) -> None:
    """Jacobian and diagonal of a dense autoencoder."""
    fun, x = network(784, 256, 8, 256, 784), numbers(784)
    ends = {name: jax.jit(take(fun)) for name, take in WAYS.items()}
    ours = {"jacobian of 784-256-8-256-784": derivatives.jacobian(fun)}
    race = bench.race(_calls({**ours, **ends}, x), same=1e-4)
    bench.report(
        "autoencoder 784-256-8-256-784, Jacobian: the better of jacfwd and jacrev over "
        "ours",
        at_least(8),
        race.ratio(list(ends), *ours),
    )
    rival = {"jacfwd's diagonal": jax.jit(lambda x: jnp.diag(jax.jacfwd(fun)(x)))}
    ours = {"jacobian_diagonal of it": derivatives.jacobian_diagonal(fun)}
    race = bench.race(_calls({**ours, **rival}, x), same=1e-4)
    bench.report(
        "the same, diagonal: jacfwd's diagonal over ours",
        at_least(12),
        race.ratio(*rival, *ours),
    )


def autoencoder_batch(bench: Bench) -> None:
    """Jacobians and diagonals of 32 samples of it."""
    fun, X = network(784, 256, 8, 256, 784), numbers(32, 784)
    full = {
        "vmap(jacfwd), 32 samples": jax.vmap(jax.jacfwd(fun)),
        "vmap(jacrev), 32 samples": jax.vmap(jax.jacrev(fun)),
        "lax.map(jacfwd), 32 samples": lambda X: lax.map(jax.jacfwd(fun), X),
    }
    diagonals: dict[str, Callable] = {
        f"diagonals of {name}": lambda X, run=run: jnp.diagonal(
            run(X), axis1=1, axis2=2
        )
        for name, run in list(full.items())[:2]
    }
    diagonals["lax.map(diagonal of jacfwd), 32 samples"] = lambda X: lax.map(
        lambda x: jnp.diag(jax.jacfwd(fun)(x)), X
    )
    for what, least, rivals, name, mine in (
        (
            "diagonals",
            20,
            diagonals,
            "vmap(jacobian_diagonal), 32 samples",
            jax.jit(jax.vmap(derivatives.jacobian_diagonal(fun))),
        ),
        (
            f"Jacobians (bound by writing {32 * 784 * 784 * 4 / 1e6:.0f} MB)",
            2,
            full,
            "batch_jacobian, 32 samples",
            derivatives.batch_jacobian(fun),
        ),
    ):
        compiled = {name: jax.jit(run) for name, run in rivals.items()}
        race = bench.race(_calls({name: mine, **compiled}, X), seconds=4, same=1e-4)
        bench.report(
            f"the same, 32 samples, {what}: the best of vmap(jacfwd), vmap(jacrev) and "
            "lax.map(jacfwd) over ours",
            at_least(least),
            race.ratio(list(rivals), name),
        )


def convolutional_diagonal(bench: Bench) -> None:
    """The diagonal of a convolutional autoencoder."""
    size = 12 if bench.is_quick else 28
    fun, x = convolutional_autoencoder(size), numbers(size, size)

    def diagonal(take: Callable) -> Callable:
        n = x.size
        return jax.jit(lambda x: jnp.diag(take(fun)(x).reshape(n, n)).reshape(x.shape))

    rivals = {f"convolutional, {n}'s diagonal": diagonal(t) for n, t in WAYS.items()}
    ours = {"convolutional, jacobian_diagonal": derivatives.jacobian_diagonal(fun)}
    race = bench.race(_calls({**ours, **rivals}, x), same=1e-4)
    bench.report(
        f"convolutional autoencoder {size}x{size} with a 16-value code, diagonal: the "
        "better of jacfwd and jacrev over ours",
        at_least(30),
        race.ratio(list(rivals), *ours),
    )


def stencil(bench: Bench) -> None:
    """A five-point stencil's Jacobian, sparse."""
    x = numbers(200, 200)
    programs = {
        "five-point stencil 200x200": jax.jit(star),
        "its jacobian as BCOO": derivatives.jacobian(star, format="bcoo"),
    }
    race = bench.race(_calls(programs, x))
    bench.report(
        "200x200 five-point stencil, Jacobian as BCOO after planning, in evaluations",
        at_most(8),
        race.ratio(*reversed(programs)),
    )


def beside_asdex(bench: Bench) -> None:
    """Sparse Jacobians beside asdex: preparation and first call, then evaluation."""
    sizes = (32,) if bench.is_quick else (32, 64)
    for name, fun in (("heat equation", "flat_heat"), ("small CNN", "small_cnn")):
        for size in sizes:
            _against(bench, f"{name} {size}x{size}", fun, size)


def _against(bench: Bench, label: str, name: str, size: int) -> None:
    x, fun = numbers(size * size), getattr(functions, name)(size)
    afresh, later = (
        peers.contender("asdex", "asdex_jacobian", x, fun=name, size=size, afresh=new)
        for new in (True, False)
    )

    def first() -> Any:
        jax.clear_caches()
        return derivatives.jacobian(lambda x: fun(x), format="bcoo")(x)

    program = derivatives.jacobian(fun, format="bcoo")
    for what, target, ours, asdex, is_first in (
        ("preparation and first call", 1.5, first, afresh, True),
        ("evaluation", 1, lambda: program(x), later, False),
    ):
        contenders = {"ours": Here(ours, lambda J: J.todense()), "asdex": asdex}
        race = bench.race(contenders, seconds=2, same=1e-4, afresh=is_first, keep=False)
        bench.compare(
            f"{label}, {what}: asdex over ours", at_least(target), race, "asdex", "ours"
        )


def planning(bench: Bench) -> None:
    """Planning, tracing included: the median of several times."""
    repeats = 1 if bench.is_quick else 3
    key, slowest, which = jax.random.key(0), 0.0, ""
    chosen = scenarios.select(dtype="float32")[: 4 if bench.is_quick else None]
    for s in chosen:
        args = s.make_args(key, "float32")
        seconds = _planning_s(s.fun, *args, argnums=s.argnums, repeats=repeats)
        if seconds > slowest:
            slowest, which = seconds, s.name
    bench.report(
        "planning, tracing included: the slowest scenario",
        at_most(0.5, "s"),
        slowest,
        f"{which}, of {len(chosen)}",
    )
    images = numbers(1, 128, 128, 3)
    two = kernel(3, 3, 8, 0), kernel(3, 8, 3, 1)

    def convolutions(x: Any) -> Any:
        return convolve(jnp.tanh(convolve(x, two[0])), two[1])

    many = jnp.linspace(0.0, 5.0, 100_000)[:, None]
    classify = classifier(28, 8, 10)
    for what, bound, fun, x, target in (
        ("100 layers of 64", 1.0, deep(100, 64), numbers(64), "jacobian"),
        ("two convolutions at 128x128", 0.5, convolutions, images, "jacobian"),
        ("100,000 samples of 1-20-20-4", 0.1, network(1, 20, 20, 4), many, "batch"),
        ("a classifier of 256 images", 0.5, classify, numbers(256, 28, 28), "batch"),
    ):
        seconds = _planning_s(fun, x, target=target, repeats=repeats)
        bench.report(f"planning: {what}", at_most(bound, "s"), seconds)


def _planning_s(fun: Callable, *args: Any, repeats: int, **options: Any) -> float:
    """Plan for a function that has not been traced before."""

    def plan() -> derivatives.Plan:
        return derivatives.plan(lambda *a: fun(*a), *args, **options)

    return usual_s(plan, repeats)


BENCHMARKS: Mapping[str, Callable[[Bench], None]] = {
    "autoencoder": autoencoder,
    "autoencoder_batch": autoencoder_batch,
    "convolutional_autoencoder": convolutional_diagonal,
    "stencil": stencil,
    "asdex": beside_asdex,
    "planning": planning,
}
