"""Arrays of JAX and NumPy, numbers, random keys: their dtypes and shapes."""

import contextlib
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jnumerics._check.options import is_sequence, written

ArrayLike = jax.Array | np.ndarray | np.generic | bool | int | float | complex
Operand = jax.Array | np.ndarray  # what a compiled function takes
Numbers = TypeVar("Numbers", jax.Array, jax.Array | np.ndarray)
_NUMPY = (np.ndarray, np.generic)

# Bytes. JAX takes a NumPy array over in a tenth of the time in which it makes one of
# its own, but a large one it copies once more.
_MOST_SMALL = 2**14


def inexact(name: str, x: ArrayLike, *, rank: int | None = None) -> Operand:
    """Return `x` as real or complex floating-point numbers, for a compiled function.

    Integers and booleans become the default float, Python numbers scalars without a
    dtype of their own (weakly typed), as everywhere in JAX.
    """
    if isinstance(x, bool | int):
        x = as_float(name, x)
    elif isinstance(x, _NUMPY) and x.dtype.kind in "iub":
        x = x.astype(float)  # JAX would wrap 64-bit integers into its 32 bits
    x = operand(name, x, rank=rank)
    dtype = x.dtype
    if jnp.issubdtype(dtype, jnp.inexact):
        return x
    if jnp.issubdtype(dtype, jnp.integer) or jnp.issubdtype(dtype, jnp.bool_):
        return x.astype(float)
    msg = f"`{name}` must hold numbers, got dtype {dtype}"
    raise TypeError(msg)


def real(name: str, x: ArrayLike, *, rank: int | None = None) -> Operand:
    """Return `x` as real floating-point numbers, as `inexact`."""
    x = inexact(name, x, rank=rank)
    if x.dtype.kind == "c":
        msg = f"`{name}` must be real, got dtype {x.dtype}"
        raise TypeError(msg)
    return x


def inexact_or_number(name: str, x: ArrayLike) -> Operand | float | complex:
    """Return a Python number as a float or complex, anything else as `inexact` does.

    To compiled functions both are the same scalar; a call with the number takes less.
    """
    if isinstance(x, int):
        return as_float(name, x)
    if type(x) is float or type(x) is complex:
        return x
    return inexact(name, x)


def real_scalar(name: str, x: ArrayLike, dtype: jnp.dtype) -> Operand:
    """Return a real scalar of the given dtype, whatever it came as."""
    if isinstance(x, int):
        x = as_float(name, x)
    x = np.asarray(x) if type(x) is float else real(name, x, rank=0)
    with np.errstate(all="ignore"):  # as in JAX, what is too large becomes infinite
        return x.astype(dtype)


def array(name: str, x: ArrayLike, *, rank: int | None = None) -> Array:
    """Return `x` as a JAX array of its own dtype, checked as in `operand`."""
    x = operand(name, x, rank=rank)
    return x if isinstance(x, jax.Array) else jnp.asarray(x)


def operand(name: str, x: ArrayLike, *, rank: int | None = None) -> Operand:
    """Return `x` as an array of its own dtype that compiled functions take.

    NumPy's are copied, in a dtype that JAX has: a compiled function may read them when
    it has returned, and their owner has put new numbers there. 64-bit integers beyond
    the 32 bits that JAX has without x64 are refused: it would wrap them.
    """
    if isinstance(x, jax.Array):
        converted = x
    elif isinstance(x, _NUMPY):
        converted = _from_numpy(name, x)
    else:
        converted = _from_python(name, x)
    if rank is not None and converted.ndim != rank:
        msg = f"`{name}` must have rank {rank}, got shape {converted.shape}"
        raise ValueError(msg)
    return converted


