"""Gradient descent with any optax optimizer, compiled as one program.

Update k takes the loss and its gradient g at the parameters p and moves to

    p + u,    u, state = optimizer.update(conj(g), state, p).

The gradient is conjugated because JAX's gradient of a real loss by a complex z is
dL/dx - i dL/dy, and the way down is against dL/dx + i dL/dy. Line searches, which
take JAX's gradient, get it as it is.

The loop is one `jax.lax.scan`: it nests in `jax.jit`, `jax.vmap` and both modes of
differentiation. Not offered: a stopping rule, progress and checkpoints (run chunks
of steps, each continuing from the last), and parameters that are not numbers: split
a module that holds other leaves (`equinox.partition`, `nnx.split`) and join its
parts inside the loss.
"""

import inspect
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PyTree

from jnumerics import _check


class Descent(NamedTuple):
    """Result of a descent."""

    params: PyTree
    """Parameters after the last update."""
    state: PyTree
    """State of the optimizer, from which another descent continues."""
    losses: Float[Array, " steps"]
    """Loss before each update."""


def minimize(
    loss: Callable[..., Any],
    params: PyTree,
    *,
    optimizer: optax.GradientTransformation,
    steps: int,
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
        optimizer: Any optax optimizer. Some, such as `optax.adam` and `optax.lbfgs`,
            cannot run where JAX's dtype promotion is set to strict.
        steps: Number of updates, 0 or more.
        state: That of an earlier `Descent`, which this one continues: n + m steps are
            n steps and then m, bit for bit. None starts afresh.
        batches: Pytree of arrays with leading axis `steps`; update k sees the k-th
            entries. None minimizes the same loss in each update.

    Returns:
        The `Descent`: parameters, state and losses, shape `(steps,)`, of which the
        k-th is the loss before update k.

    Raises:
        TypeError: If `loss` or `optimizer` is no such thing, a leaf of `params` is
            not made of floating-point numbers, a leaf of `batches` or `state` is not
            an array, `steps` is not an integer, or `loss` returns no real number.
        ValueError: If `steps` is negative, a leaf of `batches` lacks the leading
            axis, `state` is not one of this optimizer and these parameters, or
            `loss` returns no scalar.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> square = lambda p: jnp.sum((p - 3.0) ** 2)
        >>> d = minimize(square, jnp.zeros(2), optimizer=optax.sgd(0.25), steps=20)
        >>> d.params.round(2), d.losses[:2]
        (Array([3., 3.], dtype=float32), Array([18. ,  4.5], dtype=float32))
    """
    _check.function("loss", loss)
    for method in ("init", "update"):
        if not callable(getattr(optimizer, method, None)):
            msg = f"`optimizer` must be an optax optimizer, got {_name(optimizer)}"
            raise TypeError(msg)
    steps = _check.integer("steps", steps, least=0)
    params = _map_leaves(_parameter, "params", params)
    state = _map_leaves(_check.array, "state", state)
    batches = _map_leaves(partial(_batch, steps=steps), "batches", batches)
    return _program(loss, optimizer)(params, state, batches, steps=steps)


def _map_leaves(check: Callable[[str, Any], Array], name: str, tree: PyTree) -> PyTree:
    def check_leaf(path: Any, leaf: Any) -> Array:
        return check(name + jax.tree_util.keystr(path), leaf)

    return jax.tree_util.tree_map_with_path(check_leaf, tree)


def _parameter(name: str, x: Any) -> Array:
    if isinstance(x, int) and not isinstance(x, bool):
        x = float(x)
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


def _name(x: Any) -> str:
    return type(x).__name__


_programs: dict[tuple[int, ...], tuple[Callable, list[weakref.ref]]] = {}


def _program(
    loss: Callable, optimizer: optax.GradientTransformation
) -> Callable[..., Descent]:
    """Return the compiled loop of a loss and an optimizer, kept while both live.

    Static arguments of one `jax.jit` would outlive their use: the loss, the data it
    closes over and, inside a trace, its tracers.
    """
    functions = (loss, optimizer.init, optimizer.update)
    takes_extra = isinstance(optimizer, optax.GradientTransformationExtraArgs)
    parts = [part for f in functions for part in _parts(f)]
    key = tuple(map(id, parts))
    if key in _programs:
        return _programs[key][0]

    def forget(_: weakref.ref) -> None:
        _programs.pop(key, None)

    try:
        alive = [weakref.ref(part, forget) for part in parts]
        refs = [
            (weakref.WeakMethod if inspect.ismethod(f) else weakref.ref)(f)
            for f in functions
        ]
    except TypeError:  # an object without weak references: compiled at each call
        return jax.jit(
            partial(_descend, functions, takes_extra), static_argnames="steps"
        )

    def descend(params: PyTree, state: PyTree, batches: PyTree, steps: int) -> Descent:
        live = tuple(ref() for ref in refs)
        return _descend(live, takes_extra, params, state, batches, steps)

    program = jax.jit(descend, static_argnames="steps")
    _programs[key] = program, alive
    return program


def _parts(f: Callable) -> tuple[Any, ...]:
    # a bound method is made anew at each access
    return (f.__self__, f.__func__) if inspect.ismethod(f) else (f,)


def _descend(
    functions: tuple[Callable, Callable, Callable],
    takes_extra: bool,
    params: PyTree,
    state: PyTree,
    batches: PyTree,
    steps: int,
) -> Descent:
    loss, init, update = functions

    @partial(jax.jit, inline=True)  # traced once, called at several places
    def value_of(params: PyTree, *batch: PyTree) -> Array:
        return _real_scalar(loss(params, *batch))

    @partial(jax.jit, inline=True)
    def advance(params: PyTree, state: PyTree, *batch: PyTree) -> tuple:
        value, grad = jax.value_and_grad(value_of)(params, *batch)
        extra = {"value": value, "grad": grad} if takes_extra else {}
        if takes_extra:
            extra["value_fn"] = lambda params: value_of(params, *batch)
        downhill = jax.tree.map(jnp.conj, grad)
        updates, state = update(downhill, state, params, **extra)
        return optax.apply_updates(params, updates), state, value

    def body(carry: tuple, batch: tuple) -> tuple:
        # without the barrier, a loop of one step is fused otherwise than a longer one
        params, state, value = advance(*jax.lax.optimization_barrier(carry), *batch)
        return (params, jax.tree.map(_cast, state, types)), value

    params, batches = jax.tree.map(_strong, (params, batches))
    fresh = jax.tree.map(_strong, init(params))
    state = fresh if state is None else _continued(state, fresh)
    xs = () if batches is None else (batches,)
    one = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), xs)
    types = _settle(
        lambda state: jax.eval_shape(advance, params, state, *one)[1], state
    )
    state = jax.tree.map(_cast, state, types)
    (params, state), losses = jax.lax.scan(body, (params, state), xs, length=steps)
    return Descent(params, state, losses)


def _real_scalar(value: Any) -> Array:
    if not isinstance(value, _check.ArrayLike):
        msg = f"`loss` must return a real scalar, got {_name(value)}"
        raise TypeError(msg)
    value = _strong(value)
    if value.shape != ():
        msg = f"`loss` must return a real scalar, got shape {value.shape}"
        raise ValueError(msg)
    if not jnp.issubdtype(value.dtype, jnp.floating):
        msg = f"`loss` must return a real scalar, got dtype {value.dtype}"
        raise TypeError(msg)
    return value


def _continued(state: PyTree, fresh: PyTree) -> PyTree:
    """Return the given state, once it looks like a fresh one but for dtypes."""
    if _shapes(state) != _shapes(fresh):
        msg = (
            "`state` must be that of an earlier descent with this optimizer and"
            f" parameters like these, {_shapes(fresh)}, got {_shapes(state)}"
        )
        raise ValueError(msg)
    return jax.tree.map(_strong, state)


def _settle(next_types: Callable[[PyTree], PyTree], state: PyTree) -> PyTree:
    """Return the dtypes that an update of the state preserves.

    An optimizer may start from integers or a narrow dtype and go on in a wider one,
    which the carry of a scan may not.
    """
    types = jax.eval_shape(lambda: state)
    while True:
        after = next_types(types)
        if _shapes(after) != _shapes(types):
            msg = (
                "`optimizer` must keep the structure and shapes of its state,"
                f" {_shapes(types)}, got {_shapes(after)}"
            )
            raise ValueError(msg)
        wider = jax.tree.map(_wider, types, after)
        if wider == types:
            return types
        types = wider


def _wider(x: jax.ShapeDtypeStruct, y: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
    if x.dtype == y.dtype:
        return x
    with jax.numpy_dtype_promotion("standard"):
        return jax.ShapeDtypeStruct(x.shape, jnp.promote_types(x.dtype, y.dtype))


def _shapes(tree: PyTree) -> PyTree:
    return jax.tree.map(jnp.shape, tree)


def _cast(x: Array, like: Array | jax.ShapeDtypeStruct) -> Array:
    return x if x.dtype == like.dtype else x.astype(like.dtype)


def _strong(x: Any) -> Array:
    """Return `x` as an array with a dtype of its own, so that a carry can keep it."""
    x = jnp.asarray(x)
    return jax.lax.convert_element_type(x, x.dtype)
