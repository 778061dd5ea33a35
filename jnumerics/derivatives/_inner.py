"""Functions inside equations: the roles of a scan's operands, the bodies of calls."""

from typing import Any, NamedTuple

import jax
from jax.extend.core import JaxprEqn

from jnumerics.derivatives._equations import open_jaxpr


class ScanRoles(NamedTuple):
    """How many operands of each role a scan has.

    Attributes:
        n_consts: Constants, the first of its inputs.
        n_carry: Carried values: the next of its inputs, and the first of its outputs.
        n_whole: Inputs that are not stacked: both together.
    """

    n_consts: int
    n_carry: int
    n_whole: int


def scan_roles(eqn: JaxprEqn) -> ScanRoles:
    """Read the roles of a scan equation's operands, from shapes.

    What is stacked has one axis more outside the body than inside. The order is:
    constants, carry, stacked inputs; carry, stacked outputs. JAX 0.12 dropped the
    parameters that said how many there are of each.
    """
    body = open_jaxpr(eqn.params["jaxpr"])
    n_carry = sum(map(_same_rank, eqn.outvars, body.outvars))
    n_whole = sum(map(_same_rank, eqn.invars, body.invars))
    return ScanRoles(n_whole - n_carry, n_carry, n_whole)


def _same_rank(outer: Any, inner: Any) -> bool:
    return len(outer.aval.shape) == len(inner.aval.shape)


def body_of_call(eqn: JaxprEqn) -> Any:
    """Return the jaxpr that a call stands for, None where there is none."""
    for name in ("call_jaxpr", "callee"):
        if name in eqn.params:
            body = eqn.params[name]
            return body if len(open_jaxpr(body).invars) == len(eqn.invars) else None
    prim: Any = eqn.params.get("_prim")

    def expanded(*operands: Any) -> Any:
        return prim.expand(*jax.tree.unflatten(prim.in_tree, operands))

    try:
        return jax.make_jaxpr(expanded)(*(v.aval for v in eqn.invars))
    except Exception:
        return None  # whatever its reason: the call stays opaque
