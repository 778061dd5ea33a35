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
