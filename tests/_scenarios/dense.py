"""Dense, narrow and residual functions, scalars, reductions."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests._scenarios.patterns import (
    arrow_pattern,
    outer_pattern,
    row_products_pattern,
)
from tests._scenarios.table import (
    DENSE,
    Scenario,
    complex_step,
    drawn,
    eye,
    full,
    like,
    linear,
    tags,
    weights,
    wide,
)

TALL, WIDE, SQUARE = weights(11, 13, 4), weights(12, 3, 17), weights(13, 6, 6)
U, V = weights(14, 12), weights(15, 9)
SKIP_IN, SKIP_OUT = weights(16, 10), weights(17, 10)
CODER = [
    weights(18 + k, m, n, scale=0.5)
    for k, (m, n) in enumerate([(8, 24), (2, 8), (9, 2), (23, 9)])
]
BLOCKS = [
    (weights(30 + k, 20, 2, scale=0.5), weights(40 + k, 2, 20, scale=0.25))
    for k in range(3)
]
CHAIN = [
    (weights(50 + k, 12, 1, scale=0.5), weights(60 + k, 1, 12, scale=0.25))
    for k in range(4)
]


def tall(x, xp=jnp):
    return xp.tanh(like(TALL, x) @ x)


def wide_map(x, xp=jnp):
    return xp.sin(like(WIDE, x) @ x)


def square(x, xp=jnp):
    return xp.exp(0.25 * (like(SQUARE, x) @ x))


def rank_one(x, xp=jnp):
    return xp.sin(x @ like(U, x)) * like(V, x)


def autoencoder(x, xp=jnp):
    *hidden, last = [like(w, x) for w in CODER]
    for w in hidden:
        x = xp.tanh(w @ x)
    return last @ x


def residual_blocks(x, xp=jnp):
    for out, into in BLOCKS:
        x = x + like(out, x) @ xp.tanh(like(into, x) @ x)
    return x


def residual_chain(x, xp=jnp):
    for out, into in CHAIN:
        x = xp.tanh(x) + like(out, x) @ xp.sin(like(into, x) @ x)
    return x


def skip_beside_bottleneck(x, xp=jnp):
    return xp.sin(x) + like(SKIP_OUT, x) * xp.cos(like(SKIP_IN, x) @ x)


def arrow(x, xp=jnp):
    first = xp.sum(x * x)
    return xp.concatenate([xp.reshape(first, (1,)), x[1:] * x[1:] * x[0]])


def one_to_many(x, xp=jnp):
    return xp.sin(x * like(V, x)) if xp is np else jnp.sin(jnp.full(9, x) * like(V, x))


def partly_constant(x):
    return jnp.concatenate([jnp.ones(3, x.dtype), jnp.sin(x)])


def partly_constant_jacobian(args):
    return np.concatenate([np.zeros((3, 4)), np.diag(np.cos(wide(args[0])))])


def softmax_np(x, xp):
    del xp
    e = np.exp(x)
    return e / e.sum()


def layer_norm(x, xp=jnp):
    centered = x - xp.mean(x)
    return centered / xp.sqrt(xp.mean(centered * centered) + 1e-3)


def gradient_of_product(x):
    return jax.grad(jnp.prod)(x)


def product_hessian(args):
    x = wide(args[0])
    n = len(x)
    h = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if i != j:
                h[i, j] = np.prod(np.delete(x, (i, j)))
    return h


def gradient_of_row_products(X):
    return jax.grad(lambda Y: jnp.sum(jnp.prod(Y, axis=1)))(X)


def row_products_hessian(args):
    X = wide(args[0])
    h = np.zeros(2 * X.shape)
    for i, row in enumerate(X):
        h[i, :, i, :] = product_hessian((row,))
    return h


def outer_with_itself(x, xp=jnp):
    return x[:, None] * x[None, :]


TABLE = (
    Scenario(
        "tall", tall, drawn((4,)), complex_step(tall), full(13, 4), DENSE | {"tall"}
    ),
    Scenario(
        "wide",
        wide_map,
        drawn((17,)),
        complex_step(wide_map),
        full(3, 17),
        DENSE | {"wide"},
    ),
    Scenario("square", square, drawn((6,)), complex_step(square), full(6, 6), DENSE),
    Scenario(
        "rank_one",
        rank_one,
        drawn((12,)),
        complex_step(rank_one),
        full(9, 12),
        tags("dense lowrank twice"),
    ),
    Scenario(
        "autoencoder",
        autoencoder,
        drawn((24,)),
        complex_step(autoencoder),
        full(23, 24),
        tags("dense lowrank twice"),
    ),
    Scenario(
        "residual_blocks",
        residual_blocks,
        drawn((20,)),
        complex_step(residual_blocks),
        full(20, 20),
        tags("dense residual twice"),
    ),
    Scenario(
        "residual_chain",
        residual_chain,
        drawn((12,)),
        complex_step(residual_chain),
        full(12, 12),
        tags("dense residual twice"),
    ),
    Scenario(
        "skip_beside_bottleneck",
        skip_beside_bottleneck,
        drawn((10,)),
        complex_step(skip_beside_bottleneck),
        full(10, 10),
        tags("dense residual twice"),
    ),
    Scenario(
        "arrow",
        arrow,
        drawn((14,)),
        complex_step(arrow),
        arrow_pattern(14),
        tags("arrow twice"),
    ),
    Scenario(
        "zero",
        lambda x: jnp.zeros((3, 2), x.dtype) * jnp.sum(lax.stop_gradient(x)),
        drawn((5,)),
        linear(np.zeros((3, 2, 5))),
        np.zeros((3, 2, 5), bool),
        tags("zero twice"),
    ),
    Scenario(
        "constant",
        lambda x: jnp.ones((4,), x.dtype),
        drawn((5,)),
        linear(np.zeros((4, 5))),
        np.zeros((4, 5), bool),
        tags("zero twice"),
    ),
    Scenario(
        "partly_constant",
        partly_constant,
        drawn((4,)),
        partly_constant_jacobian,
        np.concatenate([np.zeros((3, 4), bool), eye(4)]),
        tags("tall twice"),
    ),
    Scenario(
        "sum_of_squares",
        lambda x: jnp.sum(x * x),
        drawn((3, 4)),
        lambda args: 2 * wide(args[0]),
        full(3, 4),
        tags("scalar dense twice wide"),
    ),
    Scenario(
        "scalar_to_vector",
        one_to_many,
        drawn(()),
        complex_step(one_to_many),
        full(9),
        tags("scalar dense twice tall"),
    ),
    Scenario(
        "scalar_to_scalar",
        lambda x: jnp.exp(jnp.sin(x)),
        drawn(()),
        lambda args: np.cos(wide(args[0])) * np.exp(np.sin(wide(args[0]))),
        np.ones((), bool),
        tags("scalar elementwise twice"),
    ),
    Scenario(
        "softmax",
        jax.nn.softmax,
        drawn((7,)),
        complex_step(softmax_np),
        full(7, 7),
        DENSE,
    ),
    Scenario(
        "layer_norm",
        layer_norm,
        drawn((8,)),
        complex_step(layer_norm),
        full(8, 8),
        DENSE,
    ),
    Scenario(
        "gradient_of_product",
        gradient_of_product,
        drawn((5,)),
        product_hessian,
        ~np.eye(5, dtype=bool),
        tags("dense twice second"),
    ),
    Scenario(
        "gradient_of_row_products",
        gradient_of_row_products,
        drawn((3, 4)),
        row_products_hessian,
        row_products_pattern(3, 4),
        tags("batch twice second"),
    ),
    Scenario(
        "outer_with_itself",
        outer_with_itself,
        drawn((4,)),
        complex_step(outer_with_itself),
        outer_pattern(4),
        tags("tall twice"),
    ),
)
