"""A broad collection of functions of one sample, of as many primitives as may be."""

import jax
import jax.numpy as jnp
import jax.scipy as jsp
import numpy as np
from jax import lax, nn

INSIDE = 0.7  # where every function is smooth: samples lie around this number
ACTIVATIONS = [
    "relu", "relu6", "sigmoid", "softplus", "sparse_plus", "soft_sign", "silu",
    "log_sigmoid", "leaky_relu", "hard_sigmoid", "hard_silu", "hard_tanh", "elu",
    "celu", "selu", "gelu", "squareplus", "mish", "identity", "softmax", "log_softmax",
    "logsumexp", "standardize", "sparse_sigmoid", "glu", "log1mexp",
]  # fmt: skip
SPECIAL = [
    "gamma", "gammaln", "digamma", "erf", "erfc", "erfinv", "exp1", "expi", "expit",
    "logit", "i0", "i0e", "i1", "i1e", "log_ndtr", "ndtr", "ndtri", "entr", "spence",
    "logsumexp", "log_softmax", "softmax",
]  # fmt: skip


def _spd(x):
    return x @ x.T + 4 * jnp.eye(len(x), dtype=x.dtype)


def _square(f):
    return lambda x: f(x + 4 * jnp.eye(len(x), dtype=x.dtype))