def _from_numpy(name: str, x: np.ndarray | np.generic) -> Operand:
    if isinstance(x, np.ma.MaskedArray):
        msg = f"`{name}` must be an array without a mask, got MaskedArray"
        raise TypeError(msg)
    if not _in_jax(x.dtype):
        msg = f"`{name}` must hold numbers that JAX has, got dtype {x.dtype}"
        raise TypeError(msg)
    _not_wrapped(name, x)
    dtype = jax.dtypes.canonicalize_dtype(x.dtype.newbyteorder("="))
    with np.errstate(all="ignore"):  # as in JAX, what is too large becomes infinite
        if x.nbytes > _MOST_SMALL:
            return jnp.array(np.asarray(x, dtype), copy=True)
        return np.array(x, dtype)  # neither a matrix nor a scalar


def _from_python(name: str, x: Any) -> Array:
    if not isinstance(x, ArrayLike):
        hint = ": use jnp.asarray" if _can_be_array(x) else ""
        msg = f"`{name}` must be an array, got {type(x).__name__}{hint}"
        raise TypeError(msg)
    try:
        return jnp.asarray(x)
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
    limits = np.iinfo(jax.dtypes.canonicalize_dtype(x.dtype.newbyteorder("=")))
    if limits.bits < 64 and x.size:
        for extreme in (x.min(), x.max()):
            if not limits.min <= int(extreme) <= limits.max:
                raise _out_of_range(name, extreme, x.dtype)


def _out_of_range(name: str, x: Any, dtype: np.dtype) -> ValueError:
    has = jax.dtypes.canonicalize_dtype(dtype.newbyteorder("="))
    without = "" if has == dtype else " without x64"
    what = f"in the range of JAX's integers, {has}{without}"
    return ValueError(f"`{name}` must be {what}, got {written(x)}")


def as_float(name: str, x: int) -> float:
    """Return an integer, small or large, as a float: weakly typed, as JAX has it."""
    try:
        return float(x)
    except OverflowError:
        msg = f"`{name}` must be in the range of a float, got {written(x)}"
        raise ValueError(msg) from None


def _in_jax(dtype: np.dtype) -> bool:
    is_extended = dtype.itemsize > (16 if dtype.kind == "c" else 8)
    is_record = dtype.type is np.void
    return dtype.kind not in "OSUMm" and not (is_extended or is_record)


def same_shape(name: str, x: Operand, other: str, y: Operand) -> None:
    """Require `x` to have the shape of `y`."""
    if x.shape != y.shape:
        msg = f"`{name}` must have the shape {y.shape} of `{other}`, got {x.shape}"
        raise ValueError(msg)


def axis_size(name: str, x: Operand, axis: int, size: int) -> None:
    """Require an axis of `x` to have the given size."""
    if x.ndim == 0 or x.shape[axis] != size:
        which = "a last axis" if axis == -1 else f"an axis {axis}"
        msg = f"`{name}` must have {which} of size {size}, got shape {x.shape}"
        raise ValueError(msg)


def targets(name: str, y: ArrayLike, rows: int) -> Operand:
    """Return real targets `(m,)` or `(m, 1)`, one for each of `rows`, as `(m,)`.

    Any other shape is refused: beside `(m,)` predictions it would broadcast.
    """
    y = real(name, y)
    if y.shape == (rows,):
        return y
    if y.shape != (rows, 1):
        msg = f"`{name}` must have shape ({rows},) or ({rows}, 1), got {y.shape}"
        raise ValueError(msg)
    return y.reshape(rows)


def promote(*arrays: Numbers) -> tuple[Numbers, ...]:
    """Bring arrays to their common dtype, by JAX's promotion made explicit."""
    first = arrays[0].dtype
    if not any(x.dtype != first or getattr(x, "weak_type", False) for x in arrays):
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


def key(name: str, x: ArrayLike) -> Operand:
    """Return `x` as one random key, typed or of two uint32 numbers."""
    x = operand(name, x)
    is_typed = jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
    if not is_typed and x.dtype != jnp.uint32:
        msg = f"`{name}` must be a JAX random key, got dtype {x.dtype}"
        raise TypeError(msg)
    if not (x.ndim == 0 if is_typed else _is_key_data(x)):
        msg = f"`{name}` must be one random key, got shape {x.shape}"
        raise ValueError(msg)
    return x


def _is_key_data(x: Operand) -> bool:
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
