"""What the first call traces: a transpose once, and the passes that run once."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.custom_derivatives import linear_call

from jnumerics.derivatives import jacobian, jacobian_diagonal, laplacian, plan
from jnumerics.derivatives._modes import flow
from jnumerics.derivatives._plan import candidates, memory, result
from tests.derivatives.plan._functions import WIDE, dense, narrow, passes


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
def test_what_runs_is_what_was_traced(monkeypatch, mode):
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


@pytest.fixture
def reverse_refused(monkeypatch):
    trace = candidates.passes_jaxpr

    def refused(problem, kind, strategy, chunk):
        if strategy.mode == "reverse":
            msg = "no rule for\nbatching"
            raise NotImplementedError(msg)
        return trace(problem, kind, strategy, chunk)

    for module in (candidates, memory):
        monkeypatch.setattr(module, "passes_jaxpr", refused)


@pytest.mark.usefixtures("reverse_refused")
@pytest.mark.parametrize("mode", ["auto", "cut", "compressed"])
def test_where_jax_refuses_the_passes_of_one_end_the_other_is_taken(mode):
    x = jnp.linspace(0.1, 1.0, 50)
    expected = jax.jacfwd(dense)(x)
    np.testing.assert_allclose(jacobian(dense, mode=mode)(x), expected, rtol=1e-5)
    bounded = jacobian(dense, mode=mode, max_bytes=200_000)(x)
    np.testing.assert_allclose(bounded, expected, rtol=1e-5)


@pytest.mark.usefixtures("reverse_refused")
def test_a_plan_tells_what_jax_refuses():
    x = jnp.linspace(0.1, 1.0, 50)
    chosen = plan(dense, x)
    assert chosen.mode == "forward"
    assert chosen.reason == "reverse is not served: JAX refuses: no rule for"
    assert {c.same_as for c in chosen.candidates[2:]} == {"forward"}
    with pytest.raises(ValueError, match="got 'reverse': JAX refuses: no rule for"):
        jacobian(dense, mode="reverse")(x)
    with pytest.raises(
        ValueError, match=r"`max_bytes` must be at least \d+ for one forward"
    ):
        jacobian(dense, max_bytes=10)(x)


def test_no_cut_is_sought_where_nothing_is_narrow(monkeypatch):
    # the flow that finds it imports a part of SciPy, which takes a tenth of a second
    monkeypatch.setattr(flow, "_maximum_flow", lambda *_: pytest.fail("a flow"))
    x = jnp.linspace(0.1, 1.0, 30)
    wide = lambda x: jnp.tanh(jnp.tanh(x @ WIDE) @ WIDE.T)
    expected = jax.jacfwd(wide)(x)
    np.testing.assert_allclose(jacobian(wide)(x), expected, rtol=1e-4, atol=1e-5)
    assert passes(plan(jnp.sin, x))["cut"] == 1
    total = lambda x: jnp.sum(wide(x) ** 2)
    np.testing.assert_allclose(jacobian(total)(x), jax.grad(total)(x), rtol=1e-4)
    ours, expected = laplacian(total)(x), jnp.trace(jax.hessian(total)(x))
    np.testing.assert_allclose(ours, expected, rtol=1e-3)


RING = lambda x: jnp.sum(jnp.sin(x * jnp.roll(x, 1)) + x**4)
NETWORK = lambda x: jnp.sum(jnp.tanh(jnp.tanh(WIDE @ x) @ WIDE))


@pytest.mark.parametrize(("fun", "n"), [(RING, 64), (NETWORK, 50)])
def test_tracing_compiles_nothing(fun, n, caplog):
    x = jnp.linspace(0.1, 1.0, n)
    with jax.log_compiles():
        jax.jit(laplacian(fun)).trace(x)
        jax.jit(jacobian(jax.grad(fun))).trace(x)
        assert not [r for r in caplog.messages if r.startswith("Compiling")]
        jax.jit(lambda x: x - 3.25)(x)
        assert [r for r in caplog.messages if r.startswith("Compiling")]


def steep(x):
    return jnp.sum(jnp.tanh(jnp.tanh(x @ TALL) @ TALL.T) ** 2)


TALL = np.random.default_rng(6).normal(size=(2000, 20)).astype(np.float32) / 9


def test_nested_passes_that_are_traced_late_keep_to_the_bound():
    x, bound = jnp.linspace(0.1, 1.0, 2000), 400_000
    run = laplacian(steep, mode="nested", max_bytes=bound)
    program = jax.jit(run).lower(x).compile()
    used = getattr(program.memory_analysis(), "temp_size_in_bytes", bound + 1)
    assert used <= bound
    expected = laplacian(steep)(x)
    np.testing.assert_allclose(run(x), expected, rtol=1e-3)


@jax.custom_jvp
def doubled(x):
    return 2 * x


@doubled.defjvp
def _(primals, tangents):
    twice = lambda _, a: 2 * a
    return doubled(*primals), linear_call(twice, twice, 0.0, *tangents)


WEIGHTS = jnp.asarray(np.random.default_rng(8).normal(size=(2, 20)), jnp.float32)


def through_a_call(x):
    """Go through a number whose tangents JAX does not batch."""
    return jnp.sin(doubled(jnp.sin(x) @ WEIGHTS[0]) * WEIGHTS[1])


def test_where_jax_batches_neither_end_a_cut_serves():
    x = jnp.linspace(0.1, 1.0, 20)
    expected = jnp.outer(
        2 * WEIGHTS[1] * jnp.cos(2 * jnp.dot(WEIGHTS[0], jnp.sin(x)) * WEIGHTS[1]),
        WEIGHTS[0] * jnp.cos(x),
    )
    J = jacobian(through_a_call)(x)
    np.testing.assert_allclose(J, expected, rtol=1e-4, atol=1e-5)
    chosen = plan(through_a_call, x)
    assert (chosen.mode, chosen.passes) == ("cut", 2)
    assert chosen.reason.startswith("neither end is served: reverse: JAX refuses")
    with pytest.raises(
        ValueError, match=r"`max_bytes` must be at least \d+ for one cut"
    ):
        jacobian(through_a_call, max_bytes=10)(x)


SQUARE = np.random.default_rng(9).normal(size=(12, 12)) + 8 * np.eye(12)


def solved(b):
    """Solve by a solver whose transpose JAX does not batch."""
    A = jnp.asarray(SQUARE, b.dtype)
    solve = lambda _, b: jnp.linalg.solve(A, b)
    back = lambda _, b: jnp.linalg.solve(A.T, b)
    turned = lambda _, b: linear_call(back, solve, 0.0, b)
    return lax.custom_linear_solve(lambda x: A @ x, b, solve, turned)


def test_a_plan_of_a_laplacian_refuses_what_is_refused():
    fun, x = lambda x: jnp.sum(jnp.sin(solved(jnp.sin(x)))), jnp.full(12, 0.3)
    for ask in (laplacian(fun), partial(plan, fun, target="laplacian")):
        with pytest.raises(ValueError, match="`fun` must be differentiable by JAX"):
            ask(x)
