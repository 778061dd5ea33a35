"""What a plan refuses, and why a mode is not served."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics.derivatives import SampleMixingError, plan
from jnumerics.derivatives._plan import plan as _plan
from jnumerics.derivatives._program.trace import trace
from tests.derivatives.plan._functions import (
    FEW,
    WIDE,
    by_loop,
    candidate,
    dense,
    halved,
)


@pytest.mark.boundary
def test_plan_refuses_samples_that_mix():
    line = r"reduce_sum at .*test_refusal\.py:\d+"
    with pytest.raises(SampleMixingError, match=line):
        plan(lambda X: X - X.mean(axis=0, keepdims=True), FEW, target="batch")
    assert plan(lambda X: X - X.mean(axis=0, keepdims=True), FEW).n_inputs == 18


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("x", "match"),
    [
        (np.arange(3), r"`args\[0\]` must be real to be differentiated.*int"),
        (1j, "set holomorphic=True"),
        ([1.0, b"a"], r"`args\[0\]\[1\]` must be an array, got bytes"),
    ],
)
def test_plan_refuses_types_without_a_derivative(x, match):
    with pytest.raises(TypeError, match=match):
        plan(lambda x: x, x)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("fun", "match"),
    [
        pytest.param(3, "`fun` must be a function, got int", id="number"),
        pytest.param(
            lambda x: x > 0,
            "must return real or complex numbers, got dtype bool",
            id="booleans",
        ),
        pytest.param(lambda _: None, "must return an array", id="nothing"),
        pytest.param(
            lambda x: x * float(x[0]), r"test_refusal\.py:\d+", id="concrete value"
        ),
    ],
)
def test_plan_refuses_functions_without_a_derivative(fun, match):
    with pytest.raises(TypeError, match=match):
        plan(fun, jnp.ones(3))


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("fun", "options", "match"),
    [
        (dense, {"target": "rows"}, "`target` must be one of 'jacobian', 'batch', "),
        (dense, {"target": "diagonal"}, "must return its argument's tree and shapes"),
        (dense, {"target": "batch"}, "must have 50 samples along axis 0"),
        (jnp.sum, {"target": "batch"}, "must have the axis out_axis=0"),
        (dense, {"argnums": 1}, "`argnums` must be below the number of arguments"),
    ],
)
def test_plan_refuses_what_does_not_fit_its_target(fun, options, match):
    with pytest.raises(ValueError, match=match):
        plan(fun, jnp.ones(50), **options)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("fun", "mode"),
    [(halved, "reverse"), (lambda x: by_loop(WIDE @ x), "forward")],
    ids=["while", "custom_vjp"],
)
def test_plan_says_why_a_mode_is_refused(fun, mode):
    target = trace(fun, (jnp.ones(50),))
    match = rf"`mode` must be one that serves `fun`, got '{mode}': not through .*py:\d+"
    with pytest.raises(ValueError, match=match):
        _plan.choose(target, mode=mode)


@pytest.mark.boundary
def test_plan_says_why_no_mode_is_left():
    def both(x):  # only back, and then only forward
        return by_loop(halved(x))

    with pytest.raises(ValueError, match=r"reverse: .*while.*; forward: .*"):
        plan(both, jnp.ones(50))


def test_the_mode_of_a_plan_that_is_not_served_has_no_way():
    changed = replace(plan(halved, jnp.ones(50)), mode="reverse")
    with pytest.raises(ValueError, match="plan's mode 'reverse' is not served"):
        _ = changed.strategy


def test_a_rule_that_jax_cannot_transpose_leaves_forward_mode():
    def combined(a, b):
        return a + 2 * b

    @jax.custom_jvp
    def fun(x):
        return lax.reduce(x, np.float32(0), combined, (0,))

    fun.defjvp(lambda xs, ts: (fun(*xs), fun(*ts)))
    chosen = plan(fun, jnp.ones((3, 4)))
    assert chosen.mode == "forward"
    assert candidate(chosen, "reverse").strategy is None
    assert candidate(chosen, "reverse").note.startswith("JAX refuses: ")
    assert chosen.reason.endswith(candidate(chosen, "reverse").note)
