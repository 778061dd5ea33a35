"""Strategies of what an argument must not be, drawn afresh rather than listed.

Each yields wrong values only, so that a call that returns is wrong itself. `b | a` of
two of them is wrong in either way.
"""

import datetime
import decimal
import fractions
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

Strategy = st.SearchStrategy[Any]
LIMIT = 4  # entries along an axis, and axes


class Stranger:
    """An object of no library."""

    def __repr__(self) -> str:
        return "Stranger()"


TEXTS = st.text(max_size=5) | st.binary(max_size=5)
NUMBERS = st.floats() | st.integers() | st.complex_numbers()
NESTED = st.recursive(
    NUMBERS | st.text(max_size=3) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner),
    max_leaves=6,
).filter(lambda x: isinstance(x, list | tuple))
CONTAINERS = NESTED | st.dictionaries(st.text(max_size=3), NUMBERS, max_size=2)
OBJECTS = st.sampled_from(
    [
        Stranger(), object(), Stranger, float, jnp, np, ..., NotImplemented,
        datetime.date(2020, 1, 1), decimal.Decimal(1), fractions.Fraction(1, 2),
        range(3), {1.0, 2.0}, frozenset(), iter([1.0]), memoryview(b"12"), slice(3),
        ValueError("x"), jnp.float32,
    ]
)  # fmt: skip
NOTHING = st.sampled_from([Stranger(), object(), slice(3), np.array([None])])
shapes = st.lists(st.integers(0, LIMIT), max_size=LIMIT).map(tuple)


def _strange(shape: tuple[int, ...], kind: str) -> Any:
    """An array of NumPy that no function of numbers can take."""
    if kind == "masked":
        return np.ma.masked_array(np.ones(shape), mask=np.zeros(shape, bool))
    if kind == "key":
        return jax.random.split(jax.random.key(0), shape)
    return np.zeros(shape, kind)


STRANGE_KINDS = ["O", "U3", "S3", "M8[s]", "m8[s]", "f8,i4", "V5", "g", "G", "masked"]
STRANGE = st.builds(_strange, shapes, st.sampled_from([*STRANGE_KINDS, "key"]))
UNREADABLE = st.builds(_strange, shapes, st.sampled_from(STRANGE_KINDS))
no_array = st.none() | TEXTS | CONTAINERS | OBJECTS | STRANGE

# --- arrays of another shape ----------------------------------------------------------

DTYPES = st.sampled_from(["float32", "int32", "uint8", "float16", "bool"])


def _array(shape: tuple[int, ...], dtype: str, is_jax: bool) -> Any:
    array = np.ones(shape, dtype)
    return jnp.asarray(array) if is_jax else array


def arrays_of(some: Strategy) -> Strategy:
    """Arrays of ones with shapes of a strategy, in NumPy and in JAX."""
    return st.builds(_array, some, DTYPES, st.booleans())


def ranks_but(*ranks: int) -> Strategy:
    """Shapes of other ranks."""
    return shapes.filter(lambda shape: len(shape) not in ranks)


def ranks_but_from(least: int) -> Strategy:
    """Shapes of ranks below one."""
    return shapes.filter(lambda shape: len(shape) < least)


def shapes_but(*some: tuple[int, ...]) -> Strategy:
    """Other shapes."""
    return shapes.filter(lambda shape: shape not in some)


def first_axes_but(size: int) -> Strategy:
    """Shapes without a first axis of a size."""
    return shapes.filter(lambda shape: shape[:1] != (size,))


def first_axes_in(*sizes: int) -> Strategy:
    """Shapes with a first axis of one of some sizes, or without any."""
    return shapes.filter(lambda shape: not shape or shape[0] in sizes)


def leading_axes_but(*sizes: int) -> Strategy:
    """Shapes of other axes than these before the last."""
    return shapes.filter(lambda shape: not shape or shape[:-1] != sizes)


def last_axes_but(size: int) -> Strategy:
    """Shapes without a last axis of a size."""
    return shapes.filter(lambda shape: shape[-1:] != (size,))


COMPLEX = st.builds(lambda s: np.ones(s, np.complex64), shapes) | st.complex_numbers()


def number_array(some: Strategy) -> Strategy:
    """What is no array of numbers, and arrays of wrong shapes."""
    return no_array | arrays_of(some)


