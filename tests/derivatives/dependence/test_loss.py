"""Where structure is lost: the operation and the line that are named."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics.derivatives._dependence.boxes import batch_index
from jnumerics.derivatives._dependence.constants.fold import constants_of
from jnumerics.derivatives._dependence.mixing import mixing
from jnumerics.derivatives._dependence.result import dependence
from jnumerics.derivatives._program import trace
from jnumerics.derivatives._program.jaxpr import shape_of
from tests.derivatives.dependence._loss import lost

# --- where it was lost ---------------------------------------------------------------


def named(loss):
    """The operation, and the file's name and line."""
    return loss.operation, Path(loss.line).name


def line_of(text):
    """This file's name and the line that holds a text."""
    lines = Path(__file__).read_text().splitlines()
    return (
        f"{Path(__file__).name}:{1 + next(k for k, s in enumerate(lines) if text in s)}"
    )


def test_loss_names_the_operation_and_the_users_line():
    def fun(x):
        y = jnp.tanh(x)
        z = y - y.mean(0)[None]  # samples meet here
        return z.sum(1)

    loss = dependence(fun, jnp.ones((4, 3))).loss(0)
    assert named(loss) == ("reduce_sum", line_of("# samples meet " + "here"))


def test_loss_inside_compiled_functions_of_jax_is_the_line_of_the_call():
    def fun(x):
        return jnp.roll(jnp.sin(x), 1, axis=0)  # rolled here

    loss = lost(dependence(fun, jnp.ones((4, 3))), 0)
    assert named(loss)[1] == line_of("# rolled " + "here")


def test_loss_inside_a_loop_is_the_line_in_its_body():
    def fun(x):
        def step(state, row):
            state = jnp.tanh(state + row)
            mean = state.mean(0)[None]  # samples meet in a loop
            return state - mean, None

        return lax.scan(step, jnp.zeros((4, 2)), x.swapaxes(0, 1))[0]

    loss = lost(dependence(fun, jnp.ones((4, 3, 2))), 0)
    assert named(loss) == ("reduce_sum", line_of("# samples meet in " + "a loop"))


def test_loss_of_a_scan_over_samples_is_where_carry_and_sample_meet():
    def fun(x):
        def step(carry, row):
            carry = 0.5 * carry + row  # carried over
            return carry, carry

        return lax.scan(step, x[0], x)[1]

    loss = lost(dependence(fun, jnp.ones((4, 3))), 0)
    assert named(loss)[1] == line_of("# carried " + "over")


def test_loss_inside_a_branch_is_the_line_of_the_branch():
    def fun(x, flag):
        def mixed(x):
            return x - x.sum(0)[None]  # a branch that mixes

        return lax.cond(flag, mixed, jnp.sin, x)

    loss = lost(dependence(fun, jnp.ones((4, 3)), jnp.array(True)), 0)
    assert named(loss) == ("reduce_sum", line_of("# a branch that " + "mixes"))


def test_loss_of_a_permutation_is_where_samples_leave_their_row():
    def fun(x):
        y = 2 * jnp.sin(x)
        y = y[::-1]  # reversed here
        return jnp.exp(y) + 1

    boxes = dependence(fun, jnp.ones((4, 3)))
    assert named(lost(boxes, 0)) == ("rev", line_of("# reversed " + "here"))
    assert boxes.loss(1) is None


def test_no_loss_where_the_property_holds():
    assert dependence(jnp.sin, jnp.ones(3)).loss() is None


def batch_mixing(fun, x):
    target = trace.trace(fun, (x,))
    seeds = {v: batch_index(shape_of(v), 0) for v in target.program.tangents}
    axes = [0] * target.n_outputs
    return mixing(target.program, constants_of(target.program), seeds, axes)


def test_mixing_names_an_output_and_the_samples_that_it_reads():
    def fun(x):
        return x.at[2].add(x[0])

    mixed = batch_mixing(fun, jnp.ones((4, 3)))
    assert mixed is not None
    assert mixed.leaf == 0
    assert mixed.element == (2, 0)
    assert mixed.inputs == (0, 2)
    np.testing.assert_array_equal(mixed.samples, [2])


def test_mixing_finds_none_where_samples_stay_apart():
    def fun(x):
        return (x.reshape(-1) * 2).reshape(4, 3).sum(1)

    assert batch_mixing(fun, jnp.ones((4, 3))) is None


# --- boxes ---------------------------------------------------------------------------


def test_leaves_that_change_places_are_lost_in_the_structure():
    tree = {"a": jnp.ones(3), "b": jnp.ones(3)}
    loss = lost(dependence(lambda t: {"a": t["b"], "b": t["a"]}, tree))
    assert loss == ("the result's structure", "an unknown line")


def test_samples_along_another_axis_are_mixed_by_the_result_itself():
    target = trace.trace(lambda x: x, (jnp.ones((3, 3)),))
    seeds = {v: batch_index(shape_of(v), 0) for v in target.program.tangents}
    mixed = mixing(target.program, constants_of(target.program), seeds, [1])
    assert mixed is not None
    assert mixed.operation == "the result itself"


@pytest.mark.parametrize(
    "fun",
    [
        # nothing strays beside what is reversed
        pytest.param(
            lambda x: jnp.sum(x[:0]) + x[::-1], id="rows reversed beside an empty sum"
        ),
        # samples in line along another axis
        pytest.param(
            lambda x: jnp.sin(x).T[:, ::-1].T, id="columns of the transpose reversed"
        ),
    ],
)
def test_mixing_is_where_samples_leave_their_row(fun):
    mixed = batch_mixing(fun, jnp.ones((4, 4)))
    assert mixed is not None
    assert mixed.operation == "rev"
