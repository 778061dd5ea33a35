"""Sparse matrices."""

import jax
import jax.numpy as jnp
from jax.experimental import sparse as jsparse


def sparse(*entries, shape):
    return jsparse.BCOO((jnp.ones(len(entries)), jnp.array(entries)), shape=shape)


SPARSE = {
    "matrix times": (
        (4, 2),
        lambda x: sparse((0, 3), (2, 1), (2, 2), (9, 9), shape=(3, 4)) @ x,
    ),
    "vector": ((4,), lambda x: sparse((0, 3), (2, 1), shape=(3, 4)) @ x),
    "batch": (
        (2, 4),
        lambda x: jax.vmap(
            lambda v: sparse((0, 0), (0, 1), (0, 2), (0, 3), shape=(1, 4)) @ v
        )(x),
    ),
    "data": (
        (3,),
        lambda x: (
            jsparse.BCOO((x, jnp.array([(0, 1), (2, 0), (2, 1)])), shape=(3, 2))
            @ jnp.ones((2, 2))
        ),
    ),
    "data of a batch": (
        (2, 3),
        lambda x: jsparse.bcoo_dot_general(
            jsparse.BCOO((x, jnp.array([[[0], [1], [3]]] * 2)), shape=(2, 4)),
            jnp.ones((2, 4)),
            dimension_numbers=(((1,), (1,)), ((0,), (0,))),
        ),
    ),
    "data of samples, places shared": (
        (2, 3),
        jax.vmap(
            lambda v: (
                jsparse.BCOO((v, jnp.array([(0, 1), (2, 0), (2, 1)])), shape=(3, 2))
                @ jnp.ones((2, 1))
            ).sum()
        ),
    ),
    "places counted from the end": (
        (4,),
        lambda x: (sparse((0, -1), (-2, 0), (1, 3), (1, -4), shape=(2, 4)) @ x)[1:],
    ),
    "data at unknown places": (
        (3,),
        lambda x: (
            jsparse.BCOO((x, jnp.argsort(x)[:, None]), shape=(3,)) @ jnp.ones((3, 2))
        ),
    ),
}
