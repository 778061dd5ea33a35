"""The narrowest cut and residual connections, against dense Jacobians in float64."""

import itertools
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from jnumerics.derivatives import _cut
from jnumerics.derivatives._cut import (
    Cut,
    SampleAxis,
    batch_capacity,
    forwardable,
    narrowest,
    split_residual,
    transposable,
)
from jnumerics.derivatives._dependence import batch_index, known_values, propagate
from jnumerics.derivatives._tangent import needed_for, part, trace, variables
from tests import scenarios

pytestmark = pytest.mark.usefixtures("x64")


def array(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).normal(size=shape)


def weights(n_out, n_in, seed=0):
    return jnp.asarray(array(n_out, n_in, seed=seed) / np.sqrt(n_in))


def network(*sizes):
    """A multilayer perceptron, tanh between its layers."""
    ws = [weights(b, a) for a, b in itertools.pairwise(sizes)]

    def apply(x):
        for w in ws[:-1]:
            x = jnp.tanh(w @ x)
        return ws[-1] @ x

    return apply


def flat(fun):
    return lambda leaves: (jax.tree.leaves(fun(*leaves)), [])


def traced(fun, *args):
    args = [jnp.asarray(a) for a in args]
    program = trace(flat(fun), args, range(len(args)))
    return program, program.evaluate(args)[1]


def dense(fun, *args, mode=jax.jacfwd, **options):
    """The Jacobian over all inputs and outputs, laid end to end."""
    sizes = np.cumsum([np.size(a) for a in args])[:-1]

    def whole(x):
        parts = jnp.split(x, sizes)
        pairs = zip(parts, args, strict=True)
        leaves = jax.tree.leaves(fun(*(p.reshape(np.shape(a)) for p, a in pairs)))
        return jnp.concatenate([y.ravel() for y in leaves])

    point = jnp.concatenate([jnp.ravel(a) for a in args])
    return np.asarray(mode(whole, **options)(point))


def evaluated(linear, starts, ends):
    """The matrix of a linear function of the variables `starts`, column by column."""
    sizes = np.cumsum([v.aval.size for v in starts])[:-1]

    def push(x):
        pairs = zip(jnp.split(x, sizes), starts, strict=True)
        results = linear(*(t.reshape(v.aval.shape) for t, v in pairs))
        return jnp.concatenate([r.ravel() for r in results])

    n, m = (sum(v.aval.size for v in vs) for vs in (starts, ends))
    if not n or not m:
        return np.zeros((m, n))
    return np.asarray(
        jax.vmap(push, out_axes=1)(jnp.eye(n, dtype=starts[0].aval.dtype))
    )


def product(cut, inputs, outputs, env):
    """J_after J_before, in the rows of `outputs`, where None is one row of zeros."""
    before = evaluated(cut.before.reverse(env), cut.variables, inputs).T
    after = evaluated(cut.after.forward(env), cut.variables, cut.after.outputs)
    ends = np.cumsum([v.aval.size for v in cut.after.outputs])[:-1]
    rows = dict(zip(cut.after.outputs, np.split(after @ before, ends), strict=True))
    return [rows.get(v) for v in outputs]


def stacked(blocks, program):
    n = sum(v.aval.size for v in program.tangents)
    values = program.values[: len(blocks)]
    pairs = zip(blocks, values, strict=True)
    return np.concatenate(
        [np.zeros((v.aval.size, n)) if b is None else b for b, v in pairs]
    )


def cut_of(fun, *args, **options):
    """The cut, and the Jacobian that it gives."""
    program, env = traced(fun, *args)
    cut = narrowest(program.linear, program.tangents, program.outputs, **options)
    assert isinstance(cut, Cut), cut
    found = product(cut, program.tangents, program.outputs, env)
    return cut, stacked(found, program)


def no_cut(fun, *args):
    program, _ = traced(fun, *args)
    reason = narrowest(program.linear, program.tangents, program.outputs)
    assert isinstance(reason, str)
    return reason


def split_of(fun, *args):
    """The split, the cut of its mixed part or None, and the Jacobian that they give."""
    program, env = traced(fun, *args)
    split = split_residual(program, known_values(program))
    assert split is not None
    return split, *pure_and_mixed(program, split, env)


def pure_and_mixed(program, split, env):
    total = stacked([None] * len(program.outputs), program)
    total = total.astype(program.tangents[0].aval.dtype)
    kept = [v for v in split.pure if v is not None]
    ones = [jnp.ones(v.aval.shape, v.aval.dtype) for v in program.tangents]
    linear = part(split.equations, program.tangents, kept).forward(env)
    found = iter(linear(*ones))
    start = 0
    for v, columns, value in zip(
        split.pure, split.columns, program.values, strict=False
    ):
        if v is not None:
            assert columns is not None
            assert columns.shape == value.aval.shape
            rows = np.flatnonzero(columns.ravel() >= 0)
            entries = np.asarray(next(found)).ravel()
            assert not entries[columns.ravel() < 0].any()
            total[start + rows, columns.ravel()[rows]] = entries[rows]
        start += value.aval.size
    cut = None
    if any(v is not None for v in split.mixed):
        cut = narrowest(split.equations, program.tangents, split.mixed)
        assert isinstance(cut, Cut), cut
        blocks = product(cut, program.tangents, split.mixed, env)
        total = total + stacked(blocks, program)
    return cut, total


