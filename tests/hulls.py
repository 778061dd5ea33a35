"""The smallest boxes that hold the nonzeros of a true Jacobian: the oracle of boxes."""

import jax
import numpy as np


def pattern(fun, *args, points=3):
    """Where the Jacobian in the first argument is nonzero at any of several points.

    By jacfwd in float64, at points around args[0]; leaves (*out, *in) for each leaf of
    the result. The caller enables x64.
    """
    x = np.asarray(args[0])
    draws = np.random.default_rng(0).uniform(0.8, 1.1, (points, *x.shape))
    jacobian = jax.jit(jax.jacfwd(fun))
    jacobians = [jacobian(x * draw.astype(x.dtype), *args[1:]) for draw in draws]
    return jax.tree.map(
        lambda *js: np.any([np.asarray(j) != 0 for j in js], 0), *jacobians
    )


def hull(pattern, in_rank):
    """Lower and upper of shape (*out, k), as `dependence` gives them; none: 0, -1."""
    out_rank = pattern.ndim - in_rank
    bounds = []
    for axis in range(out_rank, pattern.ndim):
        others = tuple(k for k in range(out_rank, pattern.ndim) if k != axis)
        along = pattern.any(axis=others)
        n = along.shape[-1]
        if n == 0:
            bounds.append(
                (np.zeros(along.shape[:-1], int), -np.ones(along.shape[:-1], int))
            )
            continue
        there = along.any(axis=-1)
        low, high = along.argmax(axis=-1), n - 1 - along[..., ::-1].argmax(axis=-1)
        bounds.append((np.where(there, low, 0), np.where(there, high, -1)))
    out = pattern.shape[:out_rank]
    lower = np.stack([b[0] for b in bounds], -1) if bounds else np.zeros((*out, 0), int)
    upper = np.stack([b[1] for b in bounds], -1) if bounds else np.zeros((*out, 0), int)
    return lower, upper


def holds(lower, upper, pattern):
    """Whether boxes hold every nonzero of a pattern."""
    low, high = hull(pattern, lower.shape[-1])
    empty = high < low
    return bool((empty | ((lower <= low) & (high <= upper))).all())
