"""Products and convolutions."""

import math
from typing import Any

import numpy as np

from tests.fuzz.interpret.core import Eqn, Function, evaluator, shape_of
from tests.fuzz.interpret.movement import padded


@evaluator("dot_general")
def _(eqn: Eqn) -> Function:
    (contracted, batch), out = eqn.params["dimension_numbers"], eqn.outvars[0].aval
    prepare = [
        _as_matrices(shape_of(v), batch[k], contracted[k], k)
        for k, v in enumerate(eqn.invars)
    ]

    def fun(a: Any, b: Any) -> Any:
        a, b = prepare[0](a).astype(out.dtype), prepare[1](b).astype(out.dtype)
        return np.matmul(a, b).reshape(out.shape)

    return fun


def _as_matrices(shape: Any, batch: Any, contracted: Any, side: int) -> Function:
    free = [k for k in range(len(shape)) if k not in batch and k not in contracted]
    parts = [free, list(contracted)] if side == 0 else [list(contracted), free]
    order = [*batch, *parts[0], *parts[1]]
    sizes = [math.prod(shape[k] for k in group) for group in (batch, *parts)]
    return lambda x: np.transpose(x, order).reshape(sizes)


@evaluator("conv_general_dilated")
def _(eqn: Eqn) -> Function:
    p, out = eqn.params, eqn.outvars[0].aval
    spec = p["dimension_numbers"]
    config = [
        (0, 0, 0),
        (0, 0, 0),
        *(
            (int(low), int(high), int(base) - 1)
            for (low, high), base in zip(p["padding"], p["lhs_dilation"], strict=True)
        ),
    ]
    back = np.argsort(spec.out_spec)
    space = [out.shape[k] for k in spec.out_spec[2:]]

    def fun(image: Any, kernel: Any) -> Any:
        image = padded(np.transpose(image, spec.lhs_spec), 0, config)
        kernel = np.transpose(kernel, spec.rhs_spec)
        convolved = _convolved(image, kernel, space, p)
        return np.ascontiguousarray(convolved.transpose(back)).astype(out.dtype)

    return fun


def _convolved(image: Any, kernel: Any, space: Any, p: Any) -> Any:
    """Sum over taps; groups of features and of the batch are axes of their own."""
    groups, parts = p["feature_group_count"], p["batch_group_count"]
    n, c, *size = image.shape
    n_out, c_in, *window = kernel.shape
    g = groups * parts
    kernel = kernel.reshape(g, n_out // g, c_in, *window)
    if parts > 1:
        image = image.reshape(parts, n // parts, c, *size).swapaxes(0, 1)
        n //= parts
    else:
        image = image.reshape(n, g, c_in, *size)
    total = np.zeros((n, g, n_out // g, *space), np.result_type(image, kernel))
    for tap in np.ndindex(*window):
        piece = tuple(
            slice(k * d, k * d + (m - 1) * s + 1, s) if m else slice(0, 0)
            for k, d, m, s in zip(
                tap, p["rhs_dilation"], space, p["window_strides"], strict=True
            )
        )
        read = image[(slice(None), slice(None), slice(None), *piece)]
        weight = kernel[(slice(None), slice(None), slice(None), *tap)]
        total += np.einsum("ngc...,goc->ngo...", read, weight)
    return total.reshape(n, n_out, *space)


def _dense(data: Any, indices: Any, shape: Any) -> Any:
    """Write a sparse array out; indices beyond the shape are padding."""
    n_batch, n_sparse = indices.ndim - 2, indices.shape[-1]
    dense = np.zeros(shape, data.dtype)
    sizes = shape[n_batch : n_batch + n_sparse]
    for place in np.ndindex(*shape[:n_batch]):
        # of batch axes of length 1, the only one
        at = tuple(min(p, n - 1) for p, n in zip(place, indices.shape, strict=False))
        own = tuple(min(p, n - 1) for p, n in zip(place, data.shape, strict=False))
        index = indices[at]
        inside = (index < sizes).all(-1)
        np.add.at(dense[place], tuple(index[inside].T), data[own][inside])
    return dense


@evaluator("bcoo_dot_general")
def _(eqn: Eqn) -> Function:
    dims, info = eqn.params["dimension_numbers"], eqn.params["lhs_spinfo"]
    out, shapes = eqn.outvars[0].aval, (info.shape, shape_of(eqn.invars[2]))
    (contracted, batch) = dims
    left, right = (
        _as_matrices(shape, batch[k], contracted[k], k)
        for k, shape in enumerate(shapes)
    )

    def fun(data: Any, indices: Any, dense: Any) -> Any:
        product = np.matmul(left(_dense(data, indices, info.shape)), right(dense))
        return product.reshape(out.shape).astype(out.dtype)

    return fun


@evaluator("bcoo_dot_general_sampled")
def _(eqn: Eqn) -> Function:
    contracted, batch = eqn.params["dimension_numbers"]
    shapes = [shape_of(v) for v in eqn.invars[:2]]
    left, right = (
        _as_matrices(shape, batch[k], contracted[k], k)
        for k, shape in enumerate(shapes)
    )
    used = [{*contracted[k], *batch[k]} for k in (0, 1)]
    whole = [shapes[0][k] for k in batch[0]] + [
        n
        for shape, gone in zip(shapes, used, strict=True)
        for k, n in enumerate(shape)
        if k not in gone
    ]

    def fun(a: Any, b: Any, indices: Any) -> Any:
        return _extracted(indices, np.matmul(left(a), right(b)).reshape(whole))

    return fun


@evaluator("bcoo_extract")
def _(_: Eqn) -> Function:
    return _extracted


def _extracted(indices: Any, dense: Any) -> Any:
    n_batch, n_sparse = indices.ndim - 2, indices.shape[-1]
    sizes = dense.shape[n_batch : n_batch + n_sparse]
    inside = (indices < sizes).all(-1)
    safe = np.where(inside[..., None], indices, 0)
    lead = np.ix_(*(np.arange(n) for n in dense.shape[:n_batch]), np.arange(1))
    entries = dense[(*lead[:n_batch], *np.moveaxis(safe, -1, 0))]
    return np.where(
        inside.reshape(inside.shape + (1,) * (entries.ndim - inside.ndim)), entries, 0
    )
