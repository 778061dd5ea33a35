"""Derivatives and transformations of the perceptron."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jnumerics import perceptron
from tests import reference
from tests.perceptron._system import START, X, Y


def test_gradient_of_the_loss_is_its_closed_form(x64):
    o = reference.perceptron(START, X)
    expected = X.T @ ((o - Y) * o * (1 - o))
    for mode in (jax.jacfwd, jax.jacrev):
        obtained = mode(perceptron.loss)(jnp.asarray(START), X, Y)
        np.testing.assert_allclose(obtained, expected, rtol=1e-12)


@pytest.mark.slow
def test_fit_is_differentiable_in_every_argument(x64):
    def trained(weights, inputs, targets, rate):
        return perceptron.fit(
            weights, inputs, targets, steps=3, learning_rate=rate
        ).params

    args = tuple(jnp.asarray(a, float) for a in (START, X[:2], Y[:2], 0.5))
    check_grads(trained, args, 2, ("fwd", "rev"), atol=1e-6, rtol=1e-6)


def test_vmap_over_rates_is_each_rate_by_itself():
    def trained(rate):
        return perceptron.fit(START, X, Y, steps=20, learning_rate=rate).params

    together = jax.vmap(trained)(jnp.array([0.5, 1.0]))
    for k, rate in enumerate([0.5, 1.0]):
        np.testing.assert_allclose(together[k], trained(rate), rtol=1e-5)


def test_fit_under_jit_is_fit(x64):
    expected = perceptron.fit(START, X, Y, steps=4)
    obtained = jax.jit(perceptron.fit, static_argnames="steps")(START, X, Y, steps=4)
    chex.assert_trees_all_close(obtained, expected, rtol=1e-12)


def test_another_rate_does_not_compile_again(monkeypatch):
    loss = perceptron._half_square  # pyright: ignore[reportPrivateUsage]
    traces = []

    def counted(weights, X, y):
        traces.append(1)
        return loss(weights, X, y)

    monkeypatch.setattr(perceptron, "_half_square", counted)
    w = np.ones(5)  # a shape of its own, so that nothing is compiled yet
    fit = partial(perceptron.fit, w, np.ones((6, 5)), np.ones(6), steps=2)
    fit(learning_rate=1.0)
    first = len(traces)
    for rate in (0.5, 2, np.float32(0.1), jnp.asarray(0.3)):
        fit(learning_rate=rate)
    assert len(traces) == first > 0
