"""Leaves that are the same, bit for bit."""

import jax
import jax.numpy as jnp
import numpy as np


def bits(x):
    """The bytes of an array, and of a key its numbers."""
    if isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        x = jax.random.key_data(x)
    return np.asarray(x).tobytes()


def assert_same(x, y):
    assert type(x) is type(y)
    if isinstance(x, jax.Array | np.ndarray | np.generic):
        assert (x.dtype, x.shape) == (y.dtype, y.shape)
        assert bits(x) == bits(y)
    else:
        assert x == y
