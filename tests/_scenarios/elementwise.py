"""Functions whose Jacobian is diagonal."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests._scenarios.table import (
    COMPLEX,
    FLOAT,
    REAL,
    Scenario,
    complex_step,
    drawn,
    elementwise,
    eye,
    like,
    positive,
    tags,
    weights,
    wide,
)

SCALES = weights(1, 5, 3)
MASK = np.arange(15).reshape(5, 3) % 2 == 0


def polynomial(x):
    return x**3 - 2 * x + 1


def where(x):
    return jnp.where(jnp.asarray(MASK), jnp.sin(x), x * x)


def held_factor(x):
    return x * lax.stop_gradient(jnp.sin(x))


def held_nothing(x):
    return lax.stop_gradient(x) * 2


@jax.custom_jvp
def softplus(x):
    return jnp.log1p(jnp.exp(x))


@softplus.defjvp
def _(primals, tangents):
    (x,), (t,) = primals, tangents
    return softplus(x), t * jax.nn.sigmoid(x)


@jax.custom_vjp
def cubed(x):
    return x**3


cubed.defvjp(lambda x: (cubed(x), x), lambda x, g: (g * 3 * x * x,))


def silu_twice(x):
    return jax.nn.silu(jax.nn.silu(x))


def through_remat(x):
    return jax.checkpoint(lambda y: jnp.exp(jnp.sin(y)))(x)


def flattened(x):
    return jnp.sin(x.reshape(-1)).reshape(x.shape)


def silu_np(x, xp):
    del xp
    y = x / (1 + np.exp(-x))
    return y / (1 + np.exp(-y))


def hat(x):
    return jnp.clip(1 - jnp.abs(x), 0, None)


def hat_slope(x):
    return np.where(np.abs(x) < 1, -np.sign(x), 0.0)


def product_jacobian(args):
    x, _ = map(wide, args)
    return np.diag(x)


def both_factors_jacobian(args):
    x, y = map(wide, args)
    return (np.diag(y), np.diag(x))


SMOOTH = tags("elementwise batch twice")
TABLE = (
    Scenario(
        "identity",
        lambda x: x,
        drawn((7,)),
        elementwise(np.ones_like),
        eye(7),
        SMOOTH,
        dtypes=REAL + COMPLEX,
    ),
    Scenario(
        "sine",
        jnp.sin,
        drawn((5, 3)),
        elementwise(np.cos),
        eye(5, 3),
        SMOOTH,
        dtypes=REAL + COMPLEX,
    ),
    Scenario(
        "polynomial",
        polynomial,
        drawn((6,)),
        elementwise(lambda x: 3 * x**2 - 2),
        eye(6),
        SMOOTH,
        dtypes=REAL + COMPLEX,
    ),
    Scenario(
        "size_one",
        jnp.exp,
        drawn((1,)),
        elementwise(np.exp),
        eye(1),
        SMOOTH,
    ),
    Scenario(
        "empty",
        jnp.exp,
        drawn((0, 3)),
        elementwise(np.exp),
        np.zeros((0, 3, 0, 3), bool),
        SMOOTH | {"zero_size"},
    ),
    Scenario(
        "relu",
        jax.nn.relu,
        drawn((9,)),
        elementwise(lambda x: (x > 0) * 1.0),
        eye(9),
        tags("elementwise batch kink data_dependent"),
    ),
    Scenario(
        "hat",
        hat,
        drawn((8,)),
        elementwise(hat_slope),
        eye(8),
        tags("elementwise batch kink data_dependent"),
    ),
    Scenario(
        "where_by_mask",
        where,
        drawn((5, 3)),
        elementwise(lambda x: np.where(MASK, np.cos(x), 2 * x)),
        eye(5, 3),
        SMOOTH,
    ),
    Scenario(
        "scaled",
        lambda x: like(SCALES, x) * jnp.tanh(x),
        drawn((5, 3)),
        elementwise(lambda x: SCALES / np.cosh(x) ** 2),
        eye(5, 3),
        SMOOTH,
    ),
    Scenario(
        "held_factor",
        held_factor,
        drawn((6,)),
        elementwise(np.sin),
        eye(6),
        tags("elementwise batch stopped"),
    ),
    Scenario(
        "held_whole",
        held_nothing,
        drawn((6,)),
        elementwise(np.zeros_like),
        np.zeros((6, 6), bool),
        tags("elementwise batch stopped zero"),
    ),
    Scenario(
        "custom_jvp",
        softplus,
        drawn((4, 2)),
        elementwise(lambda x: 1 / (1 + np.exp(-x))),
        eye(4, 2),
        SMOOTH | {"custom_jvp"},
    ),
    Scenario(
        "custom_vjp",
        cubed,
        drawn((4, 2)),
        elementwise(lambda x: 3 * x**2),
        eye(4, 2),
        tags("elementwise batch custom_vjp reverse_only"),
    ),
    Scenario(
        "silu_twice",
        silu_twice,
        drawn((5,)),
        complex_step(silu_np),
        eye(5),
        SMOOTH,
    ),
    Scenario(
        "remat",
        through_remat,
        drawn((5,)),
        elementwise(lambda x: np.cos(x) * np.exp(np.sin(x))),
        eye(5),
        SMOOTH,
    ),
    Scenario(
        "flattened_and_back",
        flattened,
        drawn((4, 3)),
        elementwise(np.cos),
        eye(4, 3),
        SMOOTH,
    ),
    Scenario(
        "second_of_two",
        lambda x, y: x * y,
        drawn((6,), (6,)),
        product_jacobian,
        eye(6),
        SMOOTH,
        argnums=1,
    ),
    Scenario(
        "both_of_two",
        lambda x, y: x * y,
        drawn((6,), (6,)),
        both_factors_jacobian,
        (eye(6), eye(6)),
        tags("pytree twice"),
        argnums=(0, 1),
    ),
    Scenario(
        "logarithm",
        jnp.log,
        positive(3, 1),
        elementwise(lambda x: 1 / x),
        eye(3, 1),
        SMOOTH,
    ),
    Scenario(
        "reciprocal_gamma",
        lambda x: jnp.exp(-jax.scipy.special.gammaln(x)),
        positive(5),
        lambda args: _reciprocal_gamma(wide(args[0])),
        eye(5),
        tags("elementwise batch"),
        dtypes=FLOAT,
    ),
)


def _reciprocal_gamma(x):
    from scipy.special import digamma, gamma

    return np.diag(-digamma(x) / gamma(x))
