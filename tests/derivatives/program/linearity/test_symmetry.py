"""What is proven symmetric is, at kinks and ties too; what is not, need not be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.custom_derivatives import linear_call
from jax.scipy import linalg

from jnumerics.derivatives import hessian, plan
from jnumerics.derivatives._program.linearity.symmetry import asymmetry_of

AT_KINKS = np.array([0.0, 1.0, 2.0, 0.0, 1.0, -1.0, 0.5, 0.5, 0.0])
WEIGHTS = np.random.default_rng(1).normal(size=(3, 3))
REGULAR = (WEIGHTS @ WEIGHTS.T + 3 * np.eye(3) + 0.1 * WEIGHTS).ravel()


def reason(fun, x):
    return asymmetry_of(fun, (x,), {})()


def off(fun, x):
    """How far the Hessian, as JAX computes it, is from symmetric."""
    full = jax.jit(jax.jacfwd(jax.grad(fun)))(x)
    assert np.isfinite(full).all()
    return float(jnp.abs(full - full.T).max() / jnp.abs(full).max(initial=1e-9))


def halted(x):
    held = lax.stop_gradient(x)
    return jnp.sum(jnp.sin(x[:4] * held[1:5]) * x[5] * x[1:5] * held[0]) + x[1] ** 3


def looped(x):
    def step(c, v):
        return jnp.maximum(c * v, c + v), jnp.abs(c) * v

    c, ys = lax.scan(step, x[1], x)
    return c * jnp.sum(ys**2)


def branched(x):
    return lax.cond(x[1] > 0.5, lambda x: x[1] * x[2] ** 2, jnp.sum, x) * x[5]


KINKS = {
    "stop_gradient": halted,
    "maximum": lambda x: jnp.sum(jnp.maximum(x[:4], x[1:5]) ** 2 * x[4]),
    "max of ties": lambda x: jnp.max(x * x[::-1]) ** 2,
    "sort": lambda x: jnp.sum(jnp.sort(x) ** 2 * x),
    "abs": lambda x: jnp.sum(jnp.abs(x) * x[::-1]) ** 2,
    "relu": lambda x: jnp.sum(jax.nn.relu(x) * x[::-1]) ** 2,
    "where": lambda x: jnp.sum(jnp.where(x > 0.5, x * x[::-1], x[1] ** 3)),
    "clip": lambda x: jnp.sum(jnp.clip(x, x[::-1], 1.0) * x),
    "prod": lambda x: jnp.prod(x[:4]) + jnp.prod(x[4:]) * x[1],
    "cumprod": lambda x: jnp.sum(jnp.cumprod(x) * x),
    "logaddexp": lambda x: jnp.sum(jnp.logaddexp(x[:4], x[1:5]) * x[5]),
    "softmax": lambda x: jnp.sum(jax.nn.softmax(x) * x**2),
    "scan": looped,
    "cond": branched,
    "remat": jax.checkpoint(lambda x: jnp.sum(jnp.sin(x * x[::-1]))),
}
MATRICES = {
    "qr": lambda a: jnp.linalg.qr(a)[0],
    "svd": lambda a: jnp.linalg.svd(a)[0],
    "solve": lambda a: jnp.linalg.solve(a, a.T @ WEIGHTS),
    "solve_triangular": lambda a: linalg.solve_triangular(a, a @ WEIGHTS),
    "det": jnp.linalg.det,
    "lu": lambda a: linalg.lu(a)[1],
    "fft": lambda a: jnp.abs(jnp.fft.fft2(a)) ** 3,
    "complex qr": lambda a: jnp.real(jnp.linalg.qr(lax.complex(a, a @ a))[0]),
}


def weighed(of_matrix):
    return lambda v: jnp.sum(WEIGHTS * of_matrix(v.reshape(3, 3)))


def phased(a):
    return lax.complex(a + a.T, a @ a - (a @ a).T)


@pytest.mark.parametrize("name", KINKS)
def test_what_is_proven_is_symmetric_at_kinks(name, x64):
    assert reason(KINKS[name], AT_KINKS) == ""
    assert off(KINKS[name], AT_KINKS) < 1e-14


@pytest.mark.parametrize("name", MATRICES)
def test_what_is_proven_is_symmetric_through_matrices(name, x64):
    with jax.numpy_rank_promotion("allow"):
        fun = weighed(MATRICES[name])
        assert reason(fun, REGULAR) == ""
        assert off(fun, REGULAR) < 1e-10


@jax.custom_jvp
def swapped(x, y):
    return x * y


swapped.defjvp(lambda p, t: (p[0] * p[1], p[0] * p[0] * t[1] + p[1] * t[0]))


@jax.custom_vjp
def clipped(x, y):
    return x * y


clipped.defvjp(
    lambda x, y: (x * y, (x, y)),
    lambda r, g: (jnp.clip(g * r[1], -0.1, 0.1), g * r[0] * r[0]),
)


def solved(x):
    """A solver whose transpose is that of another matrix."""
    scale = 2.0 + x[:3] ** 2
    return lax.custom_linear_solve(
        lambda v: scale * v,
        x[3:6],
        lambda _, b: b / scale,
        lambda _, b: b / (scale * scale),
    )


BROKEN = {
    "custom_jvp_call": lambda x: jnp.sum(swapped(x[0], x) * x),
    "custom_vjp_call": lambda x: jnp.sum(clipped(x[:4], x[1:5]) * x[2:6]),
    "custom_linear_solve": lambda x: jnp.sum(jnp.sin(solved(x))),
    "eigh": weighed(lambda a: lax.linalg.eigh(a, symmetrize_input=False)[0]),
    "complex eigh": weighed(lambda a: jnp.real(jnp.linalg.eigh(phased(a))[1])),
    "complex svd": weighed(
        lambda a: jnp.real(jnp.linalg.svd(lax.complex(a, a @ a))[0])
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_not_proven_need_not_be_symmetric(name, x64):
    with jax.numpy_rank_promotion("allow"):
        assert name.split()[-1] in reason(BROKEN[name], REGULAR)
        assert off(BROKEN[name], REGULAR) > 1e-3


def test_a_factor_that_reads_one_triangle_is_not_proven():
    """In JAX 0.10 the rule of cholesky reads both."""
    for factor in (jnp.linalg.cholesky, lambda a: linalg.cholesky(a, lower=True)):
        assert "cholesky at " in reason(weighed(factor), REGULAR)


def test_a_map_with_a_transpose_by_the_user_is_not_proven():
    def fun(x):
        pair = (lambda r, v: v * r, lambda r, v: v * r)
        return jnp.sum(linear_call(*pair, x[:2], x[2:]) ** 2)

    assert "linear_call at " in reason(fun, jnp.ones(4))


def test_a_rule_inside_of_a_loop_is_found():
    def fun(x):
        return lax.fori_loop(0, 3, lambda _, c: swapped(c, x[0]), x[1])

    assert "custom_jvp_call at " in reason(fun, jnp.ones(3))


def test_a_rule_that_no_derivative_passes_does_not_matter():
    def fun(x):
        return jnp.sum(x**3) * swapped(lax.stop_gradient(x[0]), 2.0)

    assert reason(fun, jnp.ones(3)) == ""


@pytest.mark.parametrize(
    "fun",
    [
        lambda x: x[0] * jnp.sum(jnp.interp(x, AT_KINKS, AT_KINKS**2) * x),
        lambda x: x[0] * jnp.sum(jnp.histogram(x, 3)[0] * jnp.sum(x)),
        lambda x: printed(x[0] * jnp.sum(x**2)),
    ],
    ids=["searchsorted", "histogram", "print"],
)
def test_what_makes_no_inexact_number_does_not_matter(fun):
    assert reason(fun, jnp.linspace(0.1, 0.9, AT_KINKS.size)) == ""


def printed(y):
    jax.debug.print("y = {}", y)
    return y


def test_a_function_of_jax_with_a_rule_by_the_user_is_the_users():
    mine = jax.custom_jvp(jnp.hypot)
    mine.defjvp(lambda p, t: (jnp.hypot(*p), p[1] * p[1] * t[0]))
    assert "custom_jvp_call" in reason(lambda x: mine(x[0], x[1]), jnp.ones(3))


def arrow_by_rule(x):
    return jnp.sum(swapped(x[0], jnp.sin(x)) * x)


def test_stars_are_refused_with_the_line_until_vouched_for(x64):
    chosen = plan(arrow_by_rule, AT_KINKS, target="hessian")
    (star,) = (c for c in chosen.candidates if c.mode == "star")
    assert star.strategy is None
    assert chosen.mode != "star"
    assert "test_symmetry.py:" in star.note
    with pytest.raises(ValueError, match=r"got 'star': custom_jvp_call at .*symmetry"):
        hessian(arrow_by_rule, mode="star")(AT_KINKS)


def test_vouched_for_in_vain_a_hessian_by_stars_is_symmetric_and_wrong(x64):
    truth = jax.jacfwd(jax.grad(arrow_by_rule))(AT_KINKS)
    H = hessian(arrow_by_rule, mode="star", check=None)(AT_KINKS)
    np.testing.assert_array_equal(H, H.T)
    assert np.abs(H - truth).max() > 0.1
