"""Convolutions of several directions at once, in an order that leaves samples apart.

`jax.vmap` merges its axis into that of a convolution's samples, and stands before them.
Where devices share the samples, each then has a part of every direction's, which no
sharding describes, and the compiler gathers them. Here the samples stand before the
directions, so that each device keeps its own.
"""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.extend.core as jex
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jax.extend.core import JaxprEqn
from jaxtyping import Array

from jnumerics.derivatives._program.jaxpr import (
    closed,
    constants,
    open_jaxpr,
    shape_of,
)
from jnumerics.derivatives._program.layout import is_shared

CONVOLUTION = "conv_general_dilated"


def samples_first(jaxpr: Any) -> Any:
    """Return a closed program for `jax.vmap`, whose convolutions have samples first.

    They do where devices may share the samples; inside of loops they stay as they are.
    """
    program = open_jaxpr(jaxpr)
    made = itertools.chain.from_iterable(e.outvars for e in program.eqns)
    if not any(is_shared(v.aval) for v in made):
        return jaxpr
    eqns = [_rewritten(e) if _has_samples(e) else e for e in program.eqns]
    held = dict(zip(program.constvars, constants(jaxpr), strict=True))
    return closed(eqns, program.invars, program.outvars, held)


def _has_samples(eqn: JaxprEqn) -> bool:
    """Whether an equation is a convolution of more than one sample."""
    if eqn.primitive.name != CONVOLUTION:
        return False
    axis = eqn.params["dimension_numbers"].lhs_spec[0]
    place = eqn.params.get("out_sharding")
    is_free = place is None or not any(place.spec)  # the compiler chooses
    one_group = eqn.params["batch_group_count"] == 1
    return is_free and one_group and shape_of(eqn.invars[0])[axis] > 1


def _rewritten(eqn: JaxprEqn) -> JaxprEqn:
    avals = [v.aval for v in eqn.invars]
    (call,) = jax.make_jaxpr(_convolution(eqn.primitive, eqn.params))(*avals).eqns
    return call.replace(
        invars=eqn.invars, outvars=eqn.outvars, source_info=eqn.source_info
    )


def _convolution(
    primitive: jex.Primitive, params: Mapping[str, Any]
) -> Callable[[Array, Array], Array]:
    """Return a convolution that has a rule of its own for `jax.vmap`.

    JAX transposes no function that has one. So its derivative is that of the plain one,
    which is linear in each of its two arguments.
    """
    numbers = params["dimension_numbers"]
    in_axis, out_axis = numbers.lhs_spec[0], numbers.out_spec[0]

    def plain(x: Array, kernel: Array) -> Array:
        return primitive.bind(x, kernel, **params)

    batched = custom_vmap(plain)

    @batched.def_vmap
    def along(
        size: int, in_batched: list[bool], x: Array, kernel: Array
    ) -> tuple[Array, bool]:
        if in_batched != [True, False]:
            axes = [0 if is_batched else None for is_batched in in_batched]
            return jax.vmap(plain, axes)(x, kernel), True
        inner = jnp.moveaxis(x, 0, in_axis + 1)
        shape = (*inner.shape[:in_axis], -1, *inner.shape[in_axis + 2 :])
        y = plain(inner.reshape(shape), kernel)
        y = y.reshape(*y.shape[:out_axis], -1, size, *y.shape[out_axis + 1 :])
        return jnp.moveaxis(y, out_axis + 1, 0), True

    convolve = jax.custom_jvp(batched)
    convolve.defjvps(
        lambda tangent, _, __, kernel: plain(tangent, kernel),
        lambda tangent, _, x, __: plain(x, tangent),
    )
    return convolve