def real_array(some: Strategy) -> Strategy:
    """What is no array of real numbers, and arrays of wrong shapes."""
    return no_array | arrays_of(some) | COMPLEX


integer_arrays = st.builds(
    lambda shape, dtype: np.ones(shape, dtype),
    shapes,
    st.sampled_from(["int32", "uint8", "bool"]),
)


def no_nodes(count: int) -> Strategy:
    """Nodes of which one is not finite, or two are the same."""
    odd = st.sampled_from([np.nan, np.inf, -np.inf])
    some = st.lists(odd | st.floats(-9, 9, width=32), min_size=count, max_size=count)
    is_wrong = lambda x: not np.isfinite(x).all() or len({*x}) < count
    return some.filter(is_wrong).map(np.array)


# --- options --------------------------------------------------------------------------

FLOATS = st.floats() | st.sampled_from([np.float32(1), np.array(2.0), jnp.ones(())])
no_integer = st.none() | TEXTS | CONTAINERS | OBJECTS | FLOATS | st.booleans() | STRANGE
no_boolean = (
    st.none() | TEXTS | CONTAINERS | OBJECTS | st.integers() | FLOATS | STRANGE
)  # 0 and 1 too
no_function = (
    st.none() | TEXTS | CONTAINERS | FLOATS | st.integers() | st.just(Stranger())
    | st.just(jnp) | st.builds(np.ones, shapes)
)  # fmt: skip
no_option = (
    st.text(max_size=6).filter(lambda text: text not in ("dense", "auto", "cut"))
    | st.binary(max_size=3) | CONTAINERS | OBJECTS | NUMBERS | STRANGE
)  # fmt: skip
no_check = no_option
no_precision = no_option | st.none()


def integers_outside(least: int, greatest: int) -> Strategy:
    """Integers below and above a range, of a machine word and beyond."""
    below, above = st.integers(max_value=least - 1), st.integers(greatest + 1)
    return below | above | below.filter(lambda k: k >= -(2**63)).map(np.int64)


def no_integer_or_pair(least: int) -> Strategy:
    """Neither an integer nor a pair of them, or one that is too small."""
    wrong = no_integer.filter(lambda x: not isinstance(x, tuple | list))
    small = st.integers(max_value=least - 1)
    pairs = st.tuples(st.just(1), wrong | small) | st.tuples(wrong | small, st.just(1))
    others = st.lists(st.just(1), max_size=5).filter(lambda x: len(x) != 2)
    return wrong | small | pairs | others


no_padding = (
    st.text(max_size=6) | st.binary(max_size=3) | FLOATS | st.booleans() | st.none()
    | st.integers(max_value=-1) | st.sampled_from([Stranger(), {"top": 1}, {1, 2}])
    | st.lists(st.just((1, 1)), max_size=4).filter(lambda x: len(x) != 2)
    | st.tuples(st.tuples(st.just(1), FLOATS), st.tuples(st.just(1), st.just(0)))
)  # fmt: skip
no_sizes = (
    st.none() | TEXTS | FLOATS | st.integers() | OBJECTS.filter(lambda x: x != range(3))
    | st.lists(st.integers(1, 4), max_size=1)
    | st.lists(st.integers(max_value=0), min_size=2, max_size=3)
    | st.lists(st.floats() | st.none() | st.booleans(), min_size=2, max_size=3)
)  # fmt: skip
no_key = (
    TEXTS | CONTAINERS | OBJECTS | FLOATS | st.integers() | UNREADABLE
    | arrays_of(shapes)
    | st.integers(0, 3).map(lambda n: jax.random.split(jax.random.key(0), n))
)  # fmt: skip
no_config = (
    TEXTS.filter(bool) | FLOATS | st.integers() | st.lists(st.integers(), min_size=1)
    | st.just({"f": len}) | st.just({"x": jax.random.key(0)}) | st.just({(1, 2): 3})
)  # fmt: skip
no_float_dtype = st.sampled_from(
    ["int32", "hope", "", int, bool, object, np.int8, "U3", "float64", np.float64, "g",
     3, 1.5, Stranger(), "M8[s]", b"i4", jnp.uint4, "complex256", [], {}, (1, 2), "V5"]
) | st.text(max_size=4).filter(
    lambda text: text not in ("f", "e", "f4", "f2")
)  # fmt: skip

