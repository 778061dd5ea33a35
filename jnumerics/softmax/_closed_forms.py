"""Softmax, its logarithm and its products, with closed derivatives."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jnumerics import _check


def softmax(x: Array, axis: int) -> Array:
    return _probabilities(_check.at_least_float32(x), axis).astype(x.dtype)


def log_softmax(x: Array, axis: int) -> Array:
    return _log_probabilities(_check.at_least_float32(x), axis).astype(x.dtype)


def jacobian(x: Array) -> Array:
    p = _probabilities(_check.at_least_float32(x), -1)
    column, row = jnp.expand_dims(p, -1), jnp.expand_dims(p, -2)
    identity = jnp.broadcast_to(
        jnp.eye(p.shape[-1], dtype=p.dtype), (*p.shape, p.shape[-1])
    )
    return (column * (identity - row)).astype(x.dtype)


def product(x: Array, v: Array) -> Array:
    # By exponentials, not by p: both sums then share one pass over the data.
    e, u = _exponentials(_check.at_least_float32(x), -1), _check.at_least_float32(v)
    scale = 1 / jnp.sum(e, -1, keepdims=True)
    mean = jnp.sum(e * u, -1, keepdims=True) * scale
    return (e * scale * (u - mean)).astype(x.dtype)


def cross_entropy(logits: Array, labels: Array) -> Array:
    if jnp.issubdtype(labels.dtype, jnp.integer):
        return _cross_entropy_of_classes(logits, labels)
    return _cross_entropy(logits, labels)


def _cross_entropy(logits: Array, y: Array) -> Array:
    log_p, y = (
        _log_probabilities(_check.at_least_float32(logits), -1),
        _check.at_least_float32(y),
    )
    is_nothing = (y == 0) & (log_p == -jnp.inf)
    terms = y * jnp.where(is_nothing, 0, log_p)
    return -jnp.mean(jnp.sum(terms, -1)).astype(logits.dtype)


def _cross_entropy_of_classes(logits: Array, classes: Array) -> Array:
    log_p = _log_probabilities(_check.at_least_float32(logits), -1)
    index = jnp.expand_dims(classes, -1)
    chosen = jnp.take_along_axis(log_p, index, -1, mode="clip")
    is_class = (index >= 0) & (index < logits.shape[-1])
    weight = jnp.where(is_class, 1, jnp.nan).astype(log_p.dtype)
    return -jnp.mean(weight * chosen).astype(logits.dtype)


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _probabilities(x: Array, axis: int) -> Array:
    e = _exponentials(x, axis)
    return e / jnp.sum(e, axis, keepdims=True)


@_probabilities.defjvp
def _(axis: int, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    p, (t,) = _probabilities(*primals, axis), tangents
    return p, p * (t - jnp.sum(p * t, axis, keepdims=True))


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _log_probabilities(x: Array, axis: int) -> Array:
    shifted = x - jnp.max(x, axis, keepdims=True, initial=-jnp.inf)
    return shifted - jnp.log(jnp.sum(jnp.exp(shifted), axis, keepdims=True))


@_log_probabilities.defjvp
def _(axis: int, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (t,) = primals, tangents
    mean = jnp.sum(_probabilities(x, axis) * t, axis, keepdims=True)
    return _log_probabilities(x, axis), t - mean


def _exponentials(x: Array, axis: int) -> Array:
    # The largest score cancels, so it is a constant to derivatives.
    largest = jnp.max(x, axis, keepdims=True, initial=-jnp.inf)
    return jnp.exp(x - jax.lax.stop_gradient(largest))
