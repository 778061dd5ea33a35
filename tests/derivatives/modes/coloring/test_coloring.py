"""Proven colorings, against dense Jacobians and known chromatic numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from jnumerics.derivatives._modes.coloring import detect, lattice
from jnumerics.derivatives._modes.coloring.compress import of_outputs
from jnumerics.derivatives._modes.coloring.greedy import conflicts, greedy
from jnumerics.derivatives._modes.coloring.lattice import color
from jnumerics.derivatives._program.jaxpr import shape_of
from tests.derivatives.modes.coloring._cases import (
    CASES,
    array,
    arrow,
    average_pool,
    compressed,
    convolution,
    dense,
    features_couple,
    flat_star,
    linear_part,
    mesh,
    patterns,
    periodic_star,
    reaction,
    rebuilt,
    ring,
    search,
    second_difference,
    star,
    tridiagonal,
    twice,
)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_the_passes_give_the_jacobian(name, reverse):
    fun, args = CASES[name]
    J, _ = rebuilt(fun, args, reverse)
    np.testing.assert_allclose(J, dense(fun, *args), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_the_entries_are_the_true_nonzeros(name):
    fun, args = CASES[name]
    compression = compressed(fun, *args)
    jacobian = dense(fun, *args)
    pattern = np.zeros(jacobian.shape, bool)
    pattern[compression.rows, compression.columns] = True
    pattern[compression.unproven] = jacobian[compression.unproven] != 0
    np.testing.assert_array_equal(pattern, jacobian != 0)


@pytest.mark.parametrize("name", CASES)
def test_entries_ascend_and_passes_are_their_columns_colors(name):
    fun, args = CASES[name]
    compression = compressed(fun, *args)
    colors = np.concatenate([c.ravel() for c in compression.colors])
    assert [c.shape for c in compression.colors] == [a.shape for a in args]
    assert {c.dtype for c in compression.colors} == {np.dtype(np.int32)}
    place = compression.rows.astype(np.int64) * colors.size + compression.columns
    assert (np.diff(place) > 0).all()
    np.testing.assert_array_equal(compression.passes, colors[compression.columns])
    assert set(colors[compression.columns]) == set(range(compression.n_colors))
    unread = np.delete(np.arange(colors.size), compression.columns)
    assert (colors[unread] == -1).all()
    assert not set(compression.rows) & set(compression.unproven)


@pytest.mark.parametrize(
    ("fun", "shape", "n_colors"),
    [
        pytest.param(tridiagonal, (1000,), 3, id="tridiagonal"),
        pytest.param(second_difference, (1000,), 3, id="second difference"),
        pytest.param(star, (200, 200), 5, id="star"),
        pytest.param(flat_star(200, 200), (40_000,), 5, id="flat star"),
        pytest.param(flat_star(61, 83), (61 * 83,), 5, id="flat star of odd sides"),
        pytest.param(convolution(), (41, 52), 9, id="convolution"),
        pytest.param(convolution(2), (41, 52), 9, id="strided convolution"),
        pytest.param(convolution(1, 2), (41, 52), 9, id="dilated convolution"),
        pytest.param(twice, (41, 52), 25, id="convolution twice"),
        pytest.param(
            lambda x: twice(x.reshape(41, 52)).ravel(),
            (41 * 52,),
            25,
            id="flat convolution twice",
        ),
        pytest.param(ring, (300,), 3, id="ring of 300"),
        pytest.param(ring, (301,), 4, id="ring of 301"),
        pytest.param(ring, (302,), 4, id="ring of 302"),
        pytest.param(periodic_star, (40, 55), 5, id="periodic star"),
        pytest.param(jnp.sin, (300, 7), 1, id="sine"),
    ],
)
def test_as_few_colors_as_are_possible(fun, shape, n_colors):
    compression = compressed(fun, array(*shape))
    assert (compression.n_colors, compression.unproven.size) == (n_colors, 0)


@pytest.mark.parametrize(
    ("fun", "args", "n_colors"),
    [
        (convolution(2), [array(41, 52)], 4),
        (average_pool, [array(20, 33)], 1),
        (lambda x: jnp.tanh(features_couple(x)), [array(50, 3)], 4),
    ],
    ids=["strided convolution", "pool", "blocks"],
)
def test_reverse_passes_are_fewer_where_outputs_are(fun, args, n_colors):
    compression = compressed(fun, *args, reverse=True)
    assert (compression.n_colors, compression.unproven.size) == (n_colors, 0)


@pytest.mark.parametrize("name", CASES)
def test_outputs_are_colored_by_the_pattern_that_is_known(name):
    fun, args = CASES[name]
    known, (_, linear, _) = compressed(fun, *args), linear_part(fun, *args)
    shapes = [shape_of(v) for v in linear.outputs]
    truth = dense(fun, *args) != 0
    turned = of_outputs(known, shapes, sum(truth.shape) + 1)
    if len(known.unproven) or turned is None:  # None: the pattern is its own transpose
        assert len(known.unproven) or (truth == truth.T).all()
        return
    pattern = np.zeros(truth.T.shape, bool)
    pattern[turned.rows, turned.columns] = True
    rest = turned.unproven
    np.testing.assert_array_equal(
        np.delete(pattern, rest, 0), np.delete(truth.T, rest, 0)
    )
    meets = np.stack([turned.rows, turned.passes], 1)
    assert len(np.unique(meets, axis=0)) == len(turned.rows)  # alone in its pass
    assert [c.shape for c in turned.colors] == shapes


def test_a_periodic_star_of_many_numbers_takes_few_colors(monkeypatch):
    monkeypatch.setattr(lattice, "_LARGE", 1000)
    monkeypatch.setattr(detect, "_MANY", 1000)
    compression = compressed(periodic_star, array(40, 41))
    assert compression.n_colors <= 9  # 5 where sides divide by 5; greedily more than 10
    assert not compression.unproven.size


def test_leaves_of_one_shape_share_colors():
    compression = compressed(reaction, array(30, 41), array(30, 41))
    assert compression.n_colors == 6


def test_an_arrows_head_is_left_to_a_reverse_pass():
    compression = compressed(arrow, array(3000))
    assert compression.n_colors == 2
    np.testing.assert_array_equal(compression.unproven, [0])


def test_an_irregular_pattern_takes_few_colors():
    compression = compressed(mesh, array(60))
    longest = np.bincount(compression.rows).max()
    assert compression.n_colors + compression.unproven.size <= 2 * longest


@pytest.mark.parametrize("limit", [1, 3, 5])
def test_none_where_the_coloring_does_not_save(limit):
    assert search(star, array(20, 30), limit=limit) is None
    assert search(arrow, array(30), limit=min(limit, 3)) is None


def test_one_pass_fewer_is_taken():
    assert compressed(star, array(20, 30), limit=6).n_colors == 5


@pytest.mark.parametrize(
    "fun",
    [
        pytest.param(jnp.cumsum, id="cumsum"),
        pytest.param(jnp.fft.fft, id="fft"),
        pytest.param(lambda x: array(300, 300) @ x, id="product"),
        pytest.param(jnp.sort, id="sort"),
    ],
)
def test_dense_functions_have_none(fun):
    assert search(fun, array(300), limit=300) is None


def test_a_search_beyond_the_budget_is_given_up(monkeypatch):
    monkeypatch.setattr(detect, "BUDGET", 1000)
    assert search(star, array(20, 30), limit=600) is None


@pytest.mark.parametrize("chunk", [1, 10_000])
def test_chunks_do_not_change_the_answer(monkeypatch, chunk):
    whole = compressed(twice, array(9, 12))
    monkeypatch.setattr(detect, "CHUNK", chunk)
    chunked = compressed(twice, array(9, 12))
    for one, other in zip(
        jax.tree.leaves(vars(whole)), jax.tree.leaves(vars(chunked)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("shape", [(0,), (0, 3)])
def test_empty_inputs_have_none(shape):
    assert search(lambda x: x * 2, array(*shape)) is None


def test_colorings_inside_jit_are_the_same():
    outside = compressed(flat_star(11, 13), array(143))
    inside = []

    @jax.jit
    def run(x):
        inside.append(compressed(flat_star(11, 13), x))
        return x

    run(array(143))
    np.testing.assert_array_equal(inside[0].passes, outside.passes)
    np.testing.assert_array_equal(inside[0].columns, outside.columns)


@settings(deadline=None, max_examples=150)
@given(patterns())
def test_any_pattern_is_colored_validly(pattern):
    mask, reads = pattern
    colors = color(reads, [(mask.shape[1],)])
    assert not conflicts(reads, colors).any()
    assert ((colors >= 0) == mask.any(axis=0)).all()
    assert set(colors[colors >= 0]) == set(range(colors.max() + 1))
    chosen = greedy(reads, np.full(mask.shape[1], -1))
    for row in mask:
        assert len(set(chosen[row])) == row.sum()
        assert len(set(colors[row])) == row.sum()
