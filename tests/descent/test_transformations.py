"""A descent under `vmap`, `jit` and derivatives."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.test_util import check_grads

from jnumerics import descent
from tests.descent._losses import stepwise, valley


@pytest.mark.parametrize("steps", [1, 4])
def test_an_ensemble_of_starts_is_each_start_by_itself(steps):
    starts = jnp.arange(6.0).reshape(2, 3) / 4
    run = partial(
        descent.minimize, valley, optimizer=optax.sgd(0.02, momentum=0.5), steps=steps
    )
    together = jax.vmap(run)(starts)
    alone = [run(start) for start in starts]
    chex.assert_trees_all_close(
        together, jax.tree.map(lambda *x: jnp.stack(x), *alone), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("compile_", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_an_ensemble_of_learning_rates_is_each_rate_by_itself(compile_, steps):
    def run(rate):
        optimizer = optax.sgd(rate, momentum=0.5)
        return descent.minimize(valley, jnp.zeros(3), optimizer=optimizer, steps=steps)

    rates = jnp.array([0.01, 0.05])
    together = compile_(jax.vmap(run))(rates)
    for k, rate in enumerate([0.01, 0.05]):
        alone = run(rate)
        np.testing.assert_allclose(
            together.params[k], alone.params, rtol=1e-5, atol=1e-7
        )
        np.testing.assert_allclose(together.losses[k], alone.losses, rtol=1e-5)


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("transform", ["jit", "vmap", "grad", "jit of vmap of grad"])
def test_loss_may_close_over_traced_data(transform, steps):
    labels = jnp.array([0, 1, 1])

    def final(x, label):
        def loss(w):
            return (w * x - jnp.where(label == 1, 2.0, 1.0)) ** 2

        return descent.minimize(loss, 0.5, optimizer=optax.sgd(0.1), steps=steps).params

    def expected(x, label):
        w = 0.5
        for _ in range(steps):
            w = w - 0.1 * 2 * x * (w * x - jnp.where(label == 1, 2.0, 1.0))
        return w

    x = jnp.array([0.5, 1.0, 1.5])
    wrap = {
        "jit": lambda f: jax.jit(
            lambda x, i: jnp.stack([f(x[k], i[k]) for k in range(3)])
        ),
        "vmap": jax.vmap,
        "grad": lambda f: jax.grad(lambda x, i: sum(f(x[k], i[k]) for k in range(3))),
        "jit of vmap of grad": lambda f: jax.jit(jax.vmap(jax.grad(f))),
    }[transform]
    obtained = wrap(final)(x, labels)
    np.testing.assert_allclose(obtained, wrap(expected)(x, labels), rtol=1e-5)


@pytest.mark.parametrize("steps", [1, 6])
def test_hypergradient_is_right_in_both_modes(x64, steps):
    # on a quadratic, p_n = (1 - rate)^n p_0
    def final(rate):
        def loss(p):
            return p**2 / 2

        return descent.minimize(
            loss, 3.0, optimizer=optax.sgd(rate), steps=steps
        ).params

    expected = -3 * steps * 0.9 ** (steps - 1)
    for mode in (jax.jacfwd, jax.jacrev, jax.grad):
        np.testing.assert_allclose(mode(final)(0.1), expected, rtol=1e-12)
    second = 3 * steps * (steps - 1) * 0.9 ** max(steps - 2, 0)
    np.testing.assert_allclose(jax.hessian(final)(0.1), second, rtol=1e-12)


@pytest.mark.slow
def test_losses_are_differentiable_in_the_start(x64):
    def area(start):
        return descent.minimize(
            valley, start, optimizer=optax.sgd(0.02, momentum=0.5), steps=3
        ).losses.sum()

    start = jnp.array([0.7, -1.5, 0.3])
    check_grads(area, (start,), 2, ("fwd", "rev"), atol=1e-6, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize("steps", [1, 3])
def test_hypergradient_through_lbfgs_is_right_in_forward_mode(x64, steps):
    def final(minimize, a):
        def loss(p):
            return jnp.sum((p - a) ** 2 * jnp.array([1.0, 1.5]))

        return minimize(loss, jnp.zeros(2), optimizer=optax.lbfgs(), steps=steps)[0]

    derivative = jax.jit(jax.jacfwd(partial(final, descent.minimize)))(2.0)
    expected = jax.jit(jax.jacfwd(partial(final, stepwise)))(2.0)
    np.testing.assert_allclose(derivative, expected, rtol=1e-9)


@pytest.mark.usefixtures("standard_promotion")
def test_reverse_mode_through_lbfgs_is_refused_by_jax():
    def final(a):
        optimizer = optax.lbfgs()
        return descent.minimize(
            lambda p: (p - a) ** 2, 0.0, optimizer=optimizer, steps=2
        ).params

    with pytest.raises(ValueError, match=r"[Rr]everse-mode differentiation"):
        jax.grad(final)(2.0)


def test_no_tracer_outlives_its_trace():
    def final(rate, x):
        optimizer = optax.sgd(rate)
        return descent.minimize(
            lambda p: (p - x) ** 2, 0.0, optimizer=optimizer, steps=2
        ).params

    with jax.checking_leaks():
        jax.vmap(jax.grad(final))(jnp.array([0.1, 0.2]), jnp.ones(2))
        jax.jit(final)(0.1, 1.0)
