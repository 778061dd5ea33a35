"""What `dependence` proves, on functions of every kind; `test_rules` has the rules."""

import pickle
import re
from pathlib import Path
from typing import Any

import chex
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
from jnumerics.derivatives._dependence.mixing import mixing
from jnumerics.derivatives._dependence.propagate import propagate
from jnumerics.derivatives._dependence.result import dependence
from jnumerics.derivatives._program import trace
from jnumerics.derivatives._program.jaxpr import Equation, shape_of
from tests import hulls, scenarios
from tests._collection import COLLECTION, samples

# Boxes larger than the pattern's hull: zeros of a triangular factor are values.
COARSE = {"cholesky_of_samples"}
KEY = jax.random.key(0)


def traced(scenario):
    """The arguments' shapes in the scenario's first dtype, as zeros."""
    args = scenario.make_args(jax.random.key(0), scenario.dtypes[0])
    return jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), args)


def lost(found, axis=None):
    loss = found.loss(axis)
    assert loss is not None
    return loss


def blocks(scenario, found):
    """Lower, upper, the pattern and the input's rank of every block."""
    chosen = scenario.argnums
    args = traced(scenario)
    inputs = args[chosen] if isinstance(chosen, int) else [args[k] for k in chosen]
    ranks = [leaf.ndim for leaf in jax.tree.leaves(inputs)]
    leaves = [jax.tree.leaves(t) for t in (found.lower, found.upper, scenario.pattern)]
    return [
        (*block, ranks[k % len(ranks)])
        for k, block in enumerate(zip(*leaves, strict=True))
    ]


@pytest.mark.parametrize("scenario", scenarios.params())
def test_boxes_hold_the_pattern_of_every_scenario(scenario):
    found = dependence(scenario.fun, *traced(scenario), argnums=scenario.argnums)
    for lower, upper, pattern, _ in blocks(scenario, found):
        assert hulls.holds(lower, upper, pattern)


DECIDED = [p for p in scenarios.params(without="data_dependent") if p.id not in COARSE]


@pytest.mark.parametrize("scenario", DECIDED)
def test_boxes_are_the_smallest_where_structure_decides(scenario):
    found = dependence(scenario.fun, *traced(scenario), argnums=scenario.argnums)
    for lower, upper, pattern, rank in blocks(scenario, found):
        low, high = hulls.hull(pattern, rank)
        np.testing.assert_array_equal(lower, low)
        np.testing.assert_array_equal(upper, high)


@pytest.mark.parametrize("scenario", scenarios.params("elementwise"))
def test_elementwise_scenarios_are_proven_elementwise(scenario):
    assert dependence(scenario.fun, *traced(scenario)).is_elementwise


@pytest.mark.parametrize("scenario", scenarios.params(without="elementwise"))
def test_no_other_scenario_is_called_elementwise(scenario):
    found = dependence(scenario.fun, *traced(scenario), argnums=scenario.argnums)
    is_diagonal = "zero" in scenario.tags or "zero_size" in scenario.tags
    assert found.is_elementwise <= (is_diagonal or not _has_off_diagonal(scenario))


def _has_off_diagonal(scenario):
    for pattern in jax.tree.leaves(scenario.pattern):
        rank = pattern.ndim // 2
        same = pattern.shape[:rank] == pattern.shape[rank:]
        square = pattern.reshape(int(np.prod(pattern.shape[:rank])), -1)
        if not same or (square & ~np.eye(*square.shape, dtype=bool)).any():
            return True
    return False


@pytest.mark.parametrize("scenario", scenarios.params("batch"))
def test_samples_of_batch_scenarios_are_proven_apart(scenario):
    assert dependence(scenario.fun, *traced(scenario)).independent_along(0)


@pytest.mark.parametrize("scenario", scenarios.params("mixing"))
def test_mixing_scenarios_are_refused_with_their_line(scenario):
    found = dependence(scenario.fun, *traced(scenario))
    assert not found.independent_along(0)
    assert re.search(r"_scenarios.mixing\.py:\d+$", lost(found, 0).line)


