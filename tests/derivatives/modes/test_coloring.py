"""Compression: proven colorings, against dense Jacobians and known chromatic numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jnumerics.derivatives import jacobian, jacobian_diagonal, plan
from jnumerics.derivatives._dependence.boxes import NONE
from jnumerics.derivatives._dependence.constants.fold import constants_of
from jnumerics.derivatives._modes.coloring import detect
from jnumerics.derivatives._modes.coloring.compress import compress, transposed
from jnumerics.derivatives._modes.coloring.detect import Learned, Prover
from jnumerics.derivatives._modes.coloring.greedy import conflicts, greedy
from jnumerics.derivatives._modes.coloring.lattice import color
from jnumerics.derivatives._program.jaxpr import shape_of
from jnumerics.derivatives._program.joint import trace
from jnumerics.derivatives._program.tangent import part

KERNEL = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)


def array(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def linear_part(fun, *args):
    def flat(leaves):
        return jax.tree.leaves(fun(*leaves)), []

    program = trace(flat, args, range(len(args))).program
    outputs = [v for v in program.outputs if v is not None]
    linear = part(program.linear, program.tangents, outputs)
    return program, linear, constants_of(program)


def search(fun, *args, most=10**6, reverse=False):
    _, linear, known = linear_part(fun, *args)
    return compress(transposed(linear) if reverse else linear, known, limit=most)


def compressed(fun, *args, **options):
    found = search(fun, *args, **options)
    assert found is not None
    return found


def dense(fun, *args):
    """The Jacobian over all inputs and outputs, laid end to end."""

    def flat(x):
        sizes = np.cumsum([a.size for a in args])[:-1]
        parts = jnp.split(x, sizes)
        leaves = fun(*(p.reshape(a.shape) for p, a in zip(parts, args, strict=True)))
        return jnp.concatenate([y.ravel() for y in jax.tree.leaves(leaves)])

    point = jnp.concatenate([a.ravel() for a in args])
    return np.asarray(jax.jit(jax.jacfwd(flat))(point))


def rebuilt(fun, args, reverse=False):
    """The Jacobian from the passes that a compression names, and the compression."""
    program, linear, known = linear_part(fun, *args)
    _, env = program.evaluate(args)
    if reverse:
        linear = transposed(linear)
    found = compress(linear, known, limit=10**6)
    assert found is not None
    n = sum(c.size for c in found.colors)
    m = sum(int(np.prod(shape_of(v))) for v in linear.outputs)
    masks = [
        np.arange(found.n_colors)[(...,) + (None,) * c.ndim] == c for c in found.colors
    ]
    tangents = [jnp.asarray(mask, jnp.float32) for mask in masks]
    passes = over_all(linear.forward(env), tangents, m)
    result = np.zeros((m, n))
    result[found.rows, found.columns] = passes[found.passes, found.rows]
    if found.unproven.size:
        rows = np.arange(m) == found.unproven[:, None]
        ends = np.cumsum([np.prod(shape_of(v), dtype=int) for v in linear.outputs])[:-1]
        parts = zip(np.split(rows, ends, axis=1), linear.outputs, strict=True)
        cotangents = [
            jnp.asarray(part.reshape(-1, *shape_of(v)), jnp.float32)
            for part, v in parts
        ]
        result[found.unproven] = over_all(linear.reverse(env), cotangents, n)
    return (result.T if reverse else result), found


def over_all(linear_map, starts, size):
    """The results of a linear map from each start, (starts, size)."""

    def flat(*start):
        return jnp.concatenate([y.ravel() for y in linear_map(*start)])

    if not len(starts[0]):
        return np.zeros((0, size))
    return np.asarray(jax.jit(jax.vmap(flat))(*starts))


def tridiagonal(x):
    return x[1:-1] * x[2:] - x[:-2] ** 2


def second_difference(x):
    return jnp.convolve(x, jnp.array([1.0, -2.0, 1.0]), mode="same") * jnp.sin(x)


def star(x):
    p = jnp.pad(x, 1)
    near = p[2:, 1:-1] + p[:-2, 1:-1] + p[1:-1, 2:] + p[1:-1, :-2]
    return near - 4 * x + x**3


def flat_star(rows, columns):
    return lambda x: star(x.reshape(rows, columns)).ravel()


def ring(x):
    return jnp.roll(x, 1, 0) * jnp.roll(x, -1, 0) + x


def periodic_star(x):
    return ring(x) + jnp.roll(x, 1, 1) * jnp.roll(x, -1, 1)


def convolution(stride=1, dilation=1, padding="SAME"):
    def fun(x):
        y = jax.lax.conv_general_dilated(
            x[None, None], jnp.asarray(KERNEL[None, None]), (stride, stride), padding,
            rhs_dilation=(dilation, dilation),
        )  # fmt: skip
        return jnp.tanh(y[0, 0])

    return fun


def twice(x):
    return convolution()(convolution()(x))


def arrow(x):
    return jnp.concatenate([jnp.sum(x**2)[None], x[1:] * x[0] + x[1:] ** 2])


def reaction(u, v):
    return star(u) * v, star(v) - u * v


def mesh(x):
    """Each element of an irregular mesh reads three nodes and adds to three."""
    nodes = np.random.default_rng(1).integers(0, 60, (25, 3))
    forces = jnp.prod(x[nodes], axis=1)
    return jnp.zeros(60).at[nodes[:, 0]].add(forces) + x**2


def features_couple(x):
    return jnp.tanh(x @ array(3, 4))


def average_pool(x):
    sums = jax.lax.reduce_window(x, 0.0, jax.lax.add, (2, 3), (2, 3), "VALID")
    return sums**2


CASES = {
    "tridiagonal": (tridiagonal, [array(17)]),
    "second difference": (second_difference, [array(17)]),
    "star": (star, [array(7, 9)]),
    "flattened star": (flat_star(11, 13), [array(143)]),
    "ring": (ring, [array(23)]),
    "periodic star": (periodic_star, [array(11, 13)]),
    "convolution": (convolution(), [array(8, 11)]),
    "strided": (convolution(2), [array(8, 11)]),
    "dilated": (convolution(1, 2), [array(9, 11)]),
    "two convolutions": (twice, [array(9, 12)]),
    "arrow": (arrow, [array(30)]),
    "reaction": (reaction, [array(6, 9), array(6, 9, seed=1)]),
    "mesh": (mesh, [array(60)]),
    "blocks": (features_couple, [array(10, 3)]),
    "pool": (average_pool, [array(6, 9)]),
    "scalar input": (lambda s, x: (s * x, x[:2] * 3), [jnp.float32(2), array(5)]),
    "unused input": (lambda x, _: x[::2] * 2, [array(7), array(3)]),
    "nothing read": (lambda x: x.at[1:4].set(0.0) * 2, [array(6)]),
    "permuted": (lambda x: x[np.array([3, 0, 2, 2])] ** 2, [array(5)]),
    "per sample, then flat": (lambda x: features_couple(x).ravel(), [array(9, 3)]),
    "three axes": (lambda x: x[1:] * x[:-1, :, ::-1], [array(4, 3, 5)]),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_the_passes_give_the_jacobian(name, reverse):
    fun, args = CASES[name]
    found, _ = rebuilt(fun, args, reverse)
    np.testing.assert_allclose(found, dense(fun, *args), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_the_entries_are_the_true_nonzeros(name):
    fun, args = CASES[name]
    found = compressed(fun, *args)
    jacobian = dense(fun, *args)
    pattern = np.zeros(jacobian.shape, bool)
    pattern[found.rows, found.columns] = True
    pattern[found.unproven] = jacobian[found.unproven] != 0
    np.testing.assert_array_equal(pattern, jacobian != 0)


@pytest.mark.parametrize("name", CASES)
def test_entries_ascend_and_passes_are_their_columns_colors(name):
    fun, args = CASES[name]
    found = compressed(fun, *args)
    colors = np.concatenate([c.ravel() for c in found.colors])
    assert [c.shape for c in found.colors] == [a.shape for a in args]
    assert {c.dtype for c in found.colors} == {np.dtype(np.int32)}
    place = found.rows.astype(np.int64) * colors.size + found.columns
    assert (np.diff(place) > 0).all()
    np.testing.assert_array_equal(found.passes, colors[found.columns])
    assert set(colors[found.columns]) == set(range(found.n_colors))
    unread = np.delete(np.arange(colors.size), found.columns)
    assert (colors[unread] == -1).all()
    assert not set(found.rows) & set(found.unproven)


@pytest.mark.parametrize(
    ("fun", "shape", "n_colors"),
    [
        (tridiagonal, (1000,), 3),
        (second_difference, (1000,), 3),
        (star, (200, 200), 5),
        (flat_star(200, 200), (40_000,), 5),
        (flat_star(61, 83), (61 * 83,), 5),
        (convolution(), (41, 52), 9),
        (convolution(2), (41, 52), 9),
        (convolution(1, 2), (41, 52), 9),
        (twice, (41, 52), 25),
        (lambda x: twice(x.reshape(41, 52)).ravel(), (41 * 52,), 25),
        (ring, (300,), 3),
        (ring, (301,), 4),
        (ring, (302,), 4),
        (periodic_star, (40, 55), 5),
        (jnp.sin, (300, 7), 1),
    ],
)
def test_as_few_colors_as_are_possible(fun, shape, n_colors):
    found = compressed(fun, array(*shape))
    assert (found.n_colors, found.unproven.size) == (n_colors, 0)


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
    found = compressed(fun, *args, reverse=True)
    assert (found.n_colors, found.unproven.size) == (n_colors, 0)


def test_leaves_of_one_shape_share_colors():
    found = compressed(reaction, array(30, 41), array(30, 41))
    assert found.n_colors == 6


def test_an_arrows_head_is_left_to_a_reverse_pass():
    found = compressed(arrow, array(3000))
    assert found.n_colors == 2
    np.testing.assert_array_equal(found.unproven, [0])


def test_an_irregular_pattern_takes_few_colors():
    found = compressed(mesh, array(60))
    longest = np.bincount(found.rows).max()
    assert found.n_colors + found.unproven.size <= 2 * longest


@pytest.mark.parametrize("most", [1, 3, 5])
def test_none_where_the_coloring_does_not_save(most):
    assert search(star, array(20, 30), most=most) is None
    assert search(arrow, array(30), most=min(most, 3)) is None


def test_one_pass_fewer_is_taken():
    assert compressed(star, array(20, 30), most=6).n_colors == 5


@pytest.mark.parametrize(
    "fun", [jnp.cumsum, jnp.fft.fft, lambda x: array(300, 300) @ x, jnp.sort]
)
def test_dense_functions_have_none(fun):
    assert search(fun, array(300), most=300) is None


def test_a_search_beyond_the_budget_is_given_up(monkeypatch):
    monkeypatch.setattr(detect, "BUDGET", 1000)
    assert search(star, array(20, 30), most=600) is None


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


def test_the_zero_jacobian_takes_no_pass():
    def fun(x):
        return x[jnp.array([7, 9])] * 2  # out of range: filled, not read

    with jax.numpy_dtype_promotion("standard"):
        found = compressed(
            lambda x: x.at[jnp.array([7])].get(mode="fill") * 2, array(3), most=1
        )
    del fun
    assert (found.n_colors, found.rows.size, found.unproven.size) == (0, 0, 0)


def test_columns_of_which_nothing_is_known_are_proven_too():
    """A proposal may know of some columns only; the others do not count as unread."""
    _, linear, known = linear_part(lambda x: array(40, 50) @ x, array(50))
    prover = Prover(linear, known)
    learned, _ = prover.start()
    some = np.full(50, -1, np.int32)
    some[:4] = range(4)
    assert not learned.add(*prover.prove(some)).proven.any()


def test_known_indices_stay_known_in_the_transpose():
    order = np.random.default_rng(3).permutation(40)
    found = compressed(lambda x: x[order] * x, array(40), reverse=True)
    assert found.n_colors <= 3
    assert found.rows.size == 80 - (order == np.arange(40)).sum()


def test_the_transpose_reads_the_same_environment():
    fun, args = CASES["reaction"]
    program, linear, _ = linear_part(fun, *args)
    backward = transposed(linear)
    assert backward.residuals == linear.residuals
    _, env = program.evaluate(args)
    cotangents = [array(6, 9, seed=2), array(6, 9, seed=3)]
    expected = jax.vjp(fun, *args)[1](tuple(cotangents))
    for got, want in zip(backward.forward(env)(*cotangents), expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_a_scalar_that_no_output_reads_has_a_zero_cotangent():
    _, linear, _ = linear_part(lambda s, x: (s * 2, x * 3), jnp.float32(1), array(3))
    second = part(linear.equations, linear.inputs, linear.outputs[1:])
    unread, read = transposed(second).forward({})(jnp.ones(3))
    assert unread == 0
    np.testing.assert_array_equal(read, [3, 3, 3])


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


@st.composite
def patterns(draw):
    rows, columns = draw(st.integers(1, 12)), draw(st.integers(1, 20))
    density = draw(st.floats(0, 0.6))
    seed = draw(st.integers(0, 2**31))
    mask = np.random.default_rng(seed).random((rows, columns)) < density
    reads = np.where(mask, np.arange(columns), NONE).astype(np.int32)
    reads.sort(axis=1)
    return mask, reads


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


@pytest.mark.slow
@settings(deadline=None, max_examples=15)
@given(patterns())
def test_gathers_of_any_pattern_are_proven(pattern):
    """A row sums squares of the inputs that the pattern names."""
    mask, _ = pattern
    row, column = np.nonzero(mask)

    def fun(x):
        return jnp.zeros(len(mask)).at[row].add(x[column] ** 2)

    if not row.size:
        return
    x = array(mask.shape[1]) + 5
    found, compression = rebuilt(fun, [x])
    np.testing.assert_allclose(found, dense(fun, x), rtol=1e-5)
    assert (
        compression.n_colors + compression.unproven.size <= mask.sum(axis=1).max() * 3
    )


def test_a_loop_of_steps_is_as_wide_as_its_steps_reach():
    def step(u, _):
        p = jnp.pad(u, 1)
        return u + 0.1 * (p[2:] - 2 * u + p[:-2]), None

    found = compressed(lambda u: jax.lax.scan(step, u, None, length=3)[0], array(3000))
    assert found.n_colors == 7


def two_heads(x):
    return jnp.concatenate([x**2, jnp.stack([jnp.sum(x**2), jnp.sum(x**3)])])


def two_columns(x):
    """Each output reads four inputs of its own, and two that all read."""
    return (x[2:].reshape(6, 4) ** 2).sum(1) * x[0] + x[1]


def some_of(x):
    """One long row; all others are empty."""
    return jnp.zeros(30).at[3].set(x.sum())


@pytest.mark.parametrize(
    ("fun", "x"),
    [
        (two_heads, array(30)),
        (two_columns, array(26)),
        (some_of, array(30)),
        (lambda x: jnp.full(30, x[2]), array(30)),
        (lambda x: jax.lax.complex(x, jnp.roll(x, 1) ** 2), array(30)),
        (lambda x: x**2, array(200, 200)),
    ],
)
def test_entries_of_a_compression_are_those_of_the_jacobian(fun, x):
    found = jacobian(fun, mode="compressed", format="bcoo")(x)
    if x.size < 100:
        np.testing.assert_allclose(found.todense(), jax.jacfwd(fun)(x), rtol=1e-6)
    else:
        np.testing.assert_allclose(found.data, 2 * x.ravel(), rtol=1e-6)


def test_what_was_proven_before_counts_against_the_budget(monkeypatch):
    _, linear, known = linear_part(star, array(20, 30))
    prover = Prover(linear, known)
    colors = np.arange(600, dtype=np.int32) % 7
    prover.start()
    prover.prove(colors)
    monkeypatch.setattr(detect, "BUDGET", 3 * 2 * 8 * prover._cost)  # pyright: ignore[reportPrivateUsage]
    assert prover.affords(colors, 600)
    for _ in range(2):
        prover.prove(colors)
    assert not prover.affords(colors, 600)
    assert prover.affords(colors, 10**6)  # the search is little beside these passes


def test_a_proof_of_few_reads_leaves_nothing_of_what_was_supposed():
    supposed = np.array([[0, 3, 5], [1, 2, 4]], np.int32)
    learned = Learned(supposed, np.zeros(2, bool))
    reads = np.array([[3, NONE], [NONE, 4]], np.int32)
    found = learned.add(reads, reads)
    assert found.proven.all()
    np.testing.assert_array_equal(found.reads, [[3, NONE, NONE], [4, NONE, NONE]])


def test_a_full_result_is_taken_as_it_stands():
    """Its few places without an entry are padding, beyond the matrix."""
    found = jacobian(star, mode="compressed", format="bcoo")(array(40, 50))
    inside = (np.asarray(found.indices) < found.shape).all(axis=1)
    assert inside.sum() < len(inside) == 5 * 2000


NOTHING_READ = {
    "selected": lambda x: jnp.where(jnp.arange(5) < 0, x, 0.0),
    "dropped": lambda x: jnp.zeros(5).at[jnp.arange(5) + 9].add(x, mode="drop"),
    "multiplied": lambda x: jnp.concatenate([jnp.zeros((3, 5)) @ (x * x), 0 * x[2:2]]),
    "two leaves": lambda x: (jnp.where(False, x, 1.0), jnp.where(False, x[:2], 1.0)),
}


@pytest.mark.parametrize("name", NOTHING_READ)
@pytest.mark.parametrize("mode", ["compressed", "auto"])
@pytest.mark.parametrize("format", ["dense", "bcoo"])
def test_a_jacobian_of_zeros_is_compressed_to_no_pass(name, mode, format):
    fun, x = NOTHING_READ[name], jnp.ones(5)
    found = jacobian(fun, mode=mode, format=format)(x)
    for block, expected in zip(
        jax.tree.leaves(found, is_leaf=lambda b: hasattr(b, "todense")),
        jax.tree.leaves(jax.jacfwd(fun)(x)),
        strict=True,
    ):
        dense = block.todense() if format == "bcoo" else block
        np.testing.assert_array_equal(dense, expected)
        assert dense.dtype == expected.dtype


def test_a_diagonal_of_zeros_is_found():
    found = jacobian_diagonal(NOTHING_READ["selected"])(jnp.ones(5))
    np.testing.assert_array_equal(found, np.zeros(5))


def test_a_plan_of_a_jacobian_of_zeros_names_no_colors():
    assert "0 colors of inputs" in str(plan(NOTHING_READ["selected"], jnp.ones(5)))
