"""Skip connections split off, against dense Jacobians in float64."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics.derivatives._dependence.constants.fold import constants_of
from jnumerics.derivatives._modes.skip import split_skips
from jnumerics.derivatives._program.tangent import part
from tests.derivatives.modes._factors.batches import (
    batch_blocks,
    batch_cut,
    true_blocks,
)
from tests.derivatives.modes._factors.functions import (
    array,
    complex_array,
    network,
    newton,
    only_reverse,
    residual_blocks,
    weights,
)
from tests.derivatives.modes._factors.jacobians import (
    assert_close,
    checked_split,
    split_of,
    traced,
)

pytestmark = pytest.mark.usefixtures("x64")


def test_residual_blocks_are_cut_at_their_hidden_units():
    fun, x = residual_blocks(300, 5, 3), array(300)
    split, cut = checked_split(fun, x)
    assert cut is not None
    assert cut.width == 15
    assert split.columns[0] is not None
    np.testing.assert_array_equal(split.columns[0], np.arange(300))


def test_residual_blocks_with_layer_norms_stay_narrow():
    downs = [weights(3, 40, seed=k) for k in range(3)]

    def fun(x):
        for down in downs:
            y = (x - jnp.mean(x)) / jnp.sqrt(jnp.var(x) + 1e-3)
            x = x + down.T @ jax.nn.gelu(down @ y)
        return x

    x = array(40)
    _, cut = checked_split(fun, x)
    assert cut is not None
    assert cut.width == 9


def test_arrow_takes_one_pass_and_a_cut_of_two():
    def fun(x):
        return jnp.concatenate([jnp.sum(x**2)[None], x[0] * jnp.sin(x[1:])])

    x = array(20)
    _, cut = checked_split(fun, x)
    assert cut is not None
    assert cut.width == 2


def test_skip_beside_a_bottleneck_takes_one_pass_and_its_width():
    def fun(x):
        return jnp.sin(x)[::-1] - network(30, 4, 30)(x)

    x = array(30)
    split, cut = checked_split(fun, x)
    assert cut is not None
    assert cut.width == 4
    np.testing.assert_array_equal(split.columns[0], np.arange(30)[::-1])


def test_subtracted_skip_keeps_its_sign():
    def fun(x):
        return network(12, 2, 12)(x) - x**3

    x = array(12)
    _, cut = checked_split(fun, x)
    assert cut is not None
    assert cut.width == 2


def test_moved_elements_stay_pure():
    def fun(x, y):
        z = jnp.concatenate([x.T.reshape(-1)[::2], y[jnp.array([3, 3, 0])]])
        return jnp.exp(z).at[1].set(0.0), jnp.where(y > 0, y, -y) * 2.0

    args = array(4, 3), array(5)
    split, cut = checked_split(fun, *args)
    assert cut is None
    assert split.columns[0] is not None
    assert split.columns[0][1] == -1


def test_summand_that_reads_the_most_inputs_stays_pure():
    def fun(x):
        return x[0] * jnp.ones(20) + x[::-1] ** 2

    x = array(20)
    split, cut = checked_split(fun, x)
    assert cut is not None
    assert cut.width == 1
    np.testing.assert_array_equal(split.columns[0], np.arange(20)[::-1])


def test_rows_added_into_a_residual_stay_beside_it():
    def fun(x):
        return (2.0 * x).at[jnp.array([1, 4])].add(network(15, 2, 2)(x))

    x = array(15)
    _, cut = checked_split(fun, x)
    assert cut is not None
    assert cut.width == 2


def test_parts_meet_in_concatenations_selections_and_scalars():
    def fun(x, s):
        mixed = network(6, 1, 6)(x)
        both = x + mixed
        joined = jnp.concatenate([both, x[:2], mixed])
        chosen = jnp.where(x > 0, both, x)
        return joined * 3.0, chosen, jnp.sum(both) + s * x, s

    args = array(6), 0.7
    _, _ = checked_split(fun, *args)


def test_loops_pass_pure_parts_on_only_when_each_operand_has_one():
    def damped(x, y):
        def step(c, _):
            return (jnp.sin(c[0]) + 0.1 * c[1], 2.0 * c[1]), c[0]

        return lax.scan(step, (x, y), None, length=3)

    args = array(4), array(4, seed=1)
    _, cut = checked_split(lambda x, y: (damped(x, y), x), *args)
    assert cut is not None

    def decay(x):
        both = x + network(4, 1, 4)(x)
        return lax.scan(lambda c, _: (jnp.sin(c), None), both, None, length=3)[0]

    _, cut = checked_split(decay, args[0])
    assert cut is not None
    assert cut.width == 1


def test_while_loop_may_pass_pure_parts_on_and_a_reverse_only_rule_may_not():
    _, cut = checked_split(lambda x: newton(2.0 + x**2), array(5))
    assert cut is None
    split, cut = checked_split(lambda x: (2.0 * x, only_reverse(x)), array(5))
    assert split.pure[1] is None
    assert cut is not None


def test_residual_connection_of_a_holomorphic_function():
    a = complex_array(2, 9)

    def fun(z):
        return jnp.exp(z) * (1 + 2j) + a.T @ jnp.sin(a @ z)

    z = complex_array(9)
    _, cut = checked_split(fun, z)
    assert cut is not None
    assert cut.width == 2


def test_identity_zero_and_empty_outputs_split():
    def fun(x, empty):
        return x, jnp.zeros(2), empty, jnp.sum(x) * jnp.ones(3), x

    args = array(4), array(0)
    split, cut = checked_split(fun, *args)
    assert cut is not None
    assert cut.width == 1
    assert split.pure[1] is split.mixed[1] is None


def test_dense_function_has_nothing_to_split():
    program = traced(network(9, 3, 9), array(9))
    assert split_skips(program, constants_of(program)) is None
    program = traced(lambda: jnp.ones(3))
    assert split_skips(program, constants_of(program)) is None


def test_added_equations_name_the_users_line():
    program = traced(residual_blocks(9, 2, 3), array(9))
    split = split_of(program)
    assert all("_factors/functions.py:" in e.line for e in split.equations)


def test_residual_batch_has_columns_within_a_sample():
    down = weights(2, 12)

    def fun(x):
        return x[:, ::-1] + jnp.tanh(x @ down.T) @ down

    x = jnp.asarray(array(5, 12))
    program = traced(fun, x)
    split = split_skips(program, constants_of(program), batch_axes=[0])
    assert split is not None
    own = np.arange(12)
    np.testing.assert_array_equal(split.columns[0], np.tile(own[::-1], (5, 1)))
    cut, axes = batch_cut(program, split.equations, split.mixed, 5)
    assert cut.width == 2

    @jax.jit
    def both(x):
        env = program.evaluate([x])[1]
        blocks = batch_blocks(cut, axes, 5, env)
        pure = part(split.equations, program.tangents, [v for v in split.pure if v])
        (entries,) = pure.forward(env)(jnp.ones((5, 12)))
        return blocks.at[:, own, own[::-1]].add(entries), true_blocks(fun, x)

    assert_close(*both(x))


def test_a_loop_that_takes_pure_and_mixed_parts_is_not_split():
    mix = network(8, 2, 8)

    def fun(x):
        mixed = mix(x)
        return lax.scan(lambda c, _: (0.5 * c + mixed, None), x, length=3)[0]

    program = traced(fun, array(8))
    assert split_skips(program, constants_of(program)) is None


def test_a_rule_that_only_transposes_is_not_passed_by_ones():
    mix = network(8, 2, 8)

    def fun(x):
        return mix(x).at[0].add(only_reverse(x[:1])[0])

    program = traced(fun, array(8))
    assert split_skips(program, constants_of(program)) is None


def test_more_inputs_than_boxes_count_are_not_split():
    program = traced(jnp.sin, array(3))
    shape = jax.ShapeDtypeStruct((2**30,), "float64")
    ends = jax.make_jaxpr(jnp.sin)(shape).jaxpr.invars
    large = replace(program, tangents=ends, outputs=ends, linear=[])
    assert split_skips(large, constants_of(program)) is None
