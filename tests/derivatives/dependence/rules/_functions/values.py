"""Fixed values and the functions that several tables take."""

import jax.numpy as jnp
import numpy as np
from jax import lax

F64 = "float64"


def weights(*shape):
    """Fixed numbers without a zero among them."""
    return np.random.default_rng(sum(shape)).uniform(0.5, 1.5, shape)


def conv(x, kernel, *args, **kwargs):
    return lax.conv_general_dilated(x, jnp.asarray(kernel), *args, **kwargs)


def pooled(kind, **kwargs):
    initial = {"add": 0.0, "max": -np.inf, "min": np.inf}[kind]
    return lambda x: lax.reduce_window(x, initial, getattr(lax, kind), **kwargs)
