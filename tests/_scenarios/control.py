"""Functions with loops and branches."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests._scenarios.table import (
    FLOAT,
    Scenario,
    complex_step,
    drawn,
    elementwise,
    eye,
    full,
    generator,
    like,
    normal,
    positive,
    tags,
    weights,
    wide,
)

INTO, OUT = weights(90, 3, 14, scale=0.5), weights(91, 15, 3)
MIX = weights(92, 3, 3, scale=0.5)


def scanned_ode(x, xp=jnp):
    """Ten Euler steps in three dimensions between two wide layers."""

    def step(state):
        return state + 0.125 * xp.tanh(like(MIX, state) @ state)

    state = xp.tanh(like(INTO, x) @ x)
    if xp is np:
        for _ in range(10):
            state = step(state)
    else:
        state, _ = lax.scan(lambda s, _: (step(s), None), state, length=10)
    return like(OUT, x) @ state


def running(x):
    """An exponential moving average by scan, all of its states."""

    def step(carry, value):
        carry = 0.5 * carry + jnp.sin(value)
        return carry, carry

    return lax.scan(step, jnp.zeros((), x.dtype), x)[1]


def running_jacobian(args):
    x = wide(args[0])
    i, j = np.ogrid[: len(x), : len(x)]
    return np.where(j <= i, 0.5 ** np.maximum(i - j, 0.0) * np.cos(x), 0)


def loop_of_fixed_length(x):
    return lax.fori_loop(0, 4, lambda _, y: jnp.sin(y), x)


def sine_four_times(x, xp):
    for _ in range(4):
        x = xp.sin(x)
    return x


def square_root(x):
    """Newton's iteration until it stops: the loop's length depends on the values."""

    def goes_on(carry):
        step, y, previous = carry
        return jnp.any(jnp.abs(y - previous) > 1e-6) & (step < 20)

    def improve(carry):
        step, y, _ = carry
        return step + 1, 0.5 * (y + x / y), y

    return lax.while_loop(goes_on, improve, (0, x, 2 * x))[1]


def branch(x):
    return lax.cond(x[0] > 0, jnp.sin, lambda y: jnp.flip(y * y), x)


def branch_jacobian(args):
    x = wide(args[0])
    return np.diag(np.cos(x)) if x[0] > 0 else np.diag(2 * x)[::-1]


def switch(x, k):
    branches = [jnp.sin, jnp.cos, lambda y: y * y * y]
    return lax.switch(k, branches, x)


def switch_args(key, dtype):
    return normal(generator(key), (6,), dtype), jnp.asarray(2, "int32")


def compiled_inside(x, xp=jnp):
    one = jax.jit(lambda y: jnp.sin(y[1:]) * y[:-1])
    return one(x) if xp is jnp else xp.sin(x[1:]) * x[:-1]


TABLE = (
    Scenario(
        "scanned_ode",
        scanned_ode,
        drawn((14,)),
        complex_step(scanned_ode),
        full(15, 14),
        tags("dense scan lowrank twice"),
    ),
    Scenario(
        "running_average",
        running,
        drawn((8,)),
        running_jacobian,
        np.tri(8, dtype=bool),
        tags("scan twice"),
    ),
    Scenario(
        "fixed_loop",
        loop_of_fixed_length,
        drawn((5,)),
        complex_step(sine_four_times),
        eye(5),
        tags("elementwise batch scan twice"),
    ),
    Scenario(
        "newton_while",
        square_root,
        positive(6),
        elementwise(lambda x: 0.5 / np.sqrt(x)),
        eye(6),
        tags("elementwise while forward_only"),
        dtypes=FLOAT,
    ),
    Scenario(
        "branch",
        branch,
        drawn((6,)),
        branch_jacobian,
        eye(6) | eye(6)[::-1],
        tags("cond data_dependent"),
    ),
    Scenario(
        "switch",
        switch,
        switch_args,
        elementwise(lambda x: 3 * x * x),
        eye(6),
        tags("elementwise batch cond twice"),
    ),
    Scenario(
        "compiled_inside",
        compiled_inside,
        drawn((7,)),
        complex_step(compiled_inside),
        eye(7)[1:] | eye(7)[:-1],
        tags("banded twice"),
    ),
)
