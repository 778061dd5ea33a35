"""What the perceptron refuses."""

import jax
import numpy as np
import pytest

from jnumerics import perceptron
from tests.perceptron._system import START, X, Y


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("weights", "inputs", "error", "message"),
    [
        (
            np.ones((3, 1)),
            X,
            ValueError,
            r"`weights` must have rank 1, got shape \(3, 1\)",
        ),
        (
            np.ones(2),
            X,
            ValueError,
            r"`X` must have a last axis of size 2, got shape \(4, 3\)",
        ),
        (1.0, X, ValueError, r"`weights` must have rank 1, got shape \(\)"),
        (START + 0j, X, TypeError, "`weights` must be real, got dtype complex"),
        (START, X + 0j, TypeError, "`X` must be real, got dtype complex"),
        ([0.0, 0.0, 0.0], X, TypeError, "`weights` must be an array, got list"),
        (START, X.tolist(), TypeError, "`X` must be an array, got list"),
        (START, X.astype(object), TypeError, "`X` must hold numbers that JAX has"),
        (START, "X", TypeError, "`X` must be an array, got str"),
        (
            START.astype(object),
            X,
            TypeError,
            "`weights` must hold numbers that JAX has",
        ),
    ],
)
@pytest.mark.parametrize("function", ["apply", "loss", "fit"])
def test_bad_weights_and_inputs_are_rejected(function, weights, inputs, error, message):
    rest = {"apply": {}, "loss": {"y": Y}, "fit": {"y": Y, "steps": 2}}[function]
    with pytest.raises(error, match=message):
        getattr(perceptron, function)(weights, inputs, **rest)


@pytest.mark.boundary
@pytest.mark.parametrize("shape", [(3,), (2, 4, 3)])
def test_fit_wants_a_matrix_of_inputs(shape):
    with pytest.raises(ValueError, match="`X` must have rank 2, got shape"):
        perceptron.fit(START, np.zeros(shape), Y, steps=2)
    with pytest.raises(ValueError, match="`X` must have rank 2, got shape"):
        perceptron.loss(START, np.zeros(shape), Y)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"y": Y + 0j}, TypeError, "`y` must be real, got dtype complex"),
        ({"y": [0, 1, 1, 0]}, TypeError, "`y` must be an array, got list"),
        ({"steps": -1}, ValueError, "`steps` must be at least 0, got -1"),
        (
            {"steps": 2**31},
            ValueError,
            "`steps` must be at most 2147483647, got 2147483648",
        ),
        (
            {"learning_rate": 10**400},
            ValueError,
            "`learning_rate` must be in the range of a float",
        ),
        ({"steps": 1.0}, TypeError, "`steps` must be an integer, got float"),
        (
            {"learning_rate": "1"},
            TypeError,
            "`learning_rate` must be an array, got str",
        ),
        ({"learning_rate": 1j}, TypeError, "`learning_rate` must be real, got dtype"),
        ({"learning_rate": np.ones(1)}, ValueError, "`learning_rate` must have rank 0"),
    ],
)
def test_fit_rejects_bad_options(changes, error, message):
    options = {"y": Y, "steps": 2} | changes
    with pytest.raises(error, match=message):
        perceptron.fit(START, X, **options)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"key": np.zeros(3)},
            TypeError,
            "`key` must be a JAX random key, got dtype float",
        ),
        (
            {"key": jax.random.split(jax.random.key(0))},
            ValueError,
            "`key` must be one random key",
        ),
        ({"n_in": 2.0}, TypeError, "`n_in` must be an integer, got float"),
        ({"n_in": -1}, ValueError, "`n_in` must be at least 0, got -1"),
        (
            {"n_in": 10**30},
            ValueError,
            "`n_in` must be at most 2147483647, got an integer of",
        ),
        (
            {"dtype": np.longdouble},
            TypeError,
            "`dtype` must be a real floating-point type",
        ),
        (
            {"dtype": jax.random.key(0).dtype},
            TypeError,
            "`dtype` must be a real floating-point type",
        ),
        ({"dtype": "int32"}, TypeError, "`dtype` must be a real floating-point type"),
        (
            {"dtype": "complex64"},
            TypeError,
            "`dtype` must be a real floating-point type",
        ),
        (
            {"dtype": "nonsense"},
            TypeError,
            "`dtype` must be a real floating-point type",
        ),
    ],
)
def test_init_rejects_bad_arguments(changes, error, message):
    options = {"key": jax.random.key(0), "n_in": 3} | changes
    with pytest.raises(error, match=message):
        perceptron.init(**options)
