"""In which precision a derivative is checked."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics.derivatives._program.jaxpr import narrow_dtypes
from jnumerics.derivatives._verify.check import check_derivatives
from tests.derivatives.verify._rules import W, X, keeps_float32, network


def test_function_that_keeps_float32_passes_and_says_so():
    check = check_derivatives(keeps_float32(network(jnp.sin)), X)
    assert check.passed
    assert check.dtype == "float32"
    assert check.precision is None
    assert "keeps float32 inside" in str(check)


def test_function_that_keeps_float32_says_so_in_double_precision(x64):
    check = check_derivatives(keeps_float32(jnp.sin), jnp.asarray(X, "float64"))
    assert check.passed
    assert "keeps float32 inside" in " ".join(str(check).split())


def test_function_that_cannot_run_in_float64_is_checked_in_float32():
    kernel = jnp.asarray(W[:2, :2, None, None])

    def correlated(x):  # lax promotes nothing
        images = jnp.sin(x).reshape(1, 2, 3, 1)
        return lax.conv_general_dilated(
            images, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    check = check_derivatives(correlated, X)
    assert check.passed
    assert "cannot run in float64" in " ".join(str(check).split())


def test_function_with_other_values_in_float64_is_checked_in_float32():
    def noisy(x):
        return jnp.sin(x) * jax.random.normal(jax.random.key(0), x.shape)

    check = check_derivatives(noisy, X)
    assert check.passed
    assert "other values in float64" in " ".join(str(check).split())


def test_constants_in_float32_do_not_keep_a_function_from_float64():
    w = jnp.asarray(W)
    with jax.numpy_dtype_promotion("standard"):
        check = check_derivatives(lambda x: jnp.sin(w @ x), X)
    assert check.passed
    assert check.dtype == "float64"


def test_rule_wrong_in_float32_only_is_found():
    @jax.custom_jvp
    def ruled(x):
        return jnp.sin(x)

    @ruled.defjvp
    def _(primals, tangents):
        factor = 1.02 if primals[0].dtype == jnp.float32 else 1.0
        return jnp.sin(*primals), factor * (jnp.cos(*primals) * tangents[0])

    check = check_derivatives(ruled, X)
    assert not check.passed
    assert check.precision == pytest.approx(0.02, rel=1e-3)
    assert check.reason.startswith("float32 against float64")


def test_precision_counts_where_the_input_passes_alone():
    def fun(x, held):
        return x * jnp.sin(held).astype(x.dtype), x.astype("float16").astype(x.dtype)

    with jax.enable_x64(True):
        program = jax.make_jaxpr(fun)(np.ones(2), np.ones(2, np.float32)).jaxpr
    assert narrow_dtypes(program, program.invars[:1]) == {"float16"}
