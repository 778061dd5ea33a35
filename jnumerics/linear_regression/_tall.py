"""Factors of matrices with many more rows than columns, blocks of rows first.

A block stays in cache while it is factorized, and blocks are independent (Demmel,
Grigori, Hoemmen & Langou 2012, "Communication-optimal QR"). They are factorized in
turn: JAX 0.10 gives a stack of matrices to the threads of its pool while one of these
waits for them, so that two calls at a time may wait for each other forever.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

_BLOCK = 256  # rows of a block: few enough to stay in a core's cache
_SUMMED, _GROUP = 64, 16  # terms of a sum, and of a sum of sums


def is_tall(A: Array) -> bool:
    """Whether there are enough rows for blocks."""
    return len(A) >= 2 * _block(A)


def product(A: Array, B: Array) -> Array:
    """Return A B to all digits."""
    return jnp.matmul(A, B, precision="highest")


def transposed_product(A: Array, B: Array) -> Array:
    """Return A'B, sums of sums: one after the other 10^6 terms lose four digits."""
    rows, block = len(A), max(_SUMMED, 16 * B.shape[1])
    if rows < 2 * block:
        return product(A.T, B)
    whole = rows // block * block
    tops = _in_blocks(A[:whole], block), _in_blocks(B[:whole], block)
    sums = jnp.einsum("bij,bik->bjk", *tops, precision="highest")
    while len(sums) > 1:
        groups = -(-len(sums) // _GROUP)
        missing = groups * _GROUP - len(sums)
        sums = jnp.pad(sums, ((0, missing), (0, 0), (0, 0)))
        sums = jnp.sum(sums.reshape(groups, _GROUP, *sums.shape[1:]), 1)
    return sums[0] + product(A[whole:].T, B[whole:])


def triangle(A: Array) -> Array:
    """Return R of a QR factorization."""
    while (rows := len(A)) >= 2 * (block := _block(A)):
        whole = rows // block * block
        tops = lax.map(_triangle, _in_blocks(A[:whole], block))
        A = jnp.concatenate([tops.reshape(-1, A.shape[1]), A[whole:]])
    return _triangle(A)


def qr(A: Array) -> tuple[Array, Array]:
    """Return Q and R of a QR factorization, of rounding that few rows would have."""
    rows, columns = A.shape
    block = _block(A)
    if rows < 2 * block:
        return jnp.linalg.qr(A)
    whole = rows // block * block
    bases, tops = lax.map(jnp.linalg.qr, _in_blocks(A[:whole], block))
    n_tops = whole // block * columns
    inner, R = qr(jnp.concatenate([tops.reshape(n_tops, columns), A[whole:]]))
    turns = inner[:n_tops].reshape(-1, columns, columns)
    turned = product(bases, turns)
    return jnp.concatenate([turned.reshape(whole, columns), inner[n_tops:]]), R


def _triangle(A: Array) -> Array:
    return jnp.linalg.qr(A, mode="r")


def _block(A: Array) -> int:
    return max(_BLOCK, 4 * A.shape[1])


def _in_blocks(A: Array, block: int) -> Array:
    return A.reshape(len(A) // block, block, A.shape[1])
