"""Arguments that are refused, and what the messages say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from jax.experimental import sparse

from jnumerics import _check


class Frame:
    """An array of another library, as pandas and PyTorch have them."""

    def __array__(self, dtype=None, copy=None):
        return np.ones(2, dtype)


REJECTED = {
    "list": (_check.array, [1.0], TypeError, "must be an array, got list: use jnp.as"),
    "none": (_check.real, None, TypeError, "must be an array, got NoneType$"),
    "string": (_check.inexact, "1", TypeError, "must be an array, got str$"),
    "mask": (_check.array, np.ma.ones(2), TypeError, "must be an array without a mask"),
    "object": (_check.array, np.array([{}]), TypeError, "JAX has, got dtype object"),
    "text": (_check.array, np.array(["a"]), TypeError, "JAX has, got dtype <U1"),
    "time": (
        _check.array,
        np.datetime64("2020"),
        TypeError,
        "JAX has, got dtype datet",
    ),
    "record": (
        _check.array,
        np.zeros(2, [("a", int)]),
        TypeError,
        "JAX has, got dtype",
    ),
    "extended": (_check.array, np.longdouble(1), TypeError, "got dtype float128"),
    "key": (
        _check.inexact,
        jax.random.key(0),
        TypeError,
        "must hold numbers, got dtype",
    ),
    "complex": (_check.real, 1j, TypeError, "must be real, got dtype complex64"),
    "huge": (
        _check.inexact,
        10**400,
        ValueError,
        "must be in the range of a float, got an integer of 1329 bits",
    ),
    "wide": (
        _check.array,
        2**40,
        ValueError,
        "must be in the range of JAX's integers, int32 without x64, got 1099511627776",
    ),
    "tuple": (
        _check.array,
        ((1, 2), (3, 4.0)),
        TypeError,
        "must be an array, got tuple: use jnp.asarray$",
    ),
    "frame": (
        _check.array,
        Frame(),
        TypeError,
        "must be an array, got Frame: use jnp.asarray$",
    ),
    "ragged": (_check.array, [[1], [1, 2]], TypeError, "must be an array, got list$"),
    "words": (_check.array, ["a", "b"], TypeError, "must be an array, got list$"),
    "nones": (_check.array, [None], TypeError, "must be an array, got list$"),
    "dict": (_check.array, {"x": 1.0}, TypeError, "must be an array, got dict$"),
    "sparse": (
        _check.array,
        scipy.sparse.eye_array(2),
        TypeError,
        "must be an array, got dia_array$",
    ),
    "bcoo": (
        _check.array,
        sparse.BCOO.fromdense(jnp.eye(2)),
        TypeError,
        "must be an array, got BCOO$",
    ),
    "row": (
        lambda n, y: _check.targets(n, y, 3),
        np.ones((1, 3)),
        ValueError,
        r"must have shape \(3,\) or \(3, 1\), got \(1, 3\)",
    ),
    "keys": (
        _check.key,
        np.zeros((2, 2), np.uint32),
        ValueError,
        r"must be one random key, got shape \(2, 2\)",
    ),
    "key data": (
        _check.key,
        np.zeros(3, np.uint32),
        ValueError,
        r"must be one random key, got shape \(3,\)",
    ),
    "numbers": (
        _check.key,
        np.zeros(2),
        TypeError,
        "must be a JAX random key, got dtype",
    ),
    "rank": (
        lambda n, x: _check.array(n, x, rank=2),
        np.ones(3),
        ValueError,
        r"must have rank 2, got shape \(3,\)",
    ),
    "shape": (
        lambda n, x: _check.same_shape(n, x, "y", jnp.ones(3)),
        jnp.ones(2),
        ValueError,
        r"must have the shape \(3,\) of `y`, got \(2,\)",
    ),
    "last": (
        lambda n, x: _check.axis_size(n, x, -1, 3),
        jnp.ones((3, 2)),
        ValueError,
        r"must have a last axis of size 3, got shape \(3, 2\)",
    ),
    "axis": (
        lambda n, x: _check.axis_size(n, x, 0, 3),
        jnp.ones(()),
        ValueError,
        r"must have an axis 0 of size 3, got shape \(\)",
    ),
    "option": (
        lambda n, x: _check.option(n, x, ("a", 1)),
        True,
        ValueError,
        "must be one of 'a', 1, got True",
    ),
    "float": (
        lambda n, x: _check.integer(n, x, least=0),
        1.0,
        TypeError,
        "must be an integer, got float",
    ),
    "bool": (
        lambda n, x: _check.integer(n, x, least=0),
        True,
        TypeError,
        "must be an integer, got bool",
    ),
    "small": (
        lambda n, x: _check.integer(n, x, least=2),
        1,
        ValueError,
        "must be at least 2, got 1",
    ),
    "large": (
        lambda n, x: _check.integer(n, x, least=0),
        2**31,
        ValueError,
        "must be at most 2147483647, got 2147483648",
    ),
    "long": (
        lambda n, x: _check.integer(n, x, least=0),
        -(10**5000),
        ValueError,
        "must be at least 0, got an integer of 16610 bits",
    ),
    "function": (_check.function, 1.0, TypeError, "must be a function, got float"),
}


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("check", "x", "error", "message"), [*REJECTED.values()], ids=[*REJECTED]
)
def test_messages_say_what_must_be_and_what_came(check, x, error, message):
    with pytest.raises(error, match=f"^`name` .*{message}"):
        check("name", x)


@pytest.mark.boundary
@pytest.mark.parametrize("value", ["yes", "", 1, 0, None, [], np.array(True)])
def test_what_is_only_true_or_false_to_python_is_refused(value):
    kind = type(value).__name__
    with pytest.raises(TypeError, match=f"`flag` must be True or False, got {kind}"):
        _check.boolean("flag", value)
