"""Each rule's boxes are the smallest that hold the true Jacobian's nonzeros."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.experimental import sparse as jsparse

from jnumerics.derivatives._dependence.result import dependence
from tests import hulls
from tests.derivatives.dependence.rules._functions.control import CONTROL, SECOND
from tests.derivatives.dependence.rules._functions.custom import RULE
from tests.derivatives.dependence.rules._functions.elementwise import (
    ELEMENTWISE,
    REDUCTION,
)
from tests.derivatives.dependence.rules._functions.indexing import INDEXING
from tests.derivatives.dependence.rules._functions.linalg import LINALG
from tests.derivatives.dependence.rules._functions.movement import MOVEMENT
from tests.derivatives.dependence.rules._functions.product import PRODUCT
from tests.derivatives.dependence.rules._functions.sparse import SPARSE
from tests.derivatives.dependence.rules._functions.values import F64
from tests.derivatives.dependence.rules._functions.window import WINDOW

FAMILIES = {
    "movement": MOVEMENT,
    "elementwise": ELEMENTWISE,
    "reduction": REDUCTION,
    "product": PRODUCT,
    "window": WINDOW,
    "indexing": INDEXING,
    "linalg": LINALG,
    "control": CONTROL,
    "second": SECOND,
    "sparse": SPARSE,
    "rule": {name: ((3, 4), fun) for name, fun in RULE.items()},
}


@pytest.mark.parametrize(
    ("shape", "fun"),
    [
        pytest.param(*case, id=f"{family}: {name}")
        for family, table in FAMILIES.items()
        for name, case in table.items()
    ],
)
def test_boxes_are_the_smallest_that_hold_the_jacobian(shape, fun, x64):
    x = 1 + np.arange(np.prod(shape), dtype=F64).reshape(shape) / 7
    with jax.numpy_rank_promotion("allow"):
        boxes = dependence(fun, x)
        patterns = jax.tree.leaves(hulls.pattern(fun, x))
    lowers, uppers = jax.tree.leaves(boxes.lower), jax.tree.leaves(boxes.upper)
    assert len(patterns) == len(lowers)
    for lower, upper, pattern in zip(lowers, uppers, patterns, strict=True):
        low, high = hulls.hull(pattern, len(shape))
        np.testing.assert_array_equal(lower, low)
        np.testing.assert_array_equal(upper, high)


def first(t):
    return jnp.full(3, t[0])


def index(t):
    """Integers that a tangent decides: no derivative has them, a custom rule may."""
    return (t.sum().astype(int) + jnp.arange(3)) % 3


def max_pool(t):
    return lax.reduce_window(t, -np.inf, lax.max, (2,), (1,), "VALID")


def combined(a, b):
    return a + 2 * b


def solved(t):
    return lax.custom_linear_solve(
        lambda v: t.sum() * v, first(t), lambda _, b: b / t.sum()
    )


@pytest.mark.parametrize(
    "fun",
    [
        pytest.param(
            lambda t: lax.cond(t.sum() > 0, jnp.sin, jnp.cos, first(t)), id="predicate"
        ),
        pytest.param(
            lambda t: lax.dynamic_slice(first(t), (index(t)[0],), (2,)),
            id="start of a slice",
        ),
        pytest.param(
            lambda t: lax.dynamic_update_slice(first(t), first(t)[:2], (index(t)[0],)),
            id="start of an update",
        ),
        pytest.param(lambda t: first(t)[index(t)], id="index of a gather"),
        pytest.param(
            lambda t: first(t).at[index(t)].add(first(t)), id="index of a scatter"
        ),
        pytest.param(
            lambda t: lax.linalg.triangular_solve(
                jnp.diag(t), first(t)[:, None], left_side=True
            ),
            id="triangular matrix",
        ),
        pytest.param(
            lambda t: lax.linalg.tridiagonal_solve(t, t, t, first(t)[:, None]),
            id="tridiagonal matrix",
        ),
        pytest.param(lambda t: lax.linalg.lu(jnp.diag(t))[0], id="lu"),
        pytest.param(
            lambda t: lax.reduce(first(t)[None], t.sum(), combined, (0,)),
            id="start of a reduction",
        ),
        pytest.param(
            lambda t: lax.reduce_window(
                first(t), t.sum(), combined, (2,), (1,), "VALID"
            ),
            id="start of a window",
        ),
        pytest.param(
            lambda t: jax.vjp(max_pool, t)[1](first(t)[:2])[0], id="max pool backwards"
        ),
        pytest.param(
            lambda t: (
                jsparse.BCOO((first(t), index(t)[:, None]), shape=(3,))
                @ jnp.ones((3, 2))
            ),
            id="sparse matrix",
        ),
        pytest.param(solved, id="linear solve"),
    ],
)
def test_a_tangent_in_a_place_that_is_not_linear_is_never_overlooked(fun, x64):
    rule = jax.custom_jvp(lambda x: jnp.zeros_like(fun(x)))
    rule.defjvp(lambda primals, tangents: (rule(*primals), fun(*tangents)))
    boxes = dependence(rule, np.ones(3))
    assert (boxes.lower == 0).all()
    assert (boxes.upper == 2).all()


def test_what_a_linear_solver_returns_beside_the_solution_is_read_off_its_body(x64):
    def fun(x):
        return lax.custom_linear_solve(
            lambda v: 2 * v, x, lambda _, b: (b / 2, b.sum()), has_aux=True
        )[0]

    boxes = dependence(fun, np.ones(3))
    assert boxes.is_elementwise
