"""Contenders of a race: what runs here, what runs elsewhere, what is missing."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import jax
import numpy as np

COMPILING = "/jax/core/compile/backend_compile_duration"


class Contender(Protocol):
    """Whoever takes turns."""

    def first(self) -> tuple[float, float]:
        """Call it for the first time: the seconds, and the compiler's part of them."""
        ...

    def result(self) -> list[np.ndarray]:
        """Return the arrays that the first call gave."""
        ...

    def times(self, calls: int) -> list[float]:
        """Call it so often; return the seconds of each."""
        ...


@dataclass(frozen=True)
class Missing:
    """A contender that is not there, and why not."""

    reason: str


@dataclass
class Here:
    """A function without arguments, in this process; JAX results are waited for.

    Attributes:
        run: The function.
        view: What of its result is compared with others'.
        value: The first call's result, until others are timed.
    """

    run: Callable[[], Any]
    view: Callable[[Any], Any] = lambda result: result
    value: Any = field(default=None, init=False)

    def first(self) -> tuple[float, float]:
        """Call it for the first time, and keep the result."""
        seconds, compiling, self.value = first_call(self.run)
        return seconds, compiling

    def result(self) -> list[np.ndarray]:
        """Return the arrays of what is compared."""
        return [np.asarray(leaf) for leaf in jax.tree.leaves(self.view(self.value))]

    def times(self, calls: int) -> list[float]:
        """Call it so often, the kept result gone."""
        self.value = None
        return [call_s(self.run) for _ in range(calls)]


def call_s(run: Callable[[], Any]) -> float:
    """Return the seconds of a call, its result waited for."""
    start = time.perf_counter()
    jax.block_until_ready(run())
    return time.perf_counter() - start


def first_call(run: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return a call's seconds, those of them spent in the compiler, and its result."""
    durations = []

    def listen(event: str, duration_secs: float, **kwargs: str | int) -> None:
        del kwargs
        if event == COMPILING:
            durations.append(duration_secs)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        start = time.perf_counter()
        value = jax.block_until_ready(run())
        seconds = time.perf_counter() - start
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    return seconds, sum(durations), value


def require_same(contenders: Mapping[str, Contender], tolerance: float) -> None:
    """Require that all have the first one's result: nothing else is worth timing.

    Args:
        contenders: Each has been called.
        tolerance: Of the largest difference in each array, over its largest number.

    Raises:
        ArithmeticError: If a result differs, or has other shapes.
    """
    (name, expected), *others = ((n, c.result()) for n, c in contenders.items())
    for other, result in others:
        error = _difference(result, expected)
        if not error <= tolerance:
            msg = (
                f"`{other}` must give what `{name}` gives, got an error of {error:.1e}"
            )
            raise ArithmeticError(msg)


def _difference(result: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    """Return the largest relative error; infinity where shapes differ."""
    pairs = [
        (np.squeeze(r), np.squeeze(e)) for r, e in zip(result, expected, strict=False)
    ]
    if len(result) != len(expected) or any(r.shape != e.shape for r, e in pairs):
        return np.inf
    errors = [
        np.max(np.abs(r - e), initial=0) / max(np.max(np.abs(e), initial=0), 1e-30)
        for r, e in pairs
    ]
    return float(np.max(errors, initial=0))
