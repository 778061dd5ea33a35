"""A convolution in six forms, equal but for rounding."""

from functools import reduce
from itertools import product
from operator import add

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jnumerics.conv._options import AXES, Options, Two, output_shape


def convolve(x: Array, kernel: Array, options: Options) -> Array:
    """Leave it to XLA."""
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        window_strides=options.stride,
        padding=options.padding,
        rhs_dilation=options.dilation,
        dimension_numbers=AXES[options.layout].names,
        feature_group_count=options.groups,
        precision=options.precision,
    )


def shifted(x: Array, kernel: Array, options: Options) -> Array:
    """Sum shifted copies of the input, one channel to a group."""
    axes, shape = AXES[options.layout], output_shape(x, kernel, options)
    kernel = jnp.transpose(kernel, axes.kernel)
    height, width, _, c_out = kernel.shape
    x = _padded(x, options)
    x = jnp.repeat(x, c_out // x.shape[axes.channel], axes.channel)
    per_channel = [1] * 4
    per_channel[axes.channel] = c_out
    y = jnp.zeros(shape, x.dtype)
    for i, j in product(range(height), range(width)):
        offset = i * options.dilation[0], j * options.dilation[1]
        weight = kernel[i, j].reshape(per_channel)
        y += _window(x, offset, shape, options) * weight
    return y


def _padded(x: Array, options: Options) -> Array:
    widths = [(0, 0)] * 4
    for k, pad in zip(AXES[options.layout].spatial, options.padding, strict=True):
        widths[k] = pad
    return jnp.pad(x, widths)


def _window(x: Array, offset: Two, shape: tuple[int, ...], options: Options) -> Array:
    """Every stride-th pixel from an offset on, as many as the output has."""
    start, stop, step = [0] * 4, list(x.shape), [1] * 4
    axes = AXES[options.layout]
    for k, first, s in zip(axes.spatial, offset, options.stride, strict=True):
        start[k], stop[k], step[k] = first, first + (shape[k] - 1) * s + 1, s
    return jax.lax.slice(x, start, stop, step)


def unfolded(x: Array, kernel: Array, options: Options) -> Array:
    """Multiply by one matrix what the kernel sees of each pixel (im2col)."""
    axes, x = AXES[options.layout], _padded(x, options)
    for dim in (1, 0):  # the width first: its pieces are contiguous
        x = jnp.concatenate(_pieces(x, kernel, dim, options), axes.channel)
    weight = jnp.transpose(kernel, axes.kernel)
    return _product(x, weight.reshape(-1, weight.shape[3]), options)


def unfolded_by_rows(x: Array, kernel: Array, options: Options) -> Array:
    """Unfold the width alone, and add a product for each row of the kernel.

    As many multiplications in an n-th of the memory, n rows (Cho & Brand 2017, "MEC:
    memory-efficient convolution").
    """
    axes, x = AXES[options.layout], _padded(x, options)
    x = jnp.concatenate(_pieces(x, kernel, 1, options), axes.channel)
    weight = jnp.transpose(kernel, axes.kernel)
    weight = weight.reshape(weight.shape[0], -1, weight.shape[3])
    rows = zip(_pieces(x, kernel, 0, options), weight, strict=True)
    return reduce(add, (_product(seen, row, options) for seen, row in rows))


def _pieces(x: Array, kernel: Array, dim: int, options: Options) -> list[Array]:
    """Return what each entry of the kernel along an axis sees of the padded image."""
    axes = AXES[options.layout]
    axis, size = axes.spatial[dim], kernel.shape[axes.kernel[dim]]
    dilation = options.dilation[dim]
    reach = x.shape[axis] - (size - 1) * dilation
    return [
        jax.lax.slice_in_dim(x, i, i + reach, options.stride[dim], axis)
        for i in range(0, size * dilation, dilation)
    ]


def _product(x: Array, weight: Array, options: Options) -> Array:
    channel = AXES[options.layout].channel
    x = jnp.moveaxis(x, channel, -1)
    # Pixels as one axis: the kernel's derivative is faster so.
    pixels = x.reshape(-1, x.shape[-1])
    y = jnp.matmul(pixels, weight, precision=options.precision)
    return jnp.moveaxis(y.reshape(*x.shape[:-1], -1), -1, channel)


def paired(x: Array, kernel: Array, options: Options) -> Array:
    """Unfold what two neighboring pixels see together: fewer columns, twice as wide.

    A pair sees `stride + width` columns of the image. The matrix holds the kernel
    twice, the second time shifted by the stride, and zeros: more multiplications, but
    the product is fast where its matrix is wide. The width must not be dilated.
    """
    axes = AXES[options.layout]
    n, height, width, _ = (
        output_shape(x, kernel, options)[k] for k in (0, *axes.spatial, axes.channel)
    )
    x, kernel = jnp.moveaxis(x, axes.channel, 3), jnp.transpose(kernel, axes.kernel)
    taps, c_in = kernel.shape[1], x.shape[3]
    stride = options.stride[1] if width > 1 else 1  # of one column it can be any size
    pairs, step, seen = -(-width // 2), 2 * stride, stride + taps
    n_blocks = pairs - 1 + -(-seen // step)
    (top, bottom), (left, _) = options.padding
    right = n_blocks * step - x.shape[2] - left  # negative: columns that none sees
    pads = (0, 0, 0), (top, bottom, 0), (left, right, 0), (0, 0, 0)
    x = jax.lax.pad(x, jnp.zeros((), x.dtype), pads)
    x = x.reshape(n, x.shape[1], n_blocks, step * c_in)
    pieces = [
        x[:, :, b : b + pairs, : min(seen - b * step, step) * c_in]
        for b in range(-(-seen // step))
    ]
    x = jnp.concatenate(pieces, 3)
    reach, dilation = (height - 1) * options.stride[0] + 1, options.dilation[0]
    rows = [
        jax.lax.slice_in_dim(x, i, i + reach, options.stride[0], 1)
        for i in range(0, kernel.shape[0] * dilation, dilation)
    ]
    columns = jnp.concatenate(rows, 3)
    shifts = ((0, stride), (stride, 0))
    twice = [jnp.pad(kernel, ((0, 0), pad, (0, 0), (0, 0))) for pad in shifts]
    weight = jnp.stack(twice, 3).reshape(columns.shape[3], -1)
    y = jnp.matmul(columns, weight, precision=options.precision)
    y = y.reshape(n, height, 2 * pairs, -1)[:, :, :width]
    return jnp.moveaxis(y, 3, axes.channel)