def assert_close(actual, desired):
    np.testing.assert_allclose(actual, desired, rtol=1e-9, atol=1e-11)


# --- cuts ----------------------------------------------------------------------------


def test_autoencoder_is_cut_at_its_code():
    fun, x = network(78, 25, 8, 25, 78), array(78)
    cut, jacobian = cut_of(fun, x)
    assert cut.width == 8
    assert cut.operation == "dot_general"
    assert cut.line.startswith(__file__)
    assert_close(jacobian, dense(fun, x))


def test_cut_of_a_map_without_a_bottleneck_is_one_of_its_ends():
    fun, x = network(6, 9, 7), array(6)
    cut, jacobian = cut_of(fun, x)
    assert (cut.width, cut.operation) == (6, "input")
    assert cut.before.equations == []
    assert_close(jacobian, dense(fun, x))
    fun, x = network(7, 9, 6), array(7)
    cut, jacobian = cut_of(fun, x)
    assert cut.width == 6
    assert cut.after.equations == []
    assert_close(jacobian, dense(fun, x))


def test_cut_variables_that_feed_one_another_are_independent_in_the_second_part():
    a, b, c = weights(2, 9), weights(9, 2), weights(3, 9)

    def fun(x):
        h = jnp.tanh(a @ x)
        g = jnp.tanh(c @ (b @ h + x * x[0]))  # reads h, and the inputs beside it
        return weights(12, 3) @ g + weights(12, 2) @ h

    x = array(9)
    cut, jacobian = cut_of(fun, x)
    assert cut.width == 5
    h, g = cut.variables
    assert h in {v for e in cut.before.equations for v in variables(e)}
    assert {h, g} <= set(cut.before.outputs)
    assert_close(jacobian, dense(fun, x))


def test_skip_as_wide_as_the_input_leaves_no_narrow_cut():
    fun, x = lambda x: x + network(20, 3, 20)(x), array(20)
    cut, jacobian = cut_of(fun, x)
    assert cut.width == 20
    assert_close(jacobian, dense(fun, x))


def test_unet_is_cut_across_its_skips():
    w, down, up = weights(12, 40), weights(3, 12), weights(12, 3)

    def fun(x):
        a = jnp.tanh(w @ x)
        code = jnp.tanh(down @ a)
        skip = a[:2]
        b = jnp.concatenate([up @ code, skip])
        return weights(40, 14) @ jnp.tanh(b)

    x = array(40)
    cut, jacobian = cut_of(fun, x)
    assert cut.width == 5
    assert_close(jacobian, dense(fun, x))


def test_ode_between_wide_layers_is_cut_at_its_state():
    w, a = weights(8, 50), weights(8, 8)

    def fun(x):
        def step(y, _):
            return y + 0.05 * jnp.tanh(a @ y), None

        return weights(50, 8) @ lax.scan(step, w @ x, None, length=20)[0]

    x = array(50)
    cut, jacobian = cut_of(fun, x)
    assert cut.width == 8
    assert_close(jacobian, dense(fun, x))


def test_several_inputs_and_outputs_some_of_them_zero_or_the_same():
    def fun(x, y, unused):
        h = jnp.tanh(weights(2, 12) @ jnp.concatenate([x, y]))
        z = weights(9, 2) @ h
        return z, {"same": z, "constant": jnp.ones(3), "square": z**2, "one": h[0]}

    args = array(5), array(7), array(4)
    cut, jacobian = cut_of(fun, *args)
    assert cut.width == 2
    assert len(cut.after.outputs) == 3
    assert_close(jacobian, dense(fun, *args))


def test_output_that_is_an_input_is_cut_there():
    def fun(x, y):
        return x, weights(6, 1) @ (weights(1, 6) @ y)

    args = array(3), array(6)
    cut, jacobian = cut_of(fun, *args)
    assert cut.width == 4
    assert_close(jacobian, dense(fun, *args))


def test_scalar_function_of_a_scalar():
    cut, jacobian = cut_of(jnp.sin, 0.3)
    assert cut.width == 1
    assert_close(jacobian, [[np.cos(0.3)]])


def test_variables_of_size_zero_take_no_directions():
    def fun(x, empty):
        h = jnp.concatenate([weights(2, 6) @ x, empty, empty * 2.0])
        return weights(6, 2) @ h, empty, x[:0]

    args = array(6), array(0)
    cut, jacobian = cut_of(fun, *args)
    assert cut.width == 2
    assert_close(jacobian, dense(fun, *args))


def test_function_of_nothing_but_empty_arrays_has_a_cut_of_width_zero():
    cut, jacobian = cut_of(jnp.sin, array(0))
    assert cut.width == 0
    assert jacobian.shape == (0, 0)
    cut, jacobian = cut_of(lambda x: jnp.sum(x) * jnp.ones(3), array(0))
    assert cut.width == 0
    assert_close(jacobian, np.zeros((3, 0)))


