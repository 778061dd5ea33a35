"""The public plan, of second order: what is counted, what is taken, and why."""

import pickle
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics.derivatives import laplacian, plan
from jnumerics.derivatives._plan.second import choose as second
from tests.derivatives._second import by_rule, line, trace_of_hessian

WEIGHTS = np.random.default_rng(0).normal(size=(40, 64)).astype(np.float32)
WIDE = np.random.default_rng(1).normal(size=(64, 512)).astype(np.float32) / 16


def dense(x):
    return jnp.sum(jnp.tanh(jnp.tanh(x @ WEIGHTS) @ WEIGHTS.T))


def narrow(x):
    return jnp.sum(jnp.tanh(jnp.tanh(x @ WEIGHTS[:, :2]) @ WEIGHTS[:2]))


def funnel(x):
    """Be narrow before what takes longest, which has several results."""
    y = jnp.tanh(jnp.tanh(x @ WEIGHTS[:, :4]) @ WEIGHTS[:4])
    for _ in range(2):
        y = jnp.tanh(jnp.tanh(y @ WIDE) @ WIDE.T)
    return y[:3]


def modes(planned):
    return {c.mode: c.passes for c in planned.candidates}


def test_a_laplacians_plan_counts_every_mode():
    chosen = plan(dense, jnp.ones(40), target="laplacian")
    assert chosen.mode == "collapsed"
    assert modes(chosen) == {"nested": 40, "collapsed": 40, "narrow": None}
    assert all(c.cost.seconds > 0 for c in chosen.candidates if c.strategy)
    assert "40 directions in one sweep, predicted" in chosen.reason


def test_a_narrow_gradient_has_a_nested_plan():
    chosen = plan(narrow, jnp.ones(40), target="laplacian")
    assert chosen.mode == "nested"
    # the next sweep depends on how JAX writes the function
    assert re.search("times faster than (narrow|collapsed)", chosen.reason)
    (nested,) = (c for c in chosen.candidates if c.mode == "nested")
    assert "cut over the gradient" in nested.note


def test_a_narrow_place_before_long_work_is_gone_through():
    chosen = plan(funnel, jnp.ones(40), target="laplacian")
    assert chosen.mode == "narrow"
    assert modes(chosen)["narrow"] == 44
    assert "44 directions in two sweeps" in chosen.reason
    x = jnp.linspace(-0.02, 0.02, 40)
    expected = trace_of_hessian(funnel, x)
    np.testing.assert_allclose(laplacian(funnel)(x), expected, rtol=1e-3)


def test_a_cheaper_nested_mode_is_taken_though_colors_are_few(monkeypatch):
    assert plan(line, jnp.ones(30), target="laplacian").mode == "collapsed"
    monkeypatch.setattr(second, "WORTH_IT", 1e9)
    assert plan(line, jnp.ones(30), target="laplacian").mode == "nested"


def test_a_plan_says_why_the_nested_mode_does_not_serve(monkeypatch):
    def refuse(*_, **__):
        msg = "no reverse mode\nof this"
        raise NotImplementedError(msg)

    monkeypatch.setattr(second.Request, "nested", refuse)
    chosen = plan(dense, jnp.ones(40), target="laplacian")
    assert chosen.mode == "collapsed"
    notes = {c.mode: c.note for c in chosen.candidates if c.strategy is None}
    assert notes["nested"] == "no reverse mode"


def test_a_plan_says_that_inputs_share_directions():
    chosen = plan(line, jnp.ones(30), target="laplacian")
    assert (chosen.mode, chosen.passes) == ("collapsed", 2)
    assert "30 inputs share them" in str(chosen)


def test_what_the_sweep_cannot_pass_is_named():
    chosen = plan(by_rule, jnp.ones(3), target="laplacian")
    assert chosen.mode == "nested"
    assert "collapsed is not served: not through custom_vjp_call" in chosen.reason
    assert "tests/derivatives/_second.py" in chosen.reason  # where the rule stands
    assert modes(chosen)["collapsed"] is None


