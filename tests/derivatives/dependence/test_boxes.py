"""Boxes through wide layers, loops and calls that cannot be opened."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.extend.core import Primitive, Var

from jnumerics.derivatives._dependence import boxes as _boxes
from jnumerics.derivatives._dependence.boxes import batch_index, own_index
from jnumerics.derivatives._dependence.constants.arithmetic import propagated
from jnumerics.derivatives._dependence.constants.fold import Constants, constants_of
from jnumerics.derivatives._dependence.constants.value import Bounds
from jnumerics.derivatives._dependence.propagate import propagate
from jnumerics.derivatives._dependence.result import dependence
from jnumerics.derivatives._program import trace
from jnumerics.derivatives._program.jaxpr import Equation, shape_of

# --- the same at every value, eager and compiled -------------------------------------


def test_a_long_loop_keeps_what_stands_and_joins_what_grows():
    def fun(x):
        def step(u, _):
            return u + 0.1 * jnp.roll(u, 1, axis=1), None

        return lax.scan(step, x, length=100_000)[0]

    boxes = dependence(fun, jnp.ones((3, 400)))
    assert boxes.independent_along(0)
    assert (boxes.widths[..., 1] == 400).all()


def test_a_while_loop_whose_condition_reads_the_tangent_joins_all():
    @jax.custom_jvp
    def fun(x):
        return x

    @fun.defjvp
    def _(primals, tangents):
        def goes_on(carry):
            return (carry[0] < 3) & (carry[1].sum() > -1)

        def step(carry):
            return carry[0] + 1, 2 * carry[1]

        return primals[0], lax.while_loop(goes_on, step, (0, *tangents))[1]

    assert not dependence(fun, jnp.ones((3, 2))).independent_along(0)


# --- boxes ---------------------------------------------------------------------------


def test_own_index_of_several_leaves_gives_each_its_rows():
    box = own_index([(2,), ()], 1)
    assert box.shape == (4,)
    np.testing.assert_array_equal(box, [_boxes.NONE, 0, _boxes.NONE, 0])


def test_batch_boxes_stay_small_through_wide_layers():
    weight = jnp.ones((20, 30))
    target = trace.trace(lambda x: jnp.tanh(x @ weight).sum(1), (jnp.ones((1000, 20)),))
    seeds = {v: batch_index(shape_of(v), 0) for v in target.program.tangents}
    boxes = propagate(target.program.linear, seeds, constants_of(target.program))
    assert max(box.size for box in boxes.values()) == 2000


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div"])
def test_the_error_of_a_float_operation_is_bounded_and_not_by_far(name):
    operation = {
        "add": np.add,
        "sub": np.subtract,
        "mul": np.multiply,
    }.get(name, np.divide)
    a, b = np.array([2, 2, 0.5]), np.array([2, 0.5, 2])
    operands = [Bounds(1e-3, 0.0, 2.0), Bounds(3e-3, 0.0, 2.0)]
    bound = propagated(name, operands, [a, b]).error
    corners = [(x, y) for x in (a - 1e-3, a + 1e-3) for y in (b - 3e-3, b + 3e-3)]
    largest = max(np.abs(operation(*c) - operation(a, b)).max() for c in corners)
    assert largest <= bound * 1.0001
    assert bound < 5 * largest


def test_a_quotient_whose_divisor_may_be_zero_has_no_bound():
    one, little = np.ones(2), np.full(2, 1e-3)
    operands = [Bounds(0.0, 1.0, 1.0), Bounds(2e-3, 0.0, 1e-3)]
    assert not propagated("div", operands, [one, little]).is_finite


class _Nothing:
    """A context in which nothing is known: a sum asks nothing."""

    trusts_solvers = False

    def constant(self, atom: Any) -> None:
        del atom

    def nonzero(self, atom: Any) -> None:
        del atom

    def columns(self, atom: Any) -> list:
        return [None for _ in atom.aval.shape[-1:]]

    def body(self, jaxpr: Any, reached: Any) -> Any:
        raise NotImplementedError

    def pullback(self, eqn: Any) -> Any:
        raise NotImplementedError


def test_a_parameter_that_a_rule_does_not_read_leads_to_the_general_join():
    equation = trace.trace(jnp.sum, (jnp.ones(3),)).program.linear[-1].eqn
    unread = equation.replace(params={**equation.params, "unheard_of": 1})
    box = own_index([(3,)], 0)
    context = _Nothing()
    assert _boxes.apply_rule(context, equation, [box]) is not None
    assert _boxes.apply_rule(context, unread, [box]) is None


class _Closed:
    """A call whose body cannot be had."""

    in_tree = jax.tree.structure(((0,), {}))

    def expand(self, *_):
        raise NotImplementedError


@pytest.mark.parametrize("params", [{"_prim": _Closed()}, {}])
def test_a_call_that_cannot_be_opened_joins_all_and_is_unknown(params):
    (eqn,) = jax.make_jaxpr(jnp.negative)(jnp.arange(3)).eqns
    call = eqn.replace(primitive=Primitive("eval_jaxpr"), params=params)
    assert _boxes.apply_rule(_Nothing(), call, [own_index([(3,)], 0)]) is None
    known = Constants(
        [Equation(call, ())],
        {v: np.arange(3) for v in call.invars if isinstance(v, Var)},
    )
    assert known(call.outvars[0]) is None
