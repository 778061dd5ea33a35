"""Cuts of programs with equations that run in one direction."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics.derivatives._program.linearity.directions import (
    forwardable,
    reach,
    transposable,
)
from tests.derivatives.modes._factors.functions import (
    array,
    network,
    newton,
    only_reverse,
    weights,
)
from tests.derivatives.modes._factors.jacobians import (
    checked_cut,
    dense,
    no_cut,
    traced,
)

pytestmark = pytest.mark.usefixtures("x64")


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
    assert "test_one_way.py:" in reason


def test_one_way_equations_are_found_inside_loops_and_branches():
    def scanned(fun):
        return lambda x: lax.scan(lambda c, _: (fun(c), None), x, None, length=2)[0]

    def branched(fun):
        return lambda x: lax.cond(x[0] > 0, fun, lambda x: 2.0 * x, x)

    def ways(fun):
        program = traced(fun, 2.0 + jnp.abs(array(4)))
        reached = reach(program.linear, program.tangents)
        directions = [
            (transposable(e, reached), forwardable(e)) for e in program.linear
        ]
        return tuple(all(column) for column in zip(*directions, strict=True))

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
