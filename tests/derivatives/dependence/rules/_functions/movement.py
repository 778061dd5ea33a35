"""Functions that move numbers."""

import jax.numpy as jnp
from jax import lax

from tests.derivatives.dependence.rules._functions.values import weights

MOVEMENT = {
    "broadcast_in_dim": ((3, 1), lambda x: lax.broadcast_in_dim(x, (4, 3, 5), (1, 2))),
    "broadcast a scalar": ((), lambda x: jnp.broadcast_to(x, (2, 3))),
    "reshape merges": ((3, 4, 5), lambda x: x.reshape(12, 5)),
    "reshape splits": ((12, 5), lambda x: x.reshape(3, 4, 5)),
    "reshape regroups": ((4, 6, 5), lambda x: x.reshape(4, 3, 10)),
    "reshape through": ((4, 6), lambda x: x.reshape(3, 8)),
    "reshape of ones": ((1, 3, 1), lambda x: x.reshape(3, 1, 1, 1)),
    "reshape to a scalar": ((1, 1), lambda x: x.reshape(())),
    "reshape of nothing": ((0, 3), lambda x: x.reshape(3, 0)),
    "reshape dimensions": ((3, 4), lambda x: lax.reshape(x, (2, 6), dimensions=(1, 0))),
    "transpose": ((2, 3, 4), lambda x: x.transpose(2, 0, 1)),
    "squeeze": ((1, 3, 1), lambda x: x.squeeze(0)),
    "expand_dims": ((3,), lambda x: lax.expand_dims(x, (0, 2))),
    "rev": ((3, 4), lambda x: lax.rev(x, (1,))),
    "slice": ((7, 5), lambda x: x[1:6:2, 2:4]),
    "slice of nothing": ((4,), lambda x: x[2:2]),
    "split": ((3, 7), lambda x: lax.split(x, (2, 1, 4), axis=1)),
    "concatenate": ((3, 2), lambda x: jnp.concatenate([x, 2 * x[:1], x[::-1]], 0)),
    "concatenate a constant": (
        (3, 2),
        lambda x: jnp.concatenate([x, weights(3, 1)], 1),
    ),
    "concatenate nothing": ((3, 2), lambda x: jnp.concatenate([x[:0], x[:0]], 0)),
    "concatenate along rows": ((3, 2), lambda x: jnp.concatenate([x, x[::-1]], 1)),
    "pad": (
        (3, 4),
        lambda x: lax.pad(x, jnp.zeros((), x.dtype), ((1, 2, 0), (0, 3, 0))),
    ),
    "pad crops": (
        (5, 4),
        lambda x: lax.pad(x, jnp.zeros((), x.dtype), ((-2, 1, 0), (0, -3, 0))),
    ),
    "pad spreads": (
        (3, 2),
        lambda x: lax.pad(x, jnp.zeros((), x.dtype), ((0, 1, 2), (1, 0, 1))),
    ),
    "pad spreads and crops": (
        (4,),
        lambda x: lax.pad(x, jnp.zeros((), x.dtype), ((-2, -3, 2),)),
    ),
    "pad crops between": (
        (3,),
        lambda x: lax.pad(x, jnp.zeros((), x.dtype), ((-1, -1, 3),)),
    ),
    "pad of nothing": (
        (0,),
        lambda x: lax.pad(x, jnp.zeros((), x.dtype), ((2, 1, 1),)),
    ),
    "pad with the tangent": ((3,), lambda x: lax.pad(x[1:], x[0], ((1, 1, 1),))),
    "stack": ((3, 2), lambda x: jnp.stack([x, x[::-1], jnp.ones_like(x)], 1)),
    "stack of the same": ((3,), lambda x: jnp.stack([x, 2 * x])),
    "unstack": ((3, 2), lambda x: jnp.unstack(x, axis=1)),
    "tile": ((2, 3), lambda x: jnp.tile(x, (2, 1))[2:]),
    "roll": ((5,), lambda x: jnp.roll(x, 2)[:2]),
    "dynamic_slice": ((6, 4), lambda x: lax.dynamic_slice(x, (2, 1), (3, 2))),
    "dynamic_slice clamped": ((6,), lambda x: lax.dynamic_slice(x, (5,), (3,))),
    "dynamic_update_slice": (
        (5, 4),
        lambda x: lax.dynamic_update_slice(x, 2 * x[:2, :3], (2, 1)),
    ),
    "dynamic_update_slice of a constant": (
        (5, 4),
        lambda x: lax.dynamic_update_slice(x, jnp.ones((2, 4)), (9, 0)),
    ),
    "dynamic_update_slice of nothing": (
        (3, 2),
        lambda x: lax.dynamic_update_slice(x, jnp.ones((0, 2)), (1, 0)),
    ),
    "dynamic_update_slice into a constant": (
        (2, 3),
        lambda x: lax.dynamic_update_slice(jnp.ones((4, 3)), x, (1, 0)),
    ),
}
