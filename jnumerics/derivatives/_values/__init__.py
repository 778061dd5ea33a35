"""Index arithmetic in NumPy: what a known equation computes, without compiling it.

Evaluating an equation by JAX compiles it; indices and masks are made by few primitives,
which stand here in NumPy. As in a box, an axis along which a value does not change has
length 1.

A mask that depends on how a float was rounded is not known: a compiler may fuse or
reorder the arithmetic. So floats carry a bound of their error, and what turns floats
to integers or booleans must come out the same over the whole of it.
"""

from collections.abc import Sequence

import jax
import jax.extend.core as jex
import numpy as np
from jax.extend.core import JaxprEqn, Var

from jnumerics.derivatives._equations import Atom, closed
from jnumerics.derivatives._rules._boxes import dtype_of, shape_of
from jnumerics.derivatives._values import _arithmetic, _movement, _reduction
from jnumerics.derivatives._values._movement import MOVES, moved
from jnumerics.derivatives._values._value import EVALUATORS, Value, is_float

__all__ = ["Value", "evaluate", "families"]

families = (_arithmetic, _movement, _reduction)
_NEVER_ROUND = {"sort", "top_k"}


def evaluate(eqn: JaxprEqn, operands: Sequence[Value]) -> Sequence[Value] | None:
    """Evaluate an equation; None where its value must not be relied on."""
    name = eqn.primitive.name
    with np.errstate(all="ignore"):
        if name in EVALUATORS:
            return EVALUATORS[name](eqn, operands)
        if name in MOVES:
            return moved(eqn, operands)
    rounds = name not in _NEVER_ROUND and any(
        is_float(dtype_of(v)) for v in eqn.outvars
    )
    if rounds or any(x.error for x in operands):
        return None
    return _by_jax(eqn, operands)


def _by_jax(eqn: JaxprEqn, operands: Sequence[Value]) -> Sequence[Value]:
    inputs = [Var(v.aval) for v in eqn.invars]
    call = eqn.replace(invars=list[Atom](inputs))
    fun = jex.jaxpr_as_fun(closed([call], inputs, eqn.outvars))
    with jax.ensure_compile_time_eval():
        results = fun(*(x.full for x in operands))
        return [
            Value(np.asarray(y), shape_of(v))
            for y, v in zip(results, eqn.outvars, strict=True)
        ]
