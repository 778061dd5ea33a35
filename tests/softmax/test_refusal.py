"""What the functions of the softmax refuse."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics import softmax


@pytest.mark.boundary
class TestRejects:
    EVERY = (
        softmax.softmax,
        softmax.log_softmax,
        softmax.jacobian,
        lambda x: softmax.jvp(x, x),
        lambda x: softmax.vjp(x, x),
    )

    @pytest.mark.parametrize("fun", EVERY)
    def test_complex_numbers(self, fun):
        with pytest.raises(TypeError, match="`x` must be real, got dtype complex64"):
            fun(jnp.ones(3, jnp.complex64))

    @pytest.mark.parametrize("fun", EVERY)
    def test_a_list(self, fun):
        with pytest.raises(TypeError, match=r"`x` must be an array, got list"):
            fun([0.0, 1.0])

    @pytest.mark.parametrize("fun", EVERY)
    def test_a_scalar(self, fun):
        with pytest.raises(ValueError, match=r"`x` must have rank 1 or more"):
            fun(1.0)

    @pytest.mark.parametrize("fun", [softmax.softmax, softmax.log_softmax])
    def test_an_axis_that_is_not_there(self, fun):
        with pytest.raises(ValueError, match="`axis` must be below the rank 1 of `x`"):
            fun(jnp.ones(3), axis=1)
        with pytest.raises(ValueError, match="`axis` must be at least -1, got -2"):
            fun(jnp.ones(3), axis=-2)
        with pytest.raises(TypeError, match="`axis` must be an integer, got tuple"):
            fun(jnp.ones(3), axis=(0,))

    @pytest.mark.parametrize(
        ("fun", "name"), [(softmax.jvp, "tangent"), (softmax.vjp, "cotangent")]
    )
    def test_a_vector_that_does_not_match(self, fun, name):
        message = rf"`{name}` must have the shape \(3,\) of `x`, got \(1,\)"
        with pytest.raises(ValueError, match=message):
            fun(jnp.zeros(3), jnp.zeros(1))
        with pytest.raises(TypeError, match=f"`{name}` must be real"):
            fun(jnp.zeros(3), jnp.zeros(3, jnp.complex64))
        with pytest.raises(TypeError, match=f"`{name}` must be an array, got list"):
            fun(jnp.zeros(3), [1.0, 2.0, 3.0])

    @pytest.mark.parametrize("shape", [(4, 1), (4, 3), (3,), ()])
    def test_classes_that_would_broadcast(self, shape):
        message = r"`labels` must have shape \(4,\) as classes of dtype int32"
        with pytest.raises(ValueError, match=message):
            softmax.cross_entropy(jnp.zeros((4, 3)), np.zeros(shape, np.int32))

    @pytest.mark.parametrize("shape", [(4,), (4, 1), (3,), (1, 3), ()])
    def test_probabilities_that_would_broadcast(self, shape):
        message = r"`labels` must have shape \(4, 3\) as probabilities of dtype float32"
        with pytest.raises(ValueError, match=message):
            softmax.cross_entropy(jnp.zeros((4, 3)), np.zeros(shape, np.float32))

    @pytest.mark.parametrize(
        ("labels", "message"),
        [
            (np.ones(4, bool), "got dtype bool"),
            (True, "got dtype bool"),
            (np.ones((4, 3), complex), "must be real"),
            ([0, 1, 2, 0], "must be an array, got list"),
            (np.array(["a"]), "must hold numbers that JAX has"),
            (np.ma.ones(4, int), "without a mask"),
        ],
    )
    def test_labels_of_another_type(self, labels, message):
        with pytest.raises(TypeError, match=f"`labels` .*{message}"):
            softmax.cross_entropy(jnp.zeros((4, 3)), labels)

    @pytest.mark.parametrize("shape", [(0, 3), (4, 0)])
    def test_logits_without_row_or_class(self, shape):
        labels = np.zeros(shape[:1], int)
        with pytest.raises(ValueError, match="`logits` must have a row and a class"):
            softmax.cross_entropy(jnp.zeros(shape), labels)

    def test_logits_that_are_no_rows_of_real_numbers(self):
        classes = np.zeros(4, int)
        text: Any = "logits"
        with pytest.raises(TypeError, match="`logits` must be real"):
            softmax.cross_entropy(np.ones((4, 3), complex), classes)
        with pytest.raises(TypeError, match="`logits` must be an array, got str"):
            softmax.cross_entropy(text, classes)
        with pytest.raises(ValueError, match="`logits` must have rank 1 or more"):
            softmax.cross_entropy(1.0, 0)
