"""Derivatives of a batch that eight devices share; run in a process of its own."""

import re

import jax
import jax.numpy as jnp
import numpy as np

from jnumerics import conv, mlp
from jnumerics.derivatives import (
    batch_jacobian,
    divergence,
    hessian,
    hessian_diagonal,
    jacobian,
    jacobian_diagonal,
    laplacian,
)
from jnumerics.workbench import devices

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

COLLECTIVES = re.compile(
    r" (all-gather|all-to-all|all-reduce|collective-permute|reduce-scatter)\S*\("
)
MODES = "auto", "forward", "reverse", "cut"
RANDOM = np.random.default_rng(0)
W = RANDOM.normal(size=(6, 6)).astype(np.float32)
KERNELS = [RANDOM.normal(size=(3, 3, *n)).astype(np.float32) for n in ((2, 3), (3, 1))]
X = RANDOM.normal(size=(16, 6)).astype(np.float32)
IMAGES = RANDOM.normal(size=(16, 6, 6, 2)).astype(np.float32)
LAYERS = [mlp.Layer(*map(jnp.asarray, (w, w[0]))) for w in (W[:, :5], W[:5, :4])]
NARROW = [mlp.Layer(*map(jnp.asarray, (w, w[0]))) for w in (W[:, :1], W[:1])]


def network(x):
    return mlp.apply(LAYERS, x)


def narrow(x):
    return mlp.apply(NARROW, x)


def images(x):
    for kernel, stride in zip(KERNELS, (1, 2), strict=True):
        x = jnp.tanh(conv.conv2d(x, kernel, padding="SAME", stride=stride))
    return x.reshape(len(x), -1)


def recurrent(x):
    return jax.lax.fori_loop(0, 3, lambda _, y: jnp.tanh(y @ W), x)


def heat(x):
    return jnp.sin(jnp.roll(x, 1, 1)) - x**2 + jnp.roll(x, -1, 1)


def normalized(x):
    return (x - x.mean(1, keepdims=True)) / jnp.sqrt(1 + x.var(1, keepdims=True))


def taken(x):
    return jnp.sin(x)[:, np.array([3, 1, 0])]


def energy(x):
    return jnp.sum(jnp.sin(x) * narrow(x))


def swapped(x):
    """Move a sample of each device to another one."""
    return jnp.sin(x[::-1])


def compiled(fun, x):
    """Return what a compiled function says and gives, for a batch that is shared."""
    shared = devices.shard(x, devices.mesh(8))
    program = jax.jit(fun).lower(shared).compile()
    text = program.as_text()
    assert text is not None
    return set(COLLECTIVES.findall(text)), program(shared)


def check(derivative, x, expected):
    """A derivative is right, lies with the samples, and devices exchange nothing."""
    collectives, derived = compiled(derivative, x)
    assert not collectives, collectives
    np.testing.assert_allclose(derived, expected, rtol=1e-4, atol=1e-5)
    parts = [shard.data.shape[0] for shard in derived.addressable_shards]
    assert parts == [len(x) // 8] * 8, derived.sharding


def of_one(fun):
    return lambda x: fun(x[None])[0]


def check_blocks():
    """Per-sample Jacobians, by every mode and for a sample at a time."""
    for fun, x in (
        (network, X),
        (narrow, X),
        (images, IMAGES),
        (recurrent, X),
        (heat, X),
        (normalized, X),
        (taken, X),
    ):
        expected = jax.vmap(jax.jacrev(of_one(fun)))(x)
        for mode in MODES if fun in (images, narrow, taken) else ("auto",):
            check(batch_jacobian(fun, mode=mode), x, expected)
        check(jax.vmap(jacobian(of_one(fun))), x, expected)
    small = batch_jacobian(network, max_bytes=4000)
    check(small, X, jax.vmap(jax.jacrev(of_one(network)))(X))


def check_convolutions():
    """Convolutions of every kind, and derivatives of their Jacobians."""
    kernel = RANDOM.normal(size=(3, 2, 1, 4)).astype(np.float32)
    for options in (
        {"groups": 2, "stride": (2, 1), "padding": "SAME"},
        {"groups": 2, "dilation": 2, "padding": 1},
    ):
        check_convolution(kernel, options)


def check_convolution(kernel, options):
    def summed(x, kernel=kernel):
        return jnp.tanh(conv.conv2d(x, kernel, **options)).sum((1, 2))

    def blocks(kernel, x):
        return batch_jacobian(lambda x: summed(x, kernel))(x)

    def by_jax(kernel, x):
        return jax.vmap(jax.jacrev(of_one(lambda x: summed(x, kernel))))(x)

    def total(fun):
        return jax.grad(lambda kernel, x: (fun(kernel, x) ** 2).sum())

    def several(fun):
        return jax.vmap(lambda scale, x: fun(scale * kernel, x), (0, None))

    expected = by_jax(kernel, IMAGES)
    check(batch_jacobian(summed), IMAGES, expected)
    check(batch_jacobian(summed, mode="forward"), IMAGES, expected)
    shared = devices.shard(IMAGES, devices.mesh(8))
    for change, argument in ((total, kernel), (several, jnp.array([1.0, 2.0]))):
        actual, truth = (jax.jit(change(f))(argument, shared) for f in (blocks, by_jax))
        np.testing.assert_allclose(actual, truth, rtol=1e-3, atol=1e-4)


def check_whole():
    """The Jacobian of a batch: a row for every output, and the diagonal."""
    for fun in (network, recurrent, heat, normalized, taken):
        check(jacobian(fun), X, jax.jacrev(fun)(X))
    for fun in (jnp.sin, heat, narrow):
        expected = jnp.einsum("njnj->nj", jax.jacrev(fun)(X))
        check(jacobian_diagonal(fun), X, expected)
        check(jax.vmap(jacobian_diagonal(of_one(fun))), X, expected)
        check(jax.vmap(divergence(of_one(fun))), X, expected.sum(1))


def check_second_order():
    """Hessians of each sample, and what is summed of them."""

    def of_sample(x):
        return energy(x[None])

    hessians = jax.vmap(jax.hessian(of_sample))(X)
    diagonals = jnp.einsum("njj->nj", hessians)
    check(jax.vmap(hessian(of_sample)), X, hessians)
    check(jax.vmap(hessian_diagonal(of_sample)), X, diagonals)
    check(jax.vmap(laplacian(of_sample)), X, diagonals.sum(1))
    check(hessian_diagonal(energy), X, diagonals)


def check_exchange():
    """What devices exchange is seen."""
    for fun in (
        swapped,
        divergence(jnp.sin),
        jacobian(lambda x: jnp.sin(x - x.mean(0, keepdims=True))),
    ):
        assert compiled(fun, X)[0]


if __name__ == "__main__":
    check_exchange()
    check_blocks()
    check_convolutions()
    check_whole()
    check_second_order()
