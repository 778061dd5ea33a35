"""A convolution in the form that is fastest for its shapes: four, all exact."""

import math
from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array

from jnumerics import _check

Two = tuple[int, int]


class Axes(NamedTuple):
    """Where an input and a kernel have their axes."""

    spatial: Two
    channel: int
    kernel: tuple[int, int, int, int]  # height, width, input and output channels
    names: tuple[str, str, str]


AXES = {
    "NHWC": Axes((1, 2), 3, (0, 1, 2, 3), ("NHWC", "HWIO", "NHWC")),
    "NCHW": Axes((2, 3), 1, (2, 3, 1, 0), ("NCHW", "OIHW", "NCHW")),
}


# Measured on CPUs: below, XLA's convolution beats its matrix product. The kernel's
# derivative has its own bounds, also measured.
_LEAST_CONTRACTED = 17

# Measured on CPUs: beyond, the convolution catches up, and the columns need memory.
_MOST_COLUMNS = 2**18  # entries
_MOST_IN, _MOST_OUT, _MOST_TAPS = 4, 16, 25  # channels, channels, kernel entries

# Measured on CPUs: beyond, the convolution catches up; and the program grows.
_MOST_MULTIPLIED = 16
_MOST_SHIFTS = 64


class Options(NamedTuple):
    stride: Two
    padding: tuple[Two, Two]
    dilation: Two
    groups: int
    layout: str
    precision: _check.Precision


def extent_of(kernel: _check.Operand, dilation: Sequence[int], axes: Axes) -> list[int]:
    size = [kernel.shape[k] for k in axes.kernel[:2]]
    return [(k - 1) * d + 1 if k else 0 for k, d in zip(size, dilation, strict=True)]


@partial(jax.jit, static_argnames="options")
def convolution(x: Array, kernel: Array, options: Options) -> Array:
    axes = AXES[options.layout]
    height, width, _, c_out = (kernel.shape[k] for k in axes.kernel)
    shape = _output_shape(x, kernel, options)
    if 0 in (*shape, *x.shape, *kernel.shape):
        return jnp.zeros(shape, x.dtype)  # lax refuses some of these
    c_in = x.shape[axes.channel]
    limit = _MOST_MULTIPLIED if c_in > 1 else 1
    is_depthwise = options.groups == c_in and c_out <= limit * c_in
    if is_depthwise and height * width <= _MOST_SHIFTS:
        return _shifted(x, kernel, shape, options)
    is_padded = options.padding != ((0, 0), (0, 0))
    if (height, width, options.groups) == (1, 1, 1) and not is_padded:
        x = _window(x, (0, 0), shape, options)
        return _pointwise(x, kernel, options._replace(stride=(1, 1)))
    size = math.prod(shape) // c_out * height * width * c_in
    is_thin = c_in <= _MOST_IN and 1 < c_out <= _MOST_OUT
    is_small = isinstance(size, int) and size <= _MOST_COLUMNS  # not of a symbol
    is_short = height * width <= _MOST_TAPS
    if options.groups == 1 and is_thin and is_short and is_small:
        return _unfolded(x, kernel, options)
    return _convolve(x, kernel, options)


