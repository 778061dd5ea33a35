"""Eight threads that call the same functions agree with one."""

import random
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jnumerics import derivatives, descent
from jnumerics.workbench import checkpoint
from tests.endurance.calls import LAYERS, Case, square, subjects, tools
from tests.endurance.outcome import Outcome, Work

THREADS = 8
UNEQUAL = ("compare_modes",)  # it measures times


def agreement(work: Work) -> Outcome:
    """Call everything in every thread, in an order of its own, compiling anew."""
    calls, wrong, rounds = _calls(), [], 0
    if work.is_short:
        calls = {name: calls[name] for name in [*calls][2 :: len(calls) // 4]}
    alone = {name: _bits(call()) for name, call in calls.items()}
    for number in work.within(range(work.count)):
        jax.clear_caches()
        together = threading.Barrier(THREADS)

        def run(
            k: int, seed: str = f"{work.seed} {number}", b: Any = together
        ) -> list[str]:
            order = [*calls]
            random.Random(f"{seed} {k}").shuffle(order)
            b.wait()
            return [name for name in order if _bits(calls[name]()) != alone[name]]

        with ThreadPoolExecutor(THREADS) as pool:
            different = {
                name for names in pool.map(run, range(THREADS)) for name in names
            }
        wrong += [f"{name} differs between threads" for name in sorted(different)]
        rounds += 1
    figures = (
        f"{THREADS} threads, {len(calls)} functions, {rounds} times, as one thread"
    )
    return Outcome(figures, wrong)


def _calls() -> dict[str, Callable[[], Any]]:
    """Every public function, derivatives both shared and made afresh, checkpoints."""
    cases = {
        name: case
        for name, case in (subjects() | tools()).items()
        if not name.endswith(UNEQUAL)
    }
    shared = derivatives.jacobian(lambda x: jnp.tanh(x) * jnp.sum(x))
    laplacian = derivatives.laplacian(square)
    own: dict[str, Callable[[], Any]] = {
        "a shared jacobian": lambda: shared(jnp.arange(4.0)),
        "a shared laplacian": lambda: laplacian(jnp.arange(4.0)),
        "descent with a new loss": lambda: descent.minimize(
            lambda p: square(p), jnp.ones(3), optimizer=optax.sgd(0.1), steps=5
        ),
        "a checkpoint": _saved_and_loaded,
    }
    return {name: _call(case) for name, case in cases.items()} | own


def _call(case: Case) -> Callable[[], Any]:
    return lambda: case.call(**case.valid)


def _saved_and_loaded() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        checkpoint.save(folder, 1, LAYERS)
        return checkpoint.load(folder, LAYERS)


def _bits(result: Any) -> list[Any]:
    """Return arrays as bytes, and other leaves as texts without addresses."""
    return [
        np.asarray(leaf).tobytes()
        if isinstance(leaf, jax.Array | np.ndarray | float | int)
        else str(leaf).partition(" at 0x")[0]
        for leaf in jax.tree.leaves(result)
    ]
