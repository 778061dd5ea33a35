"""Functions of neighbors: bands, grids, rings, convolutions, pools."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests._scenarios.patterns import (
    kernel_pattern,
    near,
    periodic_star_pattern,
    ring_pattern,
    star_pattern,
)
from tests._scenarios.table import (
    Scenario,
    complex_step,
    drawn,
    full,
    like,
    linear,
    offsets,
    outer,
    tags,
    weights,
)

KERNEL = weights(2, 3, 3)
KERNEL_MANY = weights(3, 3, 3, 2, 4)
TAPS = weights(4, 5)


def tridiagonal(x, xp=jnp):
    padded = xp.pad(x, 1)
    left, right = padded[:-2], padded[2:]
    return x * x - 2 * left * x + right


def inner_second_difference(x, xp=jnp):
    del xp
    return x[:-2] - 2 * x[1:-1] * x[1:-1] + x[2:]


def upwind(x, xp=jnp):
    return xp.diff(xp.sin(x))


def star(u, xp=jnp):
    p = xp.pad(u, 1)
    neighbors = p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:]
    return neighbors - 4 * u + u**3


def star_flattened(u, xp=jnp):
    return star(u.reshape(5, 6), xp).reshape(-1)


def ring(x, xp=jnp):
    return xp.roll(x, 1) * x - xp.roll(x, -1)


def periodic_star(u, xp=jnp):
    shifted = [xp.roll(u, s, axis) for s in (-1, 1) for axis in (0, 1)]
    return u * u * sum(shifted) - 4 * u


def correlate(x, kernel, stride=1, dilation=1, padding="SAME"):
    """Correlate (h, w, c_in) with (kh, kw, c_in, c_out) by JAX."""
    return lax.conv_general_dilated(
        x[None],
        kernel,
        (stride, stride),
        padding,
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )[0]


def correlate_np(x, kernel, stride=1, dilation=1, pad=0):
    """The same by its definition, with `pad` zeros on every side."""
    x = np.pad(x, ((pad, pad), (pad, pad), (0, 0)))
    kh, kw = kernel.shape[:2]
    h = (x.shape[0] - dilation * (kh - 1) - 1) // stride + 1
    w = (x.shape[1] - dilation * (kw - 1) - 1) // stride + 1
    out = np.zeros((h, w, kernel.shape[-1]), complex)
    for i, j in np.ndindex(kh, kw):
        rows = slice(i * dilation, i * dilation + stride * (h - 1) + 1, stride)
        columns = slice(j * dilation, j * dilation + stride * (w - 1) + 1, stride)
        out += x[rows, columns] @ kernel[i, j]
    return out


def convolution(u, xp=jnp):
    kernel = like(KERNEL, u)[:, :, None, None]
    if xp is np:
        return correlate_np(u[:, :, None], kernel, pad=1)[:, :, 0]
    return correlate(u[:, :, None], kernel)[:, :, 0]


def convolution_strided(u, xp=jnp):
    kernel = like(KERNEL_MANY, u)
    if xp is np:
        return np.sin(correlate_np(u, kernel, stride=2))
    return jnp.sin(correlate(u, kernel, stride=2, padding="VALID"))


def convolution_dilated(u, xp=jnp):
    kernel = like(KERNEL, u)[:, :, None, None]
    if xp is np:
        return correlate_np(u[:, :, None], kernel, dilation=2)[:, :, 0]
    return correlate(u[:, :, None], kernel, dilation=2, padding="VALID")[:, :, 0]


def two_convolutions(u, xp=jnp):
    return convolution(xp.tanh(convolution(u, xp)), xp)


def of_the_kernel(kernel, x):
    return correlate(x, kernel, padding="VALID")


def of_the_kernel_np(kernel, x, xp):
    del xp
    return correlate_np(x, kernel)


def max_pool(u):
    return lax.reduce_window(u, -jnp.inf, lax.max, (2, 2), (2, 2), "VALID")


def average_pool(u):
    total = lax.reduce_window(u * u, 0.0, lax.add, (2, 3), (1, 2), "VALID")
    return total / 6


def average_pool_np(u, xp):
    del xp
    rows = u[:-1] ** 2 + u[1:] ** 2
    return (rows[:, :-2:2] + rows[:, 1:-1:2] + rows[:, 2::2]) / 6


def max_pool_np(u, xp):
    del xp
    cells = u.reshape(3, 2, 4, 2).swapaxes(1, 2).reshape(3, 4, 4)
    return cells.max(-1)  # NumPy orders complex numbers by their real parts first


def moving_average(x):
    return jnp.convolve(x, like(TAPS, x), mode="valid")


def taps_matrix():
    shifted = [np.pad(TAPS[::-1], (i, 7 - i)) for i in range(8)]
    return np.stack(shifted)


STENCIL = tags("stencil twice")
STRIDED = outer(offsets(4, 9, 0, 1, 2, stride=2), offsets(3, 7, 0, 1, 2, stride=2))
STRIDED_MANY = STRIDED[:, :, None, :, :, None] & full(4, 3, 4, 9, 7, 2)
TABLE = (
    Scenario(
        "tridiagonal",
        tridiagonal,
        drawn((12,)),
        complex_step(tridiagonal),
        offsets(12, 12, -1, 0, 1),
        tags("banded twice"),
    ),
    Scenario(
        "inner_second_difference",
        inner_second_difference,
        drawn((9,)),
        complex_step(inner_second_difference),
        offsets(7, 9, 0, 1, 2),
        tags("banded twice wide"),
    ),
    Scenario(
        "upwind",
        upwind,
        drawn((10,)),
        complex_step(upwind),
        offsets(9, 10, 0, 1),
        tags("banded twice"),
    ),
    Scenario(
        "moving_average",
        moving_average,
        drawn((12,)),
        linear(taps_matrix()),
        offsets(8, 12, 0, 1, 2, 3, 4),
        tags("banded conv twice wide"),
    ),
    Scenario(
        "star",
        star,
        drawn((6, 5)),
        complex_step(star),
        star_pattern(6, 5),
        STENCIL,
    ),
    Scenario(
        "star_flattened",
        star_flattened,
        drawn((30,)),
        complex_step(star_flattened),
        star_pattern(5, 6).reshape(30, 30),
        STENCIL,
    ),
    Scenario(
        "ring",
        ring,
        drawn((11,)),
        complex_step(ring),
        ring_pattern(11),
        STENCIL | {"periodic"},
    ),
    Scenario(
        "periodic_star",
        periodic_star,
        drawn((5, 7)),
        complex_step(periodic_star),
        periodic_star_pattern(5, 7),
        STENCIL | {"periodic"},
    ),
    Scenario(
        "convolution",
        convolution,
        drawn((6, 7)),
        complex_step(convolution),
        near(6, 7, 1),
        STENCIL | {"conv"},
    ),
    Scenario(
        "convolution_strided",
        convolution_strided,
        drawn((9, 7, 2)),
        complex_step(convolution_strided),
        STRIDED_MANY,
        STENCIL | {"conv"},
    ),
    Scenario(
        "convolution_dilated",
        convolution_dilated,
        drawn((8, 9)),
        complex_step(convolution_dilated),
        outer(offsets(4, 8, 0, 2, 4), offsets(5, 9, 0, 2, 4)),
        STENCIL | {"conv"},
    ),
    Scenario(
        "two_convolutions",
        two_convolutions,
        drawn((6, 7)),
        complex_step(two_convolutions),
        near(6, 7, 2),
        STENCIL | {"conv"},
    ),
    Scenario(
        "convolution_of_the_kernel",
        of_the_kernel,
        drawn((3, 3, 2, 4), (5, 7, 2)),
        complex_step(of_the_kernel_np),
        kernel_pattern(),
        tags("conv twice"),
    ),
    Scenario(
        "max_pool",
        max_pool,
        drawn((6, 8)),
        complex_step(max_pool_np),
        outer(offsets(3, 6, 0, 1, stride=2), offsets(4, 8, 0, 1, stride=2)),
        tags("stencil conv kink data_dependent"),
    ),
    Scenario(
        "average_pool",
        average_pool,
        drawn((4, 7)),
        complex_step(average_pool_np),
        outer(offsets(3, 4, 0, 1), offsets(3, 7, 0, 1, 2, stride=2)),
        STENCIL | {"conv"},
    ),
    Scenario(
        "gradient_of_total_variation",
        lambda x: jax.grad(lambda y: jnp.sum(jnp.sqrt(1 + jnp.diff(y) ** 2)))(x),
        drawn((8,)),
        lambda args: _total_variation(np.asarray(args[0]).astype(float)),
        offsets(8, 8, -1, 0, 1),
        tags("banded twice"),
    ),
)


def _total_variation(x):
    d = np.diff(np.eye(len(x)), axis=0)
    curvature = (1 + (d @ x) ** 2) ** -1.5
    return d.T @ (curvature[:, None] * d)
