"""Infinite scores, and gradients held against finite differences."""

import jax
import numpy as np
from jax.test_util import check_grads

INF = np.inf


def grads_agree(fun, *args):
    check_grads(jax.jit(fun), args, order=2, modes=("fwd", "rev"), atol=1e-5, rtol=1e-5)
