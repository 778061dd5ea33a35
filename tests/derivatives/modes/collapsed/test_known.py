"""Directions that are known while JAX traces, and what is made of these alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics.derivatives import laplacian
from tests.derivatives._second import trace_of_hessian
from tests.derivatives.modes.collapsed._place import INTO, OUT, Y, close

X = np.random.default_rng(3).uniform(0.2, 0.9, 12)


def ring(x):
    return jnp.sum(jnp.sin(x * jnp.roll(x, 1)) + x**4)


def padded(x):
    return jnp.sum(jnp.pad(x, 3)[1:-2] ** 2 * jnp.cos(jnp.pad(x, (0, 3))))


def strided(x):
    wide = jnp.zeros(2 * x.size, x.dtype).at[::2].add(x)
    return jnp.sum(wide**3 * jnp.arange(2.0 * x.size, dtype=x.dtype))


def shifted(x):
    """Read from where the values say."""
    return jnp.sum(jnp.sin(lax.dynamic_slice(x, (jnp.argmax(x),), (3,))) * x[:3])


def selected(x):
    return jnp.sum(jnp.where(x > 0.5, x, 2 * x) ** 2 * x[::-1])


def singular(x):
    """Have second derivatives that are not finite where a direction is zero."""
    return x[0] ** 1.5 + x[1] ** 4 + jnp.prod(x[2:4])


@pytest.mark.parametrize("fun", [ring, padded, strided, shifted, selected])
def test_the_laplacian_is_that_of_any_directions(fun, x64):
    expected = trace_of_hessian(fun, X)
    close(laplacian(fun, mode="collapsed")(X), expected)
    along = laplacian(fun, directions=np.eye(12), mode="collapsed")
    close(along(X), expected)
    both = jax.jit(jax.vmap(laplacian(fun)))(np.stack([X, X[::-1]]))
    close(both[0], expected)
    slopes = [jax.grad(f)(X) for f in (along, laplacian(fun, mode="collapsed"))]
    close(*slopes)


A, B = (np.random.default_rng(k).normal(size=(3, 4, 5)) for k in (1, 2))


def from_left(x, a):
    return jnp.sum(jnp.tanh(x @ a.reshape(12, 5)))


def from_right(x, a):
    return jnp.sum(jnp.sin(a.reshape(5, 12) @ x) ** 2)


def turned(x, a):
    """Sum two axes, the second one first."""
    x = x.reshape(4, 3)
    return jnp.sum(jnp.exp(lax.dot_general(x, a, (((1, 0), (0, 1)), ((), ())))))


def turned_right(x, a):
    return jnp.sum(jnp.tensordot(a, x.reshape(4, 3), ((1, 0), (0, 1))) ** 3)


def whole(x, a):
    """Leave nothing free."""
    return jnp.cos(jnp.vdot(x, a[..., 0]))


def row_by_row(x, a):
    """Sum a part of each unit vector."""
    return jnp.sum(jnp.sin(x.reshape(3, 4) @ a[0]))


def batched(x, a):
    return jnp.sum(jnp.sin(jnp.einsum("bi,bik->bk", x.reshape(3, 4), a)))


def twice(x, a):
    """Multiply what moves with what moves."""
    return jnp.sum((x @ (a.reshape(12, 5) * x[:, None])) ** 2)


@pytest.mark.parametrize(
    "fun",
    [from_left, from_right, turned, turned_right, whole, row_by_row, batched, twice],
)
def test_products_of_unit_vectors(fun, x64):
    ours = jax.jit(lambda x, a: laplacian(fun, mode="collapsed")(x, a))
    expected, others = (trace_of_hessian(lambda x, a=a: fun(x, a), X) for a in (A, B))
    held = laplacian(lambda x: fun(x, A), mode="collapsed")(X)
    for one in (ours(X, A), held):
        close(one, expected)
    many = jax.vmap(ours, in_axes=(None, 0))(X, np.stack([A, B]))
    close(many, np.stack([expected, others]))


@pytest.mark.parametrize("fun", [from_left, from_right, turned, turned_right])
def test_a_program_multiplies_no_unit_vectors(fun):
    """Only the values are multiplied, once."""
    x, a = X.astype(np.float32), A.astype(np.float32)
    program = str(jax.make_jaxpr(laplacian(fun, mode="collapsed"))(x, a))
    assert program.count("dot_general[") == 1


def test_products_of_unit_vectors_have_the_dtype_that_is_preferred():
    def fun(x, a):
        return jnp.sum(jnp.sin(jnp.matmul(x, a, preferred_element_type=jnp.float32)))

    x, a = X.astype(jnp.bfloat16), A.reshape(12, 5).astype(jnp.bfloat16)
    ours = laplacian(fun, mode="collapsed")(x, a)
    assert ours.dtype == jnp.float32
    x, a = x.astype(np.float32), a.astype(np.float32)
    expected = trace_of_hessian(lambda x: fun(x, a), x)
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


@pytest.mark.parametrize("shape", [(), (6,), (2, 3)])
def test_a_known_place_is_factored_in_numpy(shape, x64):
    into = np.random.default_rng(5).normal(size=(12, *shape))

    def deep(into):
        def fun(x):
            h = jnp.tensordot(x, into, 1)
            wide = jnp.sin(jnp.outer(h, jnp.arange(1.0, 41.0)))
            return jnp.sum(jnp.cos(wide @ jnp.ones((40, 40)) / 40) ** 2)

        return fun

    ours = lambda into: laplacian(deep(into), mode="narrow")(X)
    close(ours(into), trace_of_hessian(deep(into), X))
    assert "qr" not in str(jax.make_jaxpr(lambda: ours(into))())
    assert "qr" in str(jax.make_jaxpr(ours)(into))


def test_a_known_place_of_two_numbers(x64):
    into, out = A.reshape(12, 5), B.reshape(12, 5)

    def fun(x):
        h = jnp.sin(jnp.outer(x @ into, jnp.arange(30.0)))
        g = jnp.cos(jnp.outer(jnp.reshape(x @ out, (5, 1)), jnp.arange(30.0)))
        return jnp.sum((h @ g.T) ** 2)

    close(laplacian(fun, mode="narrow")(X), trace_of_hessian(fun, X))


def test_a_known_image_is_filtered_early(x64):
    draw = np.random.default_rng(7).normal
    x, window = draw(size=(1, 50, 50, 1)), draw(size=(3, 3, 1, 2))

    def fun(x, window):
        names = ("NHWC", "HWIO", "NHWC")
        y = lax.conv_general_dilated(x, window, (1, 1), "SAME", None, None, names)
        return jnp.sum(jnp.sin(y))

    held = lambda x: laplacian(lambda x: fun(x, window), mode="collapsed")(x)
    close(held(x), laplacian(fun, mode="collapsed")(x, window))
    close(held(x), laplacian(fun, mode="nested")(x, window))
    convolutions = [
        str(jax.make_jaxpr(f)(x, window)).count("conv_general_dilated[")
        for f in (lambda x, _: held(x), laplacian(fun, mode="collapsed"))
    ]
    assert convolutions == [1, 2]


def running(x):
    return jnp.cumsum(2 * x)


def windowed(x):
    return lax.reduce_window(x - x[::-1], 0.0, lax.add, (9,), (1,), "SAME")


def by_bins(x):
    return jnp.zeros(7, x.dtype).at[np.arange(x.size) % 7].add(x)


def filtered(x):
    return jnp.convolve(x, jnp.arange(301.0, dtype=x.dtype) / 301, mode="same")


def turned_round(x):
    return jnp.ones((30, x.size), x.dtype) @ x[::-1]


def crossed(x):
    return jnp.ravel(jnp.outer(x, x) @ jnp.outer(x, jnp.arange(2.0, dtype=x.dtype)))


@pytest.mark.parametrize(
    "linear", [running, windowed, by_bins, filtered, turned_round, crossed]
)
def test_what_a_compiler_would_fold_for_long_is_hidden_from_it(linear, x64):
    """Its interpreter takes up to 2 microseconds for an update: seconds of many."""

    def fun(x):
        return jnp.sin(jnp.sum(jnp.cos(linear(x))))

    few, many = np.linspace(0.0, 1.0, 20), np.linspace(0.0, 1.0, 150)
    swept = laplacian(fun, mode="collapsed")
    assert "optimization_barrier" in str(jax.make_jaxpr(swept)(many))
    for x in (few, many):
        close(swept(x), laplacian(fun, mode="nested")(x))


def test_zeros_of_unit_vectors_meet_no_infinite_weight():
    a = jnp.asarray(A.reshape(12, 5), jnp.float32).at[3, 1].set(jnp.inf)
    fun = lambda x: jnp.sum((x @ a) ** 2)
    assert np.isposinf(laplacian(fun, mode="collapsed")(X.astype(np.float32)))


def test_one_entry_without_bound_spoils_no_other_direction(x64):
    x = np.array([0.0, 1.0, 2.0, 3.0])
    ours = laplacian(singular, mode="collapsed")(x)
    assert np.isposinf(ours)


def test_a_product_of_what_no_direction_moves_together_bends_nothing():
    """No cosine is left: it would push the second derivative of the product."""
    left = str(jax.make_jaxpr(laplacian(ring))(jnp.asarray(X, jnp.float32)))
    assert "sin" in left
    assert "cos" not in left


@pytest.mark.slow
def test_a_factor_has_the_derivatives_of_what_a_function_closes_over(x64):
    behind = INTO @ np.outer(np.ones(INTO.shape[1]), np.arange(6.0)) / 40

    def deep(into, out):
        def fun(x):
            h = into @ x
            for _ in range(4):
                h = h + jnp.sin(h @ behind @ out) @ OUT.T / 9
            return jnp.sum(h**2) * jnp.prod(jnp.cos(h))

        return fun

    ours = lambda *args: laplacian(deep(*args), mode="narrow")(Y)
    expected = lambda *args: trace_of_hessian(deep(*args), Y)
    both = [jax.grad(f, argnums=(0, 1))(INTO, OUT) for f in (ours, expected)]
    close(*both)
    compiled = jax.jit(jax.grad(ours))(INTO, OUT)
    close(compiled, both[1][0])
