"""The cross entropy of scores, and its derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics import softmax
from tests import reference
from tests.softmax._scores import INF, grads_agree


class TestCrossEntropy:
    LOGITS = np.random.default_rng(0).normal(size=(4, 3))
    CLASSES = np.array([2, 0, 1, 2])
    ROWS = np.eye(3)[CLASSES]
    SOFT = np.array(
        [[0.2, 0.3, 0.5], [0.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.0, 0.0]]
    )

    @pytest.mark.usefixtures("x64")
    def test_agrees_with_numpy_in_both_forms(self):
        expected = reference.cross_entropy(self.LOGITS, self.ROWS)
        for labels in (self.CLASSES, self.ROWS, np.matrix(self.ROWS)):
            loss = softmax.cross_entropy(self.LOGITS, labels)
            np.testing.assert_allclose(loss, expected, rtol=1e-14)
        soft = softmax.cross_entropy(self.LOGITS, self.SOFT)
        expected = reference.cross_entropy(self.LOGITS, self.SOFT)
        np.testing.assert_allclose(soft, expected, rtol=1e-14)

    @pytest.mark.parametrize("labels", [CLASSES, ROWS, SOFT], ids=["int", "row", "any"])
    @pytest.mark.usefixtures("x64")
    def test_gradient_is_probabilities_less_labels(self, labels):
        rows = self.ROWS if labels.ndim == 1 else labels
        p = reference.softmax(self.LOGITS)
        expected = (p * rows.sum(-1, keepdims=True) - rows) / 4
        gradient = jax.grad(softmax.cross_entropy)(self.LOGITS, labels)
        np.testing.assert_allclose(gradient, expected, rtol=1e-13, atol=1e-16)
        tangent = self.LOGITS[::-1].copy()
        _, pushed = jax.jvp(
            lambda x: softmax.cross_entropy(x, labels), (self.LOGITS,), (tangent,)
        )
        np.testing.assert_allclose(pushed, np.sum(expected * tangent), rtol=1e-13)

    @pytest.mark.usefixtures("x64")
    def test_derivatives_match_finite_differences_to_second_order(self):
        x, y = jnp.asarray(self.LOGITS[:2]), jnp.asarray(self.SOFT[:2])

        def both_forms(x, y):
            classes = softmax.cross_entropy(x, self.CLASSES[:2])
            return classes, softmax.cross_entropy(x, y)

        grads_agree(both_forms, x, y)

    @pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8, np.uint64])
    def test_numpy_classes_may_be_closed_over_under_jit(self, dtype):
        classes = np.array([2, 0, 1, 1], dtype)
        logits = jnp.asarray(self.LOGITS, jnp.float32)
        gradient = jax.grad(lambda x: softmax.cross_entropy(x, classes))
        np.testing.assert_allclose(
            jax.jit(gradient)(logits), gradient(logits), rtol=1e-6
        )

    @pytest.mark.usefixtures("x64")
    def test_takes_any_leading_axes(self):
        x = self.LOGITS.reshape(2, 2, 3)
        expected = softmax.cross_entropy(self.LOGITS, self.CLASSES)
        loss = softmax.cross_entropy(x, self.CLASSES.reshape(2, 2))
        np.testing.assert_allclose(loss, expected, rtol=1e-15)
        loss = softmax.cross_entropy(x, self.ROWS.reshape(2, 2, 3))
        np.testing.assert_allclose(loss, expected, rtol=1e-15)
        per_row = jax.vmap(softmax.cross_entropy)(self.LOGITS, self.CLASSES)
        np.testing.assert_allclose(per_row.mean(), expected, rtol=1e-15)

    @pytest.mark.usefixtures("x64")
    def test_of_one_row_takes_a_python_class(self):
        loss = softmax.cross_entropy(self.LOGITS[0], 2)
        expected = reference.cross_entropy(self.LOGITS[0], [0.0, 0.0, 1.0])
        np.testing.assert_allclose(loss, expected, rtol=1e-14)

    @pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.uint32, np.int64])
    def test_takes_classes_of_any_integer_dtype(self, dtype):
        n = 300  # more classes than int8 has numbers
        x = np.arange(n, dtype=np.float32)[None] / n
        for labels in (np.array([100], dtype), jnp.asarray(np.array([100], dtype))):
            loss = softmax.cross_entropy(x, labels)
            expected = reference.cross_entropy(x, np.eye(n)[[100]])
            np.testing.assert_allclose(loss, expected, rtol=1e-5)

    @pytest.mark.parametrize(
        "bad", [-1, 3, 2**31, 2**32, 2**32 + 1, -(2**32) + 1, 2**62]
    )
    def test_a_class_out_of_range_gives_nan(self, bad):
        labels = np.array([2, bad], np.int64)
        x = self.LOGITS[:2]
        loss, gradient = jax.value_and_grad(softmax.cross_entropy)(x, labels)
        assert np.isnan(loss)
        assert np.isnan(gradient[1]).all()
        assert np.isfinite(gradient[0]).all()
        assert np.isnan(softmax.cross_entropy(x[0], bad))

    def test_a_class_out_of_range_gives_nan_under_jit(self):
        loss = jax.jit(jax.value_and_grad(softmax.cross_entropy))
        for dtype, bad in ((jnp.int32, -3), (jnp.uint8, 255), (jnp.uint32, 2**32 - 1)):
            value, gradient = loss(jnp.zeros((1, 3)), jnp.array([bad], dtype))
            assert np.isnan(value)
            assert np.isnan(gradient).all()

    @pytest.mark.usefixtures("x64")
    def test_a_class_beyond_int32_is_not_wrapped_into_the_range(self):
        classes = jnp.array([2**32 + 1], jnp.int64)
        assert np.isnan(softmax.cross_entropy(jnp.zeros((1, 3)), classes))

    @pytest.mark.usefixtures("x64")
    def test_a_masked_class_without_probability_adds_nothing(self):
        x, y = np.array([[0.3, -INF, 1.0]]), np.array([[0.25, 0.0, 0.75]])
        short, short_y = x[:, [0, 2]], y[:, [0, 2]]
        expected, (gx, gy) = jax.value_and_grad(softmax.cross_entropy, (0, 1))(
            short, short_y
        )
        loss, gradients = jax.value_and_grad(softmax.cross_entropy, (0, 1))(x, y)
        np.testing.assert_allclose(loss, expected, rtol=1e-15)
        for gradient, known in zip(gradients, (gx, gy), strict=True):
            np.testing.assert_allclose(gradient[:, [0, 2]], known, rtol=1e-15)
            assert gradient[0, 1] == 0
        np.testing.assert_allclose(
            softmax.cross_entropy(x, np.array([2])),
            softmax.cross_entropy(short, np.array([1])),
            rtol=1e-15,
        )

    @pytest.mark.parametrize("labels", [np.array([1]), np.array([[0.0, 1.0, 0.0]])])
    def test_a_certain_class_at_minus_infinity_costs_infinity(self, labels):
        x = np.array([[0.0, -INF, 0.0]])
        loss, gradient = jax.value_and_grad(softmax.cross_entropy)(x, labels)
        assert loss == INF
        np.testing.assert_allclose(gradient, [[0.5, -1.0, 0.5]])

    def test_half_precision_loses_no_rows(self):
        x = jnp.zeros((4096, 10), jnp.bfloat16)
        loss = softmax.cross_entropy(x, jnp.zeros(4096, jnp.int32))
        assert loss == jnp.bfloat16(np.log(10))

    def test_half_precision_is_float32_rounded_once(self, key):
        x, y = jax.random.normal(key, (2, 99, 5), jnp.bfloat16)
        wide, wide_y = x.astype(jnp.float32), y.astype(jnp.float32)
        classes = jnp.arange(99) % 5
        each = jax.vmap(softmax.cross_entropy)
        for half, single in ((y, wide_y), (classes, classes)):
            rounded = each(wide, single).astype(jnp.bfloat16)
            np.testing.assert_array_equal(each(x, half), rounded)
