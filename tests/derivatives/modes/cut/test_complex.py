"""Cuts of real and complex programs."""

import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics.derivatives._program.jaxpr import dtype_of
from tests.derivatives.modes._factors.functions import array, complex_array, weights
from tests.derivatives.modes._factors.jacobians import checked_cut, no_cut

pytestmark = pytest.mark.usefixtures("x64")


def test_real_program_is_not_cut_at_a_complex_variable():
    w = lax.complex(weights(6, 9), weights(6, 9, seed=1))

    def fun(x):
        z = w[:2] @ x.astype(complex)  # two complex numbers, four real ones
        return weights(9, 2) @ jnp.abs(z) ** 2 + weights(9, 3) @ (weights(3, 9) @ x)

    x = array(9)
    cut = checked_cut(fun, x)
    assert cut.width == 5
    assert all(np.isrealobj(np.zeros(0, dtype_of(v))) for v in cut.variables)


def test_real_program_through_a_complex_bottleneck_is_cut_at_its_ends():
    w = lax.complex(weights(1, 9), weights(1, 9, seed=1))

    def fun(x):
        z = w @ x.astype(complex)
        return jnp.real(w.T @ (z * z * (1 + 2j)))

    x = array(9)
    cut = checked_cut(fun, x)
    assert cut.width == 9


def test_holomorphic_program_is_cut_at_its_bottleneck():
    a, b = complex_array(2, 9), complex_array(9, 2)

    def fun(z):
        return jnp.fft.fft(jnp.sin(b @ jnp.exp(a @ z)))

    z = complex_array(9)
    cut = checked_cut(fun, z)
    assert cut.width == 2


def test_complex_program_with_a_conjugate_is_not_cut():
    a, b = complex_array(2, 9), complex_array(9, 2)
    reason = no_cut(lambda z: b @ jnp.conj(a @ z), complex_array(9))
    assert "is not complex-linear" in reason
    assert "test_complex.py:" in reason
    reason = no_cut(
        lambda z: b @ ((a @ z) * jnp.abs(a @ z).astype(complex)), complex_array(9)
    )
    assert "is not complex-linear" in reason

    def scanned(z):
        return lax.scan(lambda c, _: (jnp.conj(c), None), a @ z, None, length=2)[0]

    assert "scan at " in no_cut(scanned, complex_array(9))


def test_inputs_and_outputs_of_different_kinds_have_no_cut():
    assert "real and complex" in no_cut(jnp.abs, complex_array(4))
    assert "real and complex" in no_cut(lambda x: lax.complex(x, x), array(4))
    assert "real and complex" in no_cut(
        lambda x, z: (2 * x, 2 * z), array(4), complex_array(4)
    )
