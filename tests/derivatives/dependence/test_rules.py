"""Each rule's boxes are the smallest that hold the true Jacobian's nonzeros."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.experimental import sparse as jsparse

from jnumerics.derivatives._dependence.result import dependence
from tests import hulls

F64 = "float64"


def weights(*shape):
    """Fixed numbers without a zero among them."""
    return np.random.default_rng(sum(shape)).uniform(0.5, 1.5, shape)


def conv(x, kernel, *args, **kwargs):
    return lax.conv_general_dilated(x, jnp.asarray(kernel), *args, **kwargs)


def pooled(kind, **kwargs):
    initial = {"add": 0.0, "max": -np.inf, "min": np.inf}[kind]
    return lambda x: lax.reduce_window(x, initial, getattr(lax, kind), **kwargs)


MOVEMENT = {
    "broadcast_in_dim": ((3, 1), lambda x: lax.broadcast_in_dim(x, (4, 3, 5), (1, 2))),
    "broadcast a scalar": ((), lambda x: jnp.broadcast_to(x, (2, 3))),
    "reshape merges": ((3, 4, 5), lambda x: x.reshape(12, 5)),
    "reshape splits": ((12, 5), lambda x: x.reshape(3, 4, 5)),
    "reshape regroups": ((4, 6, 5), lambda x: x.reshape(4, 3, 10)),
    "reshape through": ((4, 6), lambda x: x.reshape(3, 8)),
    "reshape of ones": ((1, 3, 1), lambda x: x.reshape(3, 1, 1, 1)),
    "reshape to a scalar": ((1, 1), lambda x: x.reshape(())),
    "reshape of nothing": ((0, 3), lambda x: x.reshape(3, 0)),
    "reshape dimensions": ((3, 4), lambda x: lax.reshape(x, (2, 6), dimensions=(1, 0))),
    "transpose": ((2, 3, 4), lambda x: x.transpose(2, 0, 1)),
    "squeeze": ((1, 3, 1), lambda x: x.squeeze(0)),
    "expand_dims": ((3,), lambda x: lax.expand_dims(x, (0, 2))),
    "rev": ((3, 4), lambda x: lax.rev(x, (1,))),
    "slice": ((7, 5), lambda x: x[1:6:2, 2:4]),
    "slice of nothing": ((4,), lambda x: x[2:2]),
    "split": ((3, 7), lambda x: lax.split(x, (2, 1, 4), axis=1)),
    "concatenate": ((3, 2), lambda x: jnp.concatenate([x, 2 * x[:1], x[::-1]], 0)),
    "concatenate a constant": (
        (3, 2),
        lambda x: jnp.concatenate([x, weights(3, 1)], 1),
    ),
    "concatenate nothing": ((3, 2), lambda x: jnp.concatenate([x[:0], x[:0]], 0)),
    "concatenate along rows": ((3, 2), lambda x: jnp.concatenate([x, x[::-1]], 1)),
    "pad": (
        (3, 4),
        lambda x: lax.pad(x, jnp.zeros((), x.dtype), ((1, 2, 0), (0, 3, 0))),
    ),
    "pad crops": (
        (5, 4),
        lambda x: lax.pad(x, jnp.zeros((), x.dtype), ((-2, 1, 0), (0, -3, 0))),
    ),
    "pad spreads": (
        (3, 2),
        lambda x: lax.pad(x, jnp.zeros((), x.dtype), ((0, 1, 2), (1, 0, 1))),
    ),
    "pad spreads and crops": (
        (4,),
        lambda x: lax.pad(x, jnp.zeros((), x.dtype), ((-2, -3, 2),)),
    ),
    "pad crops between": (
        (3,),
        lambda x: lax.pad(x, jnp.zeros((), x.dtype), ((-1, -1, 3),)),
    ),
    "pad of nothing": (
        (0,),
        lambda x: lax.pad(x, jnp.zeros((), x.dtype), ((2, 1, 1),)),
    ),
    "pad with the tangent": ((3,), lambda x: lax.pad(x[1:], x[0], ((1, 1, 1),))),
    "stack": ((3, 2), lambda x: jnp.stack([x, x[::-1], jnp.ones_like(x)], 1)),
    "stack of the same": ((3,), lambda x: jnp.stack([x, 2 * x])),
    "unstack": ((3, 2), lambda x: jnp.unstack(x, axis=1)),
    "tile": ((2, 3), lambda x: jnp.tile(x, (2, 1))[2:]),
    "roll": ((5,), lambda x: jnp.roll(x, 2)[:2]),
    "dynamic_slice": ((6, 4), lambda x: lax.dynamic_slice(x, (2, 1), (3, 2))),
    "dynamic_slice clamped": ((6,), lambda x: lax.dynamic_slice(x, (5,), (3,))),
    "dynamic_update_slice": (
        (5, 4),
        lambda x: lax.dynamic_update_slice(x, 2 * x[:2, :3], (2, 1)),
    ),
    "dynamic_update_slice of a constant": (
        (5, 4),
        lambda x: lax.dynamic_update_slice(x, jnp.ones((2, 4)), (9, 0)),
    ),
    "dynamic_update_slice of nothing": (
        (3, 2),
        lambda x: lax.dynamic_update_slice(x, jnp.ones((0, 2)), (1, 0)),
    ),
    "dynamic_update_slice into a constant": (
        (2, 3),
        lambda x: lax.dynamic_update_slice(jnp.ones((4, 3)), x, (1, 0)),
    ),
}

ELEMENTWISE = {
    "sum": ((3, 2), lambda x: x + 2 * x),
    "product": ((3, 2), lambda x: x * jnp.sin(x)),
    "scalar of an element": ((3,), lambda x: x * x[0] - 3 * x[0]),
    "select by a known mask": (
        (4, 4),
        lambda x: jnp.where(jnp.tril(jnp.ones((4, 4), bool)), x, x.T),
    ),
    "select one case": ((3,), lambda x: jnp.where(True, x, x[::-1])),
    "select a constant": ((3, 4), lambda x: jnp.where(jnp.arange(4)[None] < 2, x, 0.0)),
    "select of three": (
        (6,),
        lambda x: lax.select_n(jnp.arange(6) % 3, x, x[::-1], jnp.roll(x, 1)),
    ),
    "select by a computed mask": (
        (8,),
        lambda x: jnp.where((jnp.arange(8) * 3) % 4 > 1, x, jnp.flip(x)),
    ),
    "convert": ((3,), lambda x: x.astype("float32").astype(F64)),
    "complex parts": ((3,), lambda x: jnp.real(lax.complex(x, 2 * x))),
    "clip": ((3,), lambda x: jnp.clip(x, -9.0, 9.0)),
    "barrier": ((3,), lambda x: lax.optimization_barrier((x, x[::-1], 1.0))[:2]),
}

REDUCTION = {
    "reduce_sum": ((3, 4, 2), lambda x: x.sum(1)),
    "reduce_sum of nothing": ((3, 0), lambda x: x.sum(1)),
    "reduce_sum of all": ((3, 2), lambda x: x.sum()),
    "reduce_max": ((3, 4), lambda x: jnp.log(jnp.exp(8 * x).sum(0)) + 0 * x.max(0)),
    "reduce_prod": ((3, 4), lambda x: x.prod(1)),
    "logsumexp": ((3, 4), lambda x: jax.nn.logsumexp(x, axis=0)),
    "cumsum": ((3, 4), lambda x: lax.cumsum(x, 1)),
    "cumsum reversed": ((3, 4), lambda x: lax.cumsum(x, 0, reverse=True)),
    "cumprod": ((5, 2), lambda x: lax.cumprod(x, 0)),
    "cumprod reversed": ((5, 2), lambda x: lax.cumprod(x, 0, reverse=True)),
    "cumlogsumexp": ((5,), lambda x: lax.cumlogsumexp(x)),
    "cumlogsumexp reversed": ((6,), lambda x: lax.cumlogsumexp(x, reverse=True)),
}

PRODUCT = {
    "matrix times": ((3, 4), lambda x: x @ weights(4, 2)),
    "times matrix": ((3, 4), lambda x: weights(2, 3) @ x),
    "batched": ((3, 4, 2), lambda x: jnp.einsum("bij,bjk->bik", x, weights(3, 2, 5))),
    "batched, last": ((4, 2, 3), lambda x: jnp.einsum("ijb,bjk->bki", x, weights(3, 2, 5))),
    "batched, right": ((3, 4, 2), lambda x: jnp.einsum("bki,bij->bkj", weights(3, 5, 4), x)),
    "contracts two": ((3, 4, 2), lambda x: jnp.einsum("ijk,ijl->kl", x, weights(3, 4, 2))),
    "outer": ((3,), lambda x: jnp.einsum("i,j->ij", x, weights(2))),
    "outer, right": ((3,), lambda x: jnp.einsum("i,j->ij", weights(2), x)),
    "contracts nothing": ((3, 0), lambda x: x @ jnp.ones((0, 2))),
    "gram": ((3, 2), lambda x: (x @ x.T)[0, 1]),
    "conv": ((2, 3, 7, 6), lambda x: conv(x, weights(4, 3, 3, 2), (1, 1), "SAME")),
    "conv strided": ((1, 2, 9, 7), lambda x: conv(x, weights(3, 2, 3, 2), (2, 3), "VALID")),
    "conv dilated": (
        (1, 1, 9, 8),
        lambda x: conv(x, weights(1, 1, 2, 3), (1, 2), ((1, 0), (2, 1)), rhs_dilation=(3, 2))
        [..., :1],
    ),
    "conv transposed": (
        (1, 1, 4),
        lambda x: conv(x, weights(2, 1, 3), (1,), ((2, 1),), lhs_dilation=(2,)),
    ),
    "conv of holes": (
        (1, 1, 4),
        lambda x: conv(x, weights(1, 1, 1), (1,), ((1, 1),), lhs_dilation=(3,)),
    ),
    "conv cropped": ((1, 1, 7), lambda x: conv(x, weights(1, 1, 2), (2,), ((-1, -2),))),
    "conv in groups": (
        (2, 6, 5),
        lambda x: conv(x, weights(4, 3, 2), (1,), "VALID", feature_group_count=2),
    ),
    "conv depthwise": (
        (1, 3, 5),
        lambda x: conv(x, weights(6, 1, 2), (1,), "SAME", feature_group_count=3),
    ),
    "conv of batch groups": (
        (6, 2, 5),
        lambda x: conv(x, weights(4, 2, 2), (1,), "VALID", batch_group_count=2),
    ),
    "conv NHWC": (
        (2, 5, 4, 3),
        lambda x: conv(
            x, weights(2, 2, 3, 2), (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
        ),
    ),
    "conv CWNH": (
        (3, 4, 2, 5),
        lambda x: conv(
            x, weights(2, 3, 2, 2), (1, 1), "SAME", dimension_numbers=("CWNH", "WIOH", "HNCW")
        ),
    ),
    "conv without space": ((3, 4), lambda x: conv(x, weights(2, 4), (), ())),
    "conv of the kernel": (
        (4, 3, 3, 2),
        lambda x: conv(jnp.asarray(weights(2, 3, 5, 6)), x, (1, 1), "SAME"),
    ),
    "conv of the kernel, all in it": (
        (2, 1, 5),
        lambda x: conv(jnp.asarray(weights(1, 1, 3)), x, (1,), ((4, 4),)),
    ),
    "conv of the kernel over no images": (
        (2, 1, 3),
        lambda x: conv(jnp.ones((0, 1, 5)), x, (1,), "SAME"),
    ),
    "conv of the kernel over no features": (
        (2, 3),
        lambda x: conv(jnp.ones((2, 0, 5)), x[:, None][:, :0], (1,), "SAME"),
    ),
    "conv of the kernel beside the image": (
        (2, 1, 1),
        lambda x: conv(jnp.asarray(weights(1, 1, 4)), x, (1,), ((2, 2),)),
    ),
    "conv of the kernel, a tap on padding": (
        (2, 1, 3),
        lambda x: conv(jnp.ones((1, 1, 1)), x, (2,), ((3, 1),)),
    ),
    "conv of the kernel, dilated": (
        (2, 1, 3),
        lambda x: conv(
            jnp.asarray(weights(1, 1, 6)), x, (2,), ((3, 2),),
            rhs_dilation=(2,), lhs_dilation=(3,),
        ),
    ),
    "conv of the kernel in groups": (
        (4, 3, 2),
        lambda x: conv(jnp.asarray(weights(2, 6, 5)), x, (1,), "SAME", feature_group_count=2),
    ),
    "conv of the kernel in batch groups": (
        (4, 2, 2),
        lambda x: conv(jnp.asarray(weights(6, 2, 5)), x, (1,), "SAME", batch_group_count=2),
    ),
    "conv of the kernel HWIO": (
        (3, 2, 3, 2),
        lambda x: conv(
            jnp.asarray(weights(2, 5, 4, 3)), x, (1, 1), "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        ),
    ),
    "convolve with a shorter": ((4,), lambda x: jnp.convolve(jnp.asarray(weights(9)), x)),
}  # fmt: skip

WINDOW = {
    "average pool": (
        (2, 7, 6),
        pooled(
            "add", window_dimensions=(1, 3, 2), window_strides=(1, 2, 2), padding="SAME"
        ),
    ),
    "dilated": (
        (9,),
        pooled(
            "add",
            window_dimensions=(1,),
            window_strides=(2,),
            padding="VALID",
            window_dilation=(3,),
        ),
    ),
    "of holes": (
        (4,),
        pooled(
            "add",
            window_dimensions=(1,),
            window_strides=(1,),
            padding=((1, 1),),
            base_dilation=(2,),
        ),
    ),
    "spread": (
        (4, 3),
        pooled(
            "add",
            window_dimensions=(3, 1),
            window_strides=(1, 1),
            padding=((2, 2), (0, 0)),
            base_dilation=(2, 1),
        ),
    ),
    "long": (
        (40, 2),
        pooled("add", window_dimensions=(13, 1), window_strides=(3, 1), padding="SAME"),
    ),
    "larger than all": (
        (3, 2),
        pooled("add", window_dimensions=(5, 1), window_strides=(1, 1), padding="VALID"),
    ),
    "of the same, some padding": (
        (3, 2),
        lambda x: pooled(
            "add",
            window_dimensions=(1, 2),
            window_strides=(1, 1),
            padding=((0, 0), (3, 3)),
        )(jnp.broadcast_to(x[:, :1], (3, 4))),
    ),
    "all padding": (
        (3, 2),
        pooled(
            "add",
            window_dimensions=(2, 1),
            window_strides=(1, 1),
            padding=((3, 3), (0, 0)),
        ),
    ),
}


def known_rows(x):
    return x[jnp.array([3, 0, 3, 1])]


INDEXING = {
    "rows": ((4, 3), known_rows),
    "columns": ((4, 3), lambda x: x[:, jnp.array([2, 0])]),
    "pairs": ((4, 3), lambda x: x[jnp.array([3, 0]), jnp.array([2, 1])]),
    "grid": ((4, 3), lambda x: x[jnp.array([[3], [0]]), jnp.array([[2, 1]])]),
    "apart": ((4, 2, 3), lambda x: x[jnp.array([3, 0]), :, jnp.array([2, 1])]),
    "negative": ((4, 3), lambda x: x[jnp.array([-1, -4])]),
    "fill": (
        (4,),
        lambda x: x.at[jnp.array([2, 9, -9])].get(mode="fill", fill_value=0),
    ),
    "fill a size of one": (
        (1, 2),
        lambda x: x.at[jnp.array([0, 3])].get(mode="fill", fill_value=0),
    ),
    "clip": ((4,), lambda x: x.at[jnp.array([2, 9, -9])].get(mode="clip")),
    "take": ((4, 3), lambda x: jnp.take(x, jnp.array([1, 7]), axis=0, mode="clip")),
    "slices": (
        (6, 4),
        lambda x: jax.vmap(lambda i: lax.dynamic_slice(x, (i, 1), (2, 3)))(
            jnp.array([0, 9, 3])
        ),
    ),
    "take_along_axis": (
        (3, 4),
        lambda x: jnp.take_along_axis(x, jnp.array([[1], [3], [0]]), 1),
    ),
    "vmapped": ((3, 4), lambda x: jax.vmap(lambda r, i: r[i])(x, jnp.array([1, 3, 0]))),
    "scalar index": ((4, 3), lambda x: x[2]),
    "nothing": ((4, 3), lambda x: x[jnp.zeros((0,), int)]),
    "computed": ((8,), lambda x: x[(3 * jnp.arange(8) + 1) % 8]),
    "sorted constant": ((5,), lambda x: x[jnp.argsort(jnp.array([3, 1, 4, 0, 5]))]),
    "add": ((4,), lambda x: jnp.zeros(6).at[jnp.array([5, 0, 5, 2])].add(x)[:4]),
    "add nothing": (
        (3, 2),
        lambda x: lax.scatter_add(
            x,
            jnp.zeros((0, 1), int),
            x[:0],
            lax.ScatterDimensionNumbers((1,), (0,), (0,)),
        ),
    ),
    "add to": (
        (3, 4),
        lambda x: x.at[jnp.array([2])].add(x[:1])[2:, :1] - 2 * x[2:, :1],
    ),
    "add rows": ((2, 3), lambda x: jnp.zeros((4, 3)).at[jnp.array([3, 1])].add(x)),
    "add columns": (
        (2, 3),
        lambda x: jnp.zeros((2, 5)).at[:, jnp.array([3, 1, 4])].add(x),
    ),
    "add dropped": (
        (3,),
        lambda x: jnp.zeros(4).at[jnp.array([3, 9, 1])].add(x, mode="drop"),
    ),
    "add all dropped": (
        (2,),
        lambda x: jnp.zeros(4).at[jnp.array([9, 8])].add(x, mode="drop"),
    ),
    "add clipped": (
        (3,),
        lambda x: jnp.zeros(4).at[jnp.array([2, 9, 1])].add(x, mode="clip"),
    ),
    "set": ((4, 3), lambda x: x.at[1].set(x[3])),
    "set many": ((5,), lambda x: x.at[jnp.array([3, 0])].set(x[1:3])),
    "set unique": (
        (5,),
        lambda x: x.at[jnp.array([3, 0])].set(x[1:3], unique_indices=True),
    ),
    "set constant": ((5, 2), lambda x: x.at[jnp.array([3, 0])].set(1.0)),
    "set slices": ((5, 4), lambda x: x.at[1:3, ::2].set(2 * x[3:, :2])),
    "multiply": ((5,), lambda x: x.at[jnp.array([3, 0])].multiply(3.0)),
    "diagonal": ((4, 4), jnp.diagonal),
    "diag": ((3,), jnp.diag),
    "triu": ((3, 4), jnp.triu),
    "repeat": ((3, 2), lambda x: jnp.repeat(x, 2, axis=0)),
    "roll axis": ((3, 4), lambda x: jnp.roll(x[:, :1], 1, 0)),
    "trace": ((1, 1), lambda x: jnp.trace(x)),
    "segment_sum": (
        (5,),
        lambda x: jax.ops.segment_sum(x, jnp.array([0, 0, 2, 1, 2]), 3)[:1],
    ),
    "upper triangle": ((3, 3), lambda x: x[jnp.triu_indices(3)]),
}


def spd(n):
    a = weights(n, n)
    return jnp.asarray(a @ a.T + n * np.eye(n))


def tridiagonal(x):
    diagonal = jnp.asarray(weights(4))
    return lax.linalg.tridiagonal_solve(diagonal, 4 + diagonal, diagonal, x)


def with_batch(a):
    return jnp.stack([a, 2 * a])


LINALG = {
    "solve": ((3, 2), lambda x: jnp.linalg.solve(spd(3), x)),
    "solve a batch": ((2, 3, 4), lambda x: jnp.linalg.solve(with_batch(spd(3)), x)),
    "solve by cholesky": (
        (3, 2),
        lambda x: jax.scipy.linalg.cho_solve((jnp.linalg.cholesky(spd(3)), True), x),
    ),
    "triangular lower": (
        (4, 2),
        lambda x: jax.scipy.linalg.solve_triangular(jnp.tril(spd(4)), x, lower=True),
    ),
    "triangular upper": (
        (4, 2),
        lambda x: jax.scipy.linalg.solve_triangular(jnp.triu(spd(4)), x),
    ),
    "triangular transposed": (
        (4, 2),
        lambda x: jax.scipy.linalg.solve_triangular(
            jnp.tril(spd(4)), x, lower=True, trans=1
        ),
    ),
    "triangular right": (
        (2, 4),
        lambda x: lax.linalg.triangular_solve(
            jnp.tril(spd(4)), x, left_side=False, lower=True
        ),
    ),
    "triangular right, upper, transposed": (
        (2, 4),
        lambda x: lax.linalg.triangular_solve(
            jnp.triu(spd(4)), x, left_side=False, transpose_a=True
        ),
    ),
    "triangular batch": (
        (2, 3, 2),
        lambda x: lax.linalg.triangular_solve(
            with_batch(jnp.tril(spd(3))), x, left_side=True, lower=True
        ),
    ),
    "fft": ((3, 5), lambda x: jnp.fft.fft(x, axis=1).real[:, 1:2]),
    "rfft": ((3, 5), lambda x: jnp.fft.rfft(x, axis=0).real[:1]),
    "fft2": ((2, 3, 4), lambda x: jnp.fft.fft2(x).real[:, :1, :1]),
    "tridiagonal": (
        (4, 2),
        lambda x: tridiagonal(x),
    ),
    "custom_linear_solve": (
        (5, 2),
        lambda x: lax.custom_linear_solve(
            lambda v: 4 * v + jnp.concatenate([v[1:4], v[:1], jnp.zeros_like(v[4:])]),
            x,
            lambda _, b: jnp.concatenate(
                [
                    jnp.linalg.solve(
                        4 * jnp.eye(4) + jnp.roll(jnp.eye(4), 1, 1), b[:4]
                    ),
                    b[4:] / 4,
                ]
            ),
        ),
    ),
    "determinants": ((2, 3, 3), lambda x: jnp.linalg.det(x + spd(3)[None])),
    "inverse": ((2, 3, 3), lambda x: jnp.linalg.inv(x + 4 * jnp.eye(3)[None])),
    "singular values": ((2, 3, 4), lambda x: jnp.linalg.svd(x, compute_uv=False)),
}


def by_scan(step, carry, **kwargs):
    return lambda x: lax.scan(step, carry(x), x, **kwargs)


def diffuse(u):
    return u + 0.25 * (jnp.roll(u, 1) - 2 * u + jnp.roll(u, -1))


def heat(u):
    inner = u[1:-1] + 0.25 * (u[2:] - 2 * u[1:-1] + u[:-2])
    return jnp.concatenate([u[:1], inner, u[-1:]])


def fill_in(x):
    """Writes row by row, each from the one before, at a counter."""

    def body(i, y):
        return y.at[i].set(0.5 * y[i - 1] + x[i])

    return lax.fori_loop(1, 5, body, x)


CONTROL = {
    "scan keeps time": ((5, 2), by_scan(lambda c, v: (c + v, c * v + v), lambda x: x[0])),
    "scan reversed": (
        (5, 2),
        by_scan(lambda c, v: (c + v, c + 2 * v), lambda _: jnp.zeros(2), reverse=True),
    ),
    "scan without a carry": ((5, 2), lambda x: lax.scan(lambda c, v: (c, jnp.sin(v)), 0, x)[1]),
    "scan of a stencil": ((12,), lambda x: lax.scan(lambda u, _: (heat(u), None), x, length=3)[0]),
    "scan with a reset": (
        (4, 2),
        by_scan(lambda c, v: (v[::-1], c), lambda _: jnp.ones(2)),
    ),
    "scan by a counter": (
        (5, 2),
        lambda x: lax.scan(lambda i, _: (i + 1, x[i]), 0, length=5)[1],
    ),
    "scan over indices": ((5, 2), lambda x: lax.map(lambda i: x[4 - i], jnp.arange(5))),
    "scan of a scan": (
        (3, 4),
        by_scan(lambda c, v: (c, lax.scan(lambda d, w: (d + w, d + w), c, v)[1]), lambda _: 0.0),
    ),
    "scan of nothing": ((0, 2), by_scan(lambda c, v: (c + v, c), lambda _: jnp.ones(2))),
    "scan of constants": ((3,), lambda x: lax.scan(lambda c, w: (c, w * x), 0, weights(4))[1]),
    "map": ((5, 3), lambda x: lax.map(lambda r: r.sum() * r, x)),
    "fori_loop writes rows": ((5, 2), fill_in),
    "while": (
        (4, 2),
        lambda x: lax.while_loop(
            lambda c: c[0] < 3, lambda c: (c[0] + 1, jnp.sin(c[1])), (0, x)
        )[1],
    ),
    "while sums rows": (
        (4, 3),
        lambda x: lax.while_loop(
            lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * c[1].sum(1)[:, None] / 9), (0, x)
        )[1],
    ),
    "cond joins": (
        (4,),
        lambda x: lax.cond(x.sum() > 4, lambda x: 2 * x, lambda x: jnp.cumsum(x)[:4], x)
        + jnp.cumsum(x),
    ),
    "cond of a known branch": ((4,), lambda x: lax.switch(1, [jnp.flip, jnp.sin, jnp.cumsum], x)),
    "custom_jvp": ((3, 2), jax.nn.relu),
    "checkpoint": ((3, 2), jax.checkpoint(lambda x: jnp.sin(x).sum(0))),
    "associative_scan": ((6,), lambda x: lax.associative_scan(jnp.add, x)),
}  # fmt: skip

SECOND = {
    "gradient of a product": ((4,), jax.grad(lambda x: (x[:3] * x[1:] ** 2).sum())),
    "gradient of rows": ((3, 2), jax.grad(lambda x: (x.prod(1) ** 2).sum())),
    "gradient of a pool": (
        (8,),
        jax.grad(
            lambda x: (
                pooled(
                    "add", window_dimensions=(2,), window_strides=(2,), padding="VALID"
                )(x)
                ** 2
            ).sum()
        ),
    ),
    "gradient of a convolution": (
        (1, 1, 6),
        jax.grad(lambda x: (conv(x, weights(1, 1, 2), (1,), "VALID") ** 2).sum()),
    ),
    "gradient of a gather": (
        (4,),
        jax.grad(lambda x: (x[jnp.array([2, 0])] ** 3).sum()),
    ),
}


def sparse(*entries, shape):
    return jsparse.BCOO((jnp.ones(len(entries)), jnp.array(entries)), shape=shape)


SPARSE = {
    "matrix times": (
        (4, 2),
        lambda x: sparse((0, 3), (2, 1), (2, 2), (9, 9), shape=(3, 4)) @ x,
    ),
    "vector": ((4,), lambda x: sparse((0, 3), (2, 1), shape=(3, 4)) @ x),
    "batch": (
        (2, 4),
        lambda x: jax.vmap(
            lambda v: sparse((0, 0), (0, 1), (0, 2), (0, 3), shape=(1, 4)) @ v
        )(x),
    ),
    "data": (
        (3,),
        lambda x: (
            jsparse.BCOO((x, jnp.array([(0, 1), (2, 0), (2, 1)])), shape=(3, 2))
            @ jnp.ones((2, 2))
        ),
    ),
    "data of a batch": (
        (2, 3),
        lambda x: jsparse.bcoo_dot_general(
            jsparse.BCOO((x, jnp.array([[[0], [1], [3]]] * 2)), shape=(2, 4)),
            jnp.ones((2, 4)),
            dimension_numbers=(((1,), (1,)), ((0,), (0,))),
        ),
    ),
    "data of samples, places shared": (
        (2, 3),
        jax.vmap(
            lambda v: (
                jsparse.BCOO((v, jnp.array([(0, 1), (2, 0), (2, 1)])), shape=(3, 2))
                @ jnp.ones((2, 1))
            ).sum()
        ),
    ),
    "places counted from the end": (
        (4,),
        lambda x: (sparse((0, -1), (-2, 0), (1, 3), (1, -4), shape=(2, 4)) @ x)[1:],
    ),
    "data at unknown places": (
        (3,),
        lambda x: (
            jsparse.BCOO((x, jnp.argsort(x)[:, None]), shape=(3,)) @ jnp.ones((3, 2))
        ),
    ),
}


def by_rule(linear):
    """A linear function whose derivative is written by hand, as itself."""

    @jax.custom_jvp
    def fun(x):
        return linear(x)

    fun.defjvp(lambda primals, tangents: (linear(*primals), linear(*tangents)))
    return fun


def scan_with_counts(x):
    doubled, counts = lax.scan(lambda k, row: (k + 1, (2 * row, k)), 0, x)[1]
    return doubled + 0 * jnp.expand_dims(counts, 1)


# What JAX differentiates away or does not differentiate: a custom rule may hold it.
RULE = {
    "reduce": by_rule(
        lambda x: lax.reduce(x, np.float64(0), lambda a, b: a + 2 * b, (0,))
    ),
    "reduce one of two": by_rule(
        lambda x: lax.reduce(
            (jnp.ones_like(x), x),
            (np.float64(0), np.float64(0)),
            lambda a, b: (a[0] + b[0], a[1] + 2 * b[1]),
            (1,),
        )[1]
    ),
    "reduce_window": by_rule(
        lambda x: lax.reduce_window(
            x, np.float64(0), lambda a, b: a + 2 * b, (1, 2), (1, 1), "VALID"
        )
    ),
    "scan that counts": by_rule(
        lambda x: lax.while_loop(
            lambda c: c[0] < 2, lambda c: (c[0] + 1, scan_with_counts(c[1])), (0, x)
        )[1]
    ),
}

FAMILIES = {
    "movement": MOVEMENT,
    "elementwise": ELEMENTWISE,
    "reduction": REDUCTION,
    "product": PRODUCT,
    "window": WINDOW,
    "indexing": INDEXING,
    "linalg": LINALG,
    "control": CONTROL,
    "second": SECOND,
    "sparse": SPARSE,
    "rule": {name: ((3, 4), fun) for name, fun in RULE.items()},
}


@pytest.mark.parametrize(
    ("shape", "fun"),
    [
        pytest.param(*case, id=f"{family}: {name}")
        for family, table in FAMILIES.items()
        for name, case in table.items()
    ],
)
def test_boxes_are_the_smallest_that_hold_the_jacobian(shape, fun, x64):
    x = 1 + np.arange(np.prod(shape), dtype=F64).reshape(shape) / 7
    with jax.numpy_rank_promotion("allow"):
        found = dependence(fun, x)
        patterns = jax.tree.leaves(hulls.pattern(fun, x))
    lowers, uppers = jax.tree.leaves(found.lower), jax.tree.leaves(found.upper)
    assert len(patterns) == len(lowers)
    for lower, upper, pattern in zip(lowers, uppers, patterns, strict=True):
        low, high = hulls.hull(pattern, len(shape))
        np.testing.assert_array_equal(lower, low)
        np.testing.assert_array_equal(upper, high)


def first(t):
    return jnp.full(3, t[0])


def index(t):
    """Integers that a tangent decides: no derivative has them, a custom rule may."""
    return (t.sum().astype(int) + jnp.arange(3)) % 3


def max_pool(t):
    return lax.reduce_window(t, -np.inf, lax.max, (2,), (1,), "VALID")


def combined(a, b):
    return a + 2 * b


def solved(t):
    return lax.custom_linear_solve(
        lambda v: t.sum() * v, first(t), lambda _, b: b / t.sum()
    )


@pytest.mark.parametrize(
    "fun",
    [
        lambda t: lax.cond(t.sum() > 0, jnp.sin, jnp.cos, first(t)),
        lambda t: lax.dynamic_slice(first(t), (index(t)[0],), (2,)),
        lambda t: lax.dynamic_update_slice(first(t), first(t)[:2], (index(t)[0],)),
        lambda t: first(t)[index(t)],
        lambda t: first(t).at[index(t)].add(first(t)),
        lambda t: lax.linalg.triangular_solve(
            jnp.diag(t), first(t)[:, None], left_side=True
        ),
        lambda t: lax.linalg.tridiagonal_solve(t, t, t, first(t)[:, None]),
        lambda t: lax.linalg.lu(jnp.diag(t))[0],
        lambda t: lax.reduce(first(t)[None], t.sum(), combined, (0,)),
        lambda t: lax.reduce_window(first(t), t.sum(), combined, (2,), (1,), "VALID"),
        lambda t: jax.vjp(max_pool, t)[1](first(t)[:2])[0],
        lambda t: jsparse.BCOO((first(t), index(t)[:, None]), shape=(3,)) @ jnp.ones((3, 2)),
        solved,
    ],
)  # fmt: skip
def test_a_tangent_in_a_place_that_is_not_linear_is_never_overlooked(fun, x64):
    rule = jax.custom_jvp(lambda x: jnp.zeros_like(fun(x)))
    rule.defjvp(lambda primals, tangents: (rule(*primals), fun(*tangents)))
    found = dependence(rule, np.ones(3))
    assert (found.lower == 0).all()
    assert (found.upper == 2).all()


def test_what_a_linear_solver_returns_beside_the_solution_is_read_off_its_body(x64):
    def fun(x):
        return lax.custom_linear_solve(
            lambda v: 2 * v, x, lambda _, b: (b / 2, b.sum()), has_aux=True
        )[0]

    found = dependence(fun, np.ones(3))
    assert found.is_elementwise
