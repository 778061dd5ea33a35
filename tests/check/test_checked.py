"""Checks that run while a program is traced see all that they would see at a call."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics import conv, perceptron, polynomial, softmax

X = jnp.ones((2, 7))


@pytest.mark.boundary
@pytest.mark.parametrize("axis", [1.0, True, jnp.array([1])])
def test_an_option_that_equals_another_of_another_type_is_refused(axis):
    softmax.softmax(X, axis=1)
    with pytest.raises(TypeError, match="`axis` must be an integer"):
        softmax.softmax(X, axis=axis)


@pytest.mark.boundary
def test_an_entry_of_an_option_that_equals_another_of_another_type_is_refused():
    x, kernel = jnp.ones((1, 4, 4, 1)), jnp.ones((2, 2, 1, 1))
    strides: Any = (1, 1.0)
    conv.conv2d(x, kernel, stride=(1, 1))
    with pytest.raises(TypeError, match="`stride"):
        conv.conv2d(x, kernel, stride=strides)


def test_a_refusal_comes_without_frames_and_notes_of_jax():
    with pytest.raises(ValueError, match="`tangent` must have the shape") as refusal:
        softmax.jvp(X, jnp.ones(7))
    assert refusal.value.__context__ is None
    assert not getattr(refusal.value, "__notes__", [])


def test_repeated_nodes_are_refused_where_distinct_ones_were_compiled():
    values = jnp.ones(3)
    polynomial.fit(jnp.array([0.0, 1.0, 3.0]), values)
    with pytest.raises(ValueError, match=r"`nodes` must be distinct, got 1\.0 more"):
        polynomial.fit(jnp.array([0.0, 1.0, 1.0]), values)


def test_the_default_dtype_is_that_of_the_moment():
    key = jax.random.key(0)
    dtypes = [perceptron.init(key, 5).dtype]
    with jax.enable_x64(True):
        dtypes.append(perceptron.init(key, 5).dtype)
    dtypes.append(perceptron.init(key, 5).dtype)
    assert dtypes == [jnp.float32, jnp.float64, jnp.float32]


def test_numbers_of_numpy_may_change_when_the_call_has_returned():
    x = np.zeros((2, 4096))
    p = softmax.softmax(x)
    x[:] = np.nan
    assert np.all(np.asarray(p) == 1 / 4096)