def vmapped(name):
    fun, shape = COLLECTION[name]
    return jax.vmap(fun), samples(shape)


# Its backward rule holds a while loop with an adaptive step, shared by all samples.
NOT_PROVEN = {"odeint"}


@pytest.mark.parametrize("name", sorted(set(COLLECTION) - NOT_PROVEN))
def test_samples_under_vmap_are_proven_apart(name, standard_promotion):
    fun, x = vmapped(name)
    assert dependence(fun, x).independent_along(0)


@pytest.mark.slow
def test_primitives_that_fall_to_the_general_join(monkeypatch, standard_promotion):
    joined = set()

    def recorded(context, eqn, boxes):
        results = apply_rule(context, eqn, boxes)
        if results is None:
            joined.add(eqn.primitive.name)
        return results

    apply_rule = _boxes.apply_rule
    monkeypatch.setattr(_boxes, "apply_rule", recorded)
    for fun, shape in COLLECTION.values():
        dependence(fun, samples(shape)[0])
    for scenario in scenarios.SCENARIOS:
        dependence(scenario.fun, *traced(scenario), argnums=scenario.argnums)
    assert not joined


# --- the answer ----------------------------------------------------------------------


def test_bounds_have_the_shape_of_the_output_and_the_axes_of_the_input():
    found = dependence(
        lambda x: x[:, :, None] * jnp.ones(5)[None, None], jnp.ones((3, 4))
    )
    assert found.lower.shape == found.upper.shape == found.widths.shape == (3, 4, 5, 2)
    assert found.lower.dtype.kind == "i"
    np.testing.assert_array_equal(found.lower[2, 1, 4], [2, 1])


def test_nothing_behind_an_output_has_lower_above_upper():
    found = dependence(
        lambda x: jnp.stack([x[0], 1.0 + 0 * jnp.floor(x[1])]), jnp.ones(3)
    )
    assert found.lower[1] > found.upper[1]
    np.testing.assert_array_equal(found.widths[:, 0], [1, 0])
    np.testing.assert_array_equal(found.depends, [True, False])


def test_a_scalar_argument_has_no_axes_but_may_be_depended_on():
    found = dependence(lambda s: jnp.stack([s, jnp.ones_like(s)]), 2.0)
    assert found.lower.shape == (2, 0)
    np.testing.assert_array_equal(found.depends, [True, False])


def test_an_empty_axis_has_empty_bounds():
    found = dependence(lambda x: x.sum(1), jnp.ones((3, 0)))
    np.testing.assert_array_equal(found.widths, np.zeros((3, 2)))
    assert dependence(jnp.sin, jnp.ones((0, 2))).is_elementwise


def test_trees_nest_as_jax_jacobian_nests():
    def fun(params, x):
        return {"y": params["w"] @ x, "w": params["w"]}

    args = {"w": jnp.ones((2, 3)), "b": jnp.ones(2)}, jnp.ones(3)
    found = dependence(fun, *args, argnums=(0, 1))
    nested = jax.jacobian(fun, argnums=(0, 1))(*args)
    assert jax.tree.structure(found.lower) == jax.tree.structure(nested)
    assert found.upper["y"][0]["w"].shape == (2, 2)
    np.testing.assert_array_equal(found.upper["y"][0]["w"], [[0, 2], [1, 2]])
    assert not found.depends["w"][1].any()
    assert not found.depends["y"][0]["b"].any()


def test_pytrees_are_elementwise_leaf_by_leaf():
    tree = {"a": jnp.ones(3), "b": jnp.ones((2, 2))}
    assert dependence(lambda t: jax.tree.map(jnp.sin, t), tree).is_elementwise
    crossed = dependence(lambda t: {"a": t["a"] * t["b"].sum(), "b": t["b"]}, tree)
    assert not crossed.is_elementwise


def test_complex_parts_count_as_one_output():
    found = dependence(lambda x: lax.complex(x, jnp.flip(x)), jnp.ones(3))
    np.testing.assert_array_equal(found.lower[:, 0], [0, 1, 0])
    np.testing.assert_array_equal(found.upper[:, 0], [2, 1, 2])


