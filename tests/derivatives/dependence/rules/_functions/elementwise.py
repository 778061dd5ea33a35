"""Elementwise functions and reductions."""

import jax
import jax.numpy as jnp
from jax import lax

from tests.derivatives.dependence.rules._functions.values import F64

ELEMENTWISE = {
    "sum": ((3, 2), lambda x: x + 2 * x),
    "product": ((3, 2), lambda x: x * jnp.sin(x)),
    "scalar of an element": ((3,), lambda x: x * x[0] - 3 * x[0]),
    "select by a known mask": (
        (4, 4),
        lambda x: jnp.where(jnp.tril(jnp.ones((4, 4), bool)), x, x.T),
    ),
    "select one case": ((3,), lambda x: jnp.where(True, x, x[::-1])),
    "select a constant": ((3, 4), lambda x: jnp.where(jnp.arange(4)[None] < 2, x, 0.0)),
    "select of three": (
        (6,),
        lambda x: lax.select_n(jnp.arange(6) % 3, x, x[::-1], jnp.roll(x, 1)),
    ),
    "select by a computed mask": (
        (8,),
        lambda x: jnp.where((jnp.arange(8) * 3) % 4 > 1, x, jnp.flip(x)),
    ),
    "convert": ((3,), lambda x: x.astype("float32").astype(F64)),
    "complex parts": ((3,), lambda x: jnp.real(lax.complex(x, 2 * x))),
    "conjugate": ((3,), lambda x: jnp.imag(jnp.conj(lax.complex(x, 2 * x)))),
    "clip": ((3,), lambda x: jnp.clip(x, -9.0, 9.0)),
    "barrier": ((3,), lambda x: lax.optimization_barrier((x, x[::-1], 1.0))[:2]),
}
REDUCTION = {
    "reduce_sum": ((3, 4, 2), lambda x: x.sum(1)),
    "reduce_sum of nothing": ((3, 0), lambda x: x.sum(1)),
    "reduce_sum of all": ((3, 2), lambda x: x.sum()),
    "reduce_max": ((3, 4), lambda x: jnp.log(jnp.exp(8 * x).sum(0)) + 0 * x.max(0)),
    "reduce_prod": ((3, 4), lambda x: x.prod(1)),
    "logsumexp": ((3, 4), lambda x: jax.nn.logsumexp(x, axis=0)),
    "cumsum": ((3, 4), lambda x: lax.cumsum(x, 1)),
    "cumsum reversed": ((3, 4), lambda x: lax.cumsum(x, 0, reverse=True)),
    "cumprod": ((5, 2), lambda x: lax.cumprod(x, 0)),
    "cumprod reversed": ((5, 2), lambda x: lax.cumprod(x, 0, reverse=True)),
    "cumlogsumexp": ((5,), lambda x: lax.cumlogsumexp(x)),
    "cumlogsumexp reversed": ((6,), lambda x: lax.cumlogsumexp(x, reverse=True)),
}
