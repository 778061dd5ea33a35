r"""Two-dimensional convolution as networks use it: cross-correlation.

For one output channel $o$, at stride $s$ and dilation $d$, on the padded input,

$y_{n,u,v,o} = \sum_{i,j,c} x_{n,\, u s + i d,\, v s + j d,\, c} \, k_{i,j,c,o}$.

The kernel is not flipped, as in TensorFlow, PyTorch and ONNX. The general case is
`jax.lax.conv_general_dilated`; three forms of it are exact and faster, and are taken
by shape alone:

- A 1x1 kernel without padding is a matrix product over pixels. Where the sum is over
  few channels, the convolution is faster and stays; value, input derivative and
  kernel derivative choose each for itself.
- One channel to a group (depthwise) has nothing to contract: it is a sum of shifted
  copies of the input, one for each of the kernel's offsets, and so are its
  derivatives. Half precision is summed in float32.
- Small images of few channels, with few channels out, are unfolded along their width,
  then along their height, into one matrix product (im2col). Its derivatives are those
  of the general case.

Not offered: transposed convolution (the `jax.vjp` of this one), input dilation,
negative padding (slice the input).
"""

import math
from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import NamedTuple, SupportsIndex

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Inexact

from jnumerics import _check
from jnumerics._check import ArrayLike

__all__ = ["conv2d"]

_Two = tuple[int, int]
_Array = np.ndarray | jax.Array
Pair = SupportsIndex | Sequence[SupportsIndex] | _Array
Padding = str | SupportsIndex | Sequence[Sequence[SupportsIndex] | _Array] | _Array


class _Axes(NamedTuple):
    """Where an input and a kernel have their axes."""

    spatial: _Two
    channel: int
    kernel: tuple[int, int, int, int]  # height, width, input and output channels
    names: tuple[str, str, str]


_AXES = {
    "NHWC": _Axes((1, 2), 3, (0, 1, 2, 3), ("NHWC", "HWIO", "NHWC")),
    "NCHW": _Axes((2, 3), 1, (2, 3, 1, 0), ("NCHW", "OIHW", "NCHW")),
}

_PADDINGS = ("VALID", "SAME", "SAME_LOWER")

# Measured on CPUs: below, XLA's convolution beats its matrix product. The kernel's
# derivative has its own bounds, also measured.
_LEAST_CONTRACTED = 17

# Measured on CPUs: beyond, the convolution catches up, and the columns need memory.
_MOST_COLUMNS = 2**18  # entries
_MOST_IN, _MOST_OUT, _MOST_TAPS = 4, 16, 25  # channels, channels, kernel entries

# Measured on CPUs: beyond, the convolution catches up; and the program grows.
_MOST_MULTIPLIED = 16
_MOST_SHIFTS = 64


class _Options(NamedTuple):
    stride: _Two
    padding: tuple[_Two, _Two]
    dilation: _Two
    groups: int
    layout: str
    precision: _check.Precision


