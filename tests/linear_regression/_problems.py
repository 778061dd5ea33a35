"""Problems and plain loops, shared by the tests of linear regression."""

import numpy as np

from jnumerics import linear_regression

SEED_X = np.array([[1, 5], [1, 2], [1, 4], [1, 5]])
SEED_Y = np.array([1, 6, 4, 2])
START = np.zeros(2)
gradient_descent = linear_regression.gradient_descent


def draw(m, n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(m, n)), rng.normal(size=m), rng.normal(size=n)
