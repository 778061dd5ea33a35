"""Kinks: reported at the point, and no wrong rule."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics.derivatives._verify.check import check_derivatives
from tests.derivatives.verify._rules import (
    RULES,
    keeps_float32,
    network,
    with_jvp,
    with_vjp,
)

KINKS = {
    "relu": (jax.nn.relu, np.zeros(4)),
    "abs": (jnp.abs, np.array([0.0, 1.0, 2.0])),
    "all of abs": (jnp.abs, np.zeros(3)),
    "sort": (jnp.sort, np.array([1.0, 1.0, 2.0])),
    "top_k": (lambda x: lax.top_k(x, 2)[0], np.ones(3)),
    "maximum": (jnp.max, np.array([1.0, 2.0, 2.0])),
    "clip": (lambda x: jnp.clip(x, -1.0, 1.0), np.array([-1.0, 0.3, 1.0])),
    "network": (network(jax.nn.relu), np.zeros(6)),
    "difference": (lambda x: jax.nn.relu(x[0]) - jax.nn.relu(x[1]), np.zeros(2)),
    "float32 inside": (keeps_float32(jax.nn.relu), np.zeros(4)),
    "reverse only": (with_vjp(1.0, jnp.abs, jnp.sign), np.zeros(4)),
}


@pytest.mark.parametrize("name", KINKS)
def test_kink_at_the_point_is_reported_and_is_no_wrong_rule(name):
    fun, x = KINKS[name]
    check = check_derivatives(fun, x.astype(np.float32))
    assert check.passed, str(check)
    assert check.kink > 0.01
    assert "one-sided slopes differ" in " ".join(str(check).split())


def test_kink_of_abs_has_the_size_of_two_slopes():
    check = check_derivatives(jnp.abs, np.zeros(1, np.float32))
    assert check.kink == pytest.approx(2, rel=1e-6)


@pytest.mark.parametrize("x", [1e-6, -1e-3, 1.0])
def test_kink_beside_the_point_is_not_reported(x):
    check = check_derivatives(jax.nn.relu, np.array([x, 1.0], np.float32))
    assert check.passed
    assert check.kink == 0


def test_kink_near_the_point_is_no_wrong_rule_in_float32_either():
    x = np.array([1e-2, 1.0, -1e-3], np.float32)
    assert check_derivatives(keeps_float32(jax.nn.relu), x).passed


@pytest.mark.parametrize("rule", RULES)
def test_rule_wrong_beside_a_kink_is_found_at_the_kink(rule):
    ruled = RULES[rule](1.01, jnp.abs, jnp.sign)
    check = check_derivatives(ruled, np.zeros(4, np.float32))
    assert not check.passed
    assert check.kink > 0
    assert "beside the kink" in check.reason


def test_slope_outside_the_one_sided_slopes_is_found_at_a_kink():
    steep = with_jvp(5.0, jax.nn.relu, lambda x: jnp.where(x >= 0, 1.0, 0.0))
    assert not check_derivatives(steep, np.zeros(3, np.float32)).passed
