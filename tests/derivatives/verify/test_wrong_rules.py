"""Wrong rules are found."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics.derivatives._verify.check import check_derivatives
from tests import scenarios
from tests.derivatives.verify._rules import (
    RULES,
    X,
    at_most,
    keeps_float32,
    network,
    with_jvp,
    with_vjp,
)


@pytest.mark.parametrize("scenario", scenarios.params("stopped"))
def test_part_hidden_by_stop_gradient_is_found(scenario, key):
    check = check_derivatives(scenario.fun, *scenario.make_args(key, "float32"))
    assert not check.passed
    assert "stop_gradient" in check.reason


@pytest.mark.parametrize(
    ("rule", "dtype"),
    [
        ("jvp", "float32"),
        ("vjp", "float32"),
        ("jvp", "float64"),
        ("vjp", "bfloat16"),
        ("vjp", "complex64"),
    ],
)
def test_rule_wrong_by_one_percent_is_found(rule, dtype):
    with jax.enable_x64(dtype == "float64"):
        check = check_derivatives(RULES[rule](1.01), jnp.asarray(X, dtype))
    assert not check.passed
    assert check.error == pytest.approx(0.01 / 1.01, rel=1e-3)
    assert check.order == pytest.approx(1, abs=0.01)
    assert "rule is wrong" in check.reason


@pytest.mark.parametrize("rule", RULES)
def test_rule_wrong_by_one_percent_inside_a_network_is_found(rule):
    assert check_derivatives(network(jnp.sin), X).passed
    assert not check_derivatives(network(RULES[rule](1.01)), X).passed


@pytest.mark.parametrize("rule", RULES)
def test_rule_wrong_by_one_percent_is_found_in_a_function_that_keeps_float32(rule):
    check = check_derivatives(keeps_float32(RULES[rule](1.01)), X)
    assert not check.passed
    assert check.dtype == "float32"


def test_wrong_rule_in_a_scalar_loss_is_found():
    check = check_derivatives(lambda x: jnp.mean(with_jvp(1.01)(x)), jnp.asarray(X))
    assert not check.passed
    assert "most at index ()" in check.reason


@pytest.mark.parametrize(
    "estimator",
    [
        with_jvp(1.0, jnp.round, jnp.ones_like),
        with_vjp(1.0, jnp.round, jnp.ones_like),
        lambda x: x + lax.stop_gradient(jnp.round(x) - x),
        keeps_float32(lambda x: x + lax.stop_gradient(jnp.floor(x) - x)),
    ],
    ids=["jvp", "vjp", "stop_gradient", "in float32"],
)
def test_straight_through_estimator_is_found(estimator):
    check = check_derivatives(estimator, X)
    assert not check.passed
    assert not at_most(check.error, 0.5)


@pytest.mark.parametrize("rule", RULES)
def test_missing_factor_is_found(rule):
    square = RULES[rule](0.5, lambda x: x * x, lambda x: 2 * x)
    check = check_derivatives(square, X)
    assert not check.passed
    assert check.error == pytest.approx(0.5, rel=1e-3)


def test_missing_term_is_found():
    softmax = with_jvp(1.0, jax.nn.softmax, jax.nn.softmax)
    assert not check_derivatives(softmax, X).passed


def test_wrong_transpose_is_found_where_forward_mode_is_right():
    def doubled(x):
        return jax.custom_derivatives.linear_call(
            lambda _, y: 2.0 * y, lambda _, g: 2.02 * g, (), jnp.sin(x)
        )

    check = check_derivatives(doubled, X)
    assert not check.passed
    assert at_most(check.error, 1e-5)
    assert check.adjoint == pytest.approx(0.005, rel=0.3)
    assert check.forward_reverse == pytest.approx(0.01, rel=1e-3)


def test_wrong_element_among_outputs_of_other_sizes_is_found():
    def scaled(x, fun):
        return jnp.concatenate([1e12 * x[:3] ** 2, 1e-12 * fun(x[3:])])

    assert check_derivatives(lambda x: scaled(x, jnp.sin), X).passed
    check = check_derivatives(lambda x: scaled(x, with_jvp(1.01)), X)
    assert not check.passed
    assert (
        "index (3,)" in check.reason
        or "index (4,)" in check.reason
        or ("index (5,)" in check.reason)
    )


@pytest.mark.parametrize("size", [1e-8, 1e12])
def test_inputs_of_any_size_are_decided(size):
    x = X * np.float32(size)
    assert check_derivatives(lambda x: jnp.exp(x / size), x).passed
    wrong = with_jvp(1.01, jnp.exp, jnp.exp)
    assert not check_derivatives(lambda x: wrong(x / size), x).passed


def test_input_that_is_large_against_the_functions_waves_is_decided():
    x = X * np.float32(1e6)
    assert check_derivatives(jnp.sin, x).passed
    assert not check_derivatives(with_jvp(1.01), x).passed


def test_conjugated_rule_is_found():
    conjugated = with_jvp(1.0, jnp.exp, lambda z: jnp.conj(jnp.exp(z)))
    assert not check_derivatives(conjugated, np.array([1 + 2j], np.complex64)).passed
