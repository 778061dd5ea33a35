"""What `cost`, `gradient_descent` and `solve` refuse."""

import numpy as np
import pytest

from jnumerics import linear_regression
from tests.linear_regression._problems import SEED_X, SEED_Y, START, gradient_descent


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("X", "theta", "error", "message"),
    [
        (np.ones(4), START, ValueError, r"`X` must have rank 2, got shape \(4,\)"),
        (SEED_X, np.zeros((2, 1)), ValueError, r"`theta` must have rank 1, got shape"),
        (SEED_X, np.zeros(3), ValueError, r"`X` must have a last axis of size 3, got"),
        (
            np.ones((0, 2)),
            START,
            ValueError,
            r"`X` must have at least one row, got shape",
        ),
        (SEED_X * 1j, START, TypeError, r"`X` must be real, got dtype complex"),
        (SEED_X.tolist(), START, TypeError, r"`X` must be an array, got list"),
        (SEED_X, "00", TypeError, r"`theta` must be an array, got str"),
    ],
)
def test_cost_and_descent_reject(X, theta, error, message):
    with pytest.raises(error, match=message):
        linear_regression.cost(theta, X, SEED_Y)
    with pytest.raises(error, match=message):
        gradient_descent(X, SEED_Y, theta, learning_rate=0.1, steps=1)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("y", "message"),
    [
        (SEED_Y * 1j, "`y` must be real, got dtype complex"),
        (SEED_Y.tolist(), "`y` must be an array, got list"),
        (SEED_Y.astype(object), "`y` must hold numbers that JAX has, got dtype object"),
    ],
)
def test_cost_and_descent_reject_targets_of_another_type(y, message):
    with pytest.raises(TypeError, match=message):
        linear_regression.cost(START, SEED_X, y)
    with pytest.raises(TypeError, match=message):
        gradient_descent(SEED_X, y, START, learning_rate=0.1, steps=1)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"learning_rate": np.ones(1)}, ValueError, "`learning_rate` must have rank 0"),
        ({"learning_rate": 1j}, TypeError, "`learning_rate` must be real"),
        ({"learning_rate": "fast"}, TypeError, "`learning_rate` must be an array"),
        ({"steps": -1}, ValueError, "`steps` must be at least 0, got -1"),
        (
            {"steps": 2**31},
            ValueError,
            "`steps` must be at most 2147483647, got 214748",
        ),
        ({"steps": 1.0}, TypeError, "`steps` must be an integer, got float"),
    ],
)
def test_descent_rejects_options(options, error, message):
    with pytest.raises(error, match=message):
        gradient_descent(
            SEED_X, SEED_Y, START, **{"learning_rate": 0.1, "steps": 1, **options}
        )


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("X", "y", "error", "message"),
    [
        (np.ones(3), np.ones(3), ValueError, r"`X` must have rank 2, got shape \(3,\)"),
        (np.ones((2, 3)), np.ones(2), ValueError, r"`X` must have as many rows as col"),
        (np.ones((0, 0)), np.ones(0), ValueError, r"`X` must have at least one row"),
        (
            SEED_X,
            np.ones(3),
            ValueError,
            r"`y` must have an axis 0 of size 4, got shape",
        ),
        (SEED_X, 1.0, ValueError, r"`y` must have rank 1 or 2, got shape \(\)"),
        (
            SEED_X,
            np.ones((4, 1, 1)),
            ValueError,
            r"`y` must have rank 1 or 2, got shape",
        ),
        (SEED_X, SEED_Y * 1j, TypeError, r"`y` must be real, got dtype complex"),
        (SEED_X.tolist(), SEED_Y, TypeError, r"`X` must be an array, got list"),
    ],
)
def test_solve_rejects(X, y, error, message):
    with pytest.raises(error, match=message):
        linear_regression.solve(X, y)
