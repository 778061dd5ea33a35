"""Functions with loops and branches."""

import jax
import jax.numpy as jnp
from jax import lax

from tests.derivatives.modes.collapsed._families import (
    CONSTANT,
    MOVEMENT,
    PIECEWISE,
    PRODUCTS,
    SMOOTH,
    WIDE,
)


def scanned(x):
    def step(carry, item):
        state, n = carry
        state = jnp.tanh(WIDE[:, :3] @ state) * item + x[0]
        return (state, n + 1), (jnp.sum(state**2), n)

    (last, n), (ys, ks) = lax.scan(step, (jnp.zeros(3), 0), x**2, reverse=True)
    return last * jnp.asarray(n, x.dtype), ys * jnp.asarray(ks, x.dtype)


def becoming(x):
    """Each carry moves one step after the one before it."""

    def step(carry, _):
        a, b, c = carry
        return (x[0] ** 2, a * x[1], b**2 + c), c

    return lax.scan(step, (jnp.zeros(()),) * 3, None, length=4)


def noisy(x):
    """A key among what is carried."""

    def step(carry, _):
        key, y = carry
        key, own = jax.random.split(key)
        return (key, y * jnp.sin(x[0]) + jax.random.uniform(own, (), x.dtype)), None

    return lax.scan(step, (jax.random.key(0), x[1]), None, length=3)[0][1]


CONTROL_FLOW = {
    "a key in the carry": noisy,
    "scan": scanned,
    "becoming": becoming,
    "scan of nothing": lambda x: lax.scan(
        lambda c, y: (c * y, c), x[0], jnp.zeros((0,))
    )[0],
    "nested scans": lambda x: lax.scan(
        lambda c, y: (
            lax.scan(lambda d, z: (jnp.sin(d) * z + y, None), c, x[:3])[0],
            c * y,
        ),
        x[0],
        x,
    ),
    "map": lambda x: lax.map(lambda y: y**3 * x[0], x),
    "fori of known length": lambda x: lax.fori_loop(
        0, 3, lambda k, y: jnp.sin(y) * x, x
    ),
    "cond": lambda x: lax.cond(x[0] > 0.1, lambda y: jnp.sin(y), lambda y: y * 2.0, x),
    "cond the other way": lambda x: lax.cond(
        x[0] > 9.0, lambda y: jnp.sin(y), lambda y: y**2, x
    ),
    "cond with a still branch": lambda x: lax.cond(
        x[0] > 9.0, lambda y: y**2, jnp.ones_like, x
    ),
    "switch": lambda x: lax.switch(
        jnp.int32(3 * x[0]), [lambda y: y, lambda y: y**2, lambda y: y**3], x
    ),
    "remat": lambda x: jax.checkpoint(lambda y: jnp.sin(y) ** 2)(x),
    "jit": lambda x: jax.jit(lambda y: jnp.sin(y) ** 2)(x),
    "vmap": lambda x: jax.vmap(lambda y: y**3 * x)(x),
    "gradient": lambda x: jax.grad(lambda y: jnp.sum(jnp.sin(y) * y[::-1]))(x),
}
WHILE = {
    "while": lambda x: lax.while_loop(
        lambda s: jnp.sum(s) < 9.0, lambda s: s * 1.5 + jnp.sin(s) * x, x
    ),
    "count": lambda x: lax.while_loop(
        lambda s: s[0] < 3,
        lambda s: (s[0] + 1, s[1] * x[0] + s[2], s[1]),
        (0, 1.0 + 0 * x[1], 2.0 * jnp.ones(())),
    )[1:],
    "not entered": lambda x: lax.while_loop(
        lambda s: jnp.sum(s) < 0.0, lambda s: s**2, x**2
    ),
    "fori of a traced length": lambda x: lax.fori_loop(
        0, jnp.int32(6 * x[0]) + 2, lambda _, s: jnp.sin(s) + x, x
    ),
    "vmapped while": lambda x: jax.vmap(
        lambda y: lax.while_loop(lambda s: s < 3.0, lambda s: s**2 + 1.0 + y, y)
    )(x),
}

FAMILIES = {  # by JAX's Hessian; while loops have forward mode alone
    "smooth": SMOOTH,
    "piecewise": PIECEWISE,
    "constant": CONSTANT,
    "movement": MOVEMENT,
    "products": PRODUCTS,
    "control": CONTROL_FLOW,
}
