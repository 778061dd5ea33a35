"""Functions to plan, shared by these tests."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

WIDE = np.random.default_rng(1).normal(size=(30, 50)).astype(np.float32) / 5
NARROW = np.random.default_rng(2).normal(size=(4, 200)).astype(np.float32) / 5
FEW = np.random.default_rng(3).normal(size=(3, 6)).astype(np.float32) / 2


def candidate(planned, mode):
    return next(c for c in planned.candidates if c.mode == mode)


def passes(planned):
    return {c.mode: c.passes for c in planned.candidates}


def dense(x):
    return WIDE @ x


def narrow(x):
    return jnp.sin(jnp.sin(NARROW @ x) @ NARROW)  # cut at the four sines


def second_difference(x):
    return x[2:] - 2 * x[1:-1] ** 2 + x[:-2]


def halved(x):
    return lax.while_loop(lambda y: jnp.sum(y) > 1e3, lambda y: y / 2, WIDE @ x)


@jax.custom_vjp
def by_loop(x):
    return x**3


def by_loop_bwd(x, g):
    # a true loop in the backward rule: it is linear and can be run, not transposed
    def step(state):
        return state[0] + 1, 3 * x**2 * state[1]

    return (lax.while_loop(lambda state: state[0] < 1, step, (0, g))[1],)


by_loop.defvjp(lambda x: (x**3, x), by_loop_bwd)
