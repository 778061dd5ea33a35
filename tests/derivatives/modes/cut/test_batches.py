"""Cuts of batches, at variables of one sample."""

import jax.numpy as jnp
import pytest

from jnumerics.derivatives._dependence.boxes import batch_index
from jnumerics.derivatives._dependence.constants.fold import constants_of
from jnumerics.derivatives._dependence.propagate import propagate
from jnumerics.derivatives._modes.flow import SampleAxis, batch_capacity
from tests.derivatives.modes._factors.batches import batch_cut, checked_batch_cut
from tests.derivatives.modes._factors.functions import array, weights
from tests.derivatives.modes._factors.jacobians import no_cut, traced

pytestmark = pytest.mark.usefixtures("x64")


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
