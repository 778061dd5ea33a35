"""Functions with right and wrong rules, shared by the tests of checks."""

import jax
import jax.numpy as jnp
import numpy as np

X = np.array([0.3, -1.2, 0.7, 2.1, -0.4, 1.5], np.float32)
W = np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32)


def with_jvp(factor, fun=jnp.sin, slope=jnp.cos):
    """A function with a forward rule that is off by a factor."""

    @jax.custom_jvp
    def ruled(x):
        return fun(x)

    @ruled.defjvp
    def _(primals, tangents):
        return fun(*primals), jnp.asarray(factor, primals[0].dtype) * (
            slope(*primals) * tangents[0]
        )

    return ruled


def with_vjp(factor, fun=jnp.sin, slope=jnp.cos):
    """The same with a reverse rule."""

    @jax.custom_vjp
    def ruled(x):
        return fun(x)

    def backward(x, g):
        return (jnp.asarray(factor, x.dtype) * (slope(x) * g),)

    ruled.defvjp(lambda x: (fun(x), x), backward)
    return ruled


def keeps_float32(fun):
    return lambda x: fun(x.astype(jnp.float32)).astype(x.dtype)


def network(activation):
    def apply(x):
        w = jnp.asarray(W, x.dtype)
        return jnp.tanh(activation(w @ x) @ w) * 2

    return apply


RULES = {"jvp": with_jvp, "vjp": with_vjp}


def at_most(figure, limit):
    """Whether a figure was served and is small."""
    return figure is not None and figure <= limit
