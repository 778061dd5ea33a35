"""What a narrow place keeps of the digits of low precisions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics.derivatives import laplacian
from tests.derivatives._second import trace_of_hessian
from tests.derivatives.modes.collapsed._place import INTO, OUT, Y, scalar


def test_float32_beside_bfloat16_in_one_place():
    def fun(x):
        h, low = INTO.astype("f") @ x, (OUT.T[:2, :6] @ x[:6]).astype(jnp.bfloat16)
        return scalar(jnp.sin(h)) + jnp.sum(low.astype(jnp.float32) ** 2)

    x = Y.astype(np.float32)
    lap = laplacian(fun, mode="narrow")(x)
    np.testing.assert_allclose(lap, trace_of_hessian(fun, x), rtol=2e-2)


def centered(x):
    """Take off a mode that all numbers of the place have in common."""
    h = 1e3 * jnp.sum(jnp.sin(x)) + jnp.asarray(INTO, x.dtype) @ x
    return scalar(h - jnp.mean(h))


def joules(x):
    energy = jnp.sum(1e-24 * jnp.sin(x)) / jnp.asarray(1e-24, x.dtype)
    return scalar(energy * jnp.linspace(0.0, 0.2, 6, dtype=x.dtype))


def centered_linear(x):
    """Take off a common mode, where the derivatives are the same at every point."""
    h = 1e3 * jnp.sum(x) + jnp.asarray(INTO, x.dtype) @ x
    return scalar(h - jnp.mean(h))


@pytest.mark.parametrize("fun", [centered, centered_linear, joules])
def test_a_place_loses_no_digits_that_one_sweep_keeps(fun):
    x = Y.astype(np.float32)
    laps = [laplacian(fun, mode=mode)(x) for mode in ("narrow", "collapsed")]
    with jax.enable_x64(True):
        expected = trace_of_hessian(fun, x.astype(float))
    np.testing.assert_allclose(laps, [expected] * 2, rtol=2e-2)
