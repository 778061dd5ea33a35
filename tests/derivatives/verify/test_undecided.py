"""What cannot be decided, and functions that one mode alone serves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics.derivatives._verify import evidence
from jnumerics.derivatives._verify.check import check_derivatives
from jnumerics.derivatives._verify.flat import make
from tests import scenarios
from tests.derivatives.verify._rules import X, with_vjp


@pytest.mark.parametrize(
    "fun",
    [
        pytest.param(lambda x: x**3, id="cube"),
        pytest.param(lambda x: x * x, id="square"),
        pytest.param(jnp.prod, id="product"),
        pytest.param(lambda x: jnp.abs(x) ** 1.5, id="power 1.5 of abs"),
        pytest.param(lambda x: jax.nn.relu(x) ** 2, id="square of relu"),
    ],
)
def test_vanishing_slope_is_no_wrong_rule(fun):
    check = check_derivatives(fun, np.zeros(4, np.float32))
    assert check.passed
    assert check.kink == 0


@pytest.mark.parametrize(
    ("fun", "reason"),
    [
        pytest.param(jnp.sign, "jumps", id="sign"),
        pytest.param(
            lambda x: x + jnp.where(x == 0, 0.0, 1.0), "jumps", id="jump at zero"
        ),
        pytest.param(
            lambda x: jnp.where(x > 0, jnp.sqrt(x), 0.0),
            "vertical slope",
            id="square root",
        ),
        pytest.param(jnp.linalg.norm, "derivative is not finite", id="norm"),
        pytest.param(lambda x: jnp.log(x - 1), "`fun` is not finite", id="logarithm"),
        pytest.param(lambda x: x / x, "`fun` is not finite", id="quotient of zeros"),
    ],
)
def test_what_has_no_derivative_is_not_decidable(fun, reason):
    check = check_derivatives(fun, np.zeros(3, np.float32))
    assert not check.passed
    assert reason in check.reason


def test_reverse_mode_that_is_not_finite_is_found_where_forward_mode_is():
    check = check_derivatives(
        lambda x: jnp.where(x > 0, jnp.sqrt(x), 0.0), np.zeros(2, np.float32)
    )
    assert check.modes == ("forward",)
    assert "reverse mode: gives numbers that are not finite" in check.reason


def test_change_below_round_off_is_not_decidable():
    check = check_derivatives(lambda x: x + 1e10, X)
    assert not check.passed
    assert "does not stand out of its round-off" in check.reason


def test_point_at_the_border_of_the_domain_is_decided_from_inside():
    def power(x):
        return x**2.5

    x = np.array([0.0, 1.0], np.float32)
    assert check_derivatives(power, x).passed


def test_infinite_scores_stay_where_they_are():
    x = np.array([0.3, -np.inf, 1.0], np.float32)
    assert check_derivatives(jax.nn.softmax, x).passed


def test_function_served_by_forward_mode_only_is_checked_in_it(key):
    scenario = scenarios.by_name("newton_while")
    check = check_derivatives(scenario.fun, *scenario.make_args(key, "float32"))
    assert check.passed
    assert check.modes == ("forward",)
    assert check.adjoint is None
    assert check.forward_reverse is None
    assert "Reverse-mode differentiation does not work" in " ".join(str(check).split())


def test_function_served_by_reverse_mode_only_is_checked_in_it():
    check = check_derivatives(with_vjp(1.0), X)
    assert check.passed
    assert check.modes == ("reverse",)
    assert check.order == pytest.approx(2, abs=0.05)
    assert "can't apply forward-mode" in " ".join(str(check).split())


def test_function_that_no_mode_serves_raises_what_jax_says():
    def called_back(x):
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    with pytest.raises(ValueError, match="callbacks do not support"):
        check_derivatives(called_back, X)


def test_a_point_beside_is_one_where_the_function_is_finite():
    flat = make(lambda x: jnp.sqrt(x - 0.95), (jnp.ones(4),), {}, [0])
    point = evidence.beside(flat, np.random.default_rng(0))
    assert np.isfinite(flat.value(point)).all()
    assert (point != 1).all()
    nowhere = make(lambda x: jnp.where(x == 1, x, jnp.nan), (jnp.ones(4),), {}, [0])
    assert (evidence.beside(nowhere, np.random.default_rng(0)) != 1).all()