def test_a_complex_argument_counts_as_one_input_whatever_comes_of_it():
    found = dependence(lambda z: jnp.abs(z) ** 2, jnp.ones(3, complex))
    assert found.is_elementwise


def test_independence_along_an_axis_from_the_end():
    found = dependence(lambda x: jnp.cumsum(x, 0), jnp.ones((3, 4)))
    assert found.independent_along(-1)
    assert found.independent_along(1)
    assert not found.independent_along(-2)


def test_an_output_without_the_axis_is_not_independent_along_it():
    assert not dependence(jnp.sum, jnp.ones((3, 4))).independent_along(0)
    assert dependence(
        lambda x: jnp.ones(()) + 0 * x.size, jnp.ones(3)
    ).independent_along(0)


def test_a_transposed_square_is_neither_elementwise_nor_independent():
    found = dependence(jnp.transpose, jnp.ones((3, 3)))
    assert not found.is_elementwise
    assert not found.independent_along(0)
    assert lost(found).operation == "transpose"


# --- the same at every value, eager and compiled -------------------------------------


def bounds_under_jit(fun, x):
    found = []

    @jax.jit
    def compiled(x):
        found.append(dependence(fun, x))
        return x

    compiled(x)
    return found[0]


@pytest.mark.parametrize(
    "fun",
    [
        lambda x: x[jnp.array([2, 0])],
        lambda x: x[jnp.argsort(x)],
        lambda x: jnp.where(jnp.arange(4) < 2, x, x[::-1]),
        lambda x: jnp.where(x > 0, x, x[::-1]),
        lambda x: x.at[jnp.array([3, 1])].set(2 * x[:2]),
    ],
)
def test_eager_and_compiled_see_the_same(fun):
    x = jnp.arange(4.0)
    eager, compiled = dependence(fun, x), bounds_under_jit(fun, x)
    np.testing.assert_array_equal(eager.lower, compiled.lower)
    np.testing.assert_array_equal(eager.upper, compiled.upper)


def test_rows_by_argsort_of_sorted_data_are_not_independent():
    x = jnp.arange(8.0).reshape(4, 2)
    assert not dependence(lambda x: x[jnp.argsort(x[:, 0])], x).independent_along(0)


def test_an_index_that_is_traced_outside_is_unknown():
    found = []

    @jax.jit
    def outer(index):
        found.append(dependence(lambda x: x[index], jnp.ones((3, 2))))
        return index

    outer(jnp.array([0, 1, 2]))
    assert not found[0].independent_along(0)
    known = dependence(lambda x: x[jnp.array([0, 1, 2])], jnp.ones((3, 2)))
    assert known.independent_along(0)


def test_an_index_among_the_arguments_is_unknown():
    index = jnp.array([0, 1, 2])
    found = dependence(lambda x, i: x[i], jnp.ones((3, 2)), index)
    assert not found.independent_along(0)


def test_a_mask_that_hangs_on_rounding_is_unknown():
    # 0.1 * 3 may or may not be above 0.3, as the compiler fuses it.
    x = jnp.ones(4)

    def fun(x, above):
        grid = jnp.float32(0.1) * jnp.arange(4, dtype="float32")
        return jnp.where(grid > jnp.float32(above), x, jnp.flip(x))

    np.testing.assert_array_equal(
        dependence(lambda x: fun(x, 0.25), x).widths, np.ones((4, 1))
    )
    assert dependence(lambda x: fun(x, 0.3), x).widths.max() == 4


@pytest.mark.parametrize("make_key", [jax.random.key, jax.random.PRNGKey])
def test_what_is_drawn_is_unknown(make_key):
    def fun(x):
        keeps = jax.random.bernoulli(make_key(0), 0.5, x.shape)
        return jnp.where(keeps, x, 0)[jax.random.permutation(make_key(1), 4)]

    assert dependence(fun, jnp.ones(4)).widths.min() == 4


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_float_indices_that_end_in_integers_are_known(dtype):
    def fun(x):
        place = jnp.floor((jnp.arange(6, dtype=dtype) + 0.5) * 0.5)
        return x[place.astype(int)]

    found = dependence(fun, jnp.ones(3))
    np.testing.assert_array_equal(found.lower[:, 0], [0, 0, 1, 1, 2, 2])
    assert (found.widths == 1).all()