def test_output_that_does_not_depend_on_the_inputs_needs_no_cut():
    assert no_cut(lambda x: jnp.ones(3), array(4)) == "no output depends on the inputs"
    assert no_cut(lambda: jnp.ones(3)) == "no output depends on the inputs"


def test_program_beyond_32_bits_is_not_cut():
    program, _ = traced(network(4, 2, 4), array(4))
    ends = program.tangents, program.outputs
    cut = narrowest(program.linear, *ends, capacity=lambda v: 2**31 - 1)
    assert isinstance(cut, str)
    assert "too large" in cut


def test_capacity_none_keeps_a_variable_whole():
    fun, x = network(9, 2, 3, 9), array(9)
    cut, jacobian = cut_of(fun, x, capacity=lambda v: v.aval.size if v.aval.size != 2 else None)  # fmt: skip
    assert cut.width == 3
    assert_close(jacobian, dense(fun, x))
    program, _ = traced(fun, x)
    ends = program.tangents, program.outputs
    assert isinstance(narrowest(program.linear, *ends, capacity=lambda v: None), str)


def test_same_operand_twice_is_one_edge():
    fun, x = lambda x: weights(9, 1) @ ((weights(1, 9) @ x) ** 2), array(9)

    def doubled(x):
        h = weights(2, 9) @ x
        return weights(9, 4) @ jnp.concatenate([h, h]) + fun(x)

    cut, jacobian = cut_of(doubled, x)
    assert cut.width == 3
    assert_close(jacobian, dense(doubled, x))


# --- equations that run in one direction ---------------------------------------------


def newton(x):
    """A while loop that carries tangents: it does not transpose."""
    state = (x, 0)
    return lax.while_loop(
        lambda c: c[1] < 3, lambda c: (0.5 * (c[0] + 2.0 / c[0]), c[1] + 1), state
    )[0]


@jax.custom_vjp
def only_reverse(x):
    return jnp.sin(x)


def _halved(x, cotangent):
    """Cotangent times cos(x), by a while loop so that it transposes no further."""
    return lax.while_loop(
        lambda c: c[1] < 2, lambda c: (c[0] * 0.5, c[1] + 1), (cotangent * jnp.cos(x) * 4, 0)
    )[0]  # fmt: skip


only_reverse.defvjp(lambda x: (only_reverse(x), x), lambda x, ct: (_halved(x, ct),))


def test_true_while_loop_lies_after_the_cut():
    outer = network(20, 3, 20)

    def late(x):
        return weights(20, 20) @ newton(2.0 + jnp.tanh(outer(x)))

    x = array(20)
    cut, jacobian = cut_of(late, x)
    assert cut.width == 3
    assert "while" in [e.name for e in cut.after.equations]
    assert_close(jacobian, dense(late, x))

    def early(x):
        return outer(newton(2.0 + jnp.tanh(x)))

    cut, jacobian = cut_of(early, x)  # the code is behind the loop
    assert cut.width == 20
    assert_close(jacobian, dense(early, x))


def test_true_while_loop_beside_the_bottleneck_forces_its_own_inputs_into_the_cut():
    def fun(x):
        y = newton(2.0 + jnp.tanh(x[:4]))
        return network(20, 3, 20)(x) + weights(20, 1) @ (weights(1, 4) @ y)

    x = array(20)
    cut, jacobian = cut_of(fun, x)
    assert cut.width == 7
    assert_close(jacobian, dense(fun, x))


def test_reverse_only_rule_lies_before_the_cut():
    x = array(20)

    def early(x):
        return network(20, 3, 20)(only_reverse(x))

    cut, jacobian = cut_of(early, x)
    assert cut.width == 3
    assert "custom_lin" in [e.name for e in cut.before.equations]
    assert_close(jacobian, dense(early, x, mode=jax.jacrev))

    def late(x):
        return only_reverse(network(20, 3, 20)(x))

    cut, jacobian = cut_of(late, x)
    assert cut.width == 20
    assert_close(jacobian, dense(late, x, mode=jax.jacrev))


def test_reverse_only_rule_before_a_while_loop_is_served_by_a_cut_alone():
    def fun(x):
        return newton(2.0 + jnp.tanh(weights(9, 9) @ only_reverse(x)))

    cut, jacobian = cut_of(fun, array(9))
    inner = dense(lambda x: 2.0 + jnp.tanh(weights(9, 9) @ only_reverse(x)), array(9), mode=jax.jacrev)  # fmt: skip
    outer = dense(newton, 2.0 + jnp.tanh(weights(9, 9) @ jnp.sin(array(9))))
    assert cut.width == 9
    assert_close(jacobian, outer @ inner)


def test_reverse_only_rule_behind_a_while_loop_has_no_cut():
    reason = no_cut(lambda x: only_reverse(newton(2.0 + jnp.tanh(x))), array(5))
    assert "while at " in reason
    assert "cannot be transposed; custom_lin at " in reason
    assert __file__ in reason


