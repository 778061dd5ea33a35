"""Networks, shared by these tests."""

from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jnumerics import mlp


def network(*sizes, dtype: Any = None):
    """Layers with biases that are not zero, drawn by NumPy."""
    rng = np.random.default_rng(1)
    dtype = jnp.dtype(dtype or jax.dtypes.canonicalize_dtype(float))

    def draw(*shape):
        x = rng.normal(size=shape) + 0.5j * rng.normal(size=shape)
        is_complex = jnp.issubdtype(dtype, jnp.complexfloating)
        return jnp.asarray((x if is_complex else x.real).astype(dtype))

    return tuple(mlp.Layer(draw(n, m), draw(m)) for n, m in pairwise(sizes))
