"""What `dependence` proves, on functions of every kind; `test_rules` has the rules."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics.derivatives._dependence import boxes as _boxes
from jnumerics.derivatives._dependence.result import dependence
from tests import hulls, scenarios
from tests.derivatives.dependence._collection import COLLECTION, samples
from tests.derivatives.dependence._loss import lost

# Boxes larger than the pattern's hull: zeros of a triangular factor are values.
COARSE = {"cholesky_of_samples"}


def traced(scenario):
    """The arguments' shapes in the scenario's first dtype, as zeros."""
    args = scenario.make_args(jax.random.key(0), scenario.dtypes[0])
    return jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), args)


def blocks(scenario, boxes):
    """Lower, upper, the pattern and the input's rank of every block."""
    chosen = scenario.argnums
    args = traced(scenario)
    inputs = args[chosen] if isinstance(chosen, int) else [args[k] for k in chosen]
    ranks = [leaf.ndim for leaf in jax.tree.leaves(inputs)]
    leaves = [jax.tree.leaves(t) for t in (boxes.lower, boxes.upper, scenario.pattern)]
    return [
        (*block, ranks[k % len(ranks)])
        for k, block in enumerate(zip(*leaves, strict=True))
    ]


@pytest.mark.parametrize("scenario", scenarios.params())
def test_boxes_hold_the_pattern_of_every_scenario(scenario):
    boxes = dependence(scenario.fun, *traced(scenario), argnums=scenario.argnums)
    for lower, upper, pattern, _ in blocks(scenario, boxes):
        assert hulls.holds(lower, upper, pattern)


DECIDED = [p for p in scenarios.params(without="data_dependent") if p.id not in COARSE]


@pytest.mark.parametrize("scenario", DECIDED)
def test_boxes_are_the_smallest_where_structure_decides(scenario):
    boxes = dependence(scenario.fun, *traced(scenario), argnums=scenario.argnums)
    for lower, upper, pattern, rank in blocks(scenario, boxes):
        low, high = hulls.hull(pattern, rank)
        np.testing.assert_array_equal(lower, low)
        np.testing.assert_array_equal(upper, high)


@pytest.mark.parametrize("scenario", scenarios.params("elementwise"))
def test_elementwise_scenarios_are_proven_elementwise(scenario):
    assert dependence(scenario.fun, *traced(scenario)).is_elementwise


@pytest.mark.parametrize("scenario", scenarios.params(without="elementwise"))
def test_no_other_scenario_is_called_elementwise(scenario):
    boxes = dependence(scenario.fun, *traced(scenario), argnums=scenario.argnums)
    is_diagonal = "zero" in scenario.tags or "zero_size" in scenario.tags
    assert boxes.is_elementwise <= (is_diagonal or not _has_off_diagonal(scenario))


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
    boxes = dependence(scenario.fun, *traced(scenario))
    assert not boxes.independent_along(0)
    assert re.search(r"_scenarios.samples.mixing\.py:\d+$", lost(boxes, 0).line)


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
    assert joined == {"custom_vjp_call"}  # in a backward rule, with a rule of its own


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

    boxes = dependence(fun, jnp.ones((3, 4)))
    assert boxes.independent_along(0)
    np.testing.assert_array_equal(boxes.upper[0, :, 1], [0, 1, 2, 3])


def test_a_coupled_pair_however_weak_is_found():
    boxes = dependence(lambda x: x.at[0].add(1e-12 * x[1]), jnp.ones((4, 2)))
    assert not boxes.independent_along(0)


def test_a_label_picks_from_its_own_row():
    labels = jnp.array([2, 0, 1])
    boxes = dependence(lambda x, y: x[jnp.arange(3), y], jnp.ones((3, 4)), labels)
    assert boxes.independent_along(0)


def test_a_label_picks_from_its_own_row_whatever_integers_hold_the_index():
    dimensions = lax.GatherDimensionNumbers((), (0, 1), (0, 1))

    def fun(x, y):
        index = jnp.concatenate([jnp.arange(3)[:, None], y[:, None]], 1)
        return lax.gather(x, index.astype("int8"), dimensions, (1, 1))

    boxes = dependence(fun, jnp.ones((3, 4)), jnp.array([2, 0, 1]))
    assert boxes.independent_along(0)


@pytest.mark.parametrize("length", [3, 2000])
def test_a_map_over_samples_of_any_length_is_accepted(length):
    def fun(x):
        return lax.map(lambda row: jnp.sin(row).sum() * row, x)

    assert dependence(fun, jnp.ones((length, 2))).independent_along(0)
