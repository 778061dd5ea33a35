"""How often a loss is traced, and what is freed with it."""

import gc
import weakref
from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jnumerics import descent
from tests.descent._losses import OPTIMIZERS


@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize("name", ["sgd", "lbfgs"])
@pytest.mark.parametrize("steps", [1, 3])
def test_loss_is_traced_once_for_each_shape(name, steps):
    loss = chex.assert_max_traces(lambda p: jnp.sum((p - 1) ** 2), n=2)
    optimizer = OPTIMIZERS[name]()
    for size in (2, 2, 3, 2, 3):
        descent.minimize(loss, jnp.zeros(size), optimizer=optimizer, steps=steps)
    with pytest.raises(AssertionError, match="traced"):
        descent.minimize(loss, jnp.zeros(4), optimizer=optimizer, steps=steps)


def test_continuing_does_not_trace_for_each_piece():
    loss = chex.assert_max_traces(lambda p: (p - 1) ** 2, n=2)  # state absent, present
    optimizer = optax.sgd(0.1, momentum=0.9)
    result = descent.minimize(loss, 0.0, optimizer=optimizer, steps=2)
    for _ in range(3):
        result = descent.minimize(
            loss, result.params, optimizer=optimizer, steps=2, state=result.state
        )


def test_vmap_does_not_trace_again():
    loss = chex.assert_max_traces(lambda p: jnp.sum(p**2), n=1)
    run = partial(descent.minimize, loss, optimizer=optax.sgd(0.1), steps=2)
    for _ in range(3):
        jax.vmap(run)(jnp.ones((4, 2)))


class Model:
    def __init__(self):
        self.traces = 0

    def loss(self, p):
        self.traces += 1
        return p**2


def test_a_bound_method_is_one_loss():
    model, optimizer = Model(), optax.sgd(0.1)
    for _ in range(3):
        descent.minimize(model.loss, 1.0, optimizer=optimizer, steps=2)
    other = Model()
    descent.minimize(other.loss, 1.0, optimizer=optimizer, steps=2)
    assert (model.traces, other.traces) == (1, 1)


@pytest.mark.parametrize("loss", [partial(jnp.multiply, 2.0), jax.jit(lambda p: 2 * p)])
def test_any_callable_is_a_loss(loss):
    result = descent.minimize(loss, 1.0, optimizer=optax.sgd(0.25), steps=2)
    np.testing.assert_array_equal(result.losses, [2.0, 1.0])


class Slotted:
    """A loss that can be neither hashed nor, for its slots, referred to weakly."""

    __hash__ = None  # pyright: ignore[reportAssignmentType]
    __slots__ = ("scale",)

    def __init__(self, scale):
        self.scale = scale

    def __eq__(self, other):
        return True

    def __call__(self, p):
        return self.scale * p


class Unhashable(Slotted):
    __slots__ = ("__weakref__",)


@pytest.mark.parametrize("kind", [Slotted, Unhashable])
def test_losses_that_compare_equal_are_told_apart(kind):
    optimizer = optax.sgd(0.0)
    losses = kind(1.0), kind(2.0)
    for loss, scale in zip(losses, (1.0, 2.0), strict=True):
        result = descent.minimize(loss, 1.0, optimizer=optimizer, steps=1)
        np.testing.assert_array_equal(result.losses, [scale])


def test_program_is_freed_with_its_loss():
    optimizer = optax.sgd(0.1)
    finalized = []

    def make_loss():
        weakref.finalize(loss := lambda p: jnp.sum(p**2), finalized.append, 1)
        return loss

    descent.minimize(make_loss(), jnp.zeros(3), optimizer=optimizer, steps=2)
    gc.collect()
    assert finalized == [1]
