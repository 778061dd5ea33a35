"""Functions of sizes that people have, each with its argument.

Nets, stencils, solvers and batches; of second order, energies. `CASES` and `SECOND` are
tables of makers, so that nothing is computed before it is asked for; each makes a
function with one argument.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import nn

from benchmarks.functions import (
    Function,
    attention,
    banded,
    classifier,
    convolutional_autoencoder,
    deep,
    flat_heat,
    grid3,
    layer_norm,
    network,
    numbers,
    ode,
    one,
    recurrent,
    residual,
    ring,
    small_cnn,
    star,
)


class Case(NamedTuple):
    """A function, its argument, and the derivative that is asked of it."""

    fun: Function
    x: Any
    target: str = "jacobian"


def _spd_solve(n: int) -> Function:
    a = numbers(n, n, scale=n**-0.5)
    matrix = a @ a.T + 2 * jnp.eye(n)
    return lambda x: jnp.linalg.solve(matrix + jnp.diag(x**2), jnp.sin(x))


def _u_net(x: Any) -> Any:
    """Smooth a signal, halve it, and add what was lost."""
    half = x.reshape(-1, 2).mean(1)
    return jnp.tanh(x) + jnp.repeat(jnp.sin(half), 2)


def _broad(n: int, m: int) -> Function:
    weight = numbers(n, m, scale=n**-0.5)
    return lambda x: jnp.sin(x @ weight)


def _skip(n: int, width: int) -> Function:
    into, out = numbers(n, width, scale=n**-0.5), numbers(width, n, seed=1)
    return lambda x: jnp.sin(x) + jnp.tanh(x @ into) @ out


def _batch(fun: Function, *shape: int) -> Case:
    return Case(fun, numbers(*shape, seed=5), "batch")


def _single(fun: Function, *shape: int) -> Case:
    return Case(fun, numbers(*shape, seed=5))


def _laplacian(fun: Function, *shape: int) -> Case:
    return Case(fun, numbers(*shape, seed=5), "laplacian")


def _hessian(fun: Function, *shape: int) -> Case:
    return Case(fun, numbers(*shape, seed=5), "hessian")


def _energy(*sizes: int) -> Function:
    layers = network(*sizes)
    return lambda x: layers(x)[0]


def _summed(field: Function) -> Function:
    return lambda x: jnp.sum(jnp.sin(field(x)))


def _enveloped(*sizes: int) -> Function:
    """Make a network that is zero on the walls of a box."""
    layers = network(*sizes)
    return lambda x: layers(x)[0] * jnp.exp(-jnp.sum(x**2))


def _pairs(x: Any) -> Any:
    """Sum a potential over all pairs of particles."""
    apart = x[:, None] - x[None] + 2 * jnp.eye(len(x))[..., None]
    return jnp.sum(1 / jnp.sqrt(1 + jnp.sum(apart**2, -1)))


def _arrow(x: Any) -> Any:
    return x[0] * jnp.sum(jnp.sin(x[1:])) + jnp.sum(x**4)


def _rosenbrock(x: Any) -> Any:
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


CASES: Mapping[str, Callable[[], Case]] = {
    "dense 512-512-512": lambda: _single(network(512, 512, 512), 512),
    "dense 32-512-2048": lambda: _single(network(32, 512, 2048), 32),
    "dense 2048-512-32": lambda: _single(network(2048, 512, 32), 2048),
    "dense 300-400-300-200": lambda: _single(network(300, 400, 300, 200), 300),
    "dense 200-300-400-300": lambda: _single(network(200, 300, 400, 300), 200),
    "one layer 400-1600": lambda: _single(_broad(400, 1600), 400),
    "one layer 1600-400": lambda: _single(_broad(1600, 400), 1600),
    "one layer 1000-1000": lambda: _single(_broad(1000, 1000), 1000),
    "gradient-like 1000-200-1": lambda: _single(network(1000, 200, 1), 1000),
    "swish 256-256-256-256": lambda: _single(
        network(256, 256, 256, 256, activation=nn.silu), 256
    ),
    "deep 20 x 128": lambda: _single(deep(20, 128), 128),
    "deep 100 x 64": lambda: _single(deep(100, 64), 64),
    "autoencoder 784-256-8": lambda: _single(network(784, 256, 8, 256, 784), 784),
    "autoencoder 784-256-64": lambda: _single(network(784, 256, 64, 256, 784), 784),
    "autoencoder 784-400-200": lambda: _single(network(784, 400, 200, 400, 784), 784),
    "autoencoder 400-300-250": lambda: _single(network(400, 300, 250, 300, 400), 400),
    "autoencoder 400-350": lambda: _single(network(400, 350, 400), 400),
    "autoencoder 300-10-100": lambda: _single(network(300, 10, 100), 300),
    "bottleneck at the end 500-300-20-40": lambda: _single(
        network(500, 300, 20, 40), 500
    ),
    "residual 300, 3 of 5": lambda: _single(residual(300, 5, 3), 300),
    "residual 600, 4 of 20": lambda: _single(residual(600, 20, 4), 600),
    "residual 400, 3 of 100": lambda: _single(residual(400, 100, 3), 400),
    "skip beside 600-10": lambda: _single(_skip(600, 10), 600),
    "convolutional autoencoder 28": lambda: _single(
        convolutional_autoencoder(), 28, 28
    ),
    "classifier 28, 8 channels": lambda: _single(one(classifier(28, 8, 10)), 28, 28),
    "small CNN 32": lambda: _single(small_cnn(32), 32 * 32),
    "heat 24x24": lambda: _single(star, 24, 24),
    "heat 40x40": lambda: _single(star, 40, 40),
    "flat heat 32x32": lambda: _single(flat_heat(32), 32 * 32),
    "banded 1500": lambda: _single(banded, 1500),
    "ring 1500": lambda: _single(ring, 1500),
    "cube 10": lambda: _single(grid3, 10, 10, 10),
    "elementwise 1500": lambda: _single(jnp.sin, 1500),
    "halves 1024": lambda: _single(_u_net, 1024),
    "recurrent 40 steps, last": lambda: _single(recurrent(64, every=False), 40, 8),
    "recurrent 40 steps, every": lambda: _single(recurrent(64, every=True), 40, 8),
    "ODE 300-8-300": lambda: _single(ode(300, 8), 300),
    "ODE 40-40-40": lambda: _single(ode(40, 40), 40),
    "attention 16x32": lambda: _single(attention(32), 16, 32),
    "attention 64x8": lambda: _single(attention(8), 64, 8),
    "layer norm 32x32": lambda: _single(layer_norm, 32, 32),
    "softmax 800": lambda: _single(nn.softmax, 800),
    "cumsum 1000": lambda: _single(lambda x: jnp.cumsum(jnp.sin(x)), 1000),
    "sort 1000": lambda: _single(jnp.sort, 1000),
    "product of matrices 24": lambda: _single(lambda x: x @ x @ x, 24, 24),
    "outer product 60": lambda: _single(lambda x: jnp.outer(x, jnp.sin(x)), 60),
    "pairwise distances 40x3": lambda: _single(
        lambda x: ((x[:, None] - x[None]) ** 2).sum(-1), 40, 3
    ),
    "spectrum 512": lambda: _single(lambda x: jnp.abs(jnp.fft.rfft(x)), 512),
    "solve 60": lambda: _single(_spd_solve(60), 60),
    "hessian-like 300-64": lambda: _single(
        jax.grad(lambda x: network(300, 64, 1)(x)[0]), 300
    ),
    "batch 256 of 10-64-64-5": lambda: _batch(network(10, 64, 64, 5), 256, 10),
    "batch 256 of 5-64-64-10": lambda: _batch(network(5, 64, 64, 10), 256, 5),
    "batch 4096 of 1-20-20-4": lambda: _batch(network(1, 20, 20, 4), 4096, 1),
    "batch 4096 of 4-20-20-1": lambda: _batch(network(4, 20, 20, 1), 4096, 4),
    "batch 128 of 40-64-40": lambda: _batch(network(40, 64, 40), 128, 40),
    "batch 32 of 200-64-4-64-200": lambda: _batch(
        network(200, 64, 4, 64, 200), 32, 200
    ),
    "batch 64 of 60-20-60": lambda: _batch(network(60, 20, 60), 64, 60),
    "batch 64 of residual 60": lambda: _batch(residual(60, 4, 2), 64, 60),
    "batch 16 of classifier 16": lambda: _batch(classifier(16, 8, 5), 16, 16, 16),
    "batch 500 of attention-like": lambda: _batch(
        lambda x: nn.softmax(x, -1) * layer_norm(x), 500, 20
    ),
    "batch 256 elementwise 30": lambda: _batch(jnp.sin, 256, 30),
}  # fmt: skip

SECOND: Mapping[str, Callable[[], Case]] = {
    "laplacian of 30-64-64-1": lambda: _laplacian(_energy(30, 64, 64, 1), 30),
    "laplacian of 100-256-256-1": lambda: _laplacian(_energy(100, 256, 256, 1), 100),
    "laplacian of 400-400-400-1": lambda: _laplacian(_energy(400, 400, 400, 1), 400),
    "laplacian of 1000-64-1": lambda: _laplacian(_energy(1000, 64, 1), 1000),
    "laplacian of 300-8-512-512-1": lambda: _laplacian(
        _energy(300, 8, 512, 512, 1), 300
    ),
    "laplacian of 200-32-256-256-1": lambda: _laplacian(
        _energy(200, 32, 256, 256, 1), 200
    ),
    "laplacian of 200-16-256-256-1 in an envelope": lambda: _laplacian(
        _enveloped(200, 16, 256, 256, 1), 200
    ),
    "laplacian of 100-256-256-1 in an envelope": lambda: _laplacian(
        _enveloped(100, 256, 256, 1), 100
    ),
    "laplacian of residual 200, 3 of 20": lambda: _laplacian(
        _summed(residual(200, 20, 3)), 200
    ),
    "laplacian of 400-8-400": lambda: _laplacian(_summed(network(400, 8, 400)), 400),
    "laplacian of attention 16 x 8": lambda: _laplacian(_summed(attention(8)), 16, 8),
    "laplacian of layer norm 16 x 32": lambda: _laplacian(_summed(layer_norm), 16, 32),
    "laplacian of 40 particles in pairs": lambda: _laplacian(_pairs, 40, 3),
    "laplacian of a ring of 20000": lambda: _laplacian(_summed(ring), 20_000),
    "laplacian of heat 40 x 40": lambda: _laplacian(_summed(star), 40, 40),
    "laplacian of a small CNN 32": lambda: _laplacian(_summed(small_cnn(32)), 32 * 32),
    "laplacian of ODE 60-8-60": lambda: _laplacian(_summed(ode(60, 8)), 60),
    "laplacian of a field 60-128-128-20": lambda: _laplacian(
        network(60, 128, 128, 20), 60
    ),
    "hessian of 100-128-128-1": lambda: _hessian(_energy(100, 128, 128, 1), 100),
    "hessian of 300-64-1": lambda: _hessian(_energy(300, 64, 1), 300),
    "hessian of 400-8-400": lambda: _hessian(_summed(network(400, 8, 400)), 400),
    "hessian of an arrow 1000": lambda: _hessian(_arrow, 1000),
    "hessian of Rosenbrock 1500": lambda: _hessian(_rosenbrock, 1500),
    "hessian of heat 30 x 30": lambda: _hessian(_summed(star), 30, 30),
    "hessian of 40 particles in pairs": lambda: _hessian(_pairs, 40, 3),
}
