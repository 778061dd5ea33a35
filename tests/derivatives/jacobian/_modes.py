"""Functions and options, shared by the tests of Jacobians."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def options(scenario, args) -> dict[str, Any]:
    leaves = jax.tree.leaves(
        args[scenario.argnums] if isinstance(scenario.argnums, int) else args
    )
    is_complex = any(jnp.iscomplexobj(leaf) for leaf in leaves)
    return {"holomorphic": True} if is_complex else {}


def assert_close(actual, expected, digits, name=""):
    def compare(a, b):
        b = np.asarray(b)
        scale = np.abs(b).max(initial=0.0) or 1.0
        np.testing.assert_allclose(
            np.asarray(a, b.dtype), b, 0, 10.0**-digits * scale, err_msg=name
        )

    jax.tree.map(compare, actual, expected)


WEIGHTS = np.random.default_rng(7).normal(size=(5, 12)).astype(np.float32) / 3


def bottleneck(x):
    return jnp.sin(jnp.tanh(WEIGHTS @ x) @ WEIGHTS)
