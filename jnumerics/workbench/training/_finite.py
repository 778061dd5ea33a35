"""Losses and gradients that are not finite: where, and what was before."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from jnumerics import _table
from jnumerics.workbench._usage import UsageError
from jnumerics.workbench.training._program import Carry, Chunk


class NonFiniteError(UsageError, ArithmeticError):
    """A loss, a gradient or a parameter that is not finite.

    Attributes:
        step: The update at which it was found, counted from 0.
        leaf: The path in `params` of the first leaf whose gradient (or which itself) is
            not finite, such as "['layers'][0].weight"; empty where only the loss is.
        loss: The loss of that step.
        last_loss: The last finite loss; None where there was none.
        params: The last finite parameters: those before that update.
    """

    step: int
    leaf: str
    loss: float
    last_loss: float | None
    params: PyTree


def is_finite(chunk: Chunk) -> bool:
    """Whether losses, gradients and what came of them were finite in a chunk."""
    flags = (*np.asarray(chunk.is_finite), *np.asarray(chunk.params_are_finite))
    return all(flags)


def located(
    advance: Callable[[Carry, int, int], Chunk],
    carry: Carry,
    first: int,
    losses: np.ndarray,
    *,
    count: int,
) -> tuple[NonFiniteError, Carry, np.ndarray]:
    """Replay a chunk that was not finite, step by step, up to where that began.

    Args:
        advance: The compiled program: of a carry, its step, and a number of steps.
        carry: From which the chunk began.
        first: The step that it began at.
        losses: All losses of the run before that.
        count: How many steps the chunk had. Where a device's sums are not the same
            twice, the replay may find nothing: the last one is named then.

    Returns:
        The error, the carry before the update that is to blame, and the losses of the
        updates before it.
    """
    step, replayed = first, []
    while is_finite(chunk := advance(carry, step, 1)) and step < first + count - 1:
        replayed.append(np.asarray(chunk.losses)[0])
        carry, step = chunk.carry, step + 1
    replayed = np.asarray(replayed, losses.dtype)
    return _error(chunk, carry, step, np.append(losses, replayed)), carry, replayed


def _error(chunk: Chunk, carry: Carry, step: int, losses: np.ndarray) -> NonFiniteError:
    loss = np.asarray(chunk.losses)[0]
    known = np.append(losses, loss)
    finite = known[np.isfinite(known)]
    last = float(finite[-1]) if finite.size else None
    gradient = np.asarray(chunk.is_finite)[1:]
    what, leaf = _blamed(chunk, carry.params, gradient, loss)
    came = f"{what} at step {step:,}"
    before = "none before" if last is None else f"the last finite loss was {last:.6g}"
    error = NonFiniteError(f"{came}; {before}")
    error.step, error.leaf, error.loss = step, leaf, float(loss)
    error.last_loss, error.params = last, carry.params
    return error


def _blamed(
    chunk: Chunk, params: PyTree, gradient: np.ndarray, loss: Any
) -> tuple[str, str]:
    """Say what is not finite, the first that was made; return the leaf's path too."""
    paths = [jax.tree_util.keystr(p) for p, _ in jax.tree.leaves_with_path(params)]
    wrong = [path for path, whole in zip(paths, gradient, strict=True) if not whole]
    at = f"by `params{wrong[0]}`" if wrong else ""
    others = _table.plural(len(wrong) - 1, "other leaf", "other leaves")
    more = f" and {others}" if len(wrong) > 1 else ""
    if not jnp.isfinite(loss):
        also = f", and so its gradient {at}{more}" if wrong else ""
        return f"`loss` must stay finite, got {loss}{also},", wrong[0] if wrong else ""
    if wrong:
        text = f"the gradient of `loss` {at} must stay finite, got another{more}"
        return text, wrong[0]
    flags = np.asarray(chunk.params_are_finite)
    wrong = [path for path, whole in zip(paths, flags, strict=True) if not whole]
    if not wrong:
        return "what was not finite did not come again in a replay, which ended", ""
    return f"`params{wrong[0]}` must stay finite, got another", wrong[0]
