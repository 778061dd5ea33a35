"""Functions to differentiate: nets, stencils, attention, loops."""

import itertools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax, nn

Function = Callable[[Any], Any]


def numbers(*shape: int, seed: int = 0, scale: float = 1.0) -> Any:
    """Draw normally distributed numbers in float32."""
    drawn = np.random.default_rng(seed).normal(size=shape) * scale
    return jnp.asarray(drawn, jnp.float32)


def network(*sizes: int, activation: Function = jnp.tanh) -> Function:
    """Make a dense network for one sample or rows of them."""
    layers = [
        (numbers(m, n, seed=k, scale=m**-0.5), numbers(n, seed=99 - k))
        for k, (m, n) in enumerate(itertools.pairwise(sizes))
    ]

    def apply(x: Any) -> Any:
        for weight, bias in layers[:-1]:
            x = activation(x @ weight + bias)
        weight, bias = layers[-1]
        return x @ weight + bias

    return apply


def residual(n: int, hidden: int, blocks: int) -> Function:
    """Make a residual network with narrow hidden layers."""
    pairs = [
        (
            numbers(n, hidden, seed=2 * k, scale=n**-0.5),
            numbers(hidden, n, seed=2 * k + 1, scale=0.3),
        )
        for k in range(blocks)
    ]

    def apply(x: Any) -> Any:
        for into, out in pairs:
            x = x + jnp.tanh(x @ into) @ out
        return x

    return apply


def convolve(x: Any, kernel: Any, stride: int = 1, padding: str = "SAME") -> Any:
    """Convolve images NHWC."""
    names = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), padding, dimension_numbers=names
    )


def kernel(size: int, c_in: int, c_out: int, seed: int) -> Any:
    """Draw a square kernel."""
    return numbers(
        size, size, c_in, c_out, seed=seed, scale=(size * size * c_in) ** -0.5
    )


def convolutional_autoencoder(size: int = 28, code: int = 16) -> Function:
    """Make an autoencoder of one image (size, size) with a code of few values."""
    first, second = kernel(3, 1, 16, 0), kernel(3, 16, 32, 1)
    third, fourth = kernel(3, 32, 16, 2), kernel(3, 16, 1, 3)
    quarter = size // 4
    wide = quarter * quarter * 32
    into, out = numbers(wide, code, scale=wide**-0.5), numbers(code, wide, scale=0.3)

    def apply(x: Any) -> Any:
        h = x.reshape(1, size, size, 1)
        h = jnp.tanh(convolve(h, first, 2))
        h = jnp.tanh(convolve(h, second, 2))
        z = jnp.tanh(h.reshape(-1) @ into)
        h = jnp.tanh(z @ out).reshape(1, quarter, quarter, 32)
        h = jnp.tanh(convolve(_doubled(h), third))
        return convolve(_doubled(h), fourth).reshape(size, size)

    return apply


def _doubled(x: Any) -> Any:
    return jnp.repeat(jnp.repeat(x, 2, 1), 2, 2)


def star(x: Any) -> Any:
    """Take one step of a nonlinear heat equation on a grid, cold at its edges."""
    up, down = jnp.pad(x[1:], ((0, 1), (0, 0))), jnp.pad(x[:-1], ((1, 0), (0, 0)))
    left = jnp.pad(x[:, 1:], ((0, 0), (0, 1)))
    right = jnp.pad(x[:, :-1], ((0, 0), (1, 0)))
    return x - 0.1 * (4 * x**2 - up - down - left - right)


def flat_heat(size: int) -> Function:
    """Make the same step for a grid that comes as one row of numbers."""
    return lambda x: star(x.reshape(size, size)).reshape(-1)


def small_cnn(size: int) -> Function:
    """Make two convolutions of one image that comes as one row of numbers."""
    first, second = kernel(3, 1, 4, 0), kernel(3, 4, 1, 1)

    def apply(x: Any) -> Any:
        h = nn.relu(convolve(x.reshape(1, size, size, 1), first))
        return convolve(h, second).reshape(-1)

    return apply


