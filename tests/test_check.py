import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from jnumerics import _check


@pytest.mark.parametrize("x", [np.arange(3), jnp.arange(3), np.array([True, False])])
def test_integers_become_the_default_float(x, x64):
    assert _check.inexact("x", x).dtype == jnp.float64
    np.testing.assert_array_equal(_check.real("x", x), x.astype(float))


@pytest.mark.parametrize("x", [2, True, 10**30, 2.0])
def test_python_numbers_are_weak_scalars(x):
    number = _check.inexact("x", x)
    assert number.weak_type
    assert number.dtype == jnp.float32
    np.testing.assert_allclose(number, float(x))


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_integers_of_64_bits_are_not_wrapped_into_32(dtype):
    x = np.array([2**40, 2**32 + 1], dtype)
    np.testing.assert_array_equal(_check.inexact("x", x), x.astype(np.float32))
    np.testing.assert_array_equal(_check.inexact("x", x[0]), np.float32(2**40))


@pytest.mark.parametrize("dtype", [">f4", ">i4", ">c8"])
def test_the_order_of_bytes_makes_no_difference(dtype):
    x = np.array([1, 2, 3], dtype)
    for check in (_check.inexact, _check.array):
        np.testing.assert_array_equal(check("x", x), x)


@pytest.mark.parametrize("dtype", ["float32", "complex64", "bfloat16", "float16"])
def test_floats_keep_their_dtype(dtype):
    assert _check.inexact("x", np.ones(2, jnp.dtype(dtype))).dtype == dtype


def test_matrices_become_arrays():
    x = _check.real("x", np.matrix([[1.0, 2.0]]), rank=2)
    assert isinstance(x, jax.Array)
    np.testing.assert_array_equal(x, [[1.0, 2.0]])


def test_double_precision_is_narrowed_without_a_warning():
    assert _check.inexact("x", np.ones(2)).dtype == jnp.float32


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_targets_are_flat(shape):
    y = np.arange(3.0).reshape(shape)
    np.testing.assert_array_equal(_check.targets("y", y, 3), [0.0, 1.0, 2.0])


def test_promotion_is_that_of_jax():
    pairs = [("float32", "bfloat16"), ("float16", "bfloat16"), ("float32", "complex64")]
    for a, b in pairs:
        x, y = _check.promote(jnp.ones(1, a), jnp.ones(2, b))
        with jax.numpy_dtype_promotion("standard"):
            assert x.dtype == y.dtype == jnp.promote_types(a, b)


@pytest.mark.parametrize(
    ("dtype", "wide"),
    [("bfloat16", "float32"), ("float16", "float32"), ("float32", "float32")],
)
def test_only_half_precision_is_widened(dtype, wide):
    assert _check.at_least_float32(jnp.ones(1, dtype)).dtype == wide


@pytest.mark.parametrize("value", [3, np.int64(3), jnp.asarray(3)])
def test_anything_with_an_index_is_an_integer(value):
    assert _check.integer("n", value, least=3) == 3


def test_a_wider_bound_of_an_integer_may_be_given():
    assert _check.integer("n", 2**40, least=1, most=2**40) == 2**40
    assert _check.integer("n", 2**99, least=1, most=None) == 2**99


def test_keys_are_typed_or_legacy():
    for key in (jax.random.key(1), jax.random.PRNGKey(1)):
        assert _check.key("key", key) is key


def test_tracers_are_not_concrete():
    seen = []
    jax.jit(lambda x: seen.append(_check.is_concrete(x)))(1.0)
    assert seen == [False]
    assert _check.is_concrete(jnp.ones(1), jnp.ones(2))


