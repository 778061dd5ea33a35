"""Derivatives of arrays that lie on four devices; run in a process of its own."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec, auto_axes

from jnumerics.derivatives import batch_jacobian, jacobian, jacobian_diagonal

MODES = ("forward", "reverse", "cut", "compressed", "auto")
SPLIT = PartitionSpec("samples")
WEIGHTS = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
X = np.random.default_rng(1).normal(size=(8, 3)).astype(np.float32)


def layer(x):
    return jnp.tanh(x @ WEIGHTS)


def every_mode(x):
    return {mode: jacobian(layer, mode=mode)(x) for mode in MODES}


def check(axis_type, by_mode):
    mesh = jax.make_mesh((4,), ("samples",), axis_types=(axis_type,))
    with jax.set_mesh(mesh):
        x = jax.device_put(X, NamedSharding(mesh, SPLIT))
        blocks = jax.jit(batch_jacobian(layer))(x)
        jacobians = by_mode(x)
    expected = np.asarray(jax.jacrev(layer)(X))
    np.testing.assert_allclose(blocks, np.einsum("njnk->njk", expected), atol=1e-6)
    assert blocks.sharding.spec[0] == "samples", blocks.sharding
    for mode, found in jacobians.items():
        np.testing.assert_allclose(found, expected, atol=1e-6, err_msg=mode)


if __name__ == "__main__":
    assert jax.device_count() == 4
    check(AxisType.Auto, jax.jit(every_mode))
    check(AxisType.Explicit, auto_axes(every_mode, out_sharding=SPLIT))
    spread = jax.device_put(X, jax.devices()[3])
    np.testing.assert_allclose(jacobian_diagonal(jnp.sin)(spread), np.cos(X), atol=1e-6)
