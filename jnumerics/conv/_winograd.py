"""Winograd's F(2, 3) in both directions: 16 products for 4 pixels instead of 36.

With a tile of 4 x 4 pixels d, a kernel of 3 x 3 entries g, and for each pair of
channels, the 2 x 2 pixels of the output are A' ((G g G') * (B' d B)) A. The sum over
the input channels is one matrix product for each of the 16 entries. All factors are 0,
1 and 1/2, so that it is about as accurate as the sum itself, measured against the
largest of what a tile holds: an output may feel rounding, infinity or NaN of pixels in
its tile that the kernel does not reach there.

Reference: Lavin & Gray (2016), "Fast algorithms for convolutional neural networks",
section 4.1. https://arxiv.org/abs/1509.09308
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jnumerics.conv._options import AXES, Options, output_shape

TILE = 2  # pixels of the output in each direction
SEEN = 4  # pixels of the input


def winograd(x: Array, kernel: Array, options: Options) -> Array:
    """Correlate with a kernel of 3 x 3, stride and dilation 1, one group."""
    axes = AXES[options.layout]
    shape = output_shape(x, kernel, options)
    n, height, width = (shape[k] for k in (0, *axes.spatial))
    x, kernel = jnp.moveaxis(x, axes.channel, 3), jnp.transpose(kernel, axes.kernel)
    tiles = -(-height // TILE), -(-width // TILE)
    pads = [
        (first, (count + 1) * TILE - size - first, 0)
        for (first, _), count, size in zip(
            options.padding, tiles, x.shape[1:3], strict=True
        )
    ]
    x = jax.lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *pads, (0, 0, 0)])
    rows = jnp.stack(_of_image(_every_tile(x, 1, tiles[0])))
    both = jnp.stack(_of_image(_every_tile(rows, 3, tiles[1])))  # j, i, n, a, b, c
    half = jnp.stack(_of_kernel(kernel))
    weight = jnp.stack(_of_kernel([half[:, j] for j in range(3)]))  # j, i, c, o
    both = jnp.einsum("jinabc,jico->jinabo", both, weight, precision=options.precision)
    columns = jnp.stack(_of_output(both), 4)  # i, n, a, b, 2, o
    y = jnp.stack(_of_output(columns), 2)  # n, a, 2, b, 2, o
    y = y.reshape(n, TILE * tiles[0], TILE * tiles[1], -1)[:, :height, :width]
    return jnp.moveaxis(y, 3, axes.channel)


def _every_tile(x: Array, axis: int, count: int) -> list[Array]:
    """Return the first pixel of all tiles along an axis, the second, and so on."""
    reach = TILE * (count - 1) + 1
    return [
        jax.lax.slice_in_dim(x, k, k + reach, TILE, axis % x.ndim) for k in range(SEEN)
    ]


def _of_image(d: Sequence[Array]) -> list[Array]:
    return [d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]]


def _of_kernel(g: Sequence[Array] | Array) -> list[Array]:
    even, odd = (g[0] + g[2]) / 2, g[1] / 2
    return [g[0], even + odd, even - odd, g[2]]


def _of_output(m: Array) -> list[Array]:
    return [m[0] + m[1] + m[2], m[1] - m[2] - m[3]]
