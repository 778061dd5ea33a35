"""What a compression proves, in which steps, and what that costs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from jnumerics.derivatives import jacobian
from jnumerics.derivatives._dependence.boxes import NONE
from jnumerics.derivatives._modes.coloring import detect
from jnumerics.derivatives._modes.coloring.compress import NEARLY_FULL, transposed
from jnumerics.derivatives._modes.coloring.detect import Learned, Prover
from jnumerics.derivatives._program.tangent import part
from tests.derivatives.modes.coloring._cases import (
    CASES,
    array,
    compressed,
    dense,
    linear_part,
    patterns,
    rebuilt,
    star,
)


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
    compression = compressed(lambda x: x[order] * x, array(40), reverse=True)
    assert compression.n_colors <= 3
    assert compression.rows.size == 80 - (order == np.arange(40)).sum()


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


@pytest.mark.slow
@settings(deadline=None, max_examples=15)
@given(patterns())
def test_gathers_of_any_pattern_are_proven(pattern):
    """A row sums squares of the inputs that the pattern names."""
    mask, _ = pattern
    row, column = np.nonzero(mask)

    def fun(x):
        return jnp.zeros(len(mask)).at[row].add(x[column] ** 2)

    if not 0 < row.size <= NEARLY_FULL * mask.size:
        return  # what is nearly full is left to plain passes
    x = array(mask.shape[1]) + 5
    J, compression = rebuilt(fun, [x])
    np.testing.assert_allclose(J, dense(fun, x), rtol=1e-5)
    assert (
        compression.n_colors + compression.unproven.size <= mask.sum(axis=1).max() * 3
    )


def test_a_loop_of_steps_is_as_wide_as_its_steps_reach():
    def step(u, _):
        p = jnp.pad(u, 1)
        return u + 0.1 * (p[2:] - 2 * u + p[:-2]), None

    compression = compressed(
        lambda u: jax.lax.scan(step, u, None, length=3)[0], array(3000)
    )
    assert compression.n_colors == 7


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
        pytest.param(two_heads, array(30), id="two heads"),
        pytest.param(two_columns, array(26), id="two columns"),
        pytest.param(some_of, array(30), id="some of"),
        pytest.param(
            lambda x: jnp.full(30, x[2]), array(30), id="one element everywhere"
        ),
        pytest.param(
            lambda x: jax.lax.complex(x, jnp.roll(x, 1) ** 2),
            array(30),
            id="complex neighbors",
        ),
        pytest.param(lambda x: x**2, array(200, 200), id="squares"),
    ],
)
def test_entries_of_a_compression_are_those_of_the_jacobian(fun, x):
    J = jacobian(fun, mode="compressed", format="bcoo")(x)
    if x.size < 100:
        np.testing.assert_allclose(J.todense(), jax.jit(jax.jacfwd(fun))(x), rtol=1e-6)
    else:
        np.testing.assert_allclose(J.data, 2 * x.ravel(), rtol=1e-6)


def test_what_was_proven_before_counts_against_the_budget(monkeypatch):
    _, linear, known = linear_part(star, array(20, 30))
    prover = Prover(linear, known)
    colors = np.arange(600, dtype=np.int32) % 7
    prover.start()
    prover.prove(colors)
    cost = prover._cost  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(detect, "BUDGET", 3 * 2 * 8 * cost)
    assert prover.affords(colors, 600)
    for _ in range(2):
        prover.prove(colors)
    assert not prover.affords(colors, 600)
    assert prover.affords(colors, 10**6)  # the search is little beside these passes


def test_a_proof_of_few_reads_leaves_nothing_of_what_was_supposed():
    supposed = np.array([[0, 3, 5], [1, 2, 4]], np.int32)
    learned = Learned(supposed, np.zeros(2, bool))
    reads = np.array([[3, NONE], [NONE, 4]], np.int32)
    updated = learned.add(reads, reads)
    assert updated.proven.all()
    np.testing.assert_array_equal(updated.reads, [[3, NONE, NONE], [4, NONE, NONE]])


def test_a_full_result_is_taken_as_it_stands():
    """Its few places without an entry are padding, beyond the matrix."""
    J = jacobian(star, mode="compressed", format="bcoo")(array(40, 50))
    inside = (np.asarray(J.indices) < J.shape).all(axis=1)
    assert inside.sum() < len(inside) == 5 * 2000
