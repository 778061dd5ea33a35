"""Checks of arguments, with one grammar of messages.

Every message says which argument, what it must be and what came:
"`x` must have rank 1, got shape (2, 3)". Public functions check before they call
compiled code: from types, shapes and dtypes, so that the check also works while
JAX traces and costs little otherwise.
"""

import contextlib
import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

ArrayLike = jax.Array | np.ndarray | np.generic | bool | int | float | complex
Precision = str | jax.lax.Precision
MOST_COUNTED = 2**31 - 1  # as far as JAX counts a loop or a window without x64
NEEDS_VALUES = (  # what JAX raises where a traced function asks for a value
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.NonConcreteBooleanIndexError,
)


def inexact(name: str, x: ArrayLike, *, rank: int | None = None) -> Array:
    """Return `x` as a JAX array of real or complex floating-point numbers.

    Integers and booleans become the default float; NumPy arrays, `np.matrix`
    included, become JAX arrays, and Python numbers scalars without a dtype of
    their own (weakly typed), as everywhere in JAX.
    """
    if isinstance(x, bool | int):
        x = as_float(name, x)
    elif isinstance(x, np.ndarray | np.generic) and x.dtype.kind in "iu":
        x = x.astype(float)  # JAX would wrap 64-bit integers into its 32 bits
    x = array(name, x, rank=rank)
    if jnp.issubdtype(x.dtype, jnp.integer) or x.dtype == bool:
        return x.astype(float)
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        msg = f"`{name}` must hold numbers, got dtype {x.dtype}"
        raise TypeError(msg)
    return x


def real(name: str, x: ArrayLike, *, rank: int | None = None) -> Array:
    """Return `x` as a JAX array of real floating-point numbers, as `inexact`."""
    x = inexact(name, x, rank=rank)
    if jnp.issubdtype(x.dtype, jnp.complexfloating):
        msg = f"`{name}` must be real, got dtype {x.dtype}"
        raise TypeError(msg)
    return x


def array(name: str, x: ArrayLike, *, rank: int | None = None) -> Array:
    """Return `x` as a JAX array of its own dtype.

    64-bit integers beyond the 32 bits that JAX has without x64 are refused: it would
    wrap them.
    """
    if isinstance(x, np.ma.MaskedArray):
        msg = f"`{name}` must be an array without a mask, got MaskedArray"
        raise TypeError(msg)
    if not isinstance(x, ArrayLike):
        hint = ": use jnp.asarray" if _can_be_array(x) else ""
        msg = f"`{name}` must be an array, got {type(x).__name__}{hint}"
        raise TypeError(msg)
    if isinstance(x, np.ndarray | np.generic) and not _in_jax(x.dtype):
        msg = f"`{name}` must hold numbers that JAX has, got dtype {x.dtype}"
        raise TypeError(msg)
    if rank is not None and np.ndim(x) != rank:
        msg = f"`{name}` must have rank {rank}, got shape {np.shape(x)}"
        raise ValueError(msg)
    if isinstance(x, np.ndarray | np.generic):
        x = x.astype(x.dtype.newbyteorder("="), copy=False)  # JAX has no other order
        _not_wrapped(name, x)
    try:
        return x if isinstance(x, jax.Array) else jnp.asarray(x)
    except OverflowError:
        raise _out_of_range(name, x, np.dtype(int)) from None


def _can_be_array(x: Any) -> bool:
    """Whether `jnp.asarray` is of use: nested numbers, or another library's array."""
    if not (is_sequence(x) or hasattr(x, "__array__") or hasattr(x, "__jax_array__")):
        return False
    with contextlib.suppress(Exception):  # whatever another library raises
        jnp.asarray(x)
        return True
    return False


def _not_wrapped(name: str, x: np.ndarray | np.generic) -> None:
    if x.dtype.kind not in "iu" or x.dtype.itemsize < 8:
        return
    limits = np.iinfo(jax.dtypes.canonicalize_dtype(x.dtype))
    if limits.bits < 64 and np.size(x):
        numbers: Any = np.asarray(x)
        for extreme in (numbers.min(), numbers.max()):
            if not limits.min <= int(extreme) <= limits.max:
                raise _out_of_range(name, extreme, x.dtype)


def _out_of_range(name: str, x: Any, dtype: np.dtype) -> ValueError:
    has = jax.dtypes.canonicalize_dtype(dtype)
    without = "" if has == dtype else " without x64"
    what = f"in the range of JAX's integers, {has}{without}"
    return ValueError(f"`{name}` must be {what}, got {_written(x)}")


def as_float(name: str, x: int) -> float:
    """Return an integer, small or large, as a float: weakly typed, as JAX has it."""
    try:
        return float(x)
    except OverflowError:
        msg = f"`{name}` must be in the range of a float, got {_written(x)}"
        raise ValueError(msg) from None


def _written(x: Any) -> str:
    """Write an integer, or its length: Python refuses to write thousands of digits."""
    is_long = isinstance(x, int) and x.bit_length() > 64
    return f"an integer of {x.bit_length()} bits" if is_long else str(x)


def _in_jax(dtype: np.dtype) -> bool:
    is_extended = dtype.itemsize > (16 if dtype.kind == "c" else 8)
    is_record = dtype.type is np.void
    return dtype.kind not in "OSUMm" and not (is_extended or is_record)


def same_shape(name: str, x: Array, other: str, y: Array) -> None:
    """Require `x` to have the shape of `y`."""
    if x.shape != y.shape:
        msg = f"`{name}` must have the shape {y.shape} of `{other}`, got {x.shape}"
        raise ValueError(msg)


