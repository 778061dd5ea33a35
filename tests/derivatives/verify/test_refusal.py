"""What a check refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics.derivatives._verify.check import check_derivatives
from tests.derivatives.verify._rules import X


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("result", "got"),
    [(None, "none"), ((), "none"), ("text", "str"), (jnp.arange(3), "int32")],
)
def test_function_that_returns_no_numbers_is_refused(result, got):
    with pytest.raises(TypeError, match=got):
        check_derivatives(lambda _: result, X)


@pytest.mark.boundary
@pytest.mark.parametrize("x", [np.arange(3), 2, True, "text", [1, 2]])
def test_argument_that_has_no_derivative_is_refused(x):
    with pytest.raises(TypeError, match=r"args\[0\]"):
        check_derivatives(jnp.sin, x)


@pytest.mark.boundary
def test_what_is_no_function_is_refused():
    with pytest.raises(TypeError, match="`fun` must be a function"):
        check_derivatives(X, X)  # pyright: ignore[reportArgumentType]


@pytest.mark.boundary
@pytest.mark.parametrize(
    "argnums", ["0", 0.0, True, (), None, [0, 1], np.array([0, 1]), np.array([0])]
)
def test_argnums_that_are_no_integers_are_refused(argnums):
    with pytest.raises(TypeError, match="`argnums` must be an int or a tuple"):
        check_derivatives(jnp.sin, X, argnums=argnums)


@pytest.mark.boundary
@pytest.mark.parametrize("argnums", [1, -2, (0, 0), (0, -1)])
def test_argnums_that_name_no_argument_or_one_twice_are_refused(argnums):
    with pytest.raises(ValueError, match="`argnums` must be"):
        check_derivatives(jnp.sin, X, argnums=argnums)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("error", "wrong"),
    [
        (TypeError, 3),
        (TypeError, 0.5),
        (TypeError, "key"),
        (TypeError, jnp.ones(2)),
        (ValueError, np.zeros(3, np.uint32)),
        (ValueError, jax.random.split(jax.random.key(0))),
    ],
)
def test_what_is_no_random_key_is_refused(error, wrong):
    with pytest.raises(error, match="`key` must be"):
        check_derivatives(jnp.sin, X, key=wrong)


@pytest.mark.parametrize("old", [np.zeros(2, np.uint32), jax.random.PRNGKey(0)])
def test_keys_of_two_numbers_are_keys(old):
    assert check_derivatives(jnp.sin, X, key=old).passed


@pytest.mark.boundary
def test_values_hidden_by_a_transformation_are_refused():
    with pytest.raises(TypeError, match="outside jit, vmap and grad"):
        jax.jit(lambda x: jnp.asarray(check_derivatives(jnp.sin, x).passed))(X)