def classifier(size: int, channels: int, classes: int) -> Function:
    """Make a convolutional classifier for images (n, size, size)."""
    first, second = kernel(3, 1, channels, 0), kernel(3, channels, channels, 1)
    dense = numbers(channels * (size // 4) ** 2, classes, scale=0.1)

    def apply(x: Any) -> Any:
        h = x[..., None]
        for k in (first, second):
            h = nn.relu(convolve(h, k))
            h = lax.reduce_window(
                h, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"
            )
        return h.reshape(len(x), -1) @ dense

    return apply


def one(fun: Function) -> Function:
    """Apply a function of a batch to one sample."""
    return lambda x: fun(x[None])[0]


def recurrent(hidden: int, *, every: bool) -> Function:
    """Make a recurrent network over (steps, features): its last state, or every one."""
    into = numbers(8, hidden, scale=0.3)
    again = numbers(hidden, hidden, seed=1, scale=hidden**-0.5)

    def apply(x: Any) -> Any:
        def step(h: Any, v: Any) -> tuple[Any, Any]:
            h = jnp.tanh(v @ into + h @ again)
            return h, h[:4]

        last, all_ = lax.scan(step, jnp.zeros(hidden), x)
        return all_ if every else last

    return apply


def ode(wide: int, state: int) -> Function:
    """Make 20 steps of an ODE between two wide layers."""
    into, out = numbers(wide, state, scale=wide**-0.5), numbers(state, wide, seed=1)
    field = numbers(state, state, seed=2, scale=0.5)

    def apply(x: Any) -> Any:
        def step(y: Any, _: None) -> tuple[Any, None]:
            return y + 0.05 * jnp.tanh(y @ field), None

        y, _ = lax.scan(step, x @ into, None, length=20)
        return jnp.tanh(y) @ out

    return apply


def attention(d: int, seed: int = 0) -> Function:
    """Make one head of attention over (n, d), with its projections."""
    q, k, v = (numbers(d, d, seed=seed + s, scale=d**-0.5) for s in range(3))

    def apply(x: Any) -> Any:
        scores = nn.softmax((x @ q) @ (x @ k).T / d**0.5, -1)
        return scores @ (x @ v)

    return apply


def layer_norm(x: Any) -> Any:
    """Normalize over the last axis."""
    centered = x - x.mean(-1, keepdims=True)
    return centered / jnp.sqrt((centered**2).mean(-1, keepdims=True) + 1e-5)


def transformer(layers: int, d: int) -> Function:
    """Make a transformer over (n, d): norms before attention and before two maps."""
    blocks = [
        (
            attention(d, seed=9 * k),
            numbers(d, 4 * d, seed=9 * k + 3, scale=d**-0.5),
            numbers(4 * d, d, seed=9 * k + 4, scale=(4 * d) ** -0.5),
        )
        for k in range(layers)
    ]

    def apply(x: Any) -> Any:
        for attend, into, out in blocks:
            x = x + attend(layer_norm(x))
            x = x + nn.gelu(layer_norm(x) @ into) @ out
        return x

    return apply


def deep(layers: int, width: int) -> Function:
    """Make a network of many layers."""
    return network(*[width] * (layers + 1))


def banded(x: Any) -> Any:
    """Couple each number to both neighbors of a line."""
    padded = jnp.pad(x, 1)
    return jnp.sin(x) * padded[2:] + padded[:-2] ** 2


def ring(x: Any) -> Any:
    """Couple each number to its neighbors on a ring."""
    return x * jnp.roll(x, 1) - jnp.roll(x, -1)


def grid3(x: Any) -> Any:
    """Couple each cell of a periodic cube to its six neighbors."""
    around = sum(jnp.roll(x, s, axis) for s in (1, -1) for axis in range(3))
    return x**3 - around