def test_a_quotient_at_an_integer_is_unknown():
    # Some devices multiply by the reciprocal: 3 / 3 may be a little below one.
    def fun(x):
        return x[jnp.floor(jnp.arange(6.0) / 3).astype(int)]

    assert dependence(fun, jnp.ones(3)).widths.max() == 3


def test_a_scatter_with_equal_indices_has_no_known_value():
    def fun(x):
        which = jnp.zeros(3, int).at[jnp.array([0, 0])].set(jnp.array([1, 2]))
        return x[which]

    assert dependence(fun, jnp.ones(3)).widths.max() == 3


@pytest.mark.parametrize(
    "index",
    [
        lambda: jnp.arange(4).at[jnp.array([0])].apply(lambda i: i + 3),
        lambda: (jnp.array([300.0, 300.0, 0.0, 1.0]).astype("int8") == 44).astype(int),
        # Functions, sums and products that round; overflow; complex numbers.
        lambda: (1.4 * jnp.sin(jnp.arange(4.0))).astype(int),
        lambda: jnp.arange(8.0).reshape(2, 4).sum(0).astype(int) % 4,
        lambda: jnp.cumsum(jnp.arange(4.0)).astype(int) % 4,
        lambda: jnp.zeros(4).at[jnp.array([1, 1])].add(1.5).astype(int),
        lambda: (0.1 * jnp.arange(4.0)).astype(bool).astype(int),
        lambda: (lax.rem(0.1 * jnp.arange(4.0), jnp.ones(4)) > 0.0).astype(int),
        lambda: (jnp.arange(4.0) * 3e38 > 1e38).astype(int),
        lambda: (jnp.array([1j, 0, 1, 2]) + 1 == 1).astype(int),
        lambda: (jnp.arange(4).astype(complex) == 1).astype(int),
        # What integers are divided by zero, or read beyond an array, platforms decide.
        lambda: lax.rem(jnp.arange(4), jnp.arange(4)) % 4,
        lambda: jnp.arange(4).at[jnp.array([9, 0, 1, 2])].get(mode="fill", fill_value=3),
        # A loop too long to follow, and a key that is given.
        lambda: lax.slice(lax.scan(lambda k, _: (k + 1, k % 4), 0, length=5000)[1], (0,), (4,)),
        lambda: jax.random.permutation(KEY, 4),
    ],
)  # fmt: skip
def test_what_another_platform_or_primitive_decides_is_unknown(index):
    # A function applied in place; floats beyond an integer's range, which saturate.
    found = dependence(jax.jit(lambda x: x[index()]), jnp.ones(4))
    assert found.widths.max() == 4


