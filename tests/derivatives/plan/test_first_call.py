"""What the first call traces: a transpose once, and the passes that run once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics.derivatives import jacobian, jacobian_diagonal, laplacian, plan
from jnumerics.derivatives._plan import candidates, result
from tests.derivatives.plan._functions import WIDE, dense, narrow


def test_a_transpose_is_made_once_for_all_that_reads_it(monkeypatch):
    # it is proven, counted and run, along several directions
    made, transpose = [], jax.linear_transpose

    def counted(*args):
        made.append(args)
        return transpose(*args)

    monkeypatch.setattr(jax, "linear_transpose", counted)
    x = jnp.linspace(0.1, 1.0, 50)
    J = jacobian(dense)(x)
    assert len(made) == 1
    np.testing.assert_allclose(J, jax.jacfwd(dense)(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", ["forward", "reverse", "cut"])
def test_what_runs_is_what_was_counted(monkeypatch, mode):
    def again(*_):
        pytest.fail("the passes are traced a second time")

    monkeypatch.setattr(result, "finish", again)
    x = jnp.linspace(0.1, 1.0, 200)
    truth = jax.jacfwd(narrow)(x)
    J = jacobian(narrow, mode=mode)(x)
    np.testing.assert_allclose(J, truth, rtol=1e-4, atol=1e-4)
    diagonal = jacobian_diagonal(narrow)(x)
    np.testing.assert_allclose(diagonal, jnp.diagonal(truth), rtol=1e-4, atol=1e-4)


def traced_modes(monkeypatch):
    """Note the mode of all passes that are traced."""
    modes, trace = [], candidates.passes_jaxpr

    def noted(problem, kind, strategy, chunk):
        modes.append(strategy.mode)
        return trace(problem, kind, strategy, chunk)

    monkeypatch.setattr(candidates, "passes_jaxpr", noted)
    return modes


def test_of_both_ends_only_the_one_that_is_taken_is_traced(monkeypatch):
    modes = traced_modes(monkeypatch)
    jacobian(dense)(jnp.ones(50))
    jacobian(dense, mode="forward")(jnp.ones(50))
    assert modes == ["reverse", "forward"]
    modes.clear()
    fun = lambda x: jnp.sum(jnp.tanh(x @ WIDE))
    assert laplacian(fun)(jnp.ones(30)).shape == ()
    assert modes == ["reverse"]  # of the gradient, in which nested passes would be


def test_where_jax_refuses_the_passes_that_were_chosen_others_are_taken(monkeypatch):
    trace = candidates.passes_jaxpr

    def refused(problem, kind, strategy, chunk):
        if strategy.mode == "reverse":
            msg = "no rule for\nbatching"
            raise NotImplementedError(msg)
        return trace(problem, kind, strategy, chunk)

    monkeypatch.setattr(candidates, "passes_jaxpr", refused)
    x = jnp.linspace(0.1, 1.0, 50)
    np.testing.assert_allclose(jacobian(dense)(x), jax.jacfwd(dense)(x), rtol=1e-5)
    chosen = plan(dense, x)
    assert chosen.mode == "forward"
    assert chosen.reason == "reverse is not served: JAX refuses: no rule for"
    with pytest.raises(ValueError, match="got 'reverse': JAX refuses: no rule for"):
        jacobian(dense, mode="reverse")(x)


RING = lambda x: jnp.sum(jnp.sin(x * jnp.roll(x, 1)) + x**4)
NETWORK = lambda x: jnp.sum(jnp.tanh(jnp.tanh(WIDE @ x) @ WIDE))


@pytest.mark.parametrize(("fun", "n"), [(RING, 64), (NETWORK, 50)])
def test_a_plan_compiles_nothing(fun, n, caplog):
    x = jnp.linspace(0.1, 1.0, n)
    with jax.log_compiles():
        jax.jit(laplacian(fun)).trace(x)
        jax.jit(jacobian(jax.grad(fun))).trace(x)
        assert not [r for r in caplog.messages if r.startswith("Compiling")]
        jax.jit(lambda x: x - 3.25)(x)
        assert [r for r in caplog.messages if r.startswith("Compiling")]