def conv2d(
    x: ArrayLike,
    kernel: ArrayLike,
    *,
    stride: Pair = 1,
    padding: Padding = "VALID",
    dilation: Pair = 1,
    groups: SupportsIndex = 1,
    layout: str = "NHWC",
    precision: _check.Precision = "highest",
) -> Inexact[Array, "n _ _ _"]:
    r"""Correlate images with kernels: $y_{uvo} = \sum_{ijc} x_{u+i,v+j,c} k_{ijco}$.

    About $n \, h \, w \, k_h k_w c_{in} c_{out} / (\text{groups} \cdot s_h s_w)$
    multiplications; compiled once for each shape and set of options.

    Args:
        x: Images, real or complex, shape `(n, h, w, c_in)`, in layout "NCHW"
            `(n, c_in, h, w)`. Integers become floats.
        kernel: Weights, shape `(kh, kw, c_in / groups, c_out)`, in layout "NCHW"
            `(c_out, c_in / groups, kh, kw)`.
        stride: Step of the window, at least 1: an integer, or one for each direction,
            vertical first.
        padding: Zeros around the images. "VALID" is none. "SAME" gives `ceil(h / s)`
            rows, with the odd row of zeros at the bottom; "SAME_LOWER" has it at the
            top; columns likewise. An integer of 0 or more pads all four sides,
            `((top, bottom), (left, right))` each.
        dilation: Distance of neighboring kernel entries on the image, at least 1: an
            integer, or one for each direction.
        groups: Number of groups of channels, a divisor of `c_in` and of `c_out`; the
            output channels of a group see the input channels of that group only.
            `c_in` groups are a depthwise convolution.
        layout: Order of axes, "NHWC" or "NCHW", for `x`, `kernel` and the result.
        precision: Of the products: "default", "high", "highest" or a member of
            `jax.lax.Precision`. Only the last keeps float32 on TPU and with TF32.

    Returns:
        Shape `(n, rows, columns, c_out)`, in layout "NCHW" `(n, c_out, rows,
        columns)`, in the common dtype of `x` and `kernel`. A kernel larger than the
        padded images gives no rows or no columns; axes of size 0 work, and a sum over
        nothing is 0; derivatives likewise.

    Raises:
        TypeError: If `x` or `kernel` is not an array of numbers, or `stride`,
            `dilation`, `groups` or `padding` is not made of integers.
        ValueError: If a rank is not 4, channels and groups do not match, or an option
            is out of its range.

    Example:
        >>> x = jnp.arange(9.0).reshape(1, 3, 3, 1)
        >>> right_less_left = jnp.array([-1.0, 0.0, 1.0]).reshape(1, 3, 1, 1)
        >>> conv2d(x, right_less_left).ravel()
        Array([2., 2., 2.], dtype=float32)
        >>> conv2d(x, right_less_left, padding="SAME", stride=2).shape
        (1, 2, 2, 1)

    Reference:
        Dumoulin & Visin (2016), "A guide to convolution arithmetic for deep
        learning", sections 2 and 5.1. https://arxiv.org/abs/1603.07285
    """
    x, kernel = _check.inexact("x", x, rank=4), _check.inexact("kernel", kernel, rank=4)
    _check.option("layout", layout, tuple(_AXES))
    _check.precision(precision)
    groups = _check.integer("groups", groups, least=1)
    _check_channels(x, kernel, groups, _AXES[layout])
    stride, dilation = _pair("stride", stride), _pair("dilation", dilation)
    size = [x.shape[k] for k in _AXES[layout].spatial]
    extent = _extent(kernel, dilation, _AXES[layout])
    pads = _padding(padding, size, extent, stride)
    options = _Options(stride, pads, dilation, groups, layout, precision)
    return _conv2d(*_check.promote(x, kernel), options)


