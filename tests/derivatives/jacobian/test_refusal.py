"""What `jacobian` and its relatives refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics.derivatives import hessian, jacobian, value_and_jacobian
from tests.derivatives.jacobian._modes import bottleneck

REFUSED = {
    "no array": (lambda _: None, TypeError, "must return an array"),
    "integer results": (lambda x: x > 0, TypeError, "must return real or complex"),
    "a concrete value": (
        lambda x: x * float(x[0]),
        TypeError,
        r"test_refusal\.py:\d+",
    ),
    "a concrete index": (lambda x: x[x > 0], TypeError, r"test_refusal\.py:\d+"),
    "scatter-mul": (
        lambda x: x.at[np.arange(2)].multiply(x[1]),
        ValueError,
        "differentiable",
    ),
    "NumPy": (lambda x: np.sin(np.asarray(x)), TypeError, r"test_refusal\.py:\d+"),
}


@pytest.mark.whole
@pytest.mark.boundary
@pytest.mark.parametrize("name", REFUSED)
def test_functions_without_a_derivative_program_are_refused(name):
    fun, error, match = REFUSED[name]
    with pytest.raises(error, match=match):
        jacobian(fun)(jnp.ones(3))


def test_an_error_of_the_users_own_stays_it():
    def later(_):
        raise NotImplementedError

    with pytest.raises(NotImplementedError):
        jacobian(later)(jnp.ones(3))


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("x", "match"),
    [
        (
            np.arange(3),
            r"`args\[0\]` must be real to be differentiated, got dtype int32",
        ),
        (np.array([True]), "must be real to be differentiated, got dtype bool"),
        (1j, "set holomorphic=True"),
        ("a", r"`args\[0\]` must be an array, got str"),
    ],
)
def test_inputs_without_a_derivative_are_refused(x, match):
    with pytest.raises(TypeError, match=match):
        jacobian(lambda x: x)(x)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"mode": "fast"}, ValueError, "`mode` must be one of"),
        ({"format": "csr"}, ValueError, "`format` must be one of"),
        ({"max_bytes": 0}, ValueError, "`max_bytes` must be at least 1"),
        ({"max_bytes": 1.5}, TypeError, "`max_bytes` must be an integer"),
        ({"argnums": "x"}, TypeError, "`argnums` must be an int"),
        ({"argnums": (0, 0)}, ValueError, "`argnums` must be different"),
        ({"argnums": np.array([0, 1])}, TypeError, "`argnums` must be an int"),
        ({"has_aux": "yes"}, TypeError, "`has_aux` must be True or False, got str"),
        ({"has_aux": 1}, TypeError, "`has_aux` must be True or False, got int"),
        ({"holomorphic": "no"}, TypeError, "`holomorphic` must be True or False, got "),
    ],
)
def test_unknown_options_are_refused(options, error, match):
    with pytest.raises(error, match=match):
        jacobian(jnp.sin, **options)


@pytest.mark.boundary
def test_a_missing_argument_is_refused():
    with pytest.raises(ValueError, match="`argnums` must be below the number"):
        jacobian(jnp.sin, 1)(jnp.ones(2))


@pytest.mark.boundary
def test_max_bytes_below_one_pass_is_refused():
    with pytest.raises(ValueError, match=r"`max_bytes` must be at least \d+ for one"):
        jacobian(bottleneck, max_bytes=8)(jnp.ones(12))


@pytest.mark.boundary
def test_a_mode_that_is_not_served_says_why(key):
    def newton(x):
        return jax.lax.while_loop(lambda y: jnp.sum(y) > 1e3, lambda y: y / 2, x * 2.0)

    with pytest.raises(ValueError, match=r"`mode` must be one that serves.*while at"):
        jacobian(newton, mode="reverse")(jnp.ones(3))


@pytest.mark.boundary
def test_holomorphic_needs_complex_numbers():
    with pytest.raises(TypeError, match="must be complex with holomorphic=True"):
        jacobian(jnp.sin, holomorphic=True)(jnp.ones(2))
    with pytest.raises(TypeError, match="must return complex numbers"):
        jacobian(jnp.abs, holomorphic=True)(jnp.ones(2, jnp.complex64))


@pytest.mark.boundary
def test_aux_needs_a_pair():
    with pytest.raises(TypeError, match=r"must return a pair .*, got an array"):
        jacobian(jnp.sin, has_aux=True)(jnp.ones(2))


@pytest.mark.boundary
def test_aux_needs_arrays():
    with pytest.raises(TypeError, match="`fun's aux` must be an array, got str"):
        jacobian(lambda x: (x, {"name": "x"}), has_aux=True)(jnp.ones(2))


@pytest.mark.boundary
def test_hessian_refuses_what_jacobian_refuses():
    with pytest.raises(TypeError, match="must be real to be differentiated"):
        hessian(jnp.sum)(np.arange(3))
    with pytest.raises(ValueError, match="`format` must be one of"):
        hessian(jnp.sum, format="csr")


@pytest.mark.boundary
def test_value_and_jacobian_refuses_what_jacobian_refuses():
    with pytest.raises(TypeError, match="must be real to be differentiated"):
        value_and_jacobian(jnp.sum)(np.arange(3))
    with pytest.raises(ValueError, match="`mode` must be one of"):
        value_and_jacobian(jnp.sum, mode="fast")