VECTOR = {
    **{name: getattr(nn, name) for name in ACTIVATIONS if hasattr(nn, name)},
    **{name: getattr(jsp.special, name) for name in SPECIAL},
    "beta": lambda x: jsp.special.beta(x, 2.5),
    "betaln": lambda x: jsp.special.betaln(x, x + 1),
    "betainc": lambda x: jsp.special.betainc(1.5, 2.5, x / 3),
    "gammainc": lambda x: jsp.special.gammainc(x, 2 * x),
    "gammaincc": lambda x: jsp.special.gammaincc(2.5, x),
    "polygamma": lambda x: jsp.special.polygamma(2, x),
    "zeta": lambda x: jsp.special.zeta(x + 1, jnp.ones_like(x)),
    "xlogy": lambda x: jsp.special.xlogy(x, x),
    "xlog1py": lambda x: jsp.special.xlog1py(x, x),
    "rel_entr": lambda x: jsp.special.rel_entr(x, x**2),
    "kl_div": lambda x: jsp.special.kl_div(x, x**2),
    "multigammaln": lambda x: jsp.special.multigammaln(x + 2, 2),
    "hyp1f1": lambda x: jsp.special.hyp1f1(
        jnp.full_like(x, 1.5), jnp.full_like(x, 2.5), x
    ),
    "norm.logpdf": lambda x: jsp.stats.norm.logpdf(x),
    "t.logpdf": lambda x: jsp.stats.t.logpdf(x, 3.0),
    "beta.logpdf": lambda x: jsp.stats.beta.logpdf(x / 3, 2.0, 3.0),
    "atan2": lambda x: jnp.arctan2(x, x[::-1]),
    "power": lambda x: x ** (x + 1),
    "hypot": lambda x: jnp.hypot(x, 2.0),
    "logaddexp": lambda x: jnp.logaddexp(x, x[0]),
    "sinc": jnp.sinc,
    "nan_to_num": jnp.nan_to_num,
    "mod": lambda x: jnp.mod(x, 0.3),
    "cbrt": jnp.cbrt,
    "abs": jnp.abs,
    "sort": jnp.sort,
    "sort descending": lambda x: jnp.sort(x, descending=True),
    "median": jnp.median,
    "quantile": lambda x: jnp.quantile(x, jnp.array([0.2, 0.6], x.dtype)),
    "max": jnp.max,
    "min": jnp.min,
    "ptp": jnp.ptp,
    "mean": jnp.mean,
    "var": jnp.var,
    "std": jnp.std,
    "prod": jnp.prod,
    "norm": jnp.linalg.norm,
    "norm of order 3": lambda x: jnp.linalg.norm(x, 3),
    "cumsum": jnp.cumsum,
    "cumprod": jnp.cumprod,
    "cummax": lax.cummax,
    "cumlogsumexp": lax.cumlogsumexp,
    "diff": lambda x: jnp.diff(x, 2),
    "gradient": jnp.gradient,
    "ediff1d": jnp.ediff1d,
    "trapezoid": jnp.trapezoid,
    "interp": lambda x: jnp.interp(
        jnp.array([0.3, 1.2], x.dtype), jnp.arange(6.0, dtype=x.dtype), x
    ),
    "interp at x": lambda x: jnp.interp(
        x, jnp.arange(4.0, dtype=x.dtype), jnp.arange(4.0, dtype=x.dtype) ** 2
    ),
    "convolve": lambda x: jnp.convolve(x, jnp.array([1.0, 2.0, 1.0], x.dtype)),
    "convolve same": lambda x: jnp.convolve(x, x, mode="same"),
    "correlate": lambda x: jnp.correlate(x, jnp.array([1.0, -1.0], x.dtype)),
    "fftconvolve": lambda x: jsp.signal.fftconvolve(x, x),
    "detrend": jsp.signal.detrend,
    "roll": lambda x: jnp.roll(x, 2),
    "flip": jnp.flip,
    "repeat": lambda x: jnp.repeat(x, 2),
    "repeat each": lambda x: jnp.repeat(x, np.array([2, 0, 1, 3, 0, 1])),
    "tile": lambda x: jnp.tile(x, 3),
    "outer": lambda x: jnp.outer(x, x),
    "kron": lambda x: jnp.kron(x, jnp.ones(2, x.dtype)),
    "vander": lambda x: jnp.vander(x, 3),
    "polyval": lambda x: jnp.polyval(x, jnp.array([0.5, 2.0], x.dtype)),
    "diag": jnp.diag,
    "toeplitz": jsp.linalg.toeplitz,
    "unwrap": jnp.unwrap,
    "top_k": lambda x: lax.top_k(x, 2)[0],
    "partition": lambda x: jnp.partition(x, 2),
    "take_along_axis": lambda x: jnp.take_along_axis(x, jnp.argsort(x), 0),
    "argmax": lambda x: x[jnp.argmax(x)],
    "dynamic_slice": lambda x: lax.dynamic_slice(x, (jnp.argmax(x),), (2,)),
    "dynamic_update_slice": lambda x: x.at[jnp.argmax(x)].set(x[0]),
    "scatter-add": lambda x: x.at[jnp.argsort(x)].add(2 * x),
    "scatter-mul": lambda x: x.at[jnp.array([1, 4])].multiply(
        x[0], unique_indices=True
    ),
    "scatter-min": lambda x: x.at[jnp.array([1, 4])].min(0.1),
    "scatter-max": lambda x: x.at[jnp.array([1, 4])].max(
        2 * x[:2], unique_indices=True
    ),
    "segment_sum": lambda x: jax.ops.segment_sum(x, jnp.array([0, 0, 1, 2, 2, 2]), 3),
    "segment_max": lambda x: jax.ops.segment_max(x, jnp.array([0, 0, 1, 2, 2, 2]), 3),
    "rfft": lambda x: jnp.abs(jnp.fft.rfft(x)),
    "irfft": lambda x: jnp.fft.irfft(jnp.fft.rfft(x)),
    "fftshift": jnp.fft.fftshift,
    "dct": jsp.fft.dct,
    "hilbert pad": lambda x: jnp.pad(x, (2, 1), mode="reflect"),
    "pad wrap": lambda x: jnp.pad(x, 2, mode="wrap"),
    "pad edge": lambda x: jnp.pad(x, 2, mode="edge"),
    "pad mean": lambda x: jnp.pad(x, 2, mode="mean"),
    "pad ramp": lambda x: jnp.pad(x, 2, mode="linear_ramp"),
    "piecewise": lambda x: jnp.piecewise(x, [x < 0.5, x >= 0.5], [jnp.sin, jnp.cos]),
    "select": lambda x: jnp.select([x < 0.5, x < 0.8], [x, x**2], 0.0),
    "digitize": lambda x: (
        x * jnp.digitize(x, jnp.array([0.5, 0.9], x.dtype)).astype(x.dtype)
    ),
    "stack": lambda x: jnp.stack([x, x[::-1], jnp.ones_like(x)], 1),
    "unstack": lambda x: jnp.unstack(x)[1],
    "sparse matrix": lambda x: _bidiagonal(x) @ x,
    "cond": lambda x: lax.cond(x.sum() > 1, jnp.sin, jnp.cumsum, x),
    "switch": lambda x: lax.switch(jnp.argmax(x), [jnp.sin, jnp.cos, jnp.flip], x),
    "scan": lambda x: lax.scan(lambda c, v: (c * v + v, c), x[0], x)[1],
    "fori_loop": lambda x: lax.fori_loop(0, 3, lambda i, y: y.at[i].mul(y[i + 1]), x),
    "while_loop": lambda x: lax.while_loop(
        lambda c: c[0] < 3, lambda c: (c[0] + 1, jnp.sin(c[1]) + c[1][::-1]), (0, x)
    )[1],
    "associative_scan": lambda x: lax.associative_scan(jnp.multiply, x),
    "checkpoint": jax.checkpoint(lambda x: jnp.sin(jnp.cumsum(x))),
    "custom_root": lambda x: lax.custom_root(
        lambda y: y**3 - x,
        x,
        lambda f, y: lax.fori_loop(0, 5, lambda _, y: y - f(y) / (3 * y**2), y),
        lambda g, y: y / g(jnp.ones_like(y)),
    ),
    "cg": lambda x: jsp.sparse.linalg.cg(
        lambda v: 3 * v - 0.5 * jnp.roll(v, 1) - 0.5 * jnp.roll(v, -1), x
    )[0],
    "tridiagonal_solve": lambda x: lax.linalg.tridiagonal_solve(
        x.at[0].set(0), x + 4, x.at[-1].set(0), x[:, None]
    ),
    "odeint": lambda x: _odeint(x),
    "hessian": lambda x: jax.hessian(lambda x: (jnp.sin(x[1:]) * x[:-1] ** 2).sum())(x),
    "gradient of a product": jax.grad(lambda x: jnp.prod(x) + (x[1:] * x[:-1]).sum()),
}

