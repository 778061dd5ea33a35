"""The loop of updates, as JAX traces it."""

import inspect
from collections.abc import Callable, Sequence
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


def descend(
    functions: Sequence[Any],
    params: PyTree,
    state: PyTree,
    batches: PyTree,
    steps: int,
) -> Descent:
    """Run the updates; `functions` are the loss and the optimizer's init and update."""
    loss, init, update = functions

    @partial(jax.jit, inline=True)  # traced once, called at several places
    def value_of(params: PyTree, *batch: PyTree) -> Array:
        return _real_scalar(_traced(loss, params, *batch))

    @partial(jax.jit, inline=True)
    def advance(params: PyTree, state: PyTree, *batch: PyTree) -> tuple:
        value, grad = jax.value_and_grad(value_of)(params, *batch)

        def value_fn(params: PyTree) -> Array:
            return value_of(params, *batch)

        def grad_fn(params: PyTree, *_: Any) -> PyTree:
            return jax.tree.map(jnp.conj, jax.grad(value_fn)(params))

        extra = {"value": value, "grad": grad, "value_fn": value_fn}
        extra |= {"grad_fn": grad_fn, "obj_fn": value_fn}
        downhill = jax.tree.map(jnp.conj, grad)
        updates, state = _update(update, (downhill, state, params), extra)
        return (optax.apply_updates(params, updates), state), value

    def body(carry: tuple, batch: tuple) -> tuple:
        carry, value = advance(*carry, *batch)
        return jax.tree.map(_cast, carry, types), value

    params, batches = jax.tree.map(_strong, (params, batches))
    if state is None:
        state = init(params)
    else:
        _require_same_shapes(state, jax.eval_shape(init, params))
    carry = params, jax.tree.map(_strong, state)
    xs = () if batches is None else (batches,)
    batch = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), xs)
    types = _settle(lambda carry: jax.eval_shape(advance, *carry, *batch)[0], carry)
    carry = jax.tree.map(_cast, carry, types)
    (params, state), losses = jax.lax.scan(body, carry, xs, length=steps)
    return Descent(params, state, losses)


def _update(update: Callable, args: tuple, extra: dict[str, Any]) -> tuple:
    """Call an optimizer with those of the extra arguments that it takes.

    A chain takes all, and hands them on to parts that need not: what one of them does
    not know is left out, as optax's users do.
    """
    takes = [*inspect.signature(update).parameters.values()]
    filled = {p.name for p in takes[: len(args)]}  # by position, whatever their names
    names = {p.name for p in takes[len(args) :]}
    takes_all = any(p.kind is p.VAR_KEYWORD for p in takes)
    extra = {
        name: x
        for name, x in extra.items()
        if name not in filled and (takes_all or name in names)
    }
    while True:
        try:
            return update(*args, **extra)
        except TypeError as error:
            refused = [name for name in extra if _refuses(error, name)]
            if not refused:
                raise
        extra = {name: x for name, x in extra.items() if name not in refused}


def _refuses(error: TypeError, name: str) -> bool:
    # Python: "f() got an unexpected keyword argument 'x'"; optax: "Unexpected keyword
    # arguments passed to ...: ['x', 'y']"
    message = str(error)
    return "nexpected keyword argument" in message and f"'{name}'" in message


def _traced(loss: Callable, *args: PyTree) -> Any:
    try:
        return loss(*args)
    except _check.NEEDS_VALUES as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        what = f"got one that needs a concrete value: {reason}"
        msg = f"`loss` must be traceable, as under jax.jit, {what}"
        raise TypeError(msg) from error


def _real_scalar(value: Any) -> Array:
    if not isinstance(value, _check.ArrayLike):
        msg = f"`loss` must return a real scalar, got {type(value).__name__}"
        raise TypeError(msg)
    value = _strong(_check.array("loss", value))
    if value.shape != ():
        msg = f"`loss` must return a real scalar, got shape {value.shape}"
        raise ValueError(msg)
    if not jnp.issubdtype(value.dtype, jnp.floating):
        msg = f"`loss` must return a real scalar, got dtype {value.dtype}"
        raise TypeError(msg)
    return value


def _require_same_shapes(state: PyTree, fresh: PyTree) -> None:
    if not _same_shapes(state, fresh):
        msg = (
            "`state` must be that of an earlier descent with this optimizer and"
            f" parameters like these, of {_difference(fresh, state)}"
        )
        raise ValueError(msg)


def _difference(wanted: PyTree, came: PyTree) -> str:
    """Say how two trees differ: in shapes, else in structure, else out of sight."""
    shapes, structure = (str(f(wanted)) for f in (_shapes, jax.tree.structure))
    if shapes != str(_shapes(came)):
        return f"shapes {shapes}, got {_shapes(came)}"
    if structure != str(jax.tree.structure(came)):
        return f"structure {structure}, got {jax.tree.structure(came)}"
    return f"structure {structure}, got the same with other static parts"


def _settle(next_types: Callable[[PyTree], PyTree], carry: PyTree) -> PyTree:
    """Return the dtypes of parameters and state that an update preserves.

    The state may start from integers or in a narrow dtype and go on in a wider one,
    which the carry of a scan may not.
    """
    types = jax.eval_shape(lambda: carry)
    while True:
        after = next_types(types)
        if not _same_shapes(types, after):
            parts = _difference(types, after)
            msg = f"`optimizer` must keep parameters and state in their {parts}"
            raise ValueError(msg)
        wider = jax.tree.map(_wider, types, after)
        if jax.tree.leaves(wider) == jax.tree.leaves(types):
            return types
        types = wider


def _wider(x: jax.ShapeDtypeStruct, y: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
    if x.dtype == y.dtype:
        return x
    with jax.numpy_dtype_promotion("standard"):
        return jax.ShapeDtypeStruct(x.shape, jnp.promote_types(x.dtype, y.dtype))


def _same_shapes(a: PyTree, b: PyTree) -> bool:
    is_alike = jax.tree.structure(a) == jax.tree.structure(b)
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=False)
    return is_alike and all(jnp.shape(x) == jnp.shape(y) for x, y in pairs)


def _shapes(tree: PyTree) -> dict[str, tuple[int, ...]]:
    leaves = jax.tree.leaves_with_path(tree)
    return {jax.tree_util.keystr(path): jnp.shape(leaf) for path, leaf in leaves}


def _cast(x: Array, like: Array | jax.ShapeDtypeStruct) -> Array:
    return x if x.dtype == like.dtype else x.astype(like.dtype)


def _strong(x: Any) -> Array:
    """Return `x` as an array with a dtype of its own, so that a carry can keep it."""
    x = jnp.asarray(x)
    return jax.lax.convert_element_type(x, x.dtype)
