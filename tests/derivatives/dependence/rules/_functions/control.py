"""Loops and branches; second derivatives."""

import jax
import jax.numpy as jnp
from jax import lax

from tests.derivatives.dependence.rules._functions.values import conv, pooled, weights


def by_scan(step, carry, **kwargs):
    return lambda x: lax.scan(step, carry(x), x, **kwargs)


def heat(u):
    inner = u[1:-1] + 0.25 * (u[2:] - 2 * u[1:-1] + u[:-2])
    return jnp.concatenate([u[:1], inner, u[-1:]])


def fill_in(x):
    """Writes row by row, each from the one before, at a counter."""

    def body(i, y):
        return y.at[i].set(0.5 * y[i - 1] + x[i])

    return lax.fori_loop(1, 5, body, x)


CONTROL = {
    "scan keeps time": (
        (5, 2),
        by_scan(lambda c, v: (c + v, c * v + v), lambda x: x[0]),
    ),
    "scan reversed": (
        (5, 2),
        by_scan(lambda c, v: (c + v, c + 2 * v), lambda _: jnp.zeros(2), reverse=True),
    ),
    "scan without a carry": (
        (5, 2),
        lambda x: lax.scan(lambda c, v: (c, jnp.sin(v)), 0, x)[1],
    ),
    "scan of a stencil": (
        (12,),
        lambda x: lax.scan(lambda u, _: (heat(u), None), x, length=3)[0],
    ),
    "scan with a reset": (
        (4, 2),
        by_scan(lambda c, v: (v[::-1], c), lambda _: jnp.ones(2)),
    ),
    "scan by a counter": (
        (5, 2),
        lambda x: lax.scan(lambda i, _: (i + 1, x[i]), 0, length=5)[1],
    ),
    "scan over indices": ((5, 2), lambda x: lax.map(lambda i: x[4 - i], jnp.arange(5))),
    "scan of a scan": (
        (3, 4),
        by_scan(
            lambda c, v: (c, lax.scan(lambda d, w: (d + w, d + w), c, v)[1]),
            lambda _: 0.0,
        ),
    ),
    "scan of nothing": (
        (0, 2),
        by_scan(lambda c, v: (c + v, c), lambda _: jnp.ones(2)),
    ),
    "scan of constants": (
        (3,),
        lambda x: lax.scan(lambda c, w: (c, w * x), 0, weights(4))[1],
    ),
    "map": ((5, 3), lambda x: lax.map(lambda r: r.sum() * r, x)),
    "fori_loop writes rows": ((5, 2), fill_in),
    "while": (
        (4, 2),
        lambda x: lax.while_loop(
            lambda c: c[0] < 3, lambda c: (c[0] + 1, jnp.sin(c[1])), (0, x)
        )[1],
    ),
    "while sums rows": (
        (4, 3),
        lambda x: lax.while_loop(
            lambda c: c[0] < 3,
            lambda c: (c[0] + 1, c[1] * c[1].sum(1)[:, None] / 9),
            (0, x),
        )[1],
    ),
    "cond joins": (
        (4,),
        lambda x: (
            lax.cond(x.sum() > 4, lambda x: 2 * x, lambda x: jnp.cumsum(x)[:4], x)
            + jnp.cumsum(x)
        ),
    ),
    "cond of a known branch": (
        (4,),
        lambda x: lax.switch(1, [jnp.flip, jnp.sin, jnp.cumsum], x),
    ),
    "custom_jvp": ((3, 2), jax.nn.relu),
    "checkpoint": ((3, 2), jax.checkpoint(lambda x: jnp.sin(x).sum(0))),
    "associative_scan": ((6,), lambda x: lax.associative_scan(jnp.add, x)),
}
SECOND = {
    "gradient of a product": ((4,), jax.grad(lambda x: (x[:3] * x[1:] ** 2).sum())),
    "gradient of rows": ((3, 2), jax.grad(lambda x: (x.prod(1) ** 2).sum())),
    "gradient of a pool": (
        (8,),
        jax.grad(
            lambda x: (
                pooled(
                    "add", window_dimensions=(2,), window_strides=(2,), padding="VALID"
                )(x)
                ** 2
            ).sum()
        ),
    ),
    "gradient of a convolution": (
        (1, 1, 6),
        jax.grad(lambda x: (conv(x, weights(1, 1, 2), (1,), "VALID") ** 2).sum()),
    ),
    "gradient of a gather": (
        (4,),
        jax.grad(lambda x: (x[jnp.array([2, 0])] ** 3).sum()),
    ),
}
