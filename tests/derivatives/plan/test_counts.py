"""What a plan counts: passes, operations, outputs."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from jnumerics.derivatives import plan
from jnumerics.derivatives._plan.cost import count
from jnumerics.derivatives._plan.memory import temporary_bytes
from tests.derivatives.plan._functions import WIDE, candidate, dense, narrow, passes


def test_each_end_takes_a_pass_for_each_of_its_components():
    chosen = plan(dense, jnp.ones(50))
    assert (chosen.target, chosen.samples) == ("jacobian", 1)
    assert (chosen.n_outputs, chosen.n_inputs) == (30, 50)
    assert passes(chosen) == {"reverse": 30, "forward": 50, "cut": 30, "compressed": 30}


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_operations_are_those_of_the_products(mode):
    # each pass multiplies W (30, 50) by a vector: 2 * 30 * 50; its direction is made
    # by at most four elementwise steps of at most 50 entries
    n = {"reverse": 30, "forward": 50}[mode]
    products = n * 2 * 30 * 50
    c = candidate(plan(dense, jnp.ones(50)), mode)
    assert products <= c.cost.operations <= products + n * 4 * 50


def test_weights_are_read_once_for_all_passes():
    # at least W, the directions and the answer; less than W for each of 30 passes
    c = candidate(plan(dense, jnp.ones(50)), "reverse")
    assert 4 * (30 * 50 + 30 * 30 + 30 * 50) <= c.cost.bytes < 30 * 4 * 30 * 50


def test_a_cut_counts_both_factors_and_their_product():
    # 4 passes back through W (4, 200), 4 forward through its transpose, and the product
    # (200, 4) @ (4, 200); elementwise: at most ten steps on either factor
    chosen = plan(narrow, jnp.ones(200))
    cut = candidate(chosen, "cut")
    assert cut.passes == 8
    products = 2 * (2 * 4 * 4 * 200) + 2 * 200 * 4 * 200
    assert products <= cut.cost.operations <= products + 10 * 2 * 4 * 200 * 2


def test_a_diagonal_by_a_cut_never_pays_for_the_full_product():
    jacobian_, diagonal = (
        candidate(plan(narrow, jnp.ones(200), target=t), "cut")
        for t in ("jacobian", "diagonal")
    )
    assert jacobian_.passes == diagonal.passes == 8
    saved = 2 * 200 * 4 * 200 - 2 * 4 * 200
    ratio = (jacobian_.cost.operations - diagonal.cost.operations) / saved
    assert 0.9 < ratio < 1.1


def test_a_scan_counts_as_often_as_it_runs():
    def looped(steps):
        def fun(x):
            return lax.scan(lambda y, _: (WIDE.T @ (WIDE @ y), None), x, None, steps)[0]

        return candidate(plan(fun, jnp.ones(50)), "forward").cost.operations

    step = 50 * 2 * (2 * 30 * 50)  # 50 passes through both products
    assert looped(7) - looped(3) == pytest.approx(4 * step, rel=0.02)


def test_outputs_count_whether_or_not_they_depend_on_anything():
    chosen = plan(lambda x: (jnp.ones((2, 3)), x[:1] ** 2), jnp.ones(5))
    assert (chosen.n_outputs, chosen.n_inputs) == (7, 5)
    still = plan(lambda _: jnp.ones(3), jnp.ones(5))
    assert (still.n_outputs, still.n_inputs, still.passes) == (3, 5, 0)
    assert still.reason == "nothing depends on the inputs"


def test_trees_and_argnums_count_all_their_leaves():
    def fun(tree, k, y):
        return {"u": tree["a"] * k, "v": jnp.sum(tree["b"]) * y}

    tree = {"a": jnp.ones(3), "b": jnp.ones((2, 2))}
    assert plan(fun, tree, 2.0, jnp.ones(5)).n_inputs == 7
    chosen = plan(fun, tree, 2.0, jnp.ones(5), argnums=(0, 2))
    assert (chosen.n_outputs, chosen.n_inputs) == (8, 12)


@pytest.mark.parametrize(
    ("shape", "order", "is_moved"),
    [((1, 20, 30), (1, 0, 2), False), ((20, 30, 1), (2, 0, 1), False),
     ((20, 30), (1, 0), True), ((2, 1, 3), (2, 1, 0), True)],
)  # fmt: skip
def test_a_transpose_that_keeps_the_order_of_entries_is_a_view(shape, order, is_moved):
    x = jnp.ones(shape)
    alone = jax.make_jaxpr(lambda x: lax.transpose(x, order))(x)
    assert count(alone).bytes == (2 * x.nbytes if is_moved else 0)
    read = jax.make_jaxpr(lambda x: 1 + lax.transpose(jnp.sin(x), order))(x)
    assert temporary_bytes(read) == (2 * x.nbytes if is_moved else x.nbytes)