@pytest.mark.parametrize(
    "index",
    [
        lambda: jnp.cumsum(jnp.ones(4, int))[::-1] - 1,
        lambda: jnp.sort(jnp.array([2, 3, 0, 1])),
        lambda: jnp.argsort(jnp.array([0.5, 0.1, 0.9, 0.2])),
        lambda: jnp.pad(jnp.arange(2), (1, 1), constant_values=3),
        lambda: jnp.clip(2 * jnp.arange(4) - 1, 0, 3),
        lambda: jnp.arange(8).reshape(2, 4)[::-1].sum(0) // 3,
        lambda: jnp.tile(jnp.array([1, 3]), 2) ^ 1,
        lambda: jnp.where(jnp.arange(4) % 3 == 0, 2, 1),
        lambda: jnp.zeros(4, int).at[jnp.array([3, 1])].set(jnp.array([2, 3])),
        lambda: jnp.nonzero(jnp.array([1, 0, 1, 1]), size=4, fill_value=0)[0],
        lambda: jnp.searchsorted(jnp.arange(4), jnp.array([3, 0, 1, 2])),
        lambda: lax.dynamic_update_slice(jnp.arange(4), jnp.array([0, 0]), (1,)),
        lambda: lax.fori_loop(0, 3, lambda k, y: y.at[k].set(3 - k), jnp.arange(4)),
        lambda: lax.cond(True, jnp.flip, jnp.sort, jnp.arange(4)),
        lambda: jnp.array([-1, -2, 0, 1]),
        lambda: jnp.array([True, False, True, True]).astype(int),
        lambda: jnp.array(7, "uint8").reshape(1) >> jnp.array([1, 2, 3], "uint8"),
        lambda: jnp.max(jnp.array([[0, 1], [2, 0]]), axis=1),
        lambda: jnp.arange(3) * jnp.int32(-1) % 4,
        lambda: jnp.abs(jnp.arange(4.0) - 2.0).astype(int),
        lambda: jnp.arange(4.0).astype(bool).astype(int),
        lambda: (0.1 * (1 + jnp.arange(4.0))).astype(bool).astype(int),
        lambda: lax.dynamic_slice(jnp.arange(8) // 2, (3,), (4,)),
        lambda: lax.pad(jnp.int32(2), jnp.int32(0), ()).reshape(1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("jitted", [False, True])
def test_known_indices_are_what_jax_computes(index, jitted, standard_promotion):
    def fun(x):
        return x[index()]

    expected = np.asarray(index()) % 4
    found = dependence(jax.jit(fun) if jitted else fun, jnp.ones(4))
    np.testing.assert_array_equal(found.lower[:, 0], expected)
    np.testing.assert_array_equal(found.upper[:, 0], expected)


@pytest.mark.parametrize(
    "index",
    [
        lambda none: jnp.concatenate([none, none]),
        lambda none: lax.gather(
            jnp.arange(4), none, lax.GatherDimensionNumbers((1,), (), (0,)), (1,)
        ),
    ],
)
def test_rows_by_no_indices_depend_on_nothing(index):
    dimensions = lax.GatherDimensionNumbers((), (0,), (0,))

    def fun(x):
        return lax.gather(x, index(jnp.zeros((0, 1), int)), dimensions, (1,))

    assert dependence(jax.jit(fun), jnp.ones(4)).widths.shape == (0, 1)


def test_statistics_that_are_held_do_not_mix_samples():
    def fun(x):
        held = lax.stop_gradient(x)
        return (x - held.mean(0)[None]) / held.std(0)[None]

    assert dependence(fun, jnp.ones((4, 3))).is_elementwise


def test_per_sample_constants_do_not_mix_samples():
    scale = np.arange(4.0, dtype="float32")[:, None]
    assert dependence(lambda x: x * scale, jnp.ones((4, 3))).independent_along(0)


def test_linear_calls_are_looked_into():
    def fun(x):
        return jax.custom_derivatives.linear_call(
            lambda _, x: jnp.cumsum(x, 1), lambda _, y: y, (), x
        )

    found = dependence(fun, jnp.ones((3, 4)))
    assert found.independent_along(0)
    np.testing.assert_array_equal(found.upper[0, :, 1], [0, 1, 2, 3])


def test_a_coupled_pair_however_weak_is_found():
    found = dependence(lambda x: x.at[0].add(1e-12 * x[1]), jnp.ones((4, 2)))
    assert not found.independent_along(0)


def test_a_label_picks_from_its_own_row():
    labels = jnp.array([2, 0, 1])
    found = dependence(lambda x, y: x[jnp.arange(3), y], jnp.ones((3, 4)), labels)
    assert found.independent_along(0)


def test_a_label_picks_from_its_own_row_whatever_integers_hold_the_index():
    dimensions = lax.GatherDimensionNumbers((), (0, 1), (0, 1))

    def fun(x, y):
        index = jnp.concatenate([jnp.arange(3)[:, None], y[:, None]], 1)
        return lax.gather(x, index.astype("int8"), dimensions, (1, 1))

    found = dependence(fun, jnp.ones((3, 4)), jnp.array([2, 0, 1]))
    assert found.independent_along(0)


@pytest.mark.parametrize("length", [3, 2000])
def test_a_map_over_samples_of_any_length_is_accepted(length):
    def fun(x):
        return lax.map(lambda row: jnp.sin(row).sum() * row, x)

    assert dependence(fun, jnp.ones((length, 2))).independent_along(0)


def test_a_long_loop_keeps_what_stands_and_joins_what_grows():
    def fun(x):
        def step(u, _):
            return u + 0.1 * jnp.roll(u, 1, axis=1), None

        return lax.scan(step, x, length=100_000)[0]

    found = dependence(fun, jnp.ones((3, 400)))
    assert found.independent_along(0)
    assert (found.widths[..., 1] == 400).all()


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

    found = dependence(fun, jnp.ones((4, 3)))
    assert named(lost(found, 0)) == ("rev", line_of("# reversed " + "here"))
    assert found.loss(1) is None


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

    found = batch_mixing(fun, jnp.ones((4, 3)))
    assert found is not None
    assert found.leaf == 0
    assert found.element == (2, 0)
    assert found.inputs == (0, 2)
    np.testing.assert_array_equal(found.samples, [2])


def test_mixing_finds_none_where_samples_stay_apart():
    def fun(x):
        return (x.reshape(-1) * 2).reshape(4, 3).sum(1)

    assert batch_mixing(fun, jnp.ones((4, 3))) is None


def test_text_shows_the_widest_boxes_and_what_is_proven():
    text = str(dependence(lambda x: {"y": jnp.cumsum(x, 1)}, jnp.ones((2, 3))))
    assert "output['y']" in text
    assert "1 x 3" in text
    assert "\nindependent along axis 0" in text
    assert "\nnot independent along axis 1: cumsum at " in text
    assert max(map(len, text.splitlines()[:3])) <= 100


def test_text_of_an_elementwise_function_says_that_the_jacobian_is_diagonal():
    assert "diagonal" in repr(dependence(jnp.sin, jnp.ones(3)))


@pytest.mark.parametrize(
    ("fun", "args", "shown"),
    [
        (jnp.sin, [jnp.ones((2, 3))], "<Dependence of (2, 3) on (2, 3): diagonal>"),
        (jnp.diff, [jnp.ones(4)], "<Dependence of (3,) on (4,): not diagonal>"),
        (jnp.fft.fft, [jnp.ones(4)], "<Dependence of (4,) on (4,): not diagonal>"),
        (lambda s: (s * s, 1.0 * s), [1.0], "<Dependence of 2 outputs on (): not dia"),
        (
            lambda x: {"a": jnp.cumsum(x[0], 1), "b": x[1][::-1]},
            [(jnp.ones((2, 3)), jnp.ones(4))],
            "<Dependence of 2 outputs on 2 inputs: not diagonal>",
        ),
    ],
)
def test_dependence_is_pickled_without_its_program_and_shown_in_one_line(
    fun, args, shown
):
    found = dependence(fun, *args)
    assert repr(found).startswith(shown)
    text = pickle.dumps(found)
    assert b"jax" not in text
    kept = pickle.loads(text)
    assert (repr(kept), str(kept)) == (repr(found), str(found))
    for name in ("lower", "upper", "depends", "widths"):
        chex.assert_trees_all_equal(getattr(kept, name), getattr(found, name))
    rank = min(np.ndim(x) for x in jax.tree.leaves(args))
    for axis in range(-rank, rank):
        assert kept.independent_along(axis) == found.independent_along(axis)
        assert kept.loss(axis) == found.loss(axis)
    with pytest.raises(ValueError, match="`axis` must be an axis of every input"):
        kept.loss(9)


def test_text_of_a_scalar_and_of_nothing():
    text = str(dependence(lambda s: (s * s, jnp.ones(())), 1.0))
    assert "nothing" in text


# --- arguments -----------------------------------------------------------------------


@pytest.mark.boundary
def test_integer_input_is_refused():
    with pytest.raises(TypeError, match="got dtype int32"):
        dependence(lambda x: x * 1.0, jnp.arange(3))


@pytest.mark.boundary
def test_a_function_that_needs_values_is_refused():
    with pytest.raises(TypeError, match="must be traceable"):
        dependence(lambda x: x if x[0] > 0 else -x, jnp.ones(3))


@pytest.mark.boundary
@pytest.mark.parametrize("argnums", [2, (0, 0), (0, -2)])
def test_argnums_that_do_not_fit_are_refused(argnums):
    with pytest.raises(ValueError, match="`argnums` must"):
        dependence(lambda x, y: x * y, jnp.ones(3), jnp.ones(3), argnums=argnums)


@pytest.mark.boundary
@pytest.mark.parametrize("method", ["independent_along", "loss"])
def test_an_axis_that_an_input_lacks_is_refused(method):
    found = dependence(jnp.sin, jnp.ones((2, 3)))
    with pytest.raises(
        ValueError, match="`axis` must be an axis of every input, got 2"
    ):
        getattr(found, method)(2)


def test_numpy_matrices_and_python_numbers_are_welcome():
    found = dependence(lambda x, s: x * s, np.matrix([[1.0, 2.0]]), 3.0, argnums=(0, 1))
    assert found.lower[0].shape == (1, 2, 2)
    assert found.lower[1].shape == (1, 2, 0)


# --- boxes ---------------------------------------------------------------------------


def test_own_index_of_several_leaves_gives_each_its_rows():
    box = own_index([(2,), ()], 1)
    assert box.shape == (4,)
    np.testing.assert_array_equal(box, [_boxes.NONE, 0, _boxes.NONE, 0])


def test_batch_boxes_stay_small_through_wide_layers():
    weight = jnp.ones((20, 30))
    target = trace.trace(lambda x: jnp.tanh(x @ weight).sum(1), (jnp.ones((1000, 20)),))
    seeds = {v: batch_index(shape_of(v), 0) for v in target.program.tangents}
    found = propagate(target.program.linear, seeds, constants_of(target.program))
    assert max(box.size for box in found.values()) == 2000


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
    found = max(np.abs(operation(*c) - operation(a, b)).max() for c in corners)
    assert found <= bound * 1.0001
    assert bound < 5 * found


def test_a_quotient_whose_divisor_may_be_zero_has_no_bound():
    one, little = np.ones(2), np.full(2, 1e-3)
    operands = [Bounds(0.0, 1.0, 1.0), Bounds(2e-3, 0.0, 1e-3)]
    assert not propagated("div", operands, [one, little]).is_finite


class _Nothing:
    """A context in which nothing is known: a sum asks nothing."""

    trusts_solvers = False

    def known(self, atom: Any) -> None:
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


def test_leaves_that_change_places_are_lost_in_the_structure():
    tree = {"a": jnp.ones(3), "b": jnp.ones(3)}
    loss = lost(dependence(lambda t: {"a": t["b"], "b": t["a"]}, tree))
    assert loss == ("the result's structure", "an unknown line")


def test_samples_along_another_axis_are_mixed_by_the_result_itself():
    target = trace.trace(lambda x: x, (jnp.ones((3, 3)),))
    seeds = {v: batch_index(shape_of(v), 0) for v in target.program.tangents}
    found = mixing(target.program, constants_of(target.program), seeds, [1])
    assert found is not None
    assert found.operation == "the result itself"


@pytest.mark.parametrize(
    "fun",
    [
        lambda x: jnp.sum(x[:0]) + x[::-1],  # nothing strays beside what is reversed
        lambda x: jnp.sin(x).T[:, ::-1].T,  # samples in line along another axis
    ],
)
def test_mixing_is_where_samples_leave_their_row(fun):
    found = batch_mixing(fun, jnp.ones((4, 4)))
    assert found is not None
    assert found.operation == "rev"


@pytest.mark.boundary
@pytest.mark.parametrize("axis", ["0", 0.0, True])
def test_an_axis_that_is_no_integer_is_refused(axis):
    with pytest.raises(TypeError, match="`axis` must be an integer, got"):
        dependence(jnp.sin, jnp.ones((2, 3))).loss(axis)
