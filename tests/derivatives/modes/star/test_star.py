"""Star colors of Hessians: how many, and that both sides of each entry are right."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO

from jnumerics.derivatives import hessian, plan
from tests import scenarios
from tests._second import line


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def arrow(x):
    return jnp.sum(x[0] ** 2 * jnp.sin(x))


def block_arrow(x):
    return jnp.sum(jnp.sin(x[:4])) * jnp.sum(jnp.sin(x)) + line(x)


def heads(x):
    return jnp.sum(jnp.sin(x[:5])) ** 2 * jnp.sum(jnp.sin(x[5:]))


def bilinear(x):
    return jnp.sum(x[0] * x[1:])


def pairs(x):
    return jnp.sum(x[::2] * x[1::2])


def grid(u):
    along = jnp.diff(u, axis=0), jnp.diff(u, axis=1)
    return sum(jnp.sum(d**4) for d in along)


def on_edges(edges):
    """A function whose Hessian has the entries of a graph, and its diagonal."""
    i, j = np.asarray(edges).T
    return lambda x: jnp.sum(jnp.sin(x[i] * x[j])) + jnp.sum(x**3)


def tree(n):
    return on_edges([(k, (k - 1) // 2) for k in range(1, n)])


def graph(n, edges, seed):
    return on_edges(np.random.default_rng(seed).integers(0, n, (edges, 2)))


def candidates(fun, *args, **options):
    found = plan(fun, *args, target="hessian", **options)
    return {c.mode: c for c in found.candidates}


def dense(tree):
    is_sparse = lambda b: isinstance(b, BCOO)
    return jax.tree.map(
        lambda b: b.todense() if is_sparse(b) else b, tree, is_leaf=is_sparse
    )


def assert_close(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10),
        found,
        expected,
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
    found = candidates(fun, numbers(*shape))
    assert found["compressed"].passes <= by_columns
    assert found["star"].passes <= by_stars
    assert found["star"].passes <= found["compressed"].passes


@pytest.mark.parametrize("format", ["dense", "bcoo"])
@pytest.mark.parametrize("name", COUNTED)
def test_entries_of_both_sides_are_those_of_jax(name, format, x64):
    fun, shape, *_ = COUNTED[name]
    x = numbers(*shape)
    found = hessian(fun, mode="star", format=format)(x)
    assert_close(dense(found), jax.jit(jax.hessian(fun))(x))


@pytest.mark.parametrize("n", [2, 3, 400])
def test_an_arrow_of_any_size_takes_two_passes(n):
    assert candidates(arrow, jnp.ones(n))["star"].passes == 2


def test_the_plan_takes_stars_where_they_are_cheaper_and_says_why():
    found = plan(arrow, jnp.ones(400), target="hessian")
    assert found.mode == "star"
    assert "2 colors of inputs, entries read on both sides" in str(found)
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
    found = hessian(total, k, mode="star", format="bcoo")(*args)
    expected = jax.jit(jax.jacfwd(jax.grad(total, k), k))(*args)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8),
        dense(found),
        expected,
    )


def energy(p, q, unused):
    middle = p["wide"] * q[:, None]
    return jnp.sum(jnp.sin(middle)) + jnp.sum(q) * p["one"] + 0.0 * jnp.sum(unused)


def test_trees_several_arguments_and_rows_of_zeros_are_served(x64):
    args = {"wide": numbers(7, 3), "one": np.float64(0.3)}, numbers(7), numbers(2)
    argnums = (0, 1, 2)
    star = candidates(energy, *args, argnums=argnums)["star"]
    assert star.same_as is None
    found = hessian(energy, argnums, mode="star", format="bcoo")(*args)
    assert_close(dense(found), jax.jit(jax.hessian(energy, argnums))(*args))


def test_a_result_of_one_entry_counts_as_a_scalar(x64):
    def one(x):
        return arrow(x)[None]

    x = numbers(12)
    assert_close(hessian(one, mode="star")(x), jax.jit(jax.hessian(one))(x))


def test_stars_under_transformations_are_those_of_jax(x64):
    X = numbers(2, 9)

    @jax.jit
    def slopes(X):
        ways = hessian(arrow, mode="star"), jax.hessian(arrow)
        totals = [lambda x, h=h: jnp.sum(jnp.sin(h(x))) for h in ways]
        return [jax.vmap(jax.value_and_grad(total))(X) for total in totals]

    assert_close(*slopes(X))


def test_stars_keep_a_bound_of_memory(x64):
    fun, x = graph(100, 160, 0), numbers(100)
    found = hessian(fun, mode="star", format="bcoo", max_bytes=40_000)(x)
    assert_close(found.todense(), jax.jit(jax.hessian(fun))(x))


@pytest.mark.slow
def test_a_hundred_thousand_inputs_are_colored():
    x = jnp.ones(100_000)
    assert candidates(arrow, x)["star"].passes == 2
    found = candidates(graph(10**5, 10**5, 0), x)
    assert found["star"].passes < found["compressed"].passes


@pytest.mark.boundary
def test_stars_are_for_one_real_number():
    with pytest.raises(ValueError, match="got 'star': `fun` must return one real"):
        hessian(jnp.sin, mode="star")(jnp.ones(3))
    with pytest.raises(ValueError, match="got 'star': `fun` must return one real"):
        hessian(lambda x: jnp.sum(jax.lax.complex(x**2, x)), mode="star")(jnp.ones(3))
