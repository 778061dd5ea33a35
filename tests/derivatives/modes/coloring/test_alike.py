"""Entries that all samples of a batch have alike."""

import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics.derivatives._modes.coloring.alike import alike

SAMPLES, ROWS, COLUMNS = 3, 2, 4
SHAPE = SAMPLES * ROWS, SAMPLES * COLUMNS
LEAF = SAMPLES, ROWS  # of a pass' result: inputs share passes


def entries(random):
    """Five entries of each sample, in any order: pass, place, row and column."""
    own = random.permutation(ROWS * COLUMNS)[:5]
    row, column = np.divmod(own, COLUMNS)
    sample = np.repeat(np.arange(SAMPLES), len(own))
    rows, columns = sample * ROWS + np.tile(row, SAMPLES), np.tile(column, SAMPLES)
    table = np.stack([columns, rows, rows, sample * COLUMNS + columns])
    return table[:, random.permutation(table.shape[1])]


@pytest.mark.parametrize("seed", range(4))
def test_entries_of_all_samples_are_written_as_one_by_one(seed):
    random = np.random.default_rng(seed)
    passes, places, rows, columns = table = entries(random)
    results = random.normal(size=(COLUMNS, *LEAF)).astype(np.float32)
    common = alike(LEAF, SHAPE, *table)
    assert common is not None
    expected = np.zeros(SHAPE, np.float32)
    expected[rows, columns] = results.reshape(COLUMNS, -1)[passes, places]
    np.testing.assert_array_equal(common.dense(jnp.asarray(results), SHAPE), expected)


def changed(row, by):
    """The entries with one of their numbers changed, for the first in order."""
    table = entries(np.random.default_rng(0))
    first = np.lexsort(table[::-1])[0]
    table[row, first] += by
    return table


@pytest.mark.parametrize(
    ("leaf", "table"),
    [
        (LEAF, changed(0, 1)),  # another pass in one sample
        (LEAF, changed(3, COLUMNS)),  # a column of another sample
        (LEAF, entries(np.random.default_rng(0))[:, 1:]),  # one entry fewer
        ((), entries(np.random.default_rng(0))),
        ((SAMPLES * ROWS,), entries(np.random.default_rng(0))),  # flattened
    ],
)
def test_samples_that_differ_or_mix_have_nothing_alike(leaf, table):
    assert alike(leaf, SHAPE, *table) is None
