"""Values that are compared for equality are computed once."""

from collections import Counter
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.extend.core import JaxprEqn, Var

from jnumerics._programs import stored
from jnumerics.derivatives._program.jaxpr import dtype_of, is_var


def compared_once(eqns: Sequence[JaxprEqn]) -> list[JaxprEqn]:
    """Let what is compared for equality and read elsewhere be computed once.

    A compiler may fuse an operation into each that reads it, and round it differently
    in each: no value is then equal to the largest of them, whose derivative is lost.
    """
    reads = Counter(v for eqn in eqns for v in eqn.invars if is_var(v))
    compared = {
        v
        for eqn in eqns
        if eqn.primitive.name == "eq" and all(map(is_var, eqn.invars))
        for v in eqn.invars
        if reads[v] > 1 and jnp.issubdtype(dtype_of(v), jnp.inexact)
    }
    rewritten = []
    for eqn in eqns:
        fresh = {v: Var(v.aval) for v in eqn.outvars if v in compared}
        if fresh:
            eqn = eqn.replace(outvars=[fresh.get(v, v) for v in eqn.outvars])
        rewritten.append(eqn)
        rewritten += [_stored(new, old) for old, new in fresh.items()]
    return rewritten


def _stored(before: Var, after: Var) -> JaxprEqn:
    """Make the equation that holds a value in memory, for all that read it."""
    (eqn,) = jax.make_jaxpr(stored)(before.aval).eqns
    return eqn.replace(invars=[before], outvars=[after])
