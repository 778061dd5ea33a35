"""The narrowest cut, against dense Jacobians in float64."""

import itertools
import math

import jax.numpy as jnp
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jax import lax

from jnumerics.derivatives._modes.flow import Cut, narrowest
from jnumerics.derivatives._program.jaxpr import shape_of, variables
from jnumerics.derivatives._program.linearity.directions import (
    transposable,
)
from jnumerics.derivatives._program.tangent import needed_for
from tests.derivatives.modes._factors.functions import (
    array,
    network,
    program_of,
    steps,
    weights,
)
from tests.derivatives.modes._factors.jacobians import checked_cut, no_cut, traced

pytestmark = pytest.mark.usefixtures("x64")


def test_autoencoder_is_cut_at_its_code():
    fun, x = network(78, 25, 8, 25, 78), array(78)
    cut = checked_cut(fun, x)
    assert cut.width == 8
    assert cut.operation == "dot_general"
    assert "_factors/functions.py:" in cut.line


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
