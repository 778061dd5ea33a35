"""The public function: options are checked and made plain here."""

from collections.abc import Sequence
from typing import SupportsIndex

import jax
import numpy as np
from jaxtyping import Array, Inexact

from jnumerics import _check
from jnumerics._check import ArrayLike, Operand
from jnumerics._programs import checked
from jnumerics.conv._choice import convolution
from jnumerics.conv._options import AXES, Axes, Options, Two, extent_of

_Array = np.ndarray | jax.Array
Pair = SupportsIndex | Sequence[SupportsIndex] | _Array
Padding = str | SupportsIndex | Sequence[Sequence[SupportsIndex] | _Array] | _Array


_PADDINGS = ("VALID", "SAME", "SAME_LOWER")


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
    multiplications; compiled once for each shape and each way to write its options.

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
            `jax.lax.Precision`. Only the last keeps float32 on TPU and with TF32, and
            on CPUs each output's rounding to what it sees (the others may take
            Winograd's form, half as long between many channels).

    Returns:
        Shape `(n, rows, columns, c_out)`, in layout "NCHW" `(n, c_out, rows,
        columns)`, in the common dtype of `x` and `kernel`. A kernel larger than the
        padded images gives no rows or no columns; axes of size 0 work, and a sum over
        nothing is 0; derivatives likewise. An infinity or NaN in the images may, on
        CPUs, also reach pixels of the result next to those that see it.

    Raises:
        TypeError: If `x` or `kernel` is not an array of numbers, or `stride`,
            `dilation`, `groups` or `padding` is not made of integers.
        ValueError: If a rank is not 4, channels and groups do not match, or an option
            is out of its range.

    Example:
        >>> import jax.numpy as jnp
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
    return _conv2d(x, kernel, (stride, padding, dilation, groups, layout, precision))


def _checked(
    x: ArrayLike, kernel: ArrayLike, options: tuple
) -> tuple[Operand, Operand, Options]:
    stride, padding, dilation, groups, layout, precision = options
    x, kernel = _check.inexact("x", x, rank=4), _check.inexact("kernel", kernel, rank=4)
    _check.option("layout", layout, tuple(AXES))
    _check.precision(precision)
    groups = _check.integer("groups", groups, least=1)
    _check_channels(x, kernel, groups, AXES[layout])
    stride, dilation = _pair("stride", stride), _pair("dilation", dilation)
    size = [x.shape[k] for k in AXES[layout].spatial]
    extent = extent_of(kernel, dilation, AXES[layout])
    pads = _padding(padding, size, extent, stride)
    x, kernel = _check.promote(x, kernel)
    return x, kernel, Options(stride, pads, dilation, groups, layout, precision)


def _check_channels(x: Operand, kernel: Operand, groups: int, axes: Axes) -> None:
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


def _pair(name: str, value: Pair) -> Two:
    if _check.is_sequence(value):
        return _two(name, value, 1)
    k = _check.integer(name, value, least=1)
    return k, k


def _two(name: str, value: object, least: int) -> Two:
    if not (_check.is_sequence(value) and len(value) == 2):
        msg = f"`{name}` must be a pair of integers, got {value!r}"
        raise ValueError(msg)
    first, second = (
        _check.integer(f"{name}[{k}]", v, least=least) for k, v in enumerate(value)
    )
    return first, second


def _padding(
    padding: Padding, size: Sequence[int], extent: Sequence[int], stride: Two
) -> tuple[Two, Two]:
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


def _same(size: int, extent: int, stride: int, is_lower: bool) -> Two:
    total = max((-(-size // stride) - 1) * stride + extent - size, 0)
    less, more = total // 2, total - total // 2
    return (more, less) if is_lower else (less, more)


@checked(_checked, options=1)
def _conv2d(x: Array, kernel: Array, options: Options) -> Array:
    return convolution(x, kernel, options)
