"""A convolution's options, and the sizes that follow from them."""

from collections.abc import Sequence
from typing import NamedTuple

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


class Options(NamedTuple):
    """The checked options of a convolution."""

    stride: Two
    padding: tuple[Two, Two]
    dilation: Two
    groups: int
    layout: str
    precision: _check.Precision


def extent_of(kernel: _check.Operand, dilation: Sequence[int], axes: Axes) -> list[int]:
    """Return how many rows and columns of the image a kernel spans."""
    size = [kernel.shape[k] for k in axes.kernel[:2]]
    return [(k - 1) * d + 1 if k else 0 for k, d in zip(size, dilation, strict=True)]


def output_shape(x: Array, kernel: Array, options: Options) -> tuple[int, ...]:
    """Return the shape of a convolution."""
    axes, shape = AXES[options.layout], list(x.shape)
    extents = extent_of(kernel, options.dilation, axes)
    for k, pad, extent, stride in zip(
        axes.spatial, options.padding, extents, options.stride, strict=True
    ):
        shape[k] = max((shape[k] + sum(pad) - extent) // stride + 1, 0)
    shape[axes.channel] = kernel.shape[axes.kernel[3]]
    return tuple(shape)