def _output_shape(x: Array, kernel: Array, options: Options) -> tuple[int, ...]:
    axes, shape = AXES[options.layout], list(x.shape)
    extents = extent_of(kernel, options.dilation, axes)
    for k, pad, extent, stride in zip(
        axes.spatial, options.padding, extents, options.stride, strict=True
    ):
        shape[k] = max((shape[k] + sum(pad) - extent) // stride + 1, 0)
    shape[axes.channel] = kernel.shape[axes.kernel[3]]
    return tuple(shape)


def _convolve(x: Array, kernel: Array, options: Options) -> Array:
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


def _shifted(
    x: Array, kernel: Array, shape: tuple[int, ...], options: Options
) -> Array:
    axes, dtype = AXES[options.layout], x.dtype
    kernel = _check.at_least_float32(jnp.transpose(kernel, axes.kernel))
    height, width, _, c_out = kernel.shape
    x = _padded(_check.at_least_float32(x), options)
    x = jnp.repeat(x, c_out // x.shape[axes.channel], axes.channel)
    per_channel = [1] * 4
    per_channel[axes.channel] = c_out
    y = jnp.zeros(shape, x.dtype)
    for i, j in product(range(height), range(width)):
        offset = i * options.dilation[0], j * options.dilation[1]
        weight = kernel[i, j].reshape(per_channel)
        y += _window(x, offset, shape, options) * weight
    return y.astype(dtype)


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


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _unfolded(x: Array, kernel: Array, options: Options) -> Array:
    axes, shape = AXES[options.layout], _output_shape(x, kernel, options)
    x = _padded(x, options)
    for dim in (1, 0):  # the width first: its pieces are contiguous
        axis, size = axes.spatial[dim], kernel.shape[axes.kernel[dim]]
        stride, dilation = options.stride[dim], options.dilation[dim]
        reach = (shape[axis] - 1) * stride + 1
        pieces = [
            jax.lax.slice_in_dim(x, i, i + reach, stride, axis)
            for i in range(0, size * dilation, dilation)
        ]
        x = jnp.concatenate(pieces, axes.channel)
    return _pixel_product(x, kernel, options)


def _unfolded_jvp(
    options: Options, primals: tuple[Array, Array], tangents: tuple
) -> tuple[Array, Array]:
    (x, kernel), (dx, dkernel) = primals, tangents
    terms = [
        _convolve(*factors, options)
        for factors in ((dx, kernel), (x, dkernel))
        if not any(isinstance(factor, SymbolicZero) for factor in factors)
    ]
    return _unfolded(x, kernel, options), sum(terms[1:], terms[0])


_unfolded.defjvp(_unfolded_jvp, symbolic_zeros=True)


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _pointwise(x: Array, kernel: Array, options: Options) -> Array:
    c_in = x.shape[AXES[options.layout].channel]
    pays = c_in >= _LEAST_CONTRACTED
    return (_pixel_product if pays else _convolve)(x, kernel, options)


def _pointwise_jvp(
    options: Options, primals: tuple[Array, Array], tangents: tuple
) -> tuple[Array, Array]:
    # Each term in the form that is fast in reverse mode, where that of x sums over the
    # output channels and that of the kernel over the pixels.
    (x, kernel), (dx, dkernel) = primals, tangents
    *_, i, o = AXES[options.layout].kernel
    c_in, c_out = kernel.shape[i], kernel.shape[o]
    is_wide = c_out >= _LEAST_CONTRACTED and c_in <= 8 * c_out
    terms = []
    if not isinstance(dx, SymbolicZero):
        pays = c_out >= _LEAST_CONTRACTED
        terms.append((_pixel_product if pays else _convolve)(dx, kernel, options))
    if not isinstance(dkernel, SymbolicZero):
        is_last = options.layout == "NHWC"
        pays = is_wide or c_in <= 32 if is_last else is_wide and c_in > 32
        terms.append((_pixel_product if pays else _convolve)(x, dkernel, options))
    return _pointwise(x, kernel, options), sum(terms[1:], terms[0])


_pointwise.defjvp(_pointwise_jvp, symbolic_zeros=True)


def _pixel_product(x: Array, kernel: Array, options: Options) -> Array:
    axes = AXES[options.layout]
    x = jnp.moveaxis(x, axes.channel, -1)
    weight = jnp.transpose(kernel, axes.kernel).reshape(x.shape[-1], -1)
    # Pixels as one axis: the kernel's derivative is faster so.
    pixels = x.reshape(-1, x.shape[-1])
    y = jnp.matmul(pixels, weight, precision=options.precision)
    return jnp.moveaxis(y.reshape(*x.shape[:-1], -1), -1, axes.channel)