def test_one_way_equations_are_found_inside_loops_and_branches():
    def scanned(fun):
        return lambda x: lax.scan(lambda c, _: (fun(c), None), x, None, length=2)[0]

    def branched(fun):
        return lambda x: lax.cond(x[0] > 0, fun, lambda x: 2.0 * x, x)

    def ways(fun):
        program, _ = traced(fun, 2.0 + jnp.abs(array(4)))
        reached = _cut.reach(program.linear, program.tangents)
        found = [(transposable(e, reached), forwardable(e)) for e in program.linear]
        return tuple(all(column) for column in zip(*found, strict=True))

    for nested in (lambda fun: fun, scanned, branched, lambda f: scanned(branched(f))):
        assert ways(nested(newton)) == (False, True)
        assert ways(nested(only_reverse)) == (True, False)
        assert ways(nested(jnp.sin)) == (True, True)


def test_while_loop_that_carries_no_tangents_transposes():
    def fun(x):
        def step(c, k):
            count = lax.while_loop(lambda n: n < k, lambda n: n + 1, 0)
            return jnp.sin(c) * count.astype(c.dtype), None

        def body(c, k):
            return jax.checkpoint(step)(c, k)

        return lax.scan(body, x, jnp.arange(3))[0]

    program, _ = traced(fun, array(4))
    reached = _cut.reach(program.linear, program.tangents)
    assert all(transposable(e, reached) for e in program.linear)
    cut, jacobian = cut_of(fun, array(4))
    assert_close(jacobian, dense(fun, array(4)))


def test_linear_solve_without_a_transpose_does_not_transpose():
    a = jnp.asarray(np.eye(4) * 3 + 0.1 * array(4, 4))

    def fun(b):
        return lax.custom_linear_solve(
            lambda x: a @ x, b, lambda _, b: jnp.linalg.solve(a, b)
        )

    program, _ = traced(fun, array(4))
    reached = _cut.reach(program.linear, program.tangents)
    assert not all(transposable(e, reached) for e in program.linear)
    cut, jacobian = cut_of(lambda x: fun(network(12, 2, 4)(x)), array(12))
    assert cut.width == 2
    assert_close(jacobian, dense(lambda x: fun(network(12, 2, 4)(x)), array(12)))


# --- real and complex ----------------------------------------------------------------


def test_real_program_is_not_cut_at_a_complex_variable():
    w = lax.complex(weights(6, 9), weights(6, 9, seed=1))

    def fun(x):
        z = w[:2] @ x.astype(complex)  # two complex numbers, four real ones
        return weights(9, 2) @ jnp.abs(z) ** 2 + weights(9, 3) @ (weights(3, 9) @ x)

    x = array(9)
    cut, jacobian = cut_of(fun, x)
    assert cut.width == 5
    assert all(np.isrealobj(np.zeros(0, v.aval.dtype)) for v in cut.variables)
    assert_close(jacobian, dense(fun, x))


def test_real_program_through_a_complex_bottleneck_is_cut_at_its_ends():
    w = lax.complex(weights(1, 9), weights(1, 9, seed=1))

    def fun(x):
        z = w @ x.astype(complex)
        return jnp.real(w.T @ (z * z * (1 + 2j)))

    x = array(9)
    cut, jacobian = cut_of(fun, x)
    assert cut.width == 9
    assert_close(jacobian, dense(fun, x))


def complex_array(*shape):
    return array(*shape) + 1j * array(*shape, seed=1)


def test_holomorphic_program_is_cut_at_its_bottleneck():
    a, b = complex_array(2, 9) / 3, complex_array(9, 2) / 3

    def fun(z):
        return jnp.fft.fft(jnp.sin(b @ jnp.exp(a @ z)))

    z = complex_array(9) / 3
    cut, jacobian = cut_of(fun, z)
    assert cut.width == 2
    assert_close(jacobian, dense(fun, z, holomorphic=True))


def test_complex_program_with_a_conjugate_is_not_cut():
    a, b = complex_array(2, 9), complex_array(9, 2)
    reason = no_cut(lambda z: b @ jnp.conj(a @ z), complex_array(9))
    assert "is not complex-linear" in reason
    assert __file__ in reason
    reason = no_cut(
        lambda z: b @ ((a @ z) * jnp.abs(a @ z).astype(complex)), complex_array(9)
    )
    assert "is not complex-linear" in reason

    def scanned(z):
        return lax.scan(lambda c, _: (jnp.conj(c), None), a @ z, None, length=2)[0]

    assert "scan at " in no_cut(scanned, complex_array(9))


def test_inputs_and_outputs_of_different_kinds_have_no_cut():
    assert "real and complex" in no_cut(jnp.abs, complex_array(4))
    assert "real and complex" in no_cut(lambda x: lax.complex(x, x), array(4))
    assert "real and complex" in no_cut(lambda x, z: (2 * x, 2 * z), array(4), complex_array(4))  # fmt: skip


# --- residual connections ------------------------------------------------------------


def residual_blocks(n, hidden, blocks):
    ws = [
        (weights(hidden, n, seed=k), weights(n, hidden, seed=k)) for k in range(blocks)
    ]

    def fun(x):
        for down, up in ws:
            x = x + up @ jnp.tanh(down @ x)
        return x

    return fun


