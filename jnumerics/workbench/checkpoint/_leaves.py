"""One leaf: what it is, its bytes on the host, and a leaf of the same kind from them.

A `Form` is what a leaf of `like` and one of a file must have in common. Arrays of a
type in `NATIVE` are tensors of the file as they are, which every framework reads;
other types are stored as their bytes, and keys as the numbers they are made of.
"""

import contextlib
import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jnumerics import _check
from jnumerics.workbench import devices

NATIVE = {  # what NumPy has and safetensors calls it; float8 is not read by NumPy there
    "bool": "BOOL", "int8": "I8", "int16": "I16", "int32": "I32", "int64": "I64",
    "uint8": "U8", "uint16": "U16", "uint32": "U32", "uint64": "U64",
    "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64",
    "complex64": "C64",
}  # fmt: skip
_OTHERS = (
    "complex128", "int2", "int4", "uint2", "uint4",
    "float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn", "float8_e3m4", "float8_e4m3",
    "float8_e4m3b11fnuz", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2",
    "float8_e5m2fnuz", "float8_e8m0fnu",
)  # fmt: skip
DTYPES = {
    name: np.dtype(getattr(jnp, name if name != "bool" else "bool_"))
    for name in (*NATIVE, *_OTHERS)
    if hasattr(jnp, name) or name == "bool"
}
_PYTHON = {bool: "bool", int: "int64", float: "float64", complex: "complex128"}
_NUMBERS = {f"Python {kind.__name__}": dtype for kind, dtype in _PYTHON.items()}
_TEXTS = ("Python str", "Python bytes")
_ZEROS = {"i": 0, "f": 0.0, "c": 0j}
_KEY = "key<"  # how JAX writes the type of its random keys: key<fry>


class Form(NamedTuple):
    """Type and shape of a leaf, and of a random key its generator."""

    dtype: str
    shape: tuple[int, ...] = ()
    generator: str = ""

    @property
    def is_native(self) -> bool:
        """Whether a tensor of the file has this type and shape itself."""
        return self.dtype in NATIVE

    def agrees(self, other: "Form") -> bool:
        """Whether a leaf of one form is one of the other; a shape has no generator."""
        known = self.generator and other.generator
        return self[:2] == other[:2] and (
            not known or self.generator == other.generator
        )

    def words(self) -> str:
        """Say it in a message."""
        if self.dtype.startswith("Python "):
            return self.dtype
        generator = f" ({self.generator})" if self.generator else ""
        return f"{self.dtype}{generator} of shape {self.shape}"


def form_of(place: str, leaf: Any) -> Form:
    """Return the form of a leaf; an array, a shape, a number or a text."""
    kind = type(leaf)
    if kind in _PYTHON or kind in (str, bytes):
        return Form(f"Python {kind.__name__}")
    kinds = (jax.Array, jax.ShapeDtypeStruct, np.ndarray, np.generic)
    if not isinstance(leaf, kinds) or isinstance(leaf, np.ma.MaskedArray):
        msg = f"`{place}` must be an array, a number or a text, got {kind.__name__}"
        raise TypeError(msg)
    dtype, shape = str(getattr(leaf.dtype, "name", leaf.dtype)), tuple(leaf.shape)
    if dtype.startswith(_KEY):
        return Form(dtype, shape, _generator(place, leaf))
    if dtype not in DTYPES:
        msg = f"`{place}` must have a dtype that JAX has, got {dtype}"
        raise TypeError(msg)
    return Form(dtype, shape)


def _generator(place: str, keys: Any) -> str:
    if isinstance(keys, jax.ShapeDtypeStruct):
        return ""
    name = jax.random.key_impl(keys)
    if not isinstance(name, str):
        msg = (
            f"`{place}` must have a generator that JAX knows by name, got {keys.dtype}"
        )
        raise TypeError(msg)
    return name


# to the host


def on_host(place: str, leaf: Any) -> tuple[Form, np.ndarray]:
    """Return a leaf's form, and the array that a file holds for it.

    Every process must call it, for the same leaves in the same order: those that are
    spread over processes are gathered.
    """
    form = form_of(place, leaf)
    if not _check.is_concrete(leaf) or isinstance(leaf, jax.ShapeDtypeStruct):
        msg = f"`{place}` must have values, got {type(leaf).__name__}"
        raise TypeError(msg)
    if isinstance(leaf, jax.Array) and leaf.is_deleted():
        msg = f"`{place}` must have values, got an array that was donated or deleted"
        raise ValueError(msg)
    if form.dtype in _TEXTS:
        text = leaf.encode("utf-8", "surrogatepass") if isinstance(leaf, str) else leaf
        return form, np.frombuffer(text, np.uint8)
    if form.dtype in _NUMBERS:
        leaf = _number(place, leaf, _NUMBERS[form.dtype])
    elif form.generator:
        leaf = jax.random.key_data(leaf)
    return form, _as_stored(np.asarray(devices.gather(leaf)))


