"""The seed's numbers, values, and scores at the extremes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jnumerics import softmax
from tests.softmax._scores import INF

X = np.array(
    [
        [0.3394572666491664, 0.3089068053925853, 0.3516359279582483],
        [0.33932706934615525, 0.3094755563319447, 0.3511973743219001],
        [0.3394407172182317, 0.30889042266755573, 0.35166886011421256],
    ]
)
G = np.array([1.0, -2.0, 0.5])


class TestSeed:
    """The numbers and the trap of the question this module answers."""

    @pytest.mark.usefixtures("x64")
    def test_probabilities_are_the_published_ones(self):
        p = softmax.softmax(X)
        expected = [0.3353269, 0.32523741, 0.3394357]
        np.testing.assert_allclose(p[0], expected, rtol=0, atol=5e-9)

    @pytest.mark.usefixtures("x64")
    def test_first_row_of_jacobian_is_the_published_one(self):
        expected = [0.22288277, -0.10906085, -0.11382192]
        np.testing.assert_allclose(
            softmax.jacobian(X)[0, 0], expected, rtol=0, atol=5e-9
        )

    @pytest.mark.usefixtures("x64")
    def test_rows_of_jacobian_sum_to_rounding_error(self):
        sums = softmax.jacobian(X).sum(-1)
        np.testing.assert_allclose(sums, np.zeros((3, 3)), rtol=0, atol=1e-16)

    @pytest.mark.usefixtures("x64")
    def test_vjp_is_the_published_product(self):
        expected = [0.38409351, -0.60317552, 0.21908201]
        np.testing.assert_allclose(softmax.vjp(X[0], G), expected, rtol=0, atol=5e-9)

    @pytest.mark.usefixtures("x64")
    def test_contraction_with_the_diagonal_is_another_wrong_product(self):
        gradients = jnp.broadcast_to(G, X.shape)
        wrong = jnp.einsum("mnr,mrr->mr", gradients[:, None, :], softmax.jacobian(X))
        expected = [0.22288277, -0.43891607, 0.11210955]
        np.testing.assert_allclose(wrong[0], expected, rtol=0, atol=5e-9)
        assert np.max(np.abs(wrong - softmax.vjp(X, gradients))) > 0.1


class TestValues:
    @pytest.mark.parametrize("fun", ["softmax", "log_softmax"])
    @pytest.mark.parametrize(
        ("shape", "axis"),
        [((1,), 0), ((7,), -1), ((3, 2), 0), ((2, 0, 3), -1), ((3, 4, 2), -2)],
    )
    def test_agrees_with_scipy(self, fun, shape, axis, key):
        x = 10 * jax.random.normal(key, shape)
        expected = getattr(scipy.special, fun)(np.asarray(x, np.float64), axis=axis)
        y = getattr(softmax, fun)(x, axis=axis)
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("fun", [softmax.softmax, softmax.log_softmax])
    @pytest.mark.parametrize("axis", [0, 1])
    def test_of_no_scores_is_empty(self, fun, axis):
        assert fun(jnp.zeros((3, 0)), axis=axis).shape == (3, 0)
        gradient = jax.grad(lambda x: fun(x, axis=axis).sum())(jnp.zeros((3, 0)))
        assert gradient.shape == (3, 0)

    @settings(max_examples=25, deadline=None)
    @given(
        x=hnp.arrays(
            np.float32,
            hnp.array_shapes(min_dims=1, max_dims=3, max_side=3),
            elements=st.floats(-(2.0**100), 2.0**100, width=32),
        )
    )
    def test_probabilities_of_any_finite_scores_sum_to_one(self, x):
        p = softmax.softmax(x)
        assert np.all(np.asarray(p) >= 0)
        np.testing.assert_allclose(p.sum(-1), np.ones(x.shape[:-1]), rtol=1e-6)

    def test_of_integers_is_that_of_floats(self):
        x = np.array([0, 1, 3])
        np.testing.assert_array_equal(softmax.softmax(x), softmax.softmax(x * 1.0))
        np.testing.assert_array_equal(softmax.vjp(x, x), softmax.vjp(x * 1.0, x * 1.0))

    def test_of_a_matrix_is_that_of_an_array(self):
        np.testing.assert_array_equal(softmax.softmax(np.matrix(X)), softmax.softmax(X))

    def test_axis_may_be_a_numpy_integer(self):
        p = softmax.softmax(X, axis=np.int64(0))
        np.testing.assert_allclose(p.sum(0), np.ones(3), rtol=1e-6)

    @pytest.mark.usefixtures("x64")
    def test_log_softmax_keeps_tiny_probabilities(self):
        np.testing.assert_array_equal(
            softmax.log_softmax(np.array([0.0, -1e4])), [0.0, -1e4]
        )

    def test_half_precision_is_float32_rounded_once(self, key):
        x = jax.random.normal(key, (4000,), jnp.bfloat16)
        wide = x.astype(jnp.float32)
        for fun in (softmax.softmax, softmax.log_softmax):
            assert fun(x).dtype == jnp.bfloat16
            np.testing.assert_array_equal(fun(x), fun(wide).astype(jnp.bfloat16))
        np.testing.assert_array_equal(
            softmax.vjp(x, x), softmax.vjp(wide, wide).astype(jnp.bfloat16)
        )
        rounded = softmax.jacobian(wide[:9]).astype(jnp.bfloat16)
        np.testing.assert_array_equal(softmax.jacobian(x[:9]), rounded)

    @pytest.mark.usefixtures("x64")
    def test_dtype_follows_the_scores(self):
        for dtype in (jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64):
            x = jnp.ones(3, dtype)
            assert softmax.softmax(x).dtype == dtype
            assert softmax.log_softmax(x).dtype == dtype
            assert softmax.jacobian(x).dtype == dtype
            assert softmax.cross_entropy(x, 0).dtype == dtype


class TestExtremeScores:
    @pytest.mark.parametrize(
        ("x", "p", "log_p"),
        [
            ([1e30, 0.0], [1.0, 0.0], [0.0, -1e30]),
            ([-1e30, -1e30], [0.5, 0.5], np.log([0.5, 0.5])),
            ([0.0, -1e30], [1.0, 0.0], [0.0, -1e30]),
            ([0.0, -INF, 0.0], [0.5, 0.0, 0.5], [np.log(0.5), -INF, np.log(0.5)]),
            ([1e30, -INF], [1.0, 0.0], [0.0, -INF]),
            ([3e38, -3e38], [1.0, 0.0], [0.0, -INF]),
        ],
    )
    def test_give_the_limit_and_its_derivatives(self, x, p, log_p):
        x, p = jnp.array(x), np.array(p)
        np.testing.assert_allclose(softmax.softmax(x), p, rtol=1e-6)
        np.testing.assert_allclose(softmax.log_softmax(x), log_p, rtol=1e-6)
        jacobian = np.diag(p) - np.outer(p, p)
        for computed in (
            softmax.jacobian(x),
            jax.jit(jax.jacfwd(softmax.softmax))(x),
            jax.jit(jax.jacrev(softmax.softmax))(x),
        ):
            np.testing.assert_allclose(computed, jacobian, rtol=1e-6)
        log_jacobian = np.eye(p.size) - p
        for mode in (jax.jacfwd, jax.jacrev):
            computed = mode(softmax.log_softmax)(x)
            np.testing.assert_allclose(computed, log_jacobian, rtol=1e-6)

    @pytest.mark.parametrize(
        "fun",
        [
            softmax.softmax,
            softmax.log_softmax,
            lambda x: softmax.vjp(x, jnp.arange(3.0)),
            lambda x: softmax.jacobian(x)[0],
        ],
        ids=["softmax", "log_softmax", "vjp", "jacobian"],
    )
    def test_second_derivative_at_a_masked_score_is_that_without_it(self, fun):
        masked = jax.jit(jax.hessian(lambda x: fun(x)[0]))(jnp.array([0.3, 1.0, -INF]))
        far = jax.jit(jax.hessian(lambda x: fun(x)[0]))(jnp.array([0.3, 1.0, -200.0]))
        np.testing.assert_allclose(masked, far, rtol=1e-5)

    @pytest.mark.parametrize("row", [[-INF, -INF], [INF, 0.0], [np.nan, 0.0]])
    @pytest.mark.parametrize("fun", [softmax.softmax, softmax.log_softmax])
    def test_a_row_without_distribution_is_nan_and_touches_no_other(self, fun, row):
        x = jnp.array([row, [0.0, 1.0]])
        y, gradient = fun(x), jax.grad(lambda x: fun(x)[:, 0].sum())(x)
        jacobian, product = softmax.jacobian(x), softmax.vjp(x, x)
        for result in (y, gradient, jacobian, product):
            assert np.isnan(result[0]).all()
        np.testing.assert_allclose(y[1], fun(x[1]), rtol=1e-6)
        expected = jax.grad(lambda x: fun(x)[0])(x[1])
        np.testing.assert_allclose(gradient[1], expected, rtol=1e-6)
        np.testing.assert_allclose(jacobian[1], softmax.jacobian(x[1]), rtol=1e-6)
        np.testing.assert_allclose(product[1], softmax.vjp(x[1], x[1]), rtol=1e-6)


def test_lowers_for_every_platform():
    x = jax.ShapeDtypeStruct((2, 3), jnp.float32)
    classes = jax.ShapeDtypeStruct((2,), jnp.int32)
    for fun, *args in (
        (softmax.softmax, x),
        (softmax.log_softmax, x),
        (softmax.jacobian, x),
        (softmax.jvp, x, x),
        (softmax.vjp, x, x),
        (softmax.cross_entropy, x, x),
        (softmax.cross_entropy, x, classes),
    ):
        exported = jax.export.export(jax.jit(fun), platforms=["cpu", "cuda", "tpu"])
        assert exported(*args).platforms == ("cpu", "cuda", "tpu")