def test_residual_blocks_are_cut_at_their_hidden_units():
    fun, x = residual_blocks(300, 5, 3), array(300)
    split, cut, jacobian = split_of(fun, x)
    assert cut is not None
    assert cut.width == 15
    assert split.columns[0] is not None
    np.testing.assert_array_equal(split.columns[0], np.arange(300))
    assert_close(jacobian, dense(fun, x))


def test_residual_blocks_with_layer_norms_stay_narrow():
    downs = [weights(3, 40, seed=k) for k in range(3)]

    def fun(x):
        for down in downs:
            y = (x - jnp.mean(x)) / jnp.sqrt(jnp.var(x) + 1e-3)
            x = x + down.T @ jax.nn.gelu(down @ y)
        return x

    x = array(40)
    _, cut, jacobian = split_of(fun, x)
    assert cut is not None
    assert cut.width == 9
    assert_close(jacobian, dense(fun, x))


def test_arrow_takes_one_pass_and_a_cut_of_two():
    def fun(x):
        return jnp.concatenate([jnp.sum(x**2)[None], x[0] * jnp.sin(x[1:])])

    x = array(20)
    _, cut, jacobian = split_of(fun, x)
    assert cut is not None
    assert cut.width == 2
    assert_close(jacobian, dense(fun, x))


def test_skip_beside_a_bottleneck_takes_one_pass_and_its_width():
    def fun(x):
        return jnp.sin(x)[::-1] - network(30, 4, 30)(x)

    x = array(30)
    split, cut, jacobian = split_of(fun, x)
    assert cut is not None
    assert cut.width == 4
    np.testing.assert_array_equal(split.columns[0], np.arange(30)[::-1])
    assert_close(jacobian, dense(fun, x))


def test_subtracted_skip_keeps_its_sign():
    def fun(x):
        return network(12, 2, 12)(x) - x**3

    x = array(12)
    _, cut, jacobian = split_of(fun, x)
    assert cut is not None
    assert cut.width == 2
    assert_close(jacobian, dense(fun, x))


def test_moved_elements_stay_pure():
    def fun(x, y):
        z = jnp.concatenate([x.T.reshape(-1)[::2], y[jnp.array([3, 3, 0])]])
        return jnp.exp(z).at[1].set(0.0), jnp.where(y > 0, y, -y) * 2.0

    args = array(4, 3), array(5)
    split, cut, jacobian = split_of(fun, *args)
    assert cut is None
    assert split.columns[0] is not None
    assert split.columns[0][1] == -1
    assert_close(jacobian, dense(fun, *args))


def test_summand_that_reads_the_most_inputs_stays_pure():
    def fun(x):
        return x[0] * jnp.ones(20) + x[::-1] ** 2

    x = array(20)
    split, cut, jacobian = split_of(fun, x)
    assert cut is not None
    assert cut.width == 1
    np.testing.assert_array_equal(split.columns[0], np.arange(20)[::-1])
    assert_close(jacobian, dense(fun, x))


def test_rows_added_into_a_residual_stay_beside_it():
    def fun(x):
        return (2.0 * x).at[jnp.array([1, 4])].add(network(15, 2, 2)(x))

    x = array(15)
    _, cut, jacobian = split_of(fun, x)
    assert cut is not None
    assert cut.width == 2
    assert_close(jacobian, dense(fun, x))


def test_parts_meet_in_concatenations_selections_and_scalars():
    def fun(x, s):
        mixed = network(6, 1, 6)(x)
        both = x + mixed
        joined = jnp.concatenate([both, x[:2], mixed])
        chosen = jnp.where(x > 0, both, x)
        return joined * 3.0, chosen, jnp.sum(both) + s * x, s

    args = array(6), 0.7
    _, _, jacobian = split_of(fun, *args)
    assert_close(jacobian, dense(fun, *args))


def test_loops_pass_pure_parts_on_only_when_each_operand_has_one():
    def damped(x, y):
        def step(c, _):
            return (jnp.sin(c[0]) + 0.1 * c[1], 2.0 * c[1]), c[0]

        return lax.scan(step, (x, y), None, length=3)

    args = array(4), array(4, seed=1)
    _, cut, jacobian = split_of(lambda x, y: (damped(x, y), x), *args)
    assert cut is not None
    assert_close(jacobian, dense(lambda x, y: (damped(x, y), x), *args))

    def decay(x):
        both = x + network(4, 1, 4)(x)
        return lax.scan(lambda c, _: (jnp.sin(c), None), both, None, length=3)[0]

    split, cut, jacobian = split_of(decay, args[0])
    assert cut is not None
    assert cut.width == 1
    assert_close(jacobian, dense(decay, args[0]))


def test_while_loop_may_pass_pure_parts_on_and_a_reverse_only_rule_may_not():
    program, env = traced(lambda x: newton(2.0 + x**2), array(5))
    split = split_residual(program, known_values(program))
    assert split is not None
    cut, jacobian = pure_and_mixed(program, split, env)
    assert_close(jacobian, dense(lambda x: newton(2.0 + x**2), array(5)))

    program, env = traced(lambda x: (2.0 * x, only_reverse(x)), array(5))
    split = split_residual(program, known_values(program))
    assert split is not None
    assert split.pure[1] is None
    cut, jacobian = pure_and_mixed(program, split, env)
    assert_close(jacobian, dense(lambda x: (2.0 * x, only_reverse(x)), array(5), mode=jax.jacrev))  # fmt: skip


