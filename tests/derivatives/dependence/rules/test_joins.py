"""What no rule serves joins all that enters, and is recorded with the user's line."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.extend.core import Primitive

from jnumerics.derivatives._dependence.boxes import batch_index
from jnumerics.derivatives._dependence.constants.fold import constants_of
from jnumerics.derivatives._dependence.propagate import joined, propagate
from jnumerics.derivatives._dependence.result import dependence
from jnumerics.derivatives._dependence.rules import RULES
from jnumerics.derivatives._program import trace
from jnumerics.derivatives._program.jaxpr import shape_of


def recorded(fun, x):
    """Names and lines of the equations that were joined for want of a rule."""
    target = trace.trace(fun, (x,), argnums=0)
    seeds = {v: batch_index(shape_of(v), 0) for v in target.program.tangents}
    propagate(target.program.linear, seeds, constants_of(target.program))
    propagate(
        target.program.linear, seeds, constants_of(target.program)
    )  # and each of them once
    return [
        (name, line.rsplit(":", 1)[0])
        for name, line in joined(constants_of(target.program))
    ]


def by_rule(tangent):
    """A function whose derivative is written by hand."""
    rule = jax.custom_jvp(lambda x: x)
    rule.defjvp(lambda primals, tangents: (rule(*primals), tangent(*tangents)))
    return rule


HERE = "tests/derivatives/dependence/rules/test_joins.py"
CASES = {
    "nothing": (lambda x: jnp.sin(x) @ jnp.ones((3, 3)), []),
    "a primitive without a rule": (
        by_rule(lambda t: lax.linalg.lu(t)[0]),
        [("lu", HERE)],
    ),
    "in a loop": (
        lambda x: lax.scan(
            lambda c, _: (by_rule(lambda t: lax.linalg.lu(t)[0])(c), None), x, length=2
        )[0],
        [("lu", HERE)],
    ),
    "in a branch": (
        lambda x: lax.cond(
            x[0, 0] > 0, by_rule(lambda t: lax.linalg.lu(t)[0]), jnp.sin, x
        ),
        [("lu", HERE)],
    ),
    "a tangent where it is not linear": (
        by_rule(lambda t: lax.linalg.triangular_solve(t, t, left_side=True)),
        [("triangular_solve", HERE)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_was_joined_for_want_of_a_rule_is_recorded(name):
    fun, expected = CASES[name]
    assert recorded(fun, np.eye(3, dtype="float32")) == expected


def test_a_parameter_that_a_rule_does_not_know_is_recorded(monkeypatch):
    rule, parameters = RULES["transpose"]
    monkeypatch.setitem(RULES, "transpose", (rule, parameters - {"permutation"}))
    assert recorded(lambda x: x.T, np.eye(3)) == [("transpose", HERE)]


def test_a_solve_of_another_library_depends_on_all_that_enters_it():
    # As lineax binds it under vmap: functions in its parameters that only it can open.
    solve = Primitive("vprim")
    solve.def_abstract_eval(lambda x, **_: x)
    fun = by_rule(lambda t: solve.bind(t, prim="linear_solve", params=()))
    boxes = dependence(fun, jnp.ones((4, 3)))
    assert (boxes.widths == [4, 3]).all()
    assert recorded(fun, jnp.ones((4, 3))) == [("vprim", HERE)]
