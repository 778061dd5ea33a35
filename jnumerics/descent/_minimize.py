"""The public function: arguments checked, one compiled program for each loss."""

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any, SupportsIndex

import jax
import jax.numpy as jnp
import optax
from jaxtyping import PyTree

from jnumerics import _check
from jnumerics._check import Operand
from jnumerics._programs import Live, cached, checked
from jnumerics.descent import _loop
from jnumerics.descent._loop import Descent


def minimize(
    loss: Callable[..., Any],
    params: PyTree,
    *,
    optimizer: optax.GradientTransformation,
    steps: SupportsIndex,
    state: PyTree = None,
    batches: PyTree = None,
) -> Descent:
    """Minimize a loss by `steps` updates p + u of an optax optimizer.

    One evaluation of the loss and its gradient for each update, and those of the
    line search where the optimizer has one. The loop is compiled once for each
    loss, optimizer (both told apart by identity), number of steps, shapes and
    dtypes, calling `loss` in Python once, and the program is freed with the loss or
    the optimizer: make both once, call often. As under `jax.jit`, what the loss
    reads from outside is read when it is compiled.

    Forward mode goes through every optimizer; reverse mode through those without a
    loop of their own, hence not through line searches such as `optax.lbfgs`.

    Args:
        loss: Function of `(params)`, or of `(params, batch)` with `batches`, that
            returns a real scalar. It and the optimizer may close over traced values,
            such as data or a learning rate under `jax.vmap`.
        params: Any pytree of real or complex floating-point arrays or Python
            numbers, which become floats. It keeps its dtypes.
        optimizer: Any optax optimizer. It is given the extra arguments that its update
            takes, of `value`, `grad`, `value_fn` (line searches, Polyak's step),
            `obj_fn` (Sophia) and `grad_fn` (opaque SAM). With optax's own errors fail
            those that want other gradients than those of the parameters: one for each
            sample (`optax.contrib.dpsgd`, a ValueError), or of a part
            (`optax.lookahead`, an AttributeError where the parameters are not its own
            `LookaheadParams`, a ValueError where they are: its update can be wrapped to
            take `grads.fast`). Some, such as `optax.adam` and
            `optax.lbfgs`, cannot run where JAX's dtype promotion is set to strict.
        steps: Number of updates, from 0 to 2^31 - 1.
        state: That of an earlier `Descent`, which this one continues: n + m steps are
            n steps and then m, bit for bit on CPU where both are at least 2 (of a
            loop of one step a compiler makes another program) and all parameters are
            real (it rounds complex products with constants of a fresh state
            otherwise). None starts afresh.
        batches: Pytree of arrays with leading axis `steps`; update k sees the k-th
            entries. None minimizes the same loss in each update.

    Returns:
        The `Descent`: parameters, state and losses, shape `(steps,)`, of which the
        k-th is the loss before update k.

    Raises:
        TypeError: If `loss` or `optimizer` is no such thing, a leaf of `params` is
            not made of floating-point numbers, a leaf of `batches` or `state` is not
            an array, `steps` is not an integer, or `loss` returns no real number or
            needs concrete values.
        ValueError: If `steps` is out of its range, a leaf of `batches` lacks the
            leading axis, `state` is not one of this optimizer and these parameters,
            `loss` returns no scalar, or `optimizer` changes a shape.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> square = lambda p: jnp.sum((p - 3.0) ** 2)
        >>> d = minimize(square, jnp.zeros(2), optimizer=optax.sgd(0.25), steps=20)
        >>> d.params.round(2), d.losses[:2]
        (Array([3., 3.], dtype=float32), Array([18. ,  4.5], dtype=float32))
    """
    _check.function("loss", loss)
    _check.optimizer("optimizer", optimizer)
    program = _program(loss, optimizer.init, optimizer.update)
    return program(params, state, batches, steps)


def _checked(
    params: PyTree, state: PyTree, batches: PyTree, steps: SupportsIndex
) -> tuple[PyTree, PyTree, PyTree, int]:
    steps = _check.integer("steps", steps, least=0)
    params = _map_leaves(_parameter, "params", params)
    state = _map_leaves(_check.operand, "state", state)
    batches = _map_leaves(partial(_batch, steps=steps), "batches", batches)
    return params, state, batches, steps


def _map_leaves(
    check: Callable[[str, Any], Operand], name: str, tree: PyTree
) -> PyTree:
    with contextlib.suppress(TypeError, ValueError):
        return jax.tree.map(partial(check, name), tree)

    def check_leaf(path: Any, leaf: Any) -> Operand:
        return check(name + jax.tree_util.keystr(path), leaf)

    # Only a refusal names the leaf: its path takes longer than its check.
    return jax.tree_util.tree_map_with_path(check_leaf, tree)


def _parameter(name: str, x: Any) -> Operand:
    if isinstance(x, int) and not isinstance(x, bool):
        x = _check.as_float(name, x)
    x = _check.operand(name, x)
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        msg = f"`{name}` must hold floating-point numbers, got dtype {x.dtype}"
        raise TypeError(msg)
    return x


def _batch(name: str, x: Any, steps: int) -> Operand:
    x = _check.operand(name, x)
    if x.ndim == 0 or x.shape[0] != steps:
        msg = f"`{name}` must have a leading axis of size {steps}, got shape {x.shape}"
        raise ValueError(msg)
    return x


def _compile(live: Live) -> Callable[..., Descent]:
    @checked(_checked, options=1)
    def descend(params: PyTree, state: PyTree, batches: PyTree, steps: int) -> Descent:
        return _loop.descend(live(), params, state, batches, steps)

    return descend


_program = cached(_compile)  # of the loss and the optimizer's init and update