def test_residual_connection_of_a_holomorphic_function():
    a = complex_array(2, 9) / 3

    def fun(z):
        return jnp.exp(z) * (1 + 2j) + a.T @ jnp.sin(a @ z)

    z = complex_array(9) / 3
    _, cut, jacobian = split_of(fun, z)
    assert cut is not None
    assert cut.width == 2
    assert_close(jacobian, dense(fun, z, holomorphic=True))


def test_identity_zero_and_empty_outputs_split():
    def fun(x, empty):
        return x, jnp.zeros(2), empty, jnp.sum(x) * jnp.ones(3), x

    args = array(4), array(0)
    split, cut, jacobian = split_of(fun, *args)
    assert cut is not None
    assert cut.width == 1
    assert split.pure[1] is split.mixed[1] is None
    assert_close(jacobian, dense(fun, *args))


def test_dense_function_has_nothing_to_split():
    program, _ = traced(network(9, 3, 9), array(9))
    assert split_residual(program, known_values(program)) is None
    program, _ = traced(lambda: jnp.ones(3))
    assert split_residual(program, known_values(program)) is None


def test_added_equations_name_the_users_line():
    program, _ = traced(residual_blocks(9, 2, 3), array(9))
    split = split_residual(program, known_values(program))
    assert split is not None
    assert all(e.line.startswith(__file__) for e in split.equations)


# --- batches -------------------------------------------------------------------------


def samples_first(x, where, n):
    if where is None:
        return x.reshape(n, -1)
    axis, inner = where
    x = x.reshape(*x.shape[:axis], n, inner, *x.shape[axis + 1 :])
    return jnp.moveaxis(x, axis, 0).reshape(n, -1)


def directions(var, where, n):
    """For each component the tangent that is one in it in every sample."""
    index = jnp.arange(var.aval.size).reshape(var.aval.shape)
    rows = samples_first(index, where, n)
    hot = [jnp.isin(index, rows[:, k]) for k in range(rows.shape[1])]
    return jnp.stack(hot).astype(var.aval.dtype)


def batch_blocks(cut, program, env, axes, n):
    """Blocks (n, out, in) from the cut's two factors."""
    own = SampleAxis(0, 1)

    def factor(linear, starts, ends):
        columns = []
        for k, v in enumerate(starts):
            still = [jnp.zeros(w.aval.shape, w.aval.dtype) for w in starts]

            def run(t, k=k, still=still):
                results = linear(*still[:k], t, *still[k + 1 :])
                found = [
                    samples_first(r, w, n) for r, w in zip(results, ends, strict=True)
                ]
                return jnp.concatenate(found, 1)

            where = axes.get(v, own)
            columns.append(jax.vmap(run)(directions(v, where, n)))
        return jnp.concatenate(columns)

    before = factor(cut.before.reverse(env), cut.variables, [own] * len(program.tangents))  # fmt: skip
    ends = [own] * len(cut.after.outputs)
    after = factor(cut.after.forward(env), cut.variables, ends)
    return np.einsum("dnm,dnk->nmk", after, before)


def batch_cut(fun, x):
    program, env = traced(fun, x)
    n = x.shape[0]
    seeds = {program.tangents[0]: batch_index(x.shape, 0)}
    boxes = propagate(program.linear, seeds, known_values(program))
    capacity, axes = batch_capacity(boxes, n)
    ends = program.tangents, program.outputs
    cut = narrowest(program.linear, *ends, capacity=capacity)
    assert isinstance(cut, Cut), cut
    return cut, batch_blocks(cut, program, env, axes, n)


def true_blocks(fun, x):
    n = x.shape[0]
    whole = dense(fun, x).reshape(n, -1, n, x[0].size)
    return whole[np.arange(n), :, np.arange(n)]


def test_batch_is_cut_at_the_code_of_one_sample():
    w, v = weights(20, 3), weights(3, 20)

    def fun(x):
        return jnp.tanh(x @ w) @ v

    x = array(6, 20)
    cut, blocks = batch_cut(fun, x)
    assert cut.width == 3
    assert_close(blocks, true_blocks(fun, x))


def test_batch_axis_may_stand_behind_or_be_merged():
    w, v = weights(4, 2), weights(2, 4)

    def fun(x):
        y = jnp.tanh(x.reshape(6 * 5, 4) @ w)  # samples merged with rows
        y = y.T * 2.0  # and stand behind
        return (y.T @ v).reshape(6, 20)

    x = array(6, 20)
    cut, blocks = batch_cut(fun, x)
    assert cut.width == 10
    assert_close(blocks, true_blocks(fun, x))


