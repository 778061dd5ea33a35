"""The parts of a cut."""

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jnumerics.derivatives._modes.rewrite import started_at
from jnumerics.derivatives._program.tangent import part
from tests.derivatives.modes._factors.functions import array, program_of, steps, weights
from tests.derivatives.modes._factors.jacobians import assert_close, traced

pytestmark = pytest.mark.usefixtures("x64")


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
        actual = first.forward(env)(dt)
        expected = whole.forward(env)(dt, jnp.zeros(4))
        return actual, [expected[k] for k in positions]

    for actual, expected in zip(*both([jnp.asarray(a) for a in args]), strict=True):
        assert_close(actual, expected)


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

    actual, expected, everything = both([jnp.asarray(array(5)), jnp.asarray(array(3))])
    for f, e in zip(actual, expected, strict=True):
        assert_close(f, e)
    for k, e in enumerate(everything):
        assert k in positions or not e.any()
