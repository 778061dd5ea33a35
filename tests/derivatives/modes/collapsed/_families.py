"""Functions of each family of primitives, all second derivatives of which differ."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

random = np.random.default_rng(0)
WIDE, TALL = random.normal(size=(3, 6)) / 2, random.normal(size=(6, 3)) / 2
KERNEL = random.normal(size=(2, 2, 1, 2))
X = random.uniform(0.2, 0.8, size=6)
SIX = np.arange(6) % 3

SMOOTH = {
    f.__name__: f
    for f in (
        lax.acos,
        lax.acosh,
        lax.asin,
        lax.asinh,
        lax.atan,
        lax.atanh,
        lax.cbrt,
        lax.cos,
        lax.cosh,
        lax.digamma,
        lax.erf,
        lax.erf_inv,
        lax.erfc,
        lax.exp,
        lax.exp2,
        lax.expm1,
        lax.lgamma,
        lax.log,
        lax.log1p,
        lax.logistic,
        jnp.log2,
        lax.rsqrt,
        lax.sin,
        lax.sinh,
        lax.sqrt,
        lax.tan,
        lax.tanh,
        lax.square,
    )
} | {
    "acosh": lambda x: lax.acosh(x + 2),
    "integer_pow": lambda x: lax.integer_pow(x, 5) + lax.integer_pow(x, -2),
    "pow": lambda x: jnp.power(x, 2.5) + jnp.power(1.7, x),
    "pow of both": lambda x: jnp.power(x, jnp.sin(x)),
    "atan2": lambda x: jnp.arctan2(x, 2.0) + jnp.arctan2(0.3, x),
    "atan2 of both": lambda x: jnp.arctan2(x, x[::-1] ** 2),
    "rem": lambda x: jnp.sin(lax.rem(x**2, jnp.full(6, 0.3))),
    "chained": lambda x: jnp.exp(jnp.sin(jnp.tanh(3 * x) * x)),
    "softplus": jax.nn.softplus,
    "silu": jax.nn.silu,
    "gelu": jax.nn.gelu,
    "sinc": jnp.sinc,
    "logaddexp": lambda x: jnp.logaddexp(x, x[::-1]),
}
PIECEWISE = {
    "abs": lambda x: jnp.abs(x - 0.5) * x,
    "max": lambda x: jnp.maximum(x**2, x[::-1]),
    "min": lambda x: jnp.minimum(x**3, 0.2) * x,
    "clamp": lambda x: lax.clamp(0.3, x, 0.6) ** 2,
    "reduce_max": lambda x: jnp.max(x.reshape(2, 3) ** 2, 1),
    "reduce_min": lambda x: jnp.min(jnp.sin(x.reshape(2, 3)), 0),
    "sort": lambda x: jnp.sort(jnp.sin(4 * x)) * jnp.arange(6.0),
    "argsort": lambda x: (x**2)[jnp.argsort(-x)] * x,
    "top_k": lambda x: lax.top_k(x**3, 2)[0],
    "cummax": lambda x: lax.cummax(x**2),
    "relu": lambda x: jax.nn.relu(x - 0.5) ** 3,
    "median": lambda x: jnp.median(x**2),
    "max pool": lambda x: lax.reduce_window(
        x**2, -jnp.inf, lax.max, (2,), (2,), "VALID"
    ),
}
CONSTANT = {
    "floor": lambda x: jnp.floor(3 * x) * x**2,
    "ceil": lambda x: jnp.ceil(3 * x) * x**2,
    "round": lambda x: jnp.round(3 * x) * x**2,
    "sign": lambda x: jnp.sign(x - 0.5) * x**2,
    "stop_gradient": lambda x: lax.stop_gradient(x**2) * x**2,
    "argmax": lambda x: x[jnp.argmax(x)] ** 2 + jnp.argmin(x).astype(x.dtype),
    "integers": lambda x: jnp.int32(3 * x).astype(x.dtype) * x**2,
    "constants": lambda x: jnp.ones(3) + 0 * x[:3],
    "still": lambda _: jnp.ones(3),
}
MOVEMENT = {
    "reshape": lambda x: (x**2).reshape(2, 3).T[::-1, None] * 1.0,
    "squeeze": lambda x: jnp.squeeze((x**2)[:, None], 1),
    "split": lambda x: jnp.split(x**2, [2, 3])[2] * x[0],
    "concatenate": lambda x: jnp.concatenate([x**2, jnp.ones(2), x[:1] * x[1]]),
    "stack": lambda x: jnp.stack([x**2, jnp.zeros(6)]),
    "pad": lambda x: jnp.pad(x**2, (1, 2), constant_values=3.0),
    "pad by a moving value": lambda x: lax.pad(x**2, x[0] ** 3, [(1, 1, 1)]),
    "tile": lambda x: jnp.tile(x**2, 2),
    "roll": lambda x: jnp.roll(x, 1) * x,
    "select": lambda x: jnp.where(x > 0.5, x**2, 1.0) + jnp.where(x > 0.4, x**3, x),
    "gather": lambda x: (x**2)[SIX] * x[1:2],
    "gather out of bounds": lambda x: (
        (x**2).at[np.array([1, 9])].get(mode="fill", fill_value=7.0)
    ),
    "gather at a traced index": lambda x: (x**2)[jnp.int32(x[0] * 3)],
    "slice at a traced index": lambda x: lax.dynamic_slice(
        x**2, (jnp.int32(x[0] * 3),), (2,)
    ),
    "update": lambda x: lax.dynamic_update_slice(jnp.ones(8), x**2, (1,)) * 2,
    "update of what moves": lambda x: lax.dynamic_update_slice(x**2, x[:2] ** 3, (3,)),
    "scatter": lambda x: (x**2).at[np.array([0, 2])].set(x[:2] ** 3),
    "scatter twice": lambda x: (x**2).at[np.array([2, 2])].set(x[:2] ** 3).sum(),
    "scatter of constants": lambda x: (x**2).at[np.array([0, 2])].set(0.0),
    "scatter-add": lambda x: jnp.zeros(3).at[SIX].add(x**3),
    "scatter-add to what moves": lambda x: (x**2).at[SIX].add(1.0),
    "scatter-mul": lambda x: (
        (x**2).at[np.array([0, 2])].multiply(x[3:5], unique_indices=True)
    ),
    "scatter-mul of constants": lambda x: (x**2).at[np.array([0, 2])].multiply(2.0),
    "segments": lambda x: jax.ops.segment_sum(x**2, SIX, num_segments=3),
    "cumsum": lambda x: jnp.cumsum(x**2)[::-1] * x,
    "cumprod": lambda x: jnp.cumprod(x),
    "cumlogsumexp": lambda x: lax.cumlogsumexp(x),
    "mean pool": lambda x: lax.reduce_window(x**2, 0.0, lax.add, (2,), (1,), "SAME"),
    "conversion": lambda x: jnp.float32(x**2).astype(x.dtype),
    "sub": lambda x: (3.0 - x**2) - jnp.sin(x),
    "scalars": lambda x: (
        x[0] * jnp.ones(3) + x[1] ** 2 - jnp.arange(3.0) * x[2] ** 2 / x[3]
    ),
    "fft": lambda x: jnp.abs(jnp.fft.rfft(x**2)) ** 2,
    "irfft": lambda x: jnp.fft.irfft(jnp.fft.rfft(x) ** 2),
    "complex": lambda x: jnp.real(
        jnp.exp(lax.complex(0 * x, x)) * lax.complex(x, x**2)
    ),
    "modulus": lambda x: jnp.abs(lax.complex(x, jnp.sin(x))),
    "angle": lambda x: jnp.angle(lax.complex(x, jnp.sin(x))),
}
PRODUCTS = {
    "mul": lambda x: x * x[::-1] * jnp.sin(x),
    "div": lambda x: x / (1 + x[::-1] ** 2),
    "div by what moves": lambda x: 2.0 / x,
    "div of what moves": lambda x: x**2 / 3.0,
    "prod": lambda x: jnp.prod(x),
    "matvec": lambda x: jnp.tanh(WIDE @ x) @ WIDE,
    "vecmat": lambda x: jnp.tanh(x @ TALL),
    "vecvec": lambda x: jnp.sin(x) @ jnp.cos(x[::-1]),
    "matmat": lambda x: jnp.tanh(x.reshape(2, 3) @ TALL.T),
    "left matmat": lambda x: TALL @ jnp.tanh(x.reshape(3, 2)),
    "gram": lambda x: jnp.sin(x.reshape(2, 3)) @ x.reshape(2, 3).T,
    "power": lambda x: jnp.linalg.matrix_power(x[:4].reshape(2, 2), 5),
    "batched": lambda x: jnp.einsum(
        "bij,bjk->bik",
        x.reshape(1, 2, 3) * np.ones((2, 1, 1)),
        jnp.sin(x).reshape(2, 3, 1),
    ),
    "batched, one still": lambda x: jnp.einsum(
        "bij,bjk->bki", x.reshape(3, 2, 1) ** 2, TALL.reshape(3, 1, 6)
    ),
    "batched, the other still": lambda x: jnp.einsum(
        "bij,bjk->bki", TALL.reshape(3, 6, 1), x.reshape(3, 1, 2) ** 2
    ),
    "outer": lambda x: jnp.outer(x**2, x),
    "tensordot": lambda x: jnp.tensordot(
        x.reshape(1, 2, 3), jnp.sin(x).reshape(3, 2, 1), ((1, 2), (1, 0))
    ),
    "convolution": lambda x: lax.conv_general_dilated(
        x.reshape(1, 2, 3, 1) ** 2,
        jnp.asarray(KERNEL),
        (1, 1),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    ),
    "moving kernel": lambda x: lax.conv_general_dilated(
        jnp.ones((1, 4, 4, 1)),
        (x**2).reshape(1, 2, 1, 3),
        (1, 1),
        "VALID",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    ),
    "convolution of both": lambda x: lax.conv_general_dilated(
        jnp.sin(x).reshape(1, 1, 3, 2),
        (x**2).reshape(1, 3, 2, 1),
        (1, 1),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    ),
    "grouped convolution of both": lambda x: lax.conv_general_dilated(
        jnp.sin(x).reshape(1, 1, 3, 2),
        (x**2).reshape(1, 3, 1, 2),
        (1, 1),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=2,
    ),
    "triangular_solve": lambda x: lax.linalg.triangular_solve(
        np.tril(TALL[:3]) + 2 * np.eye(3),
        (x**2).reshape(3, 2),
        left_side=True,
        lower=True,
    ),
    "triangular_solve of both": lambda x: lax.linalg.triangular_solve(
        jnp.eye(3) + x[None, :3], x[3:, None], left_side=True, lower=True
    ),
    "solve": lambda x: jnp.linalg.solve(x[:4].reshape(2, 2) + 2 * np.eye(2), x[4:]),
    "inverse": lambda x: jnp.linalg.inv(x[:4].reshape(2, 2) + np.eye(2)),
    "slogdet": lambda x: jnp.linalg.slogdet(x[:4].reshape(2, 2) + np.eye(2))[1],
    "cholesky": lambda x: jnp.linalg.cholesky(jnp.outer(x[:2], x[:2]) + np.eye(2)),
    "qr": lambda x: jnp.abs(jnp.linalg.qr(x.reshape(3, 2))[1]),
    "eigvalsh": lambda x: jnp.linalg.eigvalsh(
        jnp.outer(x[:2], x[:2]) + np.diag([1.0, 3.0])
    ),
    "norm": lambda x: jnp.linalg.norm(x),
    "softmax": lambda x: jax.nn.softmax(x**2),
    "logsumexp": lambda x: jax.nn.logsumexp(3 * x),
    "layer norm": lambda x: (x - x.mean()) * lax.rsqrt(jnp.var(x) + 0.1),
    "attention": lambda x: (
        jax.nn.softmax(x.reshape(2, 3) @ x.reshape(2, 3).T) @ x.reshape(2, 3)
    ),
    "variance": lambda x: jnp.var(x**2),
}