def test_a_plan_of_a_field_counts_every_mode():
    chosen = plan(lambda x: jnp.outer(x, x), jnp.ones(3), target="laplacian")
    assert modes(chosen) == {"nested": 3, "collapsed": 3, "narrow": None}
    assert chosen.n_outputs == 9


def test_a_plan_of_few_inputs_takes_one_sweep():
    chosen = plan(lambda x: jnp.sum(x**3), jnp.ones(2), target="laplacian")
    assert chosen.mode == "collapsed"
    assert set(modes(chosen)) == {"nested", "collapsed", "narrow"}


def test_a_plan_of_few_inputs_names_a_faster_mode_that_is_not_counted():
    chosen = plan(lambda x: jnp.sum(jnp.sin(x**2)), jnp.ones(6), target="laplacian")
    costs = {c.mode: c.cost.seconds for c in chosen.candidates if c.strategy}
    assert chosen.mode == "collapsed"
    assert costs["nested"] < costs["collapsed"]
    ratio = costs["collapsed"] / costs["nested"]
    said = f"; nested, predicted {ratio:.1f} times faster, is not counted for up to 8 "
    assert said in chosen.reason
    few = plan(lambda x: jnp.prod(jnp.sin(x)), jnp.ones(4), target="laplacian")
    assert "not counted" not in few.reason


def test_a_hessians_plan_is_that_of_the_gradients_jacobian():
    x = jnp.ones(30)
    planned, gradients = plan(line, x, target="hessian"), plan(jax.grad(line), x)
    assert planned.mode == gradients.mode == "compressed"
    assert planned.passes == gradients.passes
    assert str(planned).startswith("hessian: 30 outputs by 30 inputs")


def test_a_hessian_diagonals_plan_is_that_of_the_gradients_diagonal():
    x = jnp.ones(30)
    chosen = plan(line, x, target="hessian_diagonal")
    assert chosen.passes == plan(jax.grad(line), x, target="diagonal").passes
    with pytest.raises(ValueError, match=r"`fun` must return a scalar, got shape"):
        plan(jnp.sin, x, target="hessian_diagonal")


def test_a_plan_of_second_order_reads_shapes_alone_and_is_pickled():
    shape = jax.ShapeDtypeStruct((30,), jnp.float32)
    for target in ("laplacian", "hessian", "hessian_diagonal"):
        chosen = plan(line, shape, target=target)
        assert str(pickle.loads(pickle.dumps(chosen))) == str(chosen)
        assert str(chosen) == str(
            plan(line, np.full(30, np.nan, np.float32), target=target)
        )


def test_a_laplacians_plan_refuses_complex_results():
    with pytest.raises(TypeError, match=r"must return real numbers, got complex"):
        plan(lambda x: jax.lax.complex(x, x), jnp.ones(3), target="laplacian")


def field(x):
    return {"a": jnp.sin(WEIGHTS.T @ x) * jnp.sum(x**2), "b": x**3}


def by_rules(x):
    return jnp.stack([by_rule(x), by_rule(2 * x)])


@pytest.mark.parametrize("fun", [field, by_rules])
def test_a_nested_fields_memory_is_bounded_or_refused(fun):
    x = jnp.linspace(0.1, 1.0, 40)
    with pytest.raises(ValueError, match=r"`max_bytes` must be at least") as refusal:
        laplacian(fun, mode="nested", max_bytes=1)(x)
    least = int(str(refusal.value).split("at least ")[1].split()[0])
    lap = laplacian(fun, mode="nested", max_bytes=2 * least)(x)
    expected = jax.tree.map(np.asarray, trace_of_hessian(jax.jit(field), x))
    if fun is field:
        chex.assert_trees_all_close(lap, expected, rtol=1e-4, atol=1e-3)
    else:
        np.testing.assert_allclose(lap, [6 * x.sum(), 48 * x.sum()], rtol=1e-5)