# --- functions, parameters ------------------------------------------------------------

no_differentiable = st.sampled_from(
    [
        lambda _: "text", lambda _: object(), lambda _: np.array([None]),
        lambda x: x > 0, lambda x: x.astype(int), lambda x: x if x.sum() > 0 else -x,
        lambda x: float(x.sum()), lambda x: np.asarray(x) * 2, lambda x: {1: "a"},
    ]
)  # fmt: skip


def with_aux(p: Any, x: Any) -> Any:
    """No loss of `minimize`, and one of `train`."""
    del x
    return p.sum(), p


no_loss = no_function | st.sampled_from(
    [
        lambda p, x: p - x[..., :3], lambda p, x: "text", lambda p, x: None,
        lambda p, x: p.sum() > 0, lambda p, x: p.sum().astype(int),
        lambda p, x: p.sum() * 1j, with_aux,
        lambda p, x: p[None], lambda p, x: float(p.sum()),
    ]
)  # fmt: skip
no_optimizer = st.none() | TEXTS | CONTAINERS | OBJECTS | FLOATS | st.integers()
LEAVES = TEXTS | OBJECTS | UNREADABLE
# `None` and lists are pytrees, whose leaves must all be wrong
no_arrays = TEXTS | OBJECTS | STRANGE | st.lists(STRANGE, min_size=1, max_size=2)
no_leaf = LEAVES | st.lists(LEAVES, min_size=1, max_size=2)
no_leaf_to_save = OBJECTS | UNREADABLE | st.lists(OBJECTS, min_size=1, max_size=2)
no_parameters = (
    LEAVES | st.lists(LEAVES, min_size=1, max_size=2) | integer_arrays
    | st.dictionaries(st.text(max_size=2), LEAVES, min_size=1, max_size=2)
    | st.booleans()
)  # fmt: skip


no_path = CONTAINERS | OBJECTS | NUMBERS | STRANGE | st.binary(max_size=3)
no_data = (
    LEAVES | st.lists(LEAVES, min_size=1, max_size=2) | arrays_of(first_axes_in(0))
)
no_function_or_none = no_function.filter(lambda x: x is not None)
no_integer_or_none = no_integer.filter(lambda x: x is not None)
no_loss_or_aux = no_loss.filter(lambda x: getattr(x, "__name__", "") != "with_aux")


def no_layers(layers: Any) -> Strategy:
    """What is no sequence of pairs, and pairs that do not fit each other."""
    weight, bias = layers[0]
    return (
        st.none() | TEXTS | FLOATS | OBJECTS | STRANGE.filter(lambda x: x.ndim < 3)
        | st.lists(st.tuples(no_array, st.just(bias)), min_size=1, max_size=2)
        | st.lists(st.tuples(st.just(weight), no_array), min_size=1, max_size=2)
        | st.just(layers[::-1]) | st.just([]) | st.just([layers[0], layers[0]])
        | st.just([(weight,)]) | st.just([(weight, bias, bias)])
        | st.builds(lambda s: [(np.ones(s), bias)], shapes_but((3, 4)))
        | st.builds(lambda s: [(weight, np.ones(s))], shapes_but((4,)))
    )  # fmt: skip


# --- options of derivatives -----------------------------------------------------------

no_argnums = (
    st.none() | TEXTS | FLOATS | OBJECTS.filter(lambda x: x != range(3)) | st.booleans()
    | st.integers(min_value=1) | st.integers(max_value=-2) | st.just((0, 0))
    | st.lists(st.floats() | st.none(), min_size=1, max_size=2).map(tuple)
)  # fmt: skip
no_bytes = (
    TEXTS | FLOATS | CONTAINERS | OBJECTS | st.integers(max_value=0) | st.booleans()
)
no_modes = (
    TEXTS.filter(bool) | FLOATS | st.integers() | st.just([]) | st.just(())
    | OBJECTS.filter(lambda x: x != range(3))
    | st.lists(st.text(max_size=3) | st.integers() | st.none(), min_size=1, max_size=2)
)  # fmt: skip


def no_directions(size: int) -> Strategy:
    """What are no rows of the size of the argument."""
    rows = shapes.filter(lambda s: len(s) != 2 or s[-1] != size)
    return TEXTS | OBJECTS | UNREADABLE | arrays_of(rows) | COMPLEX | st.floats()