def _check_channels(x: Array, kernel: Array, groups: int, axes: _Axes) -> None:
    *_, c, o = axes.kernel
    c_in, c_out = x.shape[axes.channel], kernel.shape[o]
    if c_in % groups:
        msg = f"`groups` must divide the {c_in} channels of `x`, got {groups}"
        raise ValueError(msg)
    _check.axis_size("kernel", kernel, c, c_in // groups)
    if c_out % groups:
        which = f"the {c_out} output channels of `kernel`"
        msg = f"`groups` must divide {which}, got {groups}"
        raise ValueError(msg)


def _pair(name: str, value: Pair) -> _Two:
    if _check.is_sequence(value):
        return _two(name, value, 1)
    k = _check.integer(name, value, least=1)
    return k, k


def _two(name: str, value: object, least: int) -> _Two:
    if not (_check.is_sequence(value) and len(value) == 2):
        msg = f"`{name}` must be a pair of integers, got {value!r}"
        raise ValueError(msg)
    first, second = (
        _check.integer(f"{name}[{k}]", v, least=least) for k, v in enumerate(value)
    )
    return first, second


def _padding(
    padding: Padding, size: Sequence[int], extent: Sequence[int], stride: _Two
) -> tuple[_Two, _Two]:
    if isinstance(padding, str):
        _check.option("padding", padding, _PADDINGS)
        if padding == "VALID":
            return (0, 0), (0, 0)
        is_lower = padding == "SAME_LOWER"
        rows, columns = (
            _same(*sizes, is_lower) for sizes in zip(size, extent, stride, strict=True)
        )
        return rows, columns
    if not _check.is_sequence(padding):
        k = _check.integer("padding", padding, least=0)
        return (k, k), (k, k)
    if len(padding) != 2:
        msg = f"`padding` must be ((top, bottom), (left, right)), got {padding!r}"
        raise ValueError(msg)
    rows, columns = padding
    return _two("padding[0]", rows, 0), _two("padding[1]", columns, 0)


def _same(size: int, extent: int, stride: int, is_lower: bool) -> _Two:
    total = max((-(-size // stride) - 1) * stride + extent - size, 0)
    less, more = total // 2, total - total // 2
    return (more, less) if is_lower else (less, more)


def _extent(kernel: Array, dilation: Sequence[int], axes: _Axes) -> list[int]:
    size = [kernel.shape[k] for k in axes.kernel[:2]]
    return [(k - 1) * d + 1 if k else 0 for k, d in zip(size, dilation, strict=True)]


@partial(jax.jit, static_argnames="options")
def _conv2d(x: Array, kernel: Array, options: _Options) -> Array:
    axes = _AXES[options.layout]
    height, width, _, c_out = (kernel.shape[k] for k in axes.kernel)
    shape = _output_shape(x, kernel, options)
    if 0 in (*shape, *x.shape, *kernel.shape):
        return jnp.zeros(shape, x.dtype)  # lax refuses some of these
    c_in = x.shape[axes.channel]
    most = _MOST_MULTIPLIED if c_in > 1 else 1
    is_depthwise = options.groups == c_in and c_out <= most * c_in
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


def _output_shape(x: Array, kernel: Array, options: _Options) -> tuple[int, ...]:
    axes, shape = _AXES[options.layout], list(x.shape)
    extents = _extent(kernel, options.dilation, axes)
    for k, pad, extent, stride in zip(
        axes.spatial, options.padding, extents, options.stride, strict=True
    ):
        shape[k] = max((shape[k] + sum(pad) - extent) // stride + 1, 0)
    shape[axes.channel] = kernel.shape[axes.kernel[3]]
    return tuple(shape)


def _convolve(x: Array, kernel: Array, options: _Options) -> Array:
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        window_strides=options.stride,
        padding=options.padding,
        rhs_dilation=options.dilation,
        dimension_numbers=_AXES[options.layout].names,
        feature_group_count=options.groups,
        precision=options.precision,
    )


def _shifted(
    x: Array, kernel: Array, shape: tuple[int, ...], options: _Options
) -> Array:
    axes, dtype = _AXES[options.layout], x.dtype
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


def _padded(x: Array, options: _Options) -> Array:
    widths = [(0, 0)] * 4
    for k, pad in zip(_AXES[options.layout].spatial, options.padding, strict=True):
        widths[k] = pad
    return jnp.pad(x, widths)


def _window(x: Array, offset: _Two, shape: tuple[int, ...], options: _Options) -> Array:
    """Every stride-th pixel from an offset on, as many as the output has."""
    start, stop, step = [0] * 4, list(x.shape), [1] * 4
    axes = _AXES[options.layout]
    for k, first, s in zip(axes.spatial, offset, options.stride, strict=True):
        start[k], stop[k], step[k] = first, first + (shape[k] - 1) * s + 1, s
    return jax.lax.slice(x, start, stop, step)


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _unfolded(x: Array, kernel: Array, options: _Options) -> Array:
    axes, shape = _AXES[options.layout], _output_shape(x, kernel, options)
    x = _padded(x, options)
    for way in (1, 0):  # the width first: its pieces are contiguous
        axis, size = axes.spatial[way], kernel.shape[axes.kernel[way]]
        stride, dilation = options.stride[way], options.dilation[way]
        reach = (shape[axis] - 1) * stride + 1
        pieces = [
            jax.lax.slice_in_dim(x, i, i + reach, stride, axis)
            for i in range(0, size * dilation, dilation)
        ]
        x = jnp.concatenate(pieces, axes.channel)
    return _pixel_product(x, kernel, options)


def _unfolded_jvp(
    options: _Options, primals: tuple[Array, Array], tangents: tuple
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
def _pointwise(x: Array, kernel: Array, options: _Options) -> Array:
    c_in = x.shape[_AXES[options.layout].channel]
    pays = c_in >= _LEAST_CONTRACTED
    return (_pixel_product if pays else _convolve)(x, kernel, options)


def _pointwise_jvp(
    options: _Options, primals: tuple[Array, Array], tangents: tuple
) -> tuple[Array, Array]:
    # Each term in the form that is fast in reverse mode, where that of x sums over the
    # output channels and that of the kernel over the pixels.
    (x, kernel), (dx, dkernel) = primals, tangents
    *_, i, o = _AXES[options.layout].kernel
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


def _pixel_product(x: Array, kernel: Array, options: _Options) -> Array:
    axes = _AXES[options.layout]
    x = jnp.moveaxis(x, axes.channel, -1)
    weight = jnp.transpose(kernel, axes.kernel).reshape(x.shape[-1], -1)
    # Pixels as one axis: the kernel's derivative is faster so.
    pixels = x.reshape(-1, x.shape[-1])
    y = jnp.matmul(pixels, weight, precision=options.precision)
    return jnp.moveaxis(y.reshape(*x.shape[:-1], -1), -1, axes.channel)
