"""Nodes, values and errors, shared by the tests of polynomials."""

import numpy as np

NODES = np.arange(1, 13) / 10  # the matrix polynomial's: condition number 2.6e9
NODE_SETS = {
    "one": np.array([2.0]),
    "equispaced": NODES,
    "both signs": np.linspace(-1, 1, 12),
    "integers": np.arange(12.0),
    "reciprocals": 1 / (np.arange(12) + 3),
    "loop": np.arange(1, 18) / 17,
}


def draw(*shape, seed=0):
    return np.random.default_rng(seed).uniform(size=shape)


def largest_error(a, exact):
    """The largest error of an entry, relative to the largest entry of that power."""
    scale = np.abs(exact).max(tuple(range(1, exact.ndim)), keepdims=True)
    return (np.abs(np.asarray(a, exact.dtype) - exact) / scale).max()


def chebyshev(n):
    return np.cos(np.pi * (np.arange(n) + 0.5) / n)