MATRIX = {
    "inv": _square(jnp.linalg.inv),
    "det": _square(jnp.linalg.det),
    "slogdet": _square(lambda x: jnp.linalg.slogdet(x)[1]),
    "solve": lambda x: jnp.linalg.solve(_spd(x), x),
    "solve vector": lambda x: jnp.linalg.solve(_spd(x), x[0]),
    "cholesky": lambda x: jnp.linalg.cholesky(_spd(x)),
    "cho_solve": lambda x: jsp.linalg.cho_solve(jsp.linalg.cho_factor(_spd(x)), x),
    "solve_triangular": lambda x: jsp.linalg.solve_triangular(
        x + jnp.eye(3, dtype=x.dtype), x, lower=True
    ),
    "eigvalsh": lambda x: jnp.linalg.eigvalsh(_spd(x)),
    "eigh": lambda x: jnp.linalg.eigh(_spd(x))[1],
    "eigvals": _square(lambda x: jnp.abs(jnp.linalg.eigvals(x))),
    "svdvals": jnp.linalg.svdvals,
    "svd": lambda x: jnp.linalg.svd(x)[0],
    "qr": _square(lambda x: jnp.linalg.qr(x)[0]),
    "lu": _square(lambda x: jsp.linalg.lu(x)[2]),
    "pinv": _square(jnp.linalg.pinv),
    "lstsq": lambda x: jnp.linalg.lstsq(x + 4 * jnp.eye(3, dtype=x.dtype), x)[0],
    "matrix_power": lambda x: jnp.linalg.matrix_power(x, 3),
    "expm": jsp.linalg.expm,
    "nuclear norm": _square(lambda x: jnp.linalg.norm(x, "nuc")),
    "trace": jnp.trace,
    "diagonal": jnp.diagonal,
    "tril": jnp.tril,
    "triu": jnp.triu,
    "rot90": jnp.rot90,
    "cov": jnp.cov,
    "corrcoef": jnp.corrcoef,
    "cross": lambda x: jnp.cross(x, x[::-1]),
    "einsum": lambda x: jnp.einsum("ij,jk,ki->i", x, x, x),
    "tensordot": lambda x: jnp.tensordot(x, x, 1),
    "block_diag": lambda x: jsp.linalg.block_diag(x, x[:1]),
    "lexsort": lambda x: x[jnp.argsort(x[:, 0])],
    "sort columns": lambda x: jnp.sort(x, axis=0),
    "triu_indices": lambda x: x[jnp.triu_indices(3)],
    "fft2": lambda x: jnp.abs(jnp.fft.fft2(x)),
    "softmax rows": lambda x: nn.softmax(x, -1) @ x,
    "dot_product_attention": lambda x: nn.dot_product_attention(
        x[:, None], x[:, None], x[:, None]
    ),
    "average pool": lambda x: lax.reduce_window(
        x, 0.0, lax.add, (2, 2), (1, 1), "SAME"
    ),
    "max pool": lambda x: lax.reduce_window(
        x, -jnp.inf, lax.max, (2, 2), (1, 1), "VALID"
    ),
    "min pool gradient": jax.grad(
        lambda x: (
            lax.reduce_window(x, jnp.inf, lax.min, (2, 2), (1, 1), "VALID") ** 2
        ).sum()
    ),
    "conv": lambda x: lax.conv_general_dilated(
        x[None, None], jnp.ones((2, 1, 2, 2), x.dtype), (1, 1), "SAME"
    ),
    "conv_transpose": lambda x: lax.conv_transpose(
        x[None, None],
        jnp.ones((2, 1, 3, 3), x.dtype),
        (2, 2),
        "SAME",
        dimension_numbers=("NCHW", "OIHW", "NCHW"),
    ),
    "conv with itself": lambda x: lax.conv_general_dilated(
        x[None, None], x[None, None, :2], (1, 1), "SAME"
    ),
    "resize": lambda x: jax.image.resize(x, (5, 4), "linear"),
    "resize nearest": lambda x: jax.image.resize(x, (5, 4), "nearest"),
    "map_coordinates": lambda x: jsp.ndimage.map_coordinates(
        x, [jnp.array([0.5]), jnp.array([1.25])], 1
    ),
    "convolve2d": lambda x: jsp.signal.convolve2d(x, x, "same"),
    "lax.map": lambda x: lax.map(lambda r: r.sum() * r, x),
    "logsumexp": lambda x: nn.logsumexp(x, axis=0),
    "reduce": lambda x: lax.reduce(x, jnp.zeros((), x.dtype), lax.add, (0,)),
}


def _odeint(x):
    from jax.experimental.ode import odeint

    return odeint(lambda y, _: -jnp.sin(y), x, jnp.array([0.0, 0.1, 0.3], x.dtype))


def _bidiagonal(x):
    from jax.experimental import sparse

    n = len(x)
    index = jnp.array([(k, k - d) for k in range(1, n) for d in (0, 1)])
    return sparse.BCOO((jnp.ones(2 * n - 2, x.dtype), index), shape=(n, n))


def samples(shape, n=3):
    """A batch of samples of a shape."""
    x = np.random.default_rng(0).uniform(0.2, 0.9, (n, *shape))
    return jnp.asarray(x)


COLLECTION = {
    **{name: (fun, (6,)) for name, fun in VECTOR.items()},
    **{f"matrix {name}": (fun, (3, 3)) for name, fun in MATRIX.items()},
}
