"""Samples of rules and solvers whose derivative is not proven linear."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.scipy.sparse import linalg as sparse_linalg

from jnumerics import derivatives
from jnumerics.derivatives import SampleMixingError
from tests.derivatives.program.linearity._rules import (
    MATRIX,
    UNPROVEN,
    X,
    backward,
    close,
    forward,
    judged,
    truths,
)

BATCH = np.array(
    [[0.5, -1.0, 1.5], [2.0, 0.25, -0.5], [1.0, 1.0, 2.0], [0.1, 0.2, 0.9]]
)


def blocks_of_jax(fun, x, mode):
    full = np.array(truths(fun, x)[mode])
    return np.stack([full[k, :, k, :] for k in range(len(x))]), full


@pytest.mark.parametrize(
    "name",
    [
        "backward clips",
        "backward normalizes",
        "backward takes signs",
        "backward sorts",
        "forward selects by t",
        "forward squares",
        "cg",
        "bicgstab",
    ],
)
def test_vmapped_rule_shares_passes_between_samples(name):
    fun = jax.vmap(UNPROVEN[name])
    plan = derivatives.plan(fun, BATCH, target="batch")
    assert plan.passes == 3
    blocks, full = blocks_of_jax(fun, BATCH, plan.mode)
    assert close(derivatives.batch_jacobian(fun)(BATCH), blocks)
    full[np.arange(4), :, np.arange(4)] = 0
    assert not full.any()


@pytest.mark.parametrize(
    "name", ["backward decays", "backward adds noise", "forward adds", "forward is one"]
)
def test_rule_that_adds_a_constant_is_refused_for_a_batch(name):
    fun = UNPROVEN[name]
    with pytest.raises(SampleMixingError, match="may not be zero where all ") as caught:
        derivatives.batch_jacobian(jax.vmap(fun))(BATCH)
    message = str(caught.value)
    assert message.startswith("`fun` must be proven linear where samples share passes")
    assert message.count("not proven linear") == 1
    assert "jax.vmap of `jacobian`, of a function of one sample" in message
    assert "check=None" in message
    # the ways that it names
    mode = derivatives.plan(fun, BATCH[0]).mode
    truth = np.stack([truths(fun, sample)[mode] for sample in BATCH])
    assert close(jax.vmap(derivatives.jacobian(fun))(BATCH), truth)
    blocks = derivatives.batch_jacobian(jax.vmap(fun), check=None)(BATCH)
    assert blocks.shape == truth.shape


def test_one_solver_over_the_whole_batch_is_refused():
    def fun(X):
        return sparse_linalg.cg(lambda v: v @ MATRIX, X, maxiter=2)[0]

    with pytest.raises(SampleMixingError):
        derivatives.batch_jacobian(fun)(BATCH)
    together = jax.jvp(fun, (BATCH,), (np.ones_like(BATCH),))[1]
    apart = np.einsum("nknj->nk", jax.jacfwd(fun)(BATCH))
    assert not np.allclose(together, apart, rtol=1e-6)  # what sharing would have given


def test_solve_whose_transpose_iterates_over_the_whole_batch_is_refused():
    d = jnp.arange(1.0, 5.0)

    def fun(b):
        return lax.custom_linear_solve(
            lambda v: d * v,
            b,
            lambda _, b: b / d,
            lambda mv, b: sparse_linalg.cg(mv, b, maxiter=2)[0],
        )

    b = jnp.array([0.5, -1.0, 1.5, 2.0])
    blocks = derivatives.batch_jacobian(fun)(b)
    assert close(blocks, np.diagonal(jax.jacfwd(fun)(b)))
    with pytest.raises(SampleMixingError):
        derivatives.batch_jacobian(fun, mode="reverse")(b)


def root(x):
    """The root y of y^3 + y = x, its derivative by conjugate gradients."""
    return lax.custom_root(
        lambda y: y**3 + y - x,
        jnp.zeros_like(x),
        lambda f, y: lax.fori_loop(0, 40, lambda _, y: y - f(y) / (3 * y**2 + 1), y),
        lambda g, y: sparse_linalg.cg(g, y)[0],
    )


def test_vmapped_root_with_an_iterative_solver_is_accepted():
    blocks = derivatives.batch_jacobian(jax.vmap(root))(BATCH)
    y = np.asarray(jax.vmap(root)(BATCH))
    expected = np.stack([np.diag(1 / (3 * row**2 + 1)) for row in y])
    np.testing.assert_allclose(blocks, expected, rtol=1e-4, atol=1e-6)


def test_rule_that_mixes_samples_is_refused_in_the_mode_that_runs():
    @jax.custom_vjp
    def identity(x):
        return x

    identity.defvjp(lambda x: (x, None), lambda _, g: (g * jnp.max(jnp.abs(g)),))

    def fun(X):
        return identity(X) * 2

    with pytest.raises(SampleMixingError, match="derivative by input"):
        derivatives.batch_jacobian(fun)(BATCH)


def test_window_of_products_is_served_as_jax_serves_it():
    def fun(x):
        return lax.reduce_window(jnp.asarray(x), 1.0, lax.mul, (2,), (1,), "SAME")

    assert judged(fun, X).is_proven  # the derivative of its reducer is linear
    value, J = derivatives.value_and_jacobian(fun)(X)
    assert close(value, fun(X))
    columns = [jax.jvp(fun, (X,), (e,))[1] for e in np.eye(3)]
    assert close(J, np.stack(columns, 1))
    with pytest.raises(ValueError, match="got 'reverse': JAX refuses"):
        derivatives.jacobian(fun, mode="reverse")(X)


def test_probe_sees_an_unproven_rule_that_mixes_samples():
    mixing = backward(lambda _, g: jnp.clip(g + g[::-1], -0.5, 0.5))
    with pytest.raises(SampleMixingError):
        derivatives.batch_jacobian(mixing, check="probe")(BATCH)
    apart = backward(lambda _, g: jnp.clip(g, -0.5, 0.5))
    blocks = derivatives.batch_jacobian(apart, check="probe")(BATCH)
    assert close(blocks, np.stack([np.eye(3) / 2] * 4))


def test_probe_proves_what_random_tangents_cannot_decide():
    # of a sample that does not move nothing is seen, though others scale it
    rule = backward(lambda _, g: g / (1 + jnp.linalg.norm(g)))
    with pytest.raises(SampleMixingError, match="derivative by input"):
        derivatives.batch_jacobian(rule, check="probe")(BATCH)
    blocks = derivatives.batch_jacobian(jax.vmap(rule), check="probe")(BATCH)
    assert close(blocks, np.stack([np.eye(3) / 2] * 4))


def test_probe_pulls_back_what_only_transposes():
    def halved(g):
        return lax.while_loop(
            lambda c: c[0] < 1, lambda c: (c[0] + 1, c[1] / 2), (0, g)
        )

    rule = backward(lambda _, g: halved(g)[1])
    blocks = derivatives.batch_jacobian(rule, check="probe")(BATCH)
    assert close(blocks, np.stack([np.eye(3) / 2] * 4))
    mixing = backward(lambda _, g: halved(g + g[::-1])[1])
    with pytest.raises(SampleMixingError):
        derivatives.batch_jacobian(mixing, check="probe")(BATCH)


def test_batched_loop_stands_still_sample_by_sample():
    def until(t):
        return lax.while_loop(lambda t: jnp.sum(abs(t)) > 0.3, lambda t: t / 2, t)

    fun = jax.vmap(forward(lambda x, t: until(t * x)))
    blocks, full = blocks_of_jax(fun, BATCH, "forward")
    full[np.arange(4), :, np.arange(4)] = 0
    assert not full.any()
    np.testing.assert_allclose(derivatives.batch_jacobian(fun)(BATCH), blocks)

    def whole(X):
        return forward(lambda x, t: until(t * x))(X)

    with pytest.raises(SampleMixingError):
        derivatives.batch_jacobian(whole)(BATCH)
