"""Cuts and splits of every scenario and of random programs."""

import time
from functools import partial

import jax
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jnumerics.derivatives._dependence.constants.fold import constants_of
from jnumerics.derivatives._modes.flow import Cut, narrowest
from jnumerics.derivatives._modes.skip import split_skips
from jnumerics.derivatives._program.joint import trace
from tests import scenarios
from tests.derivatives.modes._factors.functions import (
    array,
    network,
    program_of,
    residual_blocks,
    steps,
)
from tests.derivatives.modes._factors.jacobians import (
    assert_close,
    checked_cut,
    checked_split,
    product,
    pure_jacobian,
    split_of,
    traced,
)

pytestmark = pytest.mark.usefixtures("x64")


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

    program = trace(fun, leaves, active).program
    jacobian = scenario.jacobian(args)
    outputs = jax.eval_shape(scenario.fun, *args)
    picked = (
        args[numbers] if isinstance(numbers, int) else tuple(args[k] for k in numbers)
    )
    rows = jax.tree.structure(outputs).flatten_up_to(jacobian)
    table = [jax.tree.structure(picked).flatten_up_to(row) for row in rows]
    sizes = [np.size(leaves[p]) for p in active]
    blocks = [
        [np.reshape(b, (y.size, s)) for b, s in zip(row, sizes, strict=True)]
        for y, row in zip(jax.tree.leaves(outputs), table, strict=True)
    ]
    return program, leaves, np.block(blocks)


SMALL = {
    "lowrank",
    "residual",
    "arrow",
    "pytree",
    "scan",
    "while",
    "custom_vjp",
    "zero",
}


def chosen_scenarios():
    """All in the whole product; those that a cut or a split is made for, always."""
    for scenario in scenarios.select(dtype="float64", without="kink through_complex"):
        marks = () if SMALL & scenario.tags else pytest.mark.product
        yield pytest.param(scenario, id=scenario.name, marks=marks)


@pytest.mark.parametrize("scenario", list(chosen_scenarios()))
def test_cut_and_split_of_every_scenario_give_its_jacobian(scenario, key):
    program, leaves, expected = scenario_blocks(scenario, key, "float64")
    cut = narrowest(program.linear, program.tangents, program.outputs)
    split = split_skips(program, constants_of(program))
    rest = None
    if split is not None and any(v is not None for v in split.mixed):
        rest = narrowest(split.equations, program.tangents, split.mixed)

    @jax.jit
    def both(leaves):
        env = program.evaluate(leaves)[1]
        jacobians = []
        if isinstance(cut, Cut):
            jacobians.append(product(cut, program, program.outputs, env))
        if split is not None:
            jacobians.append(pure_jacobian(split, program, env))
        if isinstance(rest, Cut):
            assert split is not None
            jacobians[-1] += product(rest, program, split.mixed, env)
        return jacobians

    assert isinstance(cut, Cut) or cut == "no output depends on the inputs"
    assert rest is None or isinstance(rest, Cut)
    if isinstance(cut, Cut) and len(scenario.modes) == 2:
        assert cut.width <= min(expected.shape)
    for J in both(leaves):
        assert_close(J, expected)


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(st.lists(steps, min_size=1, max_size=9))
def test_cut_and_split_of_random_programs_give_the_jacobian(chosen):
    fun, args = program_of(chosen), (array(5), array(3))
    program = traced(fun, *args)
    assume(any(v is not None for v in program.outputs))
    checked_cut(fun, *args)
    if split_skips(program, constants_of(program)) is not None:
        checked_split(fun, *args)


def quickest(fun):
    times = []
    for _ in range(5):
        start = time.perf_counter()
        fun()
        times.append(time.perf_counter() - start)
    return min(times)


@pytest.mark.slow
def test_planning_of_deep_networks_takes_milliseconds():
    program = traced(network(*[16] * 101), array(16))
    ends = program.tangents, program.outputs
    assert quickest(partial(narrowest, program.linear, *ends)) < 0.05
    program = traced(residual_blocks(32, 2, 100), array(32))

    def both():
        split = split_of(program)
        narrowest(split.equations, program.tangents, split.mixed)

    assert quickest(both) < 0.3
