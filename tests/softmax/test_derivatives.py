"""Derivatives of the softmax in closed form."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics import softmax
from jnumerics.softmax import _closed_forms
from tests import reference
from tests.softmax._scores import grads_agree


class TestDerivatives:
    @pytest.mark.slow
    @pytest.mark.usefixtures("x64")
    def test_match_finite_differences_to_second_order(self):
        x, v = jnp.array([[0.3, -1.2], [2.0, 0.4]]), jnp.array([[1.0, 2], [-1, 0.5]])

        def all_of_them(x, v):
            both = (softmax.softmax, softmax.log_softmax)
            along = [f(x, axis=axis) for f in both for axis in (0, 1)]
            return *along, softmax.jacobian(x), softmax.jvp(x, v), softmax.vjp(x, v)

        grads_agree(all_of_them, x, v)

    @pytest.mark.parametrize("shape", [(1,), (5,), (2, 3), (3, 0, 2), (2, 0)])
    def test_jacobian_agrees_with_numpy(self, shape, key):
        x = jax.random.normal(key, shape)
        expected = reference.softmax_jacobian(x)
        assert softmax.jacobian(x).shape == (*shape, shape[-1])
        np.testing.assert_allclose(softmax.jacobian(x), expected, rtol=1e-4, atol=1e-7)

    @pytest.mark.parametrize("shape", [(1,), (5,), (2, 3), (4, 2, 3), (3, 0), (0, 3)])
    def test_products_agree_with_numpy_and_with_jax(self, shape, key):
        x, v = jax.random.normal(key, (2, *shape))
        expected = np.einsum("...ij,...j->...i", reference.softmax_jacobian(x), v)
        _, pullback = jax.vjp(softmax.softmax, x)
        _, pushed = jax.jvp(softmax.softmax, (x,), (v,))
        for product in (softmax.jvp(x, v), softmax.vjp(x, v), pullback(v)[0], pushed):
            np.testing.assert_allclose(product, expected, rtol=1e-4, atol=1e-6)

    @pytest.mark.parametrize("product", [softmax.jvp, softmax.vjp])
    @pytest.mark.usefixtures("x64")
    def test_product_is_in_the_common_dtype(self, product):
        x, v = jnp.ones(3, jnp.float32), jnp.arange(3.0, dtype=jnp.float64)
        assert product(x, v).dtype == jnp.float64
        expected = [-1 / 3, 0, 1 / 3]
        np.testing.assert_allclose(product(x, v), expected, rtol=0, atol=1e-15)

    @pytest.mark.parametrize(
        "fun",
        [
            softmax.vjp,
            lambda x, v: jax.vjp(softmax.softmax, x)[1](v)[0],
            jax.grad(lambda x, v: jnp.sum(softmax.vjp(x, v) ** 2)),
            jax.grad(lambda x, v: softmax.cross_entropy(x, v)),
            lambda x, v: jax.jvp(softmax.jvp, (x, v), (v, x))[1],
        ],
        ids=["vjp", "autodiff", "second order", "cross_entropy", "jvp of jvp"],
    )
    def test_products_form_no_matrix(self, fun, temp_bytes):
        x = jax.ShapeDtypeStruct((3, 2000), jnp.float32)
        assert temp_bytes(fun, x, x) < 2000 * 2000

    def test_a_shape_is_traced_once(self, monkeypatch):
        counted = chex.assert_max_traces(vars(_closed_forms)["_exponentials"], n=1)
        monkeypatch.setattr(_closed_forms, "_exponentials", counted)
        for axis in (1, -1, np.int32(1)):
            softmax.softmax(jnp.ones((11, 13)), axis=axis)
        with pytest.raises(AssertionError, match="traced > 1 times"):
            softmax.softmax(jnp.ones((11, 14)))

    def test_vmap_is_a_leading_axis(self, key):
        x = jax.random.normal(key, (4, 3))
        for fun in (softmax.softmax, softmax.log_softmax, softmax.jacobian):
            np.testing.assert_allclose(jax.vmap(fun)(x), fun(x), rtol=1e-5, atol=1e-7)
