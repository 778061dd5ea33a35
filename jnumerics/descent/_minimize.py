"""The public function: arguments checked, one compiled program for each loss."""

import inspect
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any, SupportsIndex

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, PyTree

from jnumerics import _check
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
            loop of one step a compiler makes another program). None starts afresh.
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
    _check_optimizer(optimizer)
    steps = _check.integer("steps", steps, least=0)
    params = _map_leaves(_parameter, "params", params)
    state = _map_leaves(_check.array, "state", state)
    batches = _map_leaves(partial(_batch, steps=steps), "batches", batches)
    return _program(loss, optimizer)(params, state, batches, steps=steps)


def _check_optimizer(optimizer: Any) -> None:
    for method in ("init", "update"):
        if not callable(getattr(optimizer, method, None)):
            came = type(optimizer).__name__
            msg = f"`optimizer` must be an optax optimizer, got {came}"
            raise TypeError(msg)


def _map_leaves(check: Callable[[str, Any], Array], name: str, tree: PyTree) -> PyTree:
    def check_leaf(path: Any, leaf: Any) -> Array:
        return check(name + jax.tree_util.keystr(path), leaf)

    return jax.tree_util.tree_map_with_path(check_leaf, tree)


def _parameter(name: str, x: Any) -> Array:
    if isinstance(x, int) and not isinstance(x, bool):
        x = _check.as_float(name, x)
    x = _check.array(name, x)
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        msg = f"`{name}` must hold floating-point numbers, got dtype {x.dtype}"
        raise TypeError(msg)
    return x


def _batch(name: str, x: Any, steps: int) -> Array:
    x = _check.array(name, x)
    if x.ndim == 0 or x.shape[0] != steps:
        msg = f"`{name}` must have a leading axis of size {steps}, got shape {x.shape}"
        raise ValueError(msg)
    return x


_programs: dict[tuple[int, ...], tuple[Callable, list[weakref.ref]]] = {}


def _program(
    loss: Callable, optimizer: optax.GradientTransformation
) -> Callable[..., Descent]:
    """Return the compiled loop of a loss and an optimizer, kept while both live.

    Static arguments of one `jax.jit` would outlive their use: the loss, the data it
    closes over and, inside a trace, its tracers.
    """
    functions = (loss, optimizer.init, optimizer.update)
    parts = [part for function in functions for part in _parts(function)]
    key = tuple(map(id, parts))
    if key in _programs:
        return _programs[key][0]

    def forget(_: weakref.ref) -> None:
        _programs.pop(key, None)

    try:
        alive = [weakref.ref(part, forget) for part in parts]
    except TypeError:  # an object without weak references: compiled at each call
        descend = partial(_loop.descend, functions)
        return jax.jit(descend, static_argnames="steps")
    refs = [_weak(function) for function in functions]

    def descend_while_alive(*args: PyTree, steps: int) -> Descent:
        return _loop.descend([ref() for ref in refs], *args, steps=steps)

    program = jax.jit(descend_while_alive, static_argnames="steps")
    _programs[key] = program, alive
    return program


def _parts(function: Any) -> tuple[Any, ...]:
    # a bound method is a new object at each access: its parts identify it
    is_method = inspect.ismethod(function)
    return (function.__self__, function.__func__) if is_method else (function,)


def _weak(function: Any) -> Callable[[], Any]:
    is_method = inspect.ismethod(function)
    return weakref.WeakMethod(function) if is_method else weakref.ref(function)
