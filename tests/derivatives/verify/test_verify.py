"""Right derivatives pass, whatever the arguments."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics.derivatives._verify.check import check_derivatives
from tests import scenarios
from tests.derivatives.verify._rules import X, at_most, network, with_jvp

SCENARIOS = scenarios.params(without="stopped", every=12)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_right_scenario_passes_in_its_first_dtype(scenario, key):
    args = scenario.make_args(key, scenario.dtypes[0])
    check = check_derivatives(scenario.fun, *args, argnums=scenario.argnums)
    assert check.passed, str(check)
    assert check.kink == 0


@pytest.mark.product
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_right_scenario_passes_in_its_other_dtypes(scenario, key):
    for dtype in scenario.dtypes[1:]:
        with jax.enable_x64(dtype in ("float64", "complex128")):
            args = scenario.make_args(key, dtype)
            check = check_derivatives(scenario.fun, *args, argnums=scenario.argnums)
        assert check.passed, str(check)


@pytest.mark.parametrize("name", ["star", "dict_to_tuple", "fourier", "custom_vjp"])
def test_right_scenario_passes_in_double_precision(name, key, x64):
    scenario = scenarios.by_name(name)
    dtype = "complex128" if "complex" in scenario.tags else "float64"
    args = scenario.make_args(key, dtype)
    check = check_derivatives(scenario.fun, *args, argnums=scenario.argnums)
    assert check.passed
    assert check.precision is None
    assert check.dtype == "float64"


def test_right_scenario_passes_in_bfloat16(key):
    scenario = scenarios.by_name("softmax")
    check = check_derivatives(scenario.fun, *scenario.make_args(key, "bfloat16"))
    assert check.passed
    assert not at_most(check.precision, 1e-4)


def test_order_is_two_where_the_function_bends_and_infinite_where_it_is_linear():
    assert check_derivatives(jnp.sin, X).order == pytest.approx(2, abs=0.01)
    assert check_derivatives(lambda x: 3 * x, X).order == np.inf


def test_all_figures_of_a_right_derivative_are_round_off():
    check = check_derivatives(network(jnp.sin), X)
    assert at_most(check.error, 1e-6)
    assert at_most(check.adjoint, 1e-13)
    assert at_most(check.forward_reverse, 1e-13)
    assert at_most(check.precision, 1e-5)
    assert check.modes == ("forward", "reverse")


def test_arguments_are_chosen_by_argnums():
    def fun(n, x, p, name):
        assert name == "wave"
        return {"a": jnp.sin(x) * n, "b": with_jvp(1.01)(p["w"])}

    args = (2, X, {"w": X[:2]}, "wave")
    with jax.numpy_dtype_promotion("standard"):
        assert check_derivatives(fun, *args, argnums=1).passed
        check = check_derivatives(fun, *args, argnums=(1, -2))
    assert not check.passed
    assert "output 1, index" in check.reason


def test_integer_arguments_beside_are_passed_on():
    labels = np.array([2, 0], np.int32)

    def picked(x, labels):
        return x.reshape(2, 3)[jnp.arange(2), labels] ** 2

    assert check_derivatives(picked, X, labels).passed


@pytest.mark.parametrize("x", [0.3, np.float64(0.3), np.matrix([[0.3, 1.0]])])
def test_numbers_and_matrices_are_arrays(x):
    assert check_derivatives(lambda x: jnp.sin(x) * jnp.ones((2, 1), x.dtype), x).passed


@pytest.mark.parametrize(
    ("fun", "x"),
    [
        (jnp.sin, np.zeros((0, 3), np.float32)),
        (lambda x: x[:0], X),
        (lambda _: jnp.ones(2), {}),
    ],
    ids=["no input", "no output", "no leaves"],
)
def test_empty_arrays_pass(fun, x):
    check = check_derivatives(fun, x)
    assert check.passed
    assert "nothing to check" in str(check)


@pytest.mark.parametrize(
    "fun",
    [
        pytest.param(lambda z: z * jnp.exp(z), id="holomorphic"),
        pytest.param(lambda z: jnp.abs(z) ** 2, id="squared magnitude"),
        pytest.param(lambda z: jnp.conj(z) * z, id="product with the conjugate"),
        pytest.param(lambda z: jnp.real(z) * jnp.imag(z), id="product of parts"),
    ],
)
def test_complex_functions_pass_whether_holomorphic_or_not(fun):
    assert check_derivatives(fun, np.array([1 + 2j, 0.3j], np.complex64)).passed


def test_complex_result_of_real_numbers_passes():
    assert check_derivatives(lambda x: jnp.exp(lax.complex(0 * x, x)), X).passed


def test_check_is_deterministic_and_follows_its_key():
    first, again = (check_derivatives(jnp.tanh, X) for _ in range(2))
    other = check_derivatives(jnp.tanh, X, key=jax.random.key(7))
    assert first == again
    assert other.passed
    assert other.order != first.order


def test_global_precision_is_left_alone():
    check_derivatives(jnp.sin, X)
    assert jnp.asarray(X).sum().dtype == jnp.float32
    assert jnp.ones(2).dtype == jnp.float32


@pytest.mark.parametrize("n", [100, 200, 8, 256])
def test_an_output_that_is_round_off_of_others_is_no_jump(n):
    for seed in range(6):
        x = np.random.default_rng(seed).normal(size=n).astype(np.float32)
        check = check_derivatives(jnp.fft.fft, x)  # of bin 0 the imaginary part is 0
        assert check.passed, str(check)


def test_a_small_jump_is_seen():
    """Two millionths of its own output, less than one of what stands beside it."""
    jump = lambda x: jnp.where(x > 0.5, 1e-6 * jnp.ones_like(x), 0.0) + jnp.sin(x)
    check = check_derivatives(lambda x: jnp.stack([jump(x), 1 + x]), 0.5)
    assert not check.passed