def axis_size(name: str, x: Array, axis: int, size: int) -> None:
    """Require an axis of `x` to have the given size."""
    if x.ndim == 0 or x.shape[axis] != size:
        which = "a last axis" if axis == -1 else f"an axis {axis}"
        msg = f"`{name}` must have {which} of size {size}, got shape {x.shape}"
        raise ValueError(msg)


def targets(name: str, y: ArrayLike, rows: int) -> Array:
    """Return real targets `(m,)` or `(m, 1)`, one for each of `rows`, as `(m,)`.

    Any other shape is refused: beside `(m,)` predictions it would broadcast.
    """
    y = real(name, y)
    if y.shape not in ((rows,), (rows, 1)):
        msg = f"`{name}` must have shape ({rows},) or ({rows}, 1), got {y.shape}"
        raise ValueError(msg)
    return y.reshape(rows)


def key(name: str, x: ArrayLike) -> Array:
    """Return `x` as one random key, typed or of two uint32 numbers."""
    x = array(name, x)
    is_typed = jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
    if not is_typed and x.dtype != jnp.uint32:
        msg = f"`{name}` must be a JAX random key, got dtype {x.dtype}"
        raise TypeError(msg)
    if not (x.ndim == 0 if is_typed else _is_key_data(x)):
        msg = f"`{name}` must be one random key, got shape {x.shape}"
        raise ValueError(msg)
    return x


def _is_key_data(x: Array) -> bool:
    try:
        return jax.eval_shape(jax.random.wrap_key_data, x).shape == ()
    except TypeError:  # of another length than the default generator's
        return False


def float_dtype(name: str, value: Any, *, allow_complex: bool = False) -> jnp.dtype:
    """Return the floating-point type `value`; None, float or complex is JAX's default.

    A double one is refused without x64: JAX would narrow it.
    """
    kind, words = (
        (jnp.inexact, "real or complex") if allow_complex else (jnp.floating, "real")
    )
    value = float if value is None else value
    dtype = None
    with contextlib.suppress(TypeError, ValueError):  # none at all, or an extended one
        dtype = jax.dtypes.canonicalize_dtype(value)
    if dtype is None or not (jnp.issubdtype(dtype, kind) and _in_jax(dtype)):
        msg = f"`{name}` must be a {words} floating-point type, got {value!r}"
        raise TypeError(msg)
    is_default = value is float or value is complex  # np.float64 equals float
    if not is_default and dtype != jnp.dtype(value):
        msg = f"`{name}` must be a type that JAX has without x64, got {value!r}"
        raise ValueError(msg)
    return dtype


def promote(*arrays: Array) -> tuple[Array, ...]:
    """Bring arrays to their common dtype, by JAX's promotion made explicit."""
    if all(x.dtype == arrays[0].dtype and not x.weak_type for x in arrays):
        return arrays
    with jax.numpy_dtype_promotion("standard"):
        dtype = jnp.result_type(*arrays)
    return tuple(x.astype(dtype) for x in arrays)


def at_least_float32(x: Array) -> Array:
    """Return half-precision numbers as float32, others unchanged, for sums of them."""
    return x.astype(wide(x.dtype))


def wide(dtype: jnp.dtype) -> jnp.dtype:
    """Return float32 for half precision, other types unchanged."""
    return jnp.dtype(jnp.float32) if jnp.finfo(dtype).bits < 32 else dtype


def option(name: str, value: Any, options: Sequence[Any]) -> None:
    """Require `value` to be one of the options."""
    if not any(value is o or (type(value) is type(o) and value == o) for o in options):
        listed = ", ".join(repr(o) for o in options)
        msg = f"`{name}` must be one of {listed}, got {value!r}"
        raise ValueError(msg)


def precision(value: Precision) -> None:
    """Require `value` to be a precision of matrix products."""
    option("precision", value, ("default", "high", "highest", *jax.lax.Precision))


def integer(
    name: str, value: Any, *, least: int, greatest: int | None = MOST_COUNTED
) -> int:
    """Return `value` as an int from `least` to `greatest`; a float is refused."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        kind = type(value).__name__ if is_concrete(value) else "a traced value"
        msg = f"`{name}` must be an integer, got {kind}"
        raise TypeError(msg)
    if number < least:
        msg = f"`{name}` must be at least {least}, got {_written(number)}"
        raise ValueError(msg)
    if greatest is not None and number > greatest:
        msg = f"`{name}` must be at most {greatest}, got {_written(number)}"
        raise ValueError(msg)
    return number


def is_sequence(value: object) -> TypeGuard[Sequence]:
    """Whether `value` is a list, a tuple or the like, or an array with an axis."""
    if isinstance(value, np.ndarray | jax.Array):
        return value.ndim > 0
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def function(name: str, value: Callable) -> None:
    """Require `value` to be callable."""
    if not callable(value):
        msg = f"`{name}` must be a function, got {type(value).__name__}"
        raise TypeError(msg)


def is_concrete(*values: Any) -> bool:
    """Whether all values can be looked at: none is being traced."""
    return not any(isinstance(x, jax.core.Tracer) for x in values)


def boolean(name: str, value: Any) -> None:
    """Require `value` to be True or False: a truthy string says something else."""
    if not isinstance(value, bool | np.bool_):
        msg = f"`{name}` must be True or False, got {type(value).__name__}"
        raise TypeError(msg)


def optimizer(name: str, value: Any) -> None:
    """Require `value` to be an optax optimizer: something with its two functions."""
    for method in ("init", "update"):
        if not callable(getattr(value, method, None)):
            msg = f"`{name}` must be an optax optimizer, got {type(value).__name__}"
            raise TypeError(msg)