def _number(place: str, number: Any, dtype: str) -> np.ndarray:
    try:
        return np.asarray(number, dtype)
    except OverflowError:
        msg = f"`{place}` must be in the range of int64, got a larger integer"
        raise ValueError(msg) from None


def _as_stored(array: np.ndarray) -> np.ndarray:
    """Return contiguous little-endian numbers, or the bytes of another type."""
    if array.dtype.kind != "V":  # JAX's own types have no other order
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    array = np.ascontiguousarray(array).reshape(array.shape)
    return array if array.dtype.name in NATIVE else bytes_of(array)


def bytes_of(array: np.ndarray) -> np.ndarray:
    """Return the bytes of a contiguous array, shape `(n,)`, without a copy."""
    return array.reshape(-1).view(np.uint8)


# from a file


def stored_form(form: Form, stored: Form) -> bool:
    """Whether a tensor of this dtype and shape can be what a leaf of a form became."""
    if form.is_native:
        return stored == form
    if form.dtype in _TEXTS:
        return stored.dtype == "uint8" and len(stored.shape) == 1
    if form.dtype.startswith(_KEY):
        return stored.dtype == "uint32" and _is_key_data(stored.shape, form)
    name = _NUMBERS.get(form.dtype, form.dtype)
    if name in NATIVE:
        return stored == Form(name)
    size = math.prod(form.shape) * DTYPES[name].itemsize if name in DTYPES else -1
    return stored == Form("uint8", (size,))


def _is_key_data(shape: tuple[int, ...], form: Form) -> bool:
    wrap = partial(jax.random.wrap_key_data, impl=form.generator)
    try:
        keys = jax.eval_shape(wrap, jax.ShapeDtypeStruct(shape, jnp.uint32))
    except (TypeError, ValueError):  # no such generator, or numbers of another one
        return False
    return keys.shape == form.shape and str(keys.dtype) == form.dtype


def is_sound(array: np.ndarray, form: Form) -> bool:
    """Whether what is stored of a leaf has a meaning, where not all bytes have one."""
    if form.dtype in ("bool", "Python bool"):
        return not np.any(bytes_of(array) > 1)
    if form.dtype == "Python str":
        with contextlib.suppress(UnicodeDecodeError):
            return isinstance(_text(array), str)
        return False
    return True


def _text(array: np.ndarray) -> str:
    return array.tobytes().decode("utf-8", "surrogatepass")


def as_leaf(array: np.ndarray, form: Form, like: Any) -> Any:
    """Return a leaf of the kind of `like`, and where `like` lives, from what is stored.

    The forms agree. NumPy arrays stay there, Python's numbers and texts too; any other
    goes to the sharding of `like`, or where it has none to JAX's default device.
    """
    if form.dtype == "Python bytes":
        return array.tobytes()
    if form.dtype == "Python str":
        return _text(array)
    if not form.is_native and not form.generator:
        dtype = DTYPES[_NUMBERS.get(form.dtype, form.dtype)]
        array = bytes_of(array).view(dtype).reshape(form.shape)
    if form.dtype in _NUMBERS:
        return array.item()
    if isinstance(like, np.generic):
        return array[()]
    return array if isinstance(like, np.ndarray) else _placed(array, form, like)


def _placed(array: np.ndarray, form: Form, like: Any) -> jax.Array:
    value: Any = array
    if form.generator:
        value = jax.random.wrap_key_data(jnp.asarray(array), impl=form.generator)
    elif like.weak_type and array.dtype.kind in _ZEROS:
        start = jnp.full(array.shape, _ZEROS[array.dtype.kind])  # weak as a number is
        value = start.at[...].set(array) if start.dtype == array.dtype else array
    if _may_move(like):
        placed = jnp.asarray(value)
    elif like.sharding.is_fully_addressable:
        placed = jax.device_put(value, like.sharding)
    else:
        placed = jax.make_array_from_callback(
            value.shape, like.sharding, lambda index: value[index]
        )
    if placed.dtype != like.dtype:
        msg = f"`like` must have dtypes that JAX has without x64, got {form.dtype}"
        raise ValueError(msg)
    return placed


def _may_move(like: Any) -> bool:
    """Whether nobody asked for the device where it lives."""
    is_shape = isinstance(like, jax.ShapeDtypeStruct)
    return like.sharding is None if is_shape else not like.committed
