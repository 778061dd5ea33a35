"""`max_bytes` bounds the compiled program; the estimate behind it knows its buffers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics.derivatives import batch_jacobian, jacobian
from jnumerics.derivatives._plan.memory import temporary_bytes

N = 200
WEIGHT = np.random.default_rng(0).normal(size=(N, N)).astype(np.float32) / 20


def stencil(u):
    for _ in range(3):
        u = u + 0.1 * (jnp.roll(u, 1) + jnp.roll(u, -1) - 2 * u) ** 2
    return u


def tree(t):
    return {"a": jnp.tanh(WEIGHT @ t[0]), "b": t[1] * t[0]}


def steps(x):
    return lax.scan(lambda c, _: (jnp.tanh(WEIGHT @ c), None), x, length=5)[0]


def large_values(x):
    return x * lax.stop_gradient(jnp.sum(jnp.outer(x, x) ** 2))


def sorted_values(x):
    """A large value that no compiler fuses with what reads it."""
    return x * lax.stop_gradient(jnp.sum(jnp.sort(jnp.outer(x, x), axis=0)))


X = jnp.linspace(0.1, 1.0, N)


def least_bound(derivative, x):
    with pytest.raises(ValueError, match="`max_bytes` must be at least") as caught:
        jax.eval_shape(derivative(1), x)
    return int(str(caught.value).split("at least ")[1].split()[0])


@pytest.mark.parametrize(
    ("fun", "x", "options"),
    [
        (stencil, X, {"mode": "reverse"}),
        (stencil, X, {"mode": "compressed"}),
        (steps, X, {"mode": "reverse"}),
        (tree, (X, X), {"mode": "forward"}),
        (tree, (X, X), {"mode": "reverse", "format": "bcoo"}),
        (large_values, X, {"mode": "forward"}),
        (sorted_values, X, {"mode": "forward"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_least_bound_holds_in_the_compiled_program(fun, x, options, temp_bytes):
    def bounded(max_bytes):
        return jacobian(fun, max_bytes=max_bytes, **options)

    least = least_bound(bounded, x)
    assert temp_bytes(bounded(least), x) <= least


def narrow(x):
    return jnp.tanh(WEIGHT[:, :4] @ jnp.tanh(WEIGHT[:4] @ x))


def test_a_cut_needs_room_for_its_factors_and_none_for_its_product(temp_bytes):
    bounded = jacobian(narrow, mode="cut", max_bytes=4 * N * N // 2)
    assert temp_bytes(bounded, X) <= 4 * N * N // 2


def test_auto_takes_another_mode_where_its_choice_needs_too_much(temp_bytes):
    least = {
        mode: least_bound(lambda b, m=mode: jacobian(narrow, mode=m, max_bytes=b), X)
        for mode in ("cut", "reverse")
    }
    assert least["reverse"] < least["cut"]
    bounded = jacobian(narrow, max_bytes=least["reverse"])
    assert temp_bytes(bounded, X) <= least["reverse"]
    expected = jax.jacrev(narrow)(X)
    assert jnp.allclose(bounded(X), expected, atol=1e-6)


@pytest.mark.parametrize("mode", ["forward", "reverse", "cut"])
def test_the_least_bound_of_a_batch_holds_too(mode, temp_bytes):
    def bounded(max_bytes):
        return batch_jacobian(
            lambda X: jnp.tanh(jnp.sin(X @ WEIGHT[:40, :5]) @ WEIGHT[:5, :40]),
            mode=mode,
            max_bytes=max_bytes,
        )

    batch = jnp.ones((50, 40))
    least = least_bound(bounded, batch)
    assert temp_bytes(bounded(least), batch) <= least


@pytest.mark.parametrize(
    ("fun", "arrays"),
    [
        pytest.param(lambda x: x + 1, 0, id="a result alone"),
        pytest.param(lambda x: jnp.sin(x + 1), 1, id="chain"),
        pytest.param(lambda x: jnp.sin((x + 1).reshape(2, -1)), 1, id="a view"),
        pytest.param(lambda x: (x + 1).at[0].set(0.0) * 2, 1, id="in place"),
        pytest.param(
            lambda x: jnp.sin(lax.fori_loop(0, 3, lambda _, y: y * 2, x + 1)),
            2,
            id="fori_loop",
        ),
        pytest.param(
            lambda x: jnp.sin(lax.while_loop(jnp.all, lambda y: y * 2, x + 1)),
            2,
            id="while_loop",
        ),
        pytest.param(
            lambda x: jnp.sin(lax.scan(lambda c, _: (c, c), x + 1, length=3)[1]),
            4,
            id="scan",
        ),
    ],
)
def test_the_estimate_counts_arrays_that_are_alive(fun, arrays):
    jaxpr = jax.make_jaxpr(fun)(jnp.ones(1000))
    assert temporary_bytes(jaxpr) // 4000 == arrays


def test_what_is_read_again_is_not_written_in_place():
    def fun(x):
        y = x + 1
        return jnp.sin(lax.dynamic_update_slice(y, x[:1], (0,))) + jnp.cos(y)

    assert temporary_bytes(jax.make_jaxpr(fun)(jnp.ones(1000))) // 4000 == 3
