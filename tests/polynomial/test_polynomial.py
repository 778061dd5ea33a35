"""Arguments and transformations of `fit`, `evaluate` and `interpolate`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics import polynomial
from tests.polynomial._nodes import NODES, draw

# interpolate


def test_fitted_and_interpolated_polynomials_are_the_same(x64):
    values, y = draw(12, 60, 60), np.linspace(0.1, 1.2, 5)
    fitted = polynomial.evaluate(polynomial.fit(NODES, values), y)
    interpolated = polynomial.interpolate(NODES, values, y)
    scale = np.abs(interpolated).max()
    np.testing.assert_allclose(fitted, interpolated, atol=1e-7 * scale)


# arguments and transformations


@pytest.mark.slow
def test_vmap_over_nodes_values_and_points_is_a_loop(x64):
    nodes, values, y = draw(3, 5), draw(3, 5, 2, seed=1), draw(3, 4, seed=2)
    fitted = jax.vmap(polynomial.fit)(nodes, values)
    interpolated = jax.vmap(polynomial.interpolate)(nodes, values, y)
    evaluated = jax.vmap(polynomial.evaluate)(fitted, y)
    for i in range(3):
        np.testing.assert_allclose(fitted[i], polynomial.fit(nodes[i], values[i]))
        p = polynomial.interpolate(nodes[i], values[i], y[i])
        np.testing.assert_allclose(interpolated[i], p, rtol=1e-12)
        np.testing.assert_allclose(evaluated[i], p, rtol=1e-9)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_is_rounded_once(dtype):
    nodes, values = jnp.array([0.5, 1.0, 2.0], dtype), jnp.array([1.0, 3.0, 9.0], dtype)
    single = nodes.astype(jnp.float32), values.astype(jnp.float32)
    y = jnp.array([0.75, 1.5], dtype)
    a = polynomial.fit(nodes, values)
    p = polynomial.interpolate(nodes, values, y)
    assert a.dtype == p.dtype == polynomial.evaluate(a, y).dtype == dtype
    np.testing.assert_array_equal(a, polynomial.fit(*single).astype(dtype))
    expected = polynomial.interpolate(*single, y.astype(jnp.float32))
    np.testing.assert_array_equal(p, expected.astype(dtype))


@pytest.mark.parametrize(
    ("nodes", "values", "expected"),
    [
        (jnp.float32, jnp.float32, jnp.float32),
        (jnp.float64, jnp.complex64, jnp.complex128),
        (jnp.complex64, jnp.float64, jnp.complex128),
        (jnp.int32, jnp.int32, jnp.float64),
        (jnp.bfloat16, jnp.float32, jnp.float32),
    ],
)
def test_dtype_of_the_answer_is_the_common_one(nodes, values, expected, x64):
    x, v = jnp.arange(3).astype(nodes), jnp.ones((3, 2)).astype(values)
    a = polynomial.fit(x, v)
    assert a.dtype == polynomial.interpolate(x, v, 0.5).dtype == expected
    assert polynomial.evaluate(v, x).dtype == expected


@pytest.mark.slow
def test_python_numbers_do_not_widen_single_precision(x64):
    x, v = jnp.arange(3).astype(jnp.float32), jnp.ones(3, jnp.float32)
    assert polynomial.interpolate(x, v, 0.5).dtype == jnp.float32
    assert polynomial.evaluate(v, 0.5).dtype == jnp.float32
    assert polynomial.interpolate(x, v, 0.5j).dtype == jnp.complex64


def test_matrices_and_integers_mean_the_same_as_arrays():
    values = np.array([[1, 2], [3, 4], [7, 9]])
    matrix = polynomial.fit(np.arange(3), np.matrix(values))
    array = polynomial.fit(np.arange(3.0), values * 1.0)
    np.testing.assert_array_equal(matrix, array)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.complex64])
@pytest.mark.parametrize("n", [5, 20])
def test_polynomials_lower_for_every_platform(n, dtype):
    x, v, y = jnp.arange(n).astype(dtype), jnp.ones((n, 2), dtype), jnp.ones(3, dtype)

    def gradient(x, v, y):
        return jax.vjp(polynomial.interpolate, x, v, y)[1](jnp.ones((3, 2), dtype))

    for fun, arguments in [
        (polynomial.fit, (x, v)),
        (polynomial.evaluate, (v, y)),
        (polynomial.interpolate, (x, v, y)),
        (gradient, (x, v, y)),
    ]:
        exported = jax.export.export(jax.jit(fun), platforms=("cpu", "cuda", "tpu"))
        assert exported(*arguments).platforms == ("cpu", "cuda", "tpu")