def test_sample_axis_of_merged_and_moved_axes():
    def axis_of(fun, shape, n=4, axis=0):
        program, _ = traced(fun, array(*shape))
        seeds = {program.tangents[0]: batch_index(shape, axis)}
        boxes = propagate(program.linear, seeds, known_values(program))
        return batch_capacity(boxes, n)[1].get(program.outputs[0])

    assert axis_of(lambda x: 2.0 * x, (4, 3)) == SampleAxis(0, 1)
    assert axis_of(lambda x: 2.0 * x.T, (4, 3)) == SampleAxis(1, 1)
    assert axis_of(lambda x: x.reshape(12), (4, 3)) == SampleAxis(0, 3)
    assert axis_of(lambda x: x.T.reshape(12), (4, 3)) is None
    assert axis_of(lambda x: x[::-1], (4, 3)) is None
    assert axis_of(lambda x: jnp.cumsum(x, axis=0), (4, 3)) is None
    assert axis_of(lambda x: jnp.sum(x), (4, 3)) is None
    assert axis_of(lambda x: x[:, None] * jnp.ones((1, 4, 1)), (4, 4)) == SampleAxis(
        0, 1
    )
    assert axis_of(lambda x: x.at[2].set(0.0), (4, 3)) is None


def test_element_that_depends_on_no_sample_is_not_cut():
    a, b = weights(8, 2), weights(2, 8)

    def fun(x):
        h = jnp.tanh(x @ a)
        row = h.at[2].set(0.0)[2]  # no sample's: zero, then added to all
        return jnp.tanh((h.at[2].set(0.0) + row[None]) @ b)

    x = array(5, 8)
    cut, blocks = batch_cut(fun, x)
    assert cut.width == 2
    assert_close(blocks, true_blocks(fun, x))
    moved = [e.name for e in cut.before.equations]
    assert not any(name.startswith("scatter") for name in moved)


def test_single_sample_is_cut_anywhere():
    def fun(x):
        return (x.reshape(12) @ weights(12, 2) @ weights(2, 12)).reshape(1, 12)

    x = array(1, 12)
    program, env = traced(fun, x)
    seeds = {program.tangents[0]: batch_index(x.shape, 0)}
    boxes = propagate(program.linear, seeds, known_values(program))
    capacity, axes = batch_capacity(boxes, 1)
    ends = program.tangents, program.outputs
    cut = narrowest(program.linear, *ends, capacity=capacity)
    assert isinstance(cut, Cut)
    assert cut.width == 2
    assert [axes[v] for v in cut.variables] == [None]
    assert_close(batch_blocks(cut, program, env, axes, 1), true_blocks(fun, x))


def test_samples_that_mix_on_every_path_leave_no_cut():
    program, _ = traced(lambda x: jnp.cumsum(x, axis=0), array(4, 3))
    capacity, _ = batch_capacity({}, 4)
    reason = narrowest(
        program.linear, program.tangents, program.outputs, capacity=capacity
    )
    assert isinstance(reason, str)
    assert "samples" in reason


def test_residual_batch_has_columns_within_a_sample():
    down = weights(2, 12)

    def fun(x):
        return x[:, ::-1] + jnp.tanh(x @ down.T) @ down

    x = array(5, 12)
    program, env = traced(fun, x)
    known = known_values(program)
    split = split_residual(program, known, batch_axes=[0])
    assert split is not None
    columns = split.columns[0]
    np.testing.assert_array_equal(columns, np.tile(np.arange(12)[::-1], (5, 1)))
    seeds = {program.tangents[0]: batch_index(x.shape, 0)}
    capacity, axes = batch_capacity(propagate(split.equations, seeds, known), 5)
    cut = narrowest(split.equations, program.tangents, split.mixed, capacity=capacity)
    assert isinstance(cut, Cut)
    assert cut.width == 2
    blocks = batch_blocks(cut, program, env, axes, 5)
    pure = part(split.equations, program.tangents, [v for v in split.pure if v])
    (entries,) = pure.forward(env)(jnp.ones((5, 12)))
    blocks[:, np.arange(12), np.arange(12)[::-1]] += entries
    assert_close(blocks, true_blocks(fun, x))


# --- all scenarios and random programs -----------------------------------------------


def scenario_blocks(scenario, key, dtype):
    args = scenario.make_args(key, dtype)
    leaves, tree = jax.tree.flatten(args)
    numbers = scenario.argnums
    chosen = {numbers} if isinstance(numbers, int) else set(numbers)
    owner = [k for k, arg in enumerate(args) for _ in jax.tree.leaves(arg)]
    order = [numbers] if isinstance(numbers, int) else list(numbers)
    active = [p for k in order for p, o in enumerate(owner) if o == k and k in chosen]

    def fun(leaves):
        return jax.tree.leaves(scenario.fun(*tree.unflatten(leaves))), []

    program = trace(fun, leaves, active)
    jacobian = scenario.jacobian(args)
    outputs = jax.eval_shape(scenario.fun, *args)
    picked = args[numbers] if isinstance(numbers, int) else tuple(args[k] for k in numbers)  # fmt: skip
    rows = jax.tree.structure(outputs).flatten_up_to(jacobian)
    table = [jax.tree.structure(picked).flatten_up_to(row) for row in rows]
    sizes = [np.size(leaves[p]) for p in active]
    blocks = [
        [np.reshape(b, (y.size, s)) for b, s in zip(row, sizes, strict=True)]
        for y, row in zip(jax.tree.leaves(outputs), table, strict=True)
    ]
    return program, program.evaluate(leaves)[1], np.block(blocks)


