"""Arguments as the functions take them: arrays, dtypes, integers, keys."""

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
    assert isinstance(number, jax.Array)
    assert number.weak_type
    assert number.dtype == jnp.float32
    np.testing.assert_allclose(number, float(x))


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_integers_of_64_bits_are_not_wrapped_into_32(dtype):
    x = np.array([2**40, 2**32 + 1], dtype)
    np.testing.assert_array_equal(_check.inexact("x", x), x.astype(np.float32))
    np.testing.assert_array_equal(_check.inexact("x", x[0]), np.float32(2**40))


LEAST, GREATEST = -(2**31), 2**31 - 1


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("dtype", "inside", "outside"),
    [
        ("int64", [LEAST, 0, GREATEST], [LEAST - 1, GREATEST + 1, 1_700_000_000_000]),
        (">i8", [LEAST, 0, GREATEST], [LEAST - 1, GREATEST + 1]),
        ("uint64", [0, 2**32 - 1], [2**32, 2**64 - 1]),
    ],
)
def test_integers_that_jax_would_wrap_are_refused(dtype, inside, outside):
    x = np.array(inside, dtype)
    np.testing.assert_array_equal(_check.array("x", x), x)
    for number in outside:
        has = "uint32" if dtype == "uint64" else "int32"
        message = f"`x` must be in the range of JAX's integers, {has} .*, got {number}$"
        for wrong in (np.array([[0, number]], dtype), np.array(number, dtype)[()]):
            with pytest.raises(ValueError, match=message):
                _check.array("x", wrong)
    assert _check.array("x", np.zeros(0, dtype)).shape == (0,)


def test_integers_of_64_bits_are_themselves_where_jax_has_them(x64):
    for x in (np.array([LEAST - 1, 2**62]), np.array([2**64 - 1], np.uint64)):
        np.testing.assert_array_equal(_check.array("x", x), x)


WIDE = ["float64", "f8", np.float64, np.dtype(float), jnp.float64, "complex128"]


@pytest.mark.boundary
@pytest.mark.parametrize("dtype", WIDE)
def test_a_dtype_that_jax_would_narrow_is_refused(dtype):
    message = "`dtype` must be a type that JAX has without x64, got"
    with pytest.raises(ValueError, match=message):
        _check.float_dtype("dtype", dtype, allow_complex=True)


@pytest.mark.parametrize("dtype", WIDE)
def test_a_double_dtype_is_itself_where_jax_has_it(dtype, x64):
    expected = jnp.dtype(dtype)
    assert _check.float_dtype("dtype", dtype, allow_complex=True) == expected


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(None, "float32"), (float, "float32"), (complex, "complex64")],
)
def test_types_of_python_are_the_default(dtype, expected):
    assert _check.float_dtype("dtype", dtype, allow_complex=True) == expected


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
    assert type(x) is np.ndarray
    np.testing.assert_array_equal(x, [[1.0, 2.0]])


@pytest.mark.parametrize("dtype", ["float32", "complex64", "int32", "uint32"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_is_checked_is_not_written_to_by_its_owner(dtype, order):
    x = np.ones((2, 3), dtype, order)
    checks = _check.operand, _check.array, _check.inexact
    checked = [check("x", x) for check in checks]
    x[:] = 7
    for y in checked:
        np.testing.assert_array_equal(y, np.ones((2, 3), dtype))


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
    assert _check.integer("n", 2**40, least=1, greatest=2**40) == 2**40
    assert _check.integer("n", 2**99, least=1, greatest=None) == 2**99


def test_keys_are_typed_or_legacy():
    for key in (jax.random.key(1), jax.random.PRNGKey(1)):
        assert _check.key("key", key) is key


def test_tracers_are_not_concrete():
    seen = []
    jax.jit(lambda x: seen.append(_check.is_concrete(x)))(1.0)
    assert seen == [False]
    assert _check.is_concrete(jnp.ones(1), jnp.ones(2))


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


@pytest.mark.parametrize("size", [3, 1000, 100_000])
@pytest.mark.parametrize("dtype", ["float32", "float64", ">f4", "int32", "bool"])
def test_numpy_arrays_are_copied_before_their_owner_fills_them_again(size, dtype):
    memory = np.zeros(8 * size + 64, np.uint8)
    start = -memory.ctypes.data % 64  # aligned arrays are what JAX takes as they are
    x = memory[start : start + size * np.dtype(dtype).itemsize].view(dtype)
    for check in (_check.operand, _check.array, _check.inexact, _check.real):
        assert not np.shares_memory(np.asarray(check("x", x)), x)
