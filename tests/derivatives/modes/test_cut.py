"""The narrowest cut, against dense Jacobians in float64."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jax import lax

from jnumerics.derivatives._dependence.boxes import batch_index
from jnumerics.derivatives._dependence.constants.fold import constants_of
from jnumerics.derivatives._dependence.propagate import propagate
from jnumerics.derivatives._modes.flow import Cut, SampleAxis, batch_capacity, narrowest
from jnumerics.derivatives._modes.rewrite import started_at
from jnumerics.derivatives._program.jaxpr import dtype_of, shape_of, variables
from jnumerics.derivatives._program.linearity.directions import (
    forwardable,
    reach,
    transposable,
)
from jnumerics.derivatives._program.tangent import needed_for, part
from tests._factors import (
    array,
    assert_close,
    batch_cut,
    checked_batch_cut,
    checked_cut,
    complex_array,
    dense,
    network,
    newton,
    no_cut,
    only_reverse,
    program_of,
    steps,
    traced,
    weights,
)

pytestmark = pytest.mark.usefixtures("x64")


def test_autoencoder_is_cut_at_its_code():
    fun, x = network(78, 25, 8, 25, 78), array(78)
    cut = checked_cut(fun, x)
    assert cut.width == 8
    assert cut.operation == "dot_general"
    assert "_factors.py:" in cut.line


def test_cut_of_a_map_without_a_bottleneck_is_one_of_its_ends():
    fun, x = network(6, 9, 7), array(6)
    cut = checked_cut(fun, x)
    assert (cut.width, cut.operation) == (6, "input")
    assert cut.before.equations == []
    fun, x = network(7, 9, 6), array(7)
    cut = checked_cut(fun, x)
    assert cut.width == 6
    assert cut.after.equations == []


def test_cut_variables_that_feed_one_another_are_independent_in_the_second_part():
    a, b, c = weights(2, 9), weights(9, 2), weights(3, 9)

    def fun(x):
        h = jnp.tanh(a @ x)
        g = jnp.tanh(c @ (b @ h + x * x[0]))  # reads h, and the inputs beside it
        return weights(12, 3) @ g + weights(12, 2) @ h

    x = array(9)
    cut = checked_cut(fun, x)
    assert cut.width == 5
    h, g = cut.variables
    assert h in {v for e in cut.before.equations for v in variables(e)}
    assert {h, g} <= set(cut.before.outputs)


def test_skip_as_wide_as_the_input_leaves_no_narrow_cut():
    fun, x = lambda x: x + network(20, 3, 20)(x), array(20)
    cut = checked_cut(fun, x)
    assert cut.width == 20


def test_unet_is_cut_across_its_skips():
    w, down, up = weights(12, 40), weights(3, 12), weights(12, 3)

    def fun(x):
        a = jnp.tanh(w @ x)
        code = jnp.tanh(down @ a)
        skip = a[:2]
        b = jnp.concatenate([up @ code, skip])
        return weights(40, 14) @ jnp.tanh(b)

    x = array(40)
    cut = checked_cut(fun, x)
    assert cut.width == 5


def test_ode_between_wide_layers_is_cut_at_its_state():
    w, a = weights(8, 50), weights(8, 8)

    def fun(x):
        def step(y, _):
            return y + 0.05 * jnp.tanh(a @ y), None

        return weights(50, 8) @ lax.scan(step, w @ x, None, length=20)[0]

    x = array(50)
    cut = checked_cut(fun, x)
    assert cut.width == 8


def test_several_inputs_and_outputs_some_of_them_zero_or_the_same():
    def fun(x, y, unused):
        h = jnp.tanh(weights(2, 12) @ jnp.concatenate([x, y]))
        z = weights(9, 2) @ h
        return z, {"same": z, "constant": jnp.ones(3), "square": z**2, "one": h[0]}

    args = array(5), array(7), array(4)
    cut = checked_cut(fun, *args)
    assert cut.width == 2
    assert len(cut.after.outputs) == 3


def test_output_that_is_an_input_is_cut_there():
    def fun(x, y):
        return x, weights(6, 1) @ (weights(1, 6) @ y)

    args = array(3), array(6)
    cut = checked_cut(fun, *args)
    assert cut.width == 4


def test_scalar_function_of_a_scalar():
    cut = checked_cut(jnp.sin, 0.3)
    assert cut.width == 1


def test_variables_of_size_zero_take_no_directions():
    def fun(x, empty):
        h = jnp.concatenate([weights(2, 6) @ x, empty, empty * 2.0])
        return weights(6, 2) @ h, empty, x[:0]

    args = array(6), array(0)
    cut = checked_cut(fun, *args)
    assert cut.width == 2


def test_function_of_nothing_but_empty_arrays_has_a_cut_of_width_zero():
    cut = checked_cut(jnp.sin, array(0))
    assert cut.width == 0
    cut = checked_cut(lambda x: jnp.sum(x) * jnp.ones(3), array(0))
    assert cut.width == 0


def test_output_that_does_not_depend_on_the_inputs_needs_no_cut():
    assert no_cut(lambda _: jnp.ones(3), array(4)) == "no output depends on the inputs"
    assert no_cut(lambda: jnp.ones(3)) == "no output depends on the inputs"


def test_program_beyond_32_bits_is_not_cut():
    reason = no_cut(network(4, 2, 4), array(4), capacity=lambda _: 2**31 - 1)
    assert "too many to seek a cut" in reason
    assert checked_cut(
        network(4, 2, 4), array(4), capacity=lambda v: 10**7 * v.aval.size
    )


def test_capacity_none_keeps_a_variable_whole():
    fun, x = network(9, 2, 3, 9), array(9)
    cut = checked_cut(
        fun, x, capacity=lambda v: None if v.aval.size == 2 else v.aval.size
    )
    assert cut.width == 3
    reason = no_cut(fun, x, capacity=lambda _: None)
    assert reason == "a path has no variable that may be cut"


def test_same_operand_twice_is_one_edge():
    fun, x = lambda x: weights(9, 1) @ ((weights(1, 9) @ x) ** 2), array(9)

    def doubled(x):
        h = weights(2, 9) @ x
        return weights(9, 4) @ jnp.concatenate([h, h]) + fun(x)

    cut = checked_cut(doubled, x)
    assert cut.width == 3


# --- equations that run in one direction ---------------------------------------------


def test_true_while_loop_lies_after_the_cut():
    outer = network(20, 3, 20)

    def late(x):
        return weights(20, 20) @ newton(2.0 + jnp.tanh(outer(x)))

    x = array(20)
    cut = checked_cut(late, x)
    assert cut.width == 3
    assert "while" in [e.name for e in cut.after.equations]

    def early(x):
        return outer(newton(2.0 + jnp.tanh(x)))

    cut = checked_cut(early, x)  # the code is behind the loop
    assert cut.width == 20


def test_true_while_loop_beside_the_bottleneck_forces_its_own_inputs_into_the_cut():
    def fun(x):
        y = newton(2.0 + jnp.tanh(x[:4]))
        return network(20, 3, 20)(x) + weights(20, 1) @ (weights(1, 4) @ y)

    x = array(20)
    cut = checked_cut(fun, x)
    assert cut.width == 7


def test_reverse_only_rule_lies_before_the_cut():
    x = array(20)

    def early(x):
        return network(20, 3, 20)(only_reverse(x))

    cut = checked_cut(early, x)
    assert cut.width == 3
    assert "custom_lin" in [e.name for e in cut.before.equations]

    def late(x):
        return only_reverse(network(20, 3, 20)(x))

    cut = checked_cut(late, x)
    assert cut.width == 20


def test_reverse_only_rule_before_a_while_loop_is_served_by_a_cut_alone():
    def fun(x):
        return newton(2.0 + jnp.tanh(weights(9, 9) @ only_reverse(x)))

    w, x = weights(9, 9), array(9)
    inner = dense(lambda x: 2.0 + jnp.tanh(w @ jnp.sin(x)), x)
    outer = dense(newton, 2.0 + jnp.tanh(w @ jnp.sin(x)))
    assert checked_cut(fun, x, expected=outer @ inner).width == 9


def test_reverse_only_rule_behind_a_while_loop_has_no_cut():
    reason = no_cut(lambda x: only_reverse(newton(2.0 + jnp.tanh(x))), array(5))
    assert "while at " in reason
    assert "cannot be transposed; custom_lin at " in reason
    assert "test_cut.py:" in reason


def test_one_way_equations_are_found_inside_loops_and_branches():
    def scanned(fun):
        return lambda x: lax.scan(lambda c, _: (fun(c), None), x, None, length=2)[0]

    def branched(fun):
        return lambda x: lax.cond(x[0] > 0, fun, lambda x: 2.0 * x, x)

    def ways(fun):
        program = traced(fun, 2.0 + jnp.abs(array(4)))
        reached = reach(program.linear, program.tangents)
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
            return jnp.sin(c) * jnp.asarray(count, c.dtype), None

        def body(c, k):
            return jax.checkpoint(step)(c, k)

        return lax.scan(body, x, jnp.arange(3))[0]

    program = traced(fun, array(4))
    reached = reach(program.linear, program.tangents)
    assert all(transposable(e, reached) for e in program.linear)
    assert checked_cut(fun, array(4)).width == 4


def test_iterative_solver_transposes_although_it_holds_a_loop():
    a = jnp.asarray(np.eye(4) * 3 + 0.1)

    def fun(x):
        return jax.scipy.sparse.linalg.cg(lambda y: a @ y, jnp.sin(x), tol=1e-14)[0]

    program = traced(fun, array(4))
    reached = reach(program.linear, program.tangents)
    assert all(transposable(e, reached) for e in program.linear)
    assert not all(map(transposable, program.linear))  # without knowing the tangents
    cut = checked_cut(lambda x: network(4, 2, 9)(fun(x)), array(4))
    assert cut.width == 2


def test_linear_solve_without_a_transpose_does_not_transpose():
    a = jnp.asarray(np.eye(4) * 3 + 0.1 * array(4, 4))

    def fun(b):
        return lax.custom_linear_solve(
            lambda x: a @ x, b, lambda _, b: jnp.linalg.solve(a, b)
        )

    program = traced(fun, array(4))
    reached = reach(program.linear, program.tangents)
    assert not all(transposable(e, reached) for e in program.linear)
    cut = checked_cut(lambda x: fun(network(12, 2, 4)(x)), array(12))
    assert cut.width == 2


# --- real and complex ----------------------------------------------------------------


def test_real_program_is_not_cut_at_a_complex_variable():
    w = lax.complex(weights(6, 9), weights(6, 9, seed=1))

    def fun(x):
        z = w[:2] @ x.astype(complex)  # two complex numbers, four real ones
        return weights(9, 2) @ jnp.abs(z) ** 2 + weights(9, 3) @ (weights(3, 9) @ x)

    x = array(9)
    cut = checked_cut(fun, x)
    assert cut.width == 5
    assert all(np.isrealobj(np.zeros(0, dtype_of(v))) for v in cut.variables)


def test_real_program_through_a_complex_bottleneck_is_cut_at_its_ends():
    w = lax.complex(weights(1, 9), weights(1, 9, seed=1))

    def fun(x):
        z = w @ x.astype(complex)
        return jnp.real(w.T @ (z * z * (1 + 2j)))

    x = array(9)
    cut = checked_cut(fun, x)
    assert cut.width == 9


def test_holomorphic_program_is_cut_at_its_bottleneck():
    a, b = complex_array(2, 9), complex_array(9, 2)

    def fun(z):
        return jnp.fft.fft(jnp.sin(b @ jnp.exp(a @ z)))

    z = complex_array(9)
    cut = checked_cut(fun, z)
    assert cut.width == 2


def test_complex_program_with_a_conjugate_is_not_cut():
    a, b = complex_array(2, 9), complex_array(9, 2)
    reason = no_cut(lambda z: b @ jnp.conj(a @ z), complex_array(9))
    assert "is not complex-linear" in reason
    assert "test_cut.py:" in reason
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


# --- batches -------------------------------------------------------------------------


def test_batch_is_cut_at_the_code_of_one_sample():
    w, v = weights(20, 3), weights(3, 20)

    def fun(x):
        return jnp.tanh(x @ w) @ v

    x = array(6, 20)
    cut, _ = checked_batch_cut(fun, x)
    assert cut.width == 3


def test_batch_axis_may_stand_behind_or_be_merged():
    w, v = weights(4, 2), weights(2, 4)

    def fun(x):
        y = jnp.tanh(x.reshape(6 * 5, 4) @ w)  # samples merged with rows
        y = y.T * 2.0  # and stand behind
        return (y.T @ v).reshape(6, 20)

    x = array(6, 20)
    cut, _ = checked_batch_cut(fun, x)
    assert cut.width == 10


def test_sample_axis_of_merged_and_moved_axes():
    def axis_of(fun, shape, n=4, axis=0):
        program = traced(fun, array(*shape))
        seeds = {program.tangents[0]: batch_index(shape, axis)}
        boxes = propagate(program.linear, seeds, constants_of(program))
        (output,) = filter(None, program.outputs)
        return batch_capacity(boxes, n)[1].get(output)

    assert axis_of(lambda x: 2.0 * x, (4, 3)) == SampleAxis(0, 1)
    assert axis_of(lambda x: 2.0 * x.T, (4, 3)) == SampleAxis(1, 1)
    assert axis_of(lambda x: x.reshape(12), (4, 3)) == SampleAxis(0, 3)
    assert axis_of(lambda x: x.T.reshape(12), (4, 3)) is None
    assert axis_of(lambda x: x[::-1], (4, 3)) is None
    assert axis_of(lambda x: jnp.cumsum(x, axis=0), (4, 3)) is None
    assert axis_of(lambda x: jnp.sum(x), (4, 3)) is None
    outer = axis_of(lambda x: x[:, None] * jnp.ones((1, 4, 1)), (4, 4))
    assert outer == SampleAxis(0, 1)
    assert axis_of(lambda x: x.at[2].set(0.0), (4, 3)) is None


def test_element_that_depends_on_no_sample_is_not_cut():
    a, b = weights(8, 2), weights(2, 8)

    def fun(x):
        h = jnp.tanh(x @ a)
        row = h.at[2].set(0.0)[2]  # no sample's: zero, then added to all
        return jnp.tanh((h.at[2].set(0.0) + row[None]) @ b)

    x = array(5, 8)
    cut, _ = checked_batch_cut(fun, x)
    assert cut.width == 2
    moved = [e.name for e in cut.before.equations]
    assert not any(name.startswith("scatter") for name in moved)


def test_single_sample_is_cut_anywhere():
    def fun(x):
        return (x.reshape(12) @ weights(12, 2) @ weights(2, 12)).reshape(1, 12)

    x = array(1, 12)
    cut, axes = checked_batch_cut(fun, x)
    assert cut.width == 2
    assert [axes[v] for v in cut.variables] == [None]


def test_samples_that_mix_on_every_path_leave_no_cut():
    capacity, _ = batch_capacity({}, 4)
    reason = no_cut(lambda x: jnp.cumsum(x, axis=0), array(4, 3), capacity=capacity)
    assert reason == "a path has no variable that may be cut"


def test_batch_without_samples_has_a_cut_of_width_zero():
    program = traced(lambda x: jnp.sin(x) @ weights(3, 2), array(0, 3))
    cut, axes = batch_cut(program, program.linear, program.outputs, 0)
    assert cut.width == 0
    assert set(axes.values()) == {None}


def test_variable_without_elements_is_no_obstacle_in_a_batch():
    def fun(x):
        h = jnp.concatenate([x @ weights(8, 2), jnp.sin(x[:, :0])], axis=1)
        return h @ weights(2, 8)

    cut, axes = checked_batch_cut(fun, array(5, 8))
    assert cut.width == 2
    assert None in [axes[v] for v in cut.variables]


# --- parts of a cut ------------------------------------------------------------------


def test_directions_of_a_variable_run_only_through_what_they_reach():
    def fun(x, y):
        a, b = jnp.sin(x), jnp.cos(y)
        return a + b, b - a, jnp.where(x > 0, a, b), weights(4, 3) @ x[:3], 2.0 * y, x

    args = array(4), array(4, seed=1)
    program = traced(fun, *args)
    whole = part(program.linear, program.tangents, [*filter(None, program.outputs)])
    first, positions = started_at(whole, program.tangents[0])
    assert positions == [0, 1, 2, 3, 5]
    assert "add_any" not in [e.name for e in first.equations]

    @jax.jit
    def both(args):
        env = program.evaluate(args)[1]
        dt = jnp.asarray(array(4, seed=2))
        found = first.forward(env)(dt)
        expected = whole.forward(env)(dt, jnp.zeros(4))
        return found, [expected[k] for k in positions]

    for found, expected in zip(*both([jnp.asarray(a) for a in args]), strict=True):
        assert_close(found, expected)


@settings(max_examples=10, deadline=None)
@given(st.lists(steps, min_size=2, max_size=7))
def test_part_started_at_one_input_equals_the_whole_with_the_others_zero(chosen):
    program = traced(program_of(chosen), array(5), array(3))
    outputs = [v for v in program.outputs if v is not None]
    whole = part(program.linear, program.tangents, outputs)
    alone, positions = started_at(whole, program.tangents[1])

    @jax.jit
    def both(args):
        env = program.evaluate(args)[1]
        dt = jnp.asarray(array(3, seed=2))
        expected = whole.forward(env)(jnp.zeros(5), dt)
        return alone.forward(env)(dt), [expected[k] for k in positions], expected

    found, expected, everything = both([jnp.asarray(array(5)), jnp.asarray(array(3))])
    for f, e in zip(found, expected, strict=True):
        assert_close(f, e)
    for k, e in enumerate(everything):
        assert k in positions or not e.any()


# --- no narrower cut exists ----------------------------------------------------------


def separates(chosen, program):
    """Whether no path leads from an input to an output beside the chosen variables."""
    reached = set(program.tangents) - chosen
    for equation in program.linear:
        if not reached.isdisjoint(variables(equation)):
            reached.update(set(equation.eqn.outvars) - chosen)
    return reached.isdisjoint(v for v in program.outputs if v is not None)


@settings(max_examples=30, deadline=None)
@given(st.lists(steps, min_size=1, max_size=4))
def test_no_set_of_variables_is_narrower_than_the_cut(chosen):
    program = traced(program_of(chosen), array(5), array(3))
    cut = narrowest(program.linear, program.tangents, program.outputs)
    assume(isinstance(cut, Cut) and all(map(transposable, program.linear)))
    assert isinstance(cut, Cut)
    assert separates(set(cut.variables), program)
    needed = needed_for(program.linear, filter(None, program.outputs))
    everything = [*program.tangents, *(v for e in needed for v in e.eqn.outvars)]
    for bits in itertools.product([False, True], repeat=min(len(everything), 12)):
        others = {v for v, b in zip(everything, bits, strict=False) if b}
        if sum(math.prod(shape_of(v)) for v in others) < cut.width:
            assert not separates(others, program)
