"""Where the Jacobians of functions of neighbors, and of products, are not zero."""

import numpy as np

from tests._scenarios.table import offsets, outer


def star_pattern(h, w):
    rows, columns = offsets(h, h, -1, 1), offsets(w, w, -1, 1)
    return (
        outer(rows, np.eye(w, dtype=bool))
        | outer(np.eye(h, dtype=bool), columns)
        | outer(np.eye(h, dtype=bool), np.eye(w, dtype=bool))
    )


def ring_pattern(n):
    distance = (np.arange(n) - np.arange(n)[:, None]) % n
    return np.isin(distance, (0, 1, n - 1))


def periodic_star_pattern(h, w):
    one_h, one_w = np.eye(h, dtype=bool), np.eye(w, dtype=bool)
    return outer(ring_pattern(h), one_w) | outer(one_h, ring_pattern(w))


def kernel_pattern():
    """Output feature o reads the kernel's entries of feature o alone."""
    same = np.eye(4, dtype=bool)[None, None, :, None, None, None, :]
    return np.broadcast_to(same, (3, 5, 4, 3, 3, 2, 4))


def near(h, w, reach):
    steps = range(-reach, reach + 1)
    return outer(offsets(h, h, *steps), offsets(w, w, *steps))


def arrow_pattern(n):
    pattern = np.eye(n, dtype=bool)
    pattern[0] = pattern[:, 0] = True
    return pattern


def row_products_pattern(n, k):
    block = ~np.eye(k, dtype=bool)
    return np.eye(n, dtype=bool)[:, None, :, None] & block[None, :, None, :]


def outer_pattern(n):
    one = np.eye(n, dtype=bool)
    return one[:, None, :] | one[None, :, :]
