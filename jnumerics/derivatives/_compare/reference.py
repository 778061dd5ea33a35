"""The derivative that modes are compared with, and how far they are from it."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jnumerics.derivatives._program.arguments import widened
from jnumerics.derivatives._program.jaxpr import narrow_dtypes

DOUBLE = "the derivative in float64"


def find(
    derivative: Callable,
    ends: dict[str, Callable],
    args: Sequence[Any],
    /,
    **kwargs: Any,
) -> tuple[Any, str]:
    """Evaluate a derivative in float64, or by an end in the dtype that `fun` keeps.

    Args:
        derivative: Takes the arguments, of any dtype.
        ends: Named derivatives, of which the first that runs serves where the function
            does not compute in float64.
        args: The arguments.
        **kwargs: The named ones.

    Returns:
        The derivative, and in words what it is.
    """
    result, obstacle = _in_double(derivative, args, kwargs)
    if result is not None:
        return result, DOUBLE
    for name, run in ends.items():
        result = _attempt(run, args, kwargs)
        if result is not None:
            return result, f"{name} mode in the given dtype (the function {obstacle})"
    return None, f"nothing (the function {obstacle})"


def _in_double(
    derivative: Callable, args: Sequence[Any], kwargs: dict[str, Any]
) -> tuple[Any, str]:
    """Return the derivative in float64; None, and why, where there is none."""
    # constants in single precision that `fun` closes over are promoted, as they are by
    # JAX's own default
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        wide, named = jax.tree.map(widened, (tuple(args), kwargs))
        try:
            program = jax.make_jaxpr(derivative)(*wide, **named).jaxpr
            narrow = narrow_dtypes(program, program.invars)
            dtypes = {
                v.dtype
                for v in jax.tree.leaves(jax.eval_shape(derivative, *wide, **named))
            }
            narrow |= {str(d) for d in dtypes if jnp.finfo(d).bits < 64}
            if narrow:
                return None, f"keeps {', '.join(sorted(narrow))}"
            return _values(derivative(*wide, **named)), ""
        except Exception as error:  # whatever a function does in float64
            reason = str(error).strip().split("\n", maxsplit=1)[0][:100]
            return None, f"does not run in float64: {reason}"


def _attempt(run: Callable, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    try:
        return _values(run(*args, **kwargs))
    except Exception:  # a mode that does not serve the function; its row says why
        return None


def _values(tree: Any) -> Any:
    # To read an array whose program ran out of memory ends the process: to wait raises.
    return jax.tree.map(np.asarray, jax.block_until_ready(tree))


def difference(result: Sequence[Any], truth: Sequence[Any]) -> float:
    """Return the largest difference relative to the truth's largest entry.

    Args:
        result: For each leaf of the function's result, a tree of blocks.
        truth: The same; each leaf's own largest entry is the scale.
    """
    worst = 0.0
    for row, true_row in zip(result, truth, strict=True):
        blocks, true = (jax.tree.leaves(r) for r in (row, true_row))
        scale = max((_largest(b) for b in true), default=0.0) or 1.0
        for a, b in zip(blocks, true, strict=True):
            worst = np.maximum(worst, _off(np.asarray(a).astype(b.dtype), b) / scale)
    return float(worst)


def _largest(b: np.ndarray) -> float:
    size = np.abs(b)
    return float(np.max(size, initial=0.0, where=np.isfinite(size)))


def _off(a: np.ndarray, b: np.ndarray) -> float:
    """Return the largest |a - b|; what is equally infinite or not a number agrees."""
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        return float(np.max(np.where(same, 0, np.abs(a - b)), initial=0.0))