REJECTED = {
    "list": (_check.array, [1.0], TypeError, "must be an array, got list: use jnp.as"),
    "none": (_check.real, None, TypeError, "must be an array, got NoneType"),
    "string": (_check.inexact, "1", TypeError, "must be an array, got str"),
    "mask": (_check.array, np.ma.ones(2), TypeError, "must be an array without a mask"),
    "object": (_check.array, np.array([{}]), TypeError, "JAX has, got dtype object"),
    "text": (_check.array, np.array(["a"]), TypeError, "JAX has, got dtype <U1"),
    "time": (_check.array, np.datetime64("2020"), TypeError, "JAX has, got dtype datet"),
    "record": (_check.array, np.zeros(2, [("a", int)]), TypeError, "JAX has, got dtype"),
    "extended": (_check.array, np.longdouble(1), TypeError, "got dtype float128"),
    "key": (_check.inexact, jax.random.key(0), TypeError, "must hold numbers, got dtype"),
    "complex": (_check.real, 1j, TypeError, "must be real, got dtype complex64"),
    "huge": (_check.inexact, 10**400, ValueError, "must be in the range of a float, got an integer of 1329 bits"),
    "wide": (_check.array, 2**40, ValueError, "must be in the range of JAX's integers, got 1099511627776"),
    "row": (lambda n, y: _check.targets(n, y, 3), np.ones((1, 3)), ValueError, r"must have shape \(3,\) or \(3, 1\), got \(1, 3\)"),
    "keys": (_check.key, np.zeros((2, 2), np.uint32), ValueError, r"must be one random key, got shape \(2, 2\)"),
    "key data": (_check.key, np.zeros(3, np.uint32), ValueError, r"must be one random key, got shape \(3,\)"),
    "numbers": (_check.key, np.zeros(2), TypeError, "must be a JAX random key, got dtype"),
    "rank": (lambda n, x: _check.array(n, x, rank=2), np.ones(3), ValueError, r"must have rank 2, got shape \(3,\)"),
    "shape": (lambda n, x: _check.same_shape(n, x, "y", jnp.ones(3)), jnp.ones(2), ValueError, r"must have the shape \(3,\) of `y`, got \(2,\)"),
    "last": (lambda n, x: _check.axis_size(n, x, -1, 3), jnp.ones((3, 2)), ValueError, r"must have a last axis of size 3, got shape \(3, 2\)"),
    "axis": (lambda n, x: _check.axis_size(n, x, 0, 3), jnp.ones(()), ValueError, r"must have an axis 0 of size 3, got shape \(\)"),
    "option": (lambda n, x: _check.option(n, x, ("a", 1)), True, ValueError, "must be one of 'a', 1, got True"),
    "float": (lambda n, x: _check.integer(n, x, least=0), 1.0, TypeError, "must be an integer, got float"),
    "bool": (lambda n, x: _check.integer(n, x, least=0), True, TypeError, "must be an integer, got bool"),
    "small": (lambda n, x: _check.integer(n, x, least=2), 1, ValueError, "must be at least 2, got 1"),
    "large": (lambda n, x: _check.integer(n, x, least=0), 2**31, ValueError, "must be at most 2147483647, got 2147483648"),
    "long": (lambda n, x: _check.integer(n, x, least=0), -(10**5000), ValueError, "must be at least 0, got an integer of 16610 bits"),
    "function": (_check.function, 1.0, TypeError, "must be a function, got float"),
}  # fmt: skip


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("check", "x", "error", "message"), [*REJECTED.values()], ids=[*REJECTED]
)
def test_messages_say_what_must_be_and_what_came(check, x, error, message):
    with pytest.raises(error, match=f"^`name` .*{message}"):
        check("name", x)


def test_options_that_are_there_pass():
    _check.option("layout", "NHWC", ("NHWC", "NCHW"))
    _check.precision("highest")
    _check.precision(jax.lax.Precision.HIGH)


def test_eight_bit_floats_are_numbers():
    x = np.ones(2, ml_dtypes.float8_e4m3fn)
    assert _check.inexact("x", x).dtype == x.dtype


@pytest.mark.parametrize("value", [True, False, np.True_])
def test_true_and_false_are_taken(value):
    _check.boolean("flag", value)


@pytest.mark.boundary
@pytest.mark.parametrize("value", ["yes", "", 1, 0, None, [], np.array(True)])
def test_what_is_only_true_or_false_to_python_is_refused(value):
    kind = type(value).__name__
    with pytest.raises(TypeError, match=f"`flag` must be True or False, got {kind}"):
        _check.boolean("flag", value)
