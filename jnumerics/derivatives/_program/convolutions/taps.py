"""Convolutions of many images that make few features: a product, then shifted sums.

    y[p, o] = sum over taps t of (sum over i of k[t, i, o] x[p + t, i])

The inner sums are one matrix product, of all taps and images; the outer one adds what
each tap made, shifted. The result differs in rounding alone.

On a CPU that is faster than XLA's convolution where few features are made, as by the
last layer of a network that returns an image; where more are, the convolution is.
"""

import itertools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import JaxprEqn
from jaxtyping import Array

from jnumerics.derivatives._program.jaxpr import dtype_of, shape_of
from jnumerics.derivatives._program.layout import is_shared

# Measured on a CPU with windows of 3 x 3 and 5 x 5, images of 16 x 16 and 32 x 32;
# `make bench`: `laplacians`, `asdex`.
_FEW_MADE = 4  # features of the result
_MOST_TAPS = 32  # each is an operation of its own
_MANY = 8  # images; fewer cost a call, whatever the form


def by_taps(eqns: Sequence[JaxprEqn]) -> list[JaxprEqn]:
    """Give the convolutions this form that are faster in it."""
    return [_rewritten(eqn) if _is_faster(eqn) else eqn for eqn in eqns]


def _rewritten(eqn: JaxprEqn) -> JaxprEqn:
    avals = [v.aval for v in eqn.invars]
    (call,) = jax.make_jaxpr(jax.jit(Taps(eqn).convolve))(*avals).eqns
    return call.replace(
        invars=eqn.invars, outvars=eqn.outvars, source_info=eqn.source_info
    )


def _is_faster(eqn: JaxprEqn) -> bool:
    """Whether an equation is a convolution that this form serves, and is faster."""
    if eqn.primitive.name != "conv_general_dilated":
        return False
    p, (out,), avals = eqn.params, eqn.outvars, [v.aval for v in eqn.invars]
    has_groups = p["feature_group_count"] > 1 or p["batch_group_count"] > 1
    has_gaps = any(gap > 1 for gap in p["lhs_dilation"])
    has_place = p.get("out_sharding") is not None or any(map(is_shared, avals))
    dtypes = {dtype_of(v) for v in (*eqn.invars, out)}
    # a convolution in half precision sums in single, shifted sums would not
    is_single = dtypes in ({jnp.dtype("float32")}, {jnp.dtype("float64")})
    is_empty = any(0 in shape_of(v) for v in (*eqn.invars, out))
    if has_groups or has_gaps or has_place or is_empty or not is_single:
        return False
    made, read, *window = (shape_of(eqn.invars[1])[k] for k in _kernel_axes(eqn))
    images = shape_of(eqn.invars[0])[p["dimension_numbers"].lhs_spec[0]]
    are_few = made <= _FEW_MADE and read > 1  # of one read, it would be no product
    return are_few and images >= _MANY and 1 < math.prod(window) <= _MOST_TAPS


def _kernel_axes(eqn: JaxprEqn) -> tuple[int, ...]:
    """Return the axes of a kernel: features made, features read, those of space."""
    return eqn.params["dimension_numbers"].rhs_spec


class Taps:
    """A convolution without groups, of an image without gaps."""

    def __init__(self, eqn: JaxprEqn) -> None:
        self._params = eqn.params
        self._image, self._kernel, self._out = eqn.params["dimension_numbers"]
        _, _, *window = (shape_of(eqn.invars[1])[k] for k in self._kernel)
        _, _, *self._made = (shape_of(eqn.outvars[0])[k] for k in self._out)
        self._taps = list(itertools.product(*map(range, window)))

    def convolve(self, x: Array, kernel: Array) -> Array:
        """Convolve images."""
        (samples, features, *space), p = self._image, self._params
        made, read, *window = self._kernel
        taps = jnp.transpose(kernel, (*window, made, read))
        options = {k: p[k] for k in ("precision", "preferred_element_type")}
        sums = (taps.ndim - 1,), (features,)
        parts = lax.dot_general(taps, x, (sums, ((), ())), **options)
        # a part has the axis of the features made, then those of the image left
        left = [None, *(k for k in range(x.ndim) if k != features)]
        axes = [left.index(k) for k in space]
        terms = (self._shifted(parts[tap], tap, axes) for tap in self._taps)
        sources = dict(zip(self._out, (samples, None, *space), strict=True))
        places = [left.index(sources[k]) for k in range(x.ndim)]
        return jnp.transpose(sum(terms, next(terms)), places)

    def _shifted(self, part: Array, tap: tuple[int, ...], axes: list[int]) -> Array:
        """Return what each pixel of the result takes from a tap's part.

        The part is padded, not the image: to turn a padded image takes longer.
        """
        p, config, strides = self._params, [(0, 0, 0)] * part.ndim, [1] * part.ndim
        for k, axis in enumerate(axes):
            strides[axis] = p["window_strides"][k]
            low = p["padding"][k][0] - tap[k] * p["rhs_dilation"][k]
            reach = (self._made[k] - 1) * strides[axis] + 1
            config[axis] = low, reach - low - part.shape[axis], 0
        padded = lax.pad(part, jnp.zeros((), part.dtype), config)
        return lax.slice(padded, [0] * part.ndim, padded.shape, strides)
