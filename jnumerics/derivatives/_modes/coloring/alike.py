"""Entries that every sample of a batch has alike, and none in another's columns.

The full Jacobian of a batch whose samples do not mix is a block for each sample, on the
diagonal, and a coloring mostly treats the samples alike. Their entries can then be read
off and written for all samples together. Where devices share the samples, each so
writes the rows of its own, and none needs what others have found.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Int


class Alike(NamedTuple):
    """The entries of each sample: of each, the numbers within that sample.

    Attributes:
        samples: Number of samples.
        passes: The pass that holds the entry.
        places: Where it stands in that pass' result.
        rows: Its row.
        columns: Its column.
    """

    samples: int
    passes: np.ndarray
    places: np.ndarray
    rows: np.ndarray
    columns: np.ndarray

    def dense(self, results: Array, shape: tuple[int, int]) -> Array:
        """Return the Jacobian, of a shape, from the passes' results."""
        n = self.samples
        m, k = (size // n for size in shape)
        each = results.reshape(len(results), n, -1)
        values = each.at[self.passes, :, self.places].get(mode="promise_in_bounds")
        where = jnp.zeros((m, k, n), results.dtype).at[self.rows, self.columns]
        blocks = where.set(values, unique_indices=True, mode="promise_in_bounds")
        row, column = (lax.broadcasted_iota(int, (n, 1, n, 1), axis) for axis in (0, 2))
        whole = jnp.where(row == column, jnp.moveaxis(blocks, 2, 0)[:, :, None], 0)
        return whole.reshape(shape)


def alike(
    leaf: tuple[int, ...],
    shape: tuple[int, int],
    passes: Int[np.ndarray, " k"],
    places: Int[np.ndarray, " k"],
    rows: Int[np.ndarray, " k"],
    columns: Int[np.ndarray, " k"],
) -> Alike | None:
    """Return the entries of each sample; None where samples differ, or mix.

    Args:
        leaf: Shape of a pass' result, whose first axis may be that of samples.
        shape: Shape of the Jacobian.
        passes: For each entry, the pass that holds it.
        places: Where it stands in that pass' result.
        rows: Its row.
        columns: Its column.

    Returns:
        What all samples have in common.
    """
    n, count = leaf[0] if leaf else 0, len(rows)
    if n < 2 or not count or any(size % n for size in (*shape, count)):
        return None
    sizes = math.prod(leaf[1:]), *(size // n for size in shape)
    divided = [
        np.divmod(x, s) for x, s in zip((places, rows, columns), sizes, strict=True)
    ]
    (sample, place), (by_row, row), (by_column, column) = divided
    if np.any(by_row != sample) or np.any(by_column != sample):
        return None
    order = np.lexsort((column, row, sample))
    table = np.stack([sample, passes, place, row, column])[:, order]
    table = table.reshape(5, n, count // n)
    if np.any(table[0] != np.arange(n)[:, None]) or np.any(table[1:] != table[1:, :1]):
        return None
    return Alike(n, *table[1:, 0])
