"""Star colors of Hessians: how many, and that both sides of each entry are right."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics.derivatives import hessian, plan
from jnumerics.derivatives._modes.compressed import Compressed
from tests import scenarios
from tests.derivatives._second import line
from tests.derivatives.modes.star._graphs import (
    arrow,
    assert_close,
    bilinear,
    block_arrow,
    candidates,
    dense,
    graph,
    grid,
    heads,
    numbers,
    on_edges,
    pairs,
    tree,
)

# the function, its argument's shape, and the passes by columns and by stars
COUNTED = {
    "an arrow": (arrow, (40,), 3, 2),
    "four heads and a band": (block_arrow, (60,), 12, 7),
    "more heads than others": (heads, (9,), 9, 6),
    "a line": (line, (50,), 3, 3),
    "a grid": (grid, (9, 11), 5, 5),
    "no diagonal, one head": (bilinear, (30,), 2, 1),
    "no diagonal, pairs": (pairs, (30,), 1, 1),
    "a diagonal": (lambda x: jnp.sum(x**3), (30,), 1, 1),
    "a tree": (tree(63), (63,), 6, 3),
    "a random graph": (graph(100, 160, 0), (100,), 12, 8),
    "dense": (lambda x: jnp.sum(jnp.sin(x)) ** 2, (6,), 6, 6),
}


@pytest.mark.parametrize("name", COUNTED)
def test_star_colors_are_no_more_than_those_of_columns(name, x64):
    fun, shape, by_columns, by_stars = COUNTED[name]
    counted = candidates(fun, numbers(*shape))
    passes = [counted[mode].passes or 0 for mode in ("compressed", "star")]
    assert passes[0] <= by_columns
    assert passes[1] <= min(by_stars, passes[0])


@pytest.mark.parametrize("format", ["dense", "bcoo"])
@pytest.mark.parametrize("name", COUNTED)
def test_entries_of_both_sides_are_those_of_jax(name, format, x64):
    fun, shape, *_ = COUNTED[name]
    x = numbers(*shape)
    H = hessian(fun, mode="star", format=format)(x)
    assert_close(dense(H), jax.jit(jax.hessian(fun))(x))


@pytest.mark.parametrize("n", [2, 3, 400])
def test_an_arrow_of_any_size_takes_two_passes(n):
    assert candidates(arrow, jnp.ones(n))["star"].passes == 2


def test_the_plan_takes_stars_where_they_are_cheaper_and_says_why():
    chosen = plan(arrow, jnp.ones(400), target="hessian")
    assert chosen.mode == "star"
    assert "2 colors of inputs, entries read on both sides" in str(chosen)
    (star,) = (c for c in plan(line, jnp.ones(40), target="hessian").candidates[-1:])
    assert (star.mode, star.same_as) == ("star", "compressed")
    assert "no fewer passes by reading entries on both sides" in star.note


def two_colored_paths(colors, edges):
    """Paths of four vertices in two colors: what a star coloring may not have."""
    neighbors = {v: set() for v in range(len(colors))}
    for i, j in edges:
        if i != j:
            neighbors[i].add(j)
            neighbors[j].add(i)
    for b in neighbors:
        for a, c in itertools.permutations(neighbors[b], 2):
            for d in neighbors[c] - {a, b}:
                if colors[a] == colors[c] and colors[b] == colors[d]:
                    yield a, b, c, d


@pytest.mark.parametrize("seed", range(6))
def test_the_coloring_is_a_star_coloring(seed):
    edges = np.random.default_rng(seed).integers(0, 30, (40, 2))
    star = candidates(on_edges(edges), jnp.ones(30))["star"]
    assert star.same_as is None
    assert isinstance(star.strategy, Compressed)
    (colors,) = star.strategy.compression.colors
    assert all(colors[i] != colors[j] for i, j in edges if i != j)
    assert list(two_colored_paths(colors, edges)) == []


def test_paths_of_two_colors_are_found():
    assert list(two_colored_paths([0, 1, 0, 1], [(0, 1), (1, 2), (2, 3)]))
    assert not list(two_colored_paths([0, 1, 0, 2], [(0, 1), (1, 2), (2, 3)]))


TWICE = scenarios.params("twice", without="complex zero zero_size")[::16]


@pytest.mark.parametrize("scenario", TWICE)
def test_stars_serve_the_scenarios(scenario, x64):
    args, k = scenario.make_args(jax.random.key(0), "float64"), scenario.argnums

    def total(*args):
        leaves = jax.tree.leaves(scenario.fun(*args))
        return sum(jnp.sum(jnp.sin(y)) for y in leaves)

    if candidates(total, *args, argnums=k)["star"].strategy is None:
        pytest.skip("a rule of its own")
    H = hessian(total, k, mode="star", format="bcoo")(*args)
    expected = jax.jit(jax.jacfwd(jax.grad(total, k), k))(*args)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8),
        dense(H),
        expected,
    )


@pytest.mark.slow
def test_a_hundred_thousand_inputs_are_colored():
    x = jnp.ones(100_000)
    assert candidates(arrow, x)["star"].passes == 2
    counted = candidates(graph(10**5, 10**5, 0), x)
    assert counted["star"].same_as is None
