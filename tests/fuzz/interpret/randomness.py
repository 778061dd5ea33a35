"""Random bits of the threefry generator; keys are pairs of words, one an element."""

import zlib
from typing import Any

import numpy as np

from tests.fuzz.interpret.core import KEY, Eqn, Function, evaluator, shape_of

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def _threefry(k1: Any, k2: Any, x1: Any, x2: Any) -> list[Any]:
    """Salmon et al. (2011), twenty rounds."""
    keys = [k1, k2, k1 ^ k2 ^ np.uint32(0x1BD11BDA)]
    a, b = x1 + keys[0], x2 + keys[1]
    for turn in range(5):
        for r in _ROTATIONS[turn % 2]:
            a = a + b
            b = ((b << np.uint32(r)) | (b >> np.uint32(32 - r))) ^ a
        a = a + keys[(turn + 1) % 3]
        b = b + keys[(turn + 2) % 3] + np.uint32(turn + 1)
    return [np.asarray(a), np.asarray(b)]


def _key(high: Any, low: Any) -> Any:
    keys = np.empty(np.shape(low), KEY)
    keys["high"], keys["low"] = high, low
    return keys


def _counts(shape: tuple[int, ...]) -> tuple[Any, Any]:
    n = np.arange(int(np.prod(shape, dtype=int)), dtype=np.uint64).reshape(shape)
    return (n >> np.uint64(32)).astype(np.uint32), n.astype(np.uint32)


def _drawn(key: Any, shape: tuple[int, ...]) -> list[Any]:
    """Encrypt the counts of a shape by each key."""
    lead = (..., *(None,) * len(shape))
    return _threefry(key["high"][lead], key["low"][lead], *_counts(shape))


@evaluator("threefry2x32")
def _(_: Eqn) -> Function:
    return _threefry


@evaluator("random_seed")
def _(_: Eqn) -> Function:
    def fun(seed: Any) -> Any:
        bits = seed.dtype.itemsize * 8
        words = seed.view(f"u{bits // 8}")
        high = (words >> np.uint64(32)).astype(np.uint32) if bits == 64 else 0
        return _key(high, words.astype(np.uint32))

    return fun


@evaluator("random_split")
def _(eqn: Eqn) -> Function:
    shape = tuple(eqn.params["shape"])
    return lambda key: _key(*_drawn(key, shape))


@evaluator("random_fold_in")
def _(_: Eqn) -> Function:
    def fun(key: Any, data: Any) -> Any:
        zero = np.zeros(np.shape(data), np.uint32)
        return _key(*_threefry(key["high"], key["low"], zero, data.astype(np.uint32)))

    return fun


@evaluator("random_bits")
def _(eqn: Eqn) -> Function:
    bits, shape = eqn.params["bit_width"], tuple(eqn.params["shape"])

    def fun(key: Any) -> Any:
        a, b = _drawn(key, shape)
        if bits == 64:
            return (a.astype(np.uint64) << np.uint64(32)) | b
        return (a ^ b).astype(f"u{bits // 8}")

    return fun


@evaluator("random_unwrap")
def _(_: Eqn) -> Function:
    return lambda key: np.stack([key["high"], key["low"]], -1)


@evaluator("random_wrap")
def _(_: Eqn) -> Function:
    return lambda data: _key(data[..., 0], data[..., 1])


@evaluator("rng_uniform")
def _(eqn: Eqn) -> Function:
    """Draw the same for the same bounds: XLA's own state cannot be an oracle."""
    aval, shape = eqn.outvars[0].aval, shape_of(eqn.outvars[0])

    def fun(low: Any, high: Any) -> Any:
        seed = zlib.crc32(np.asarray(low).tobytes() + np.asarray(high).tobytes())
        rng = np.random.default_rng((seed, *shape))
        if aval.dtype.kind in "iu":
            return rng.integers(low, max(high, low + 1), shape).astype(aval.dtype)
        return rng.uniform(low, high, shape).astype(aval.dtype)

    return fun
