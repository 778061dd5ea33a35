"""Adam on a small network: `minimize` beside loops in Python, scans and others.

The network has two inputs, two layers of 64 and one output; it learns their product.
"""

from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import optimistix
from jax import lax

from benchmarks import peers
from benchmarks._measure import Bench, Here, at_least
from benchmarks.functions import numbers
from jnumerics import descent, mlp

SAMPLES, RATE = 32, 1e-3
FIRST = 1e-2  # of the first loss: float32 goes its own way in each program


def adam(bench: Bench) -> None:
    """1,000 steps of Adam on a network 2-64-64-1 and 32 samples."""
    steps = 100 if bench.is_quick else 1_000
    X, start = numbers(SAMPLES, 2), mlp.init(jax.random.key(0), (2, 64, 64, 1))
    y, optimizer = jnp.prod(X, axis=1), optax.adam(RATE)

    def loss(params: Any, _: Any = None) -> Any:
        return jnp.mean((mlp.apply(params, X)[:, 0] - y) ** 2)

    def minimize() -> Any:
        return descent.minimize(loss, start, optimizer=optimizer, steps=steps)

    layers = [np.asarray(leaf) for leaf in jax.tree.leaves(start)]
    options = {"steps": steps, "rate": RATE}
    ours = "Adam by minimize"
    rivals = {
        "a Python loop of jitted steps": _loop(jax.jit, loss, optimizer, start, steps),
        "torch": peers.contender("torch", "adam", X, y, *layers, **options),
        "a scan by hand that records its losses": _scan(loss, optimizer, start, steps),
        "equinox, a loop of filter_jit steps": _equinox(X, y, optimizer, start, steps),
    }
    mine = {ours: Here(minimize, lambda descent: descent.losses)}
    race = bench.race(mine | rivals, seconds=5, same=FIRST)
    targets = [at_least(5), at_least(10), at_least(0.95), None]
    what = f"Adam on 2-64-64-1, {steps:,} steps"
    for rival, target in zip(rivals, targets, strict=True):
        bench.compare(f"{what}: {rival} over ours", target, race, rival, ours)
    other = "optimistix.OptaxMinimiser, which records no losses"
    mine = {ours: Here(minimize, lambda descent: loss(descent.params))}
    theirs = {other: _optimistix(loss, optimizer, start, steps)}
    race = bench.race(mine | theirs, seconds=2, same=0.1, keep=False)
    bench.compare(f"{what}: {other}, over ours", None, race, other, ours)


def _step(loss: Callable, optimizer: Any) -> Callable:
    def step(carry: Any) -> tuple[Any, Any]:
        params, state = carry
        value, grad = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(grad, state, params)
        return (optax.apply_updates(params, updates), state), value

    return step


def _loop(
    jit: Callable, loss: Callable, optimizer: Any, start: Any, steps: int
) -> Callable:
    step = jit(_step(loss, optimizer))

    def run() -> Any:
        carry, losses = (start, optimizer.init(start)), []
        for _ in range(steps):
            carry, value = step(carry)
            losses.append(value)
        return jnp.stack(losses)

    return run


def _scan(loss: Callable, optimizer: Any, start: Any, steps: int) -> Callable:
    step = _step(loss, optimizer)

    @jax.jit
    def scan(params: Any) -> Any:
        carry = params, optimizer.init(params)
        return lax.scan(lambda c, _: step(c), carry, None, length=steps)[1]

    return lambda: scan(start)


def _equinox(X: Any, y: Any, optimizer: Any, start: Any, steps: int) -> Callable:
    made = eqx.nn.MLP(2, 1, 64, 2, activation=jnp.tanh, key=jax.random.key(0))
    model = eqx.tree_at(
        lambda m: [part for layer in m.layers for part in (layer.weight, layer.bias)],
        made,
        [part for layer in start for part in (layer.weight.T, layer.bias)],
    )
    params, static = eqx.partition(model, eqx.is_array)

    def loss(params: Any) -> Any:
        model = eqx.combine(params, static)
        return jnp.mean((jax.vmap(model)(X)[:, 0] - y) ** 2)

    return _loop(eqx.filter_jit, loss, optimizer, params, steps)


def _optimistix(loss: Callable, optimizer: Any, start: Any, steps: int) -> Callable:
    solver = optimistix.OptaxMinimiser(optimizer, rtol=0, atol=0)

    @jax.jit
    def minimise(params: Any) -> Any:
        best = optimistix.minimise(loss, solver, params, max_steps=steps, throw=False)
        return loss(best.value)

    return lambda: minimise(start)


BENCHMARKS: Mapping[str, Callable[[Bench], None]] = {"adam": adam}
