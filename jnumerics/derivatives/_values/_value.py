"""A known value, and the table of evaluators."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.extend.core import JaxprEqn


@dataclass(frozen=True)
class Value:
    """A known value.

    Attributes:
        array: The value, of length 1 along axes where it does not change.
        shape: Its true shape.
        error: Bound of the absolute error; 0 where nothing was rounded.
    """

    array: np.ndarray
    shape: tuple[int, ...]
    error: float = 0.0

    @property
    def full(self) -> np.ndarray:
        """The value in its true shape, a view."""
        return np.broadcast_to(self.array, self.shape)


Evaluator = Callable[[JaxprEqn, Sequence[Value]], "Sequence[Value] | None"]


EVALUATORS: dict[str, Evaluator] = {}


def evaluator(*names: str) -> Callable[[Evaluator], Evaluator]:
    """Register what evaluates some primitives."""

    def register(fun: Evaluator) -> Evaluator:
        EVALUATORS.update(dict.fromkeys(names, fun))
        return fun

    return register


def one(eqn: JaxprEqn, array: Any, error: float = 0.0) -> list[Value]:
    """Wrap the value of an equation's only result, of full rank."""
    aval: Any = eqn.outvars[0].aval
    array = np.asarray(array).astype(aval.dtype)
    missing = len(aval.shape) - array.ndim
    return [Value(array.reshape((1,) * missing + array.shape), aval.shape, error)]


def is_float(dtype: Any) -> bool:
    """Whether a dtype is real or complex."""
    return jnp.issubdtype(dtype, jnp.inexact)