@pytest.mark.parametrize(
    "scenario", scenarios.params(dtype="float64", without="kink through_complex")
)
def test_cut_and_split_of_every_scenario_give_its_jacobian(scenario, key):
    program, env, expected = scenario_blocks(scenario, key, "float64")
    cut = narrowest(program.linear, program.tangents, program.outputs)
    if isinstance(cut, Cut):
        m, n = expected.shape
        assert cut.width <= min(m, n) or scenario.modes != ("forward", "reverse")
        found = product(cut, program.tangents, program.outputs, env)
        assert_close(stacked(found, program), expected)
    else:
        assert cut == "no output depends on the inputs"
    split = split_residual(program, known_values(program))
    if split is not None:
        _, found = pure_and_mixed(program, split, env)
        assert_close(found, expected)


def random_program(draw):
    """A function of two arrays built of random steps, each reading earlier results."""
    steps = draw(
        st.lists(
            st.tuples(st.integers(0, 11), st.integers(0, 99), st.integers(0, 99), st.integers(1, 5)),
            min_size=1,
            max_size=9,
        )
    )  # fmt: skip

    def fun(x, y):
        values = [x, y]
        for k, (kind, i, j, size) in enumerate(steps):
            a, b = values[i % len(values)], values[j % len(values)]
            values.append(step(kind, a, b, size, k))
        return values[-1], values[(steps[0][1] + len(steps)) % len(values)]

    return fun


def step(kind, a, b, size, seed):
    shared = min(a.size, b.size)
    a1, b1 = a[:shared], b[:shared]
    options = [
        lambda: jnp.tanh(weights(size, a.size, seed=seed) @ a),
        lambda: weights(size, a.size, seed=seed) @ a,
        lambda: a1 + b1,
        lambda: b1 - jnp.sin(a1),
        lambda: a1 * b1,
        lambda: jnp.concatenate([a, b])[:7],
        lambda: a[::-1] * 2.0,
        lambda: a.at[0].set(jnp.sum(b)),
        lambda: a.at[jnp.array([0, a.size - 1])].add(b[:1].repeat(2)),
        lambda: lax.scan(lambda c, t: (jnp.sin(c) * t, c), a, b)[1].reshape(-1)[:6],
        lambda: lax.cond(a[0] > 0, lambda: a1 * 2.0, lambda: b1**2),
        lambda: newton(2.0 + a**2) + jnp.mean(a),
    ]
    return options[kind]()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_cut_and_split_of_random_programs_give_the_jacobian(data):
    fun = random_program(data.draw)
    args = array(5), array(3)
    program, env = traced(fun, *args)
    expected = dense(fun, *args)
    cut = narrowest(program.linear, program.tangents, program.outputs)
    if not isinstance(cut, Cut):
        assert cut == "no output depends on the inputs"
        return
    found = product(cut, program.tangents, program.outputs, env)
    assert_close(stacked(found, program), expected)
    split = split_residual(program, known_values(program))
    if split is not None:
        assert_close(pure_and_mixed(program, split, env)[1], expected)


def separates(chosen, program):
    """Whether no path leads from an input to an output beside the chosen variables."""
    reached = set(program.tangents) - chosen
    for equation in program.linear:
        if not reached.isdisjoint(variables(equation)):
            reached.update(set(equation.eqn.outvars) - chosen)
    return reached.isdisjoint(v for v in program.outputs if v is not None)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 99), st.integers(0, 99), st.integers(1, 5)), min_size=1, max_size=4))  # fmt: skip
def test_no_set_of_variables_is_narrower_than_the_cut(steps):
    def fun(x, y):
        values = [x, y]
        for k, (kind, i, j, size) in enumerate(steps):
            values.append(step(kind, values[i % len(values)], values[j % len(values)], size, k))  # fmt: skip
        return values[-1]

    program, _ = traced(fun, array(5), array(3))
    cut = narrowest(program.linear, program.tangents, program.outputs)
    if isinstance(cut, str):
        return
    assert separates(set(cut.variables), program)
    needed = needed_for(program.linear, program.outputs)
    everything = [*program.tangents, *(v for e in needed for v in e.eqn.outvars)]
    for bits in itertools.product([False, True], repeat=min(len(everything), 12)):
        chosen = {v for v, b in zip(everything, bits, strict=False) if b}
        if sum(v.aval.size for v in chosen) < cut.width:
            assert not separates(chosen, program)


def quickest(fun):
    times = []
    for _ in range(5):
        start = time.perf_counter()
        fun()
        times.append(time.perf_counter() - start)
    return min(times)


def test_planning_of_deep_networks_takes_milliseconds():
    program, _ = traced(network(*[16] * 101), array(16))
    ends = program.tangents, program.outputs
    assert quickest(partial(narrowest, program.linear, *ends)) < 0.05
    program, _ = traced(residual_blocks(32, 2, 100), array(32))

    def both():
        split = split_residual(program, known_values(program))
        assert split is not None
        narrowest(split.equations, program.tangents, split.mixed)

    assert quickest(both) < 0.3
