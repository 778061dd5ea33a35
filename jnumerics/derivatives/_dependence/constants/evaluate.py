"""Index arithmetic in NumPy: what a known equation computes, without compiling it.

JAX would compile an equation to evaluate it; indices and masks are made by a few
primitives, which are written here in NumPy. As in a box, an axis along which a value
does not change has length 1.

A mask that depends on how a float was rounded is not known: a compiler may fuse or
reorder the arithmetic. So floats carry bounds of their error, and what turns floats
into integers or booleans must give the same result everywhere within these bounds.

Nothing else is evaluated: random numbers, callbacks, foreign functions, and whatever is
not listed here are unknown.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jnumerics.derivatives._dependence.constants import arithmetic, movement, reduction
from jnumerics.derivatives._dependence.constants.movement import MOVES, moved
from jnumerics.derivatives._dependence.constants.value import (
    EVALUATORS,
    Value,
    constant_value,
    is_float,
    is_plain,
)
from jnumerics.derivatives._program.jaxpr import (
    Atom,
    Equation,
    JaxprEqn,
    Var,
    as_function,
    dtype_of,
    shape_of,
)

__all__ = ["Value", "constant_value", "evaluate", "families"]

families = (arithmetic, movement, reduction)
# Evaluated by JAX: pure, and the same integers, or the same order, on every platform.
BY_JAX = {
    "argmax", "argmin", "clz", "dot_general", "integer_pow", "population_count",
    "reduce_xor", "sort", "top_k",
}  # fmt: skip


def evaluate(eqn: JaxprEqn, operands: Sequence[Value]) -> Sequence[Value] | None:
    """Evaluate an equation; None where its value must not be relied on."""
    name = eqn.primitive.name
    if not all(is_plain(dtype_of(v)) for v in eqn.outvars):
        return None
    with np.errstate(all="ignore"):
        if name in EVALUATORS:
            return EVALUATORS[name](eqn, operands)
        if name in MOVES:
            return moved(eqn, operands)
    if name not in BY_JAX or not _is_ordered_alike(eqn, operands):
        return None
    return _by_jax(eqn, operands)


def _is_ordered_alike(eqn: JaxprEqn, operands: Sequence[Value]) -> bool:
    """Whether every platform orders the operands alike, and rounds nothing."""
    name, floats = eqn.primitive.name, [x for x in operands if is_float(x.array.dtype)]
    if any(x.error or ((x.array == 0) & np.signbit(x.array)).any() for x in floats):
        return False  # some order zeros by their signs
    if name == "sort" and not eqn.params["is_stable"]:
        return eqn.params["num_keys"] == len(operands)  # equal keys come in any order
    moves = name in ("sort", "top_k")
    return moves or not any(is_float(dtype_of(v)) for v in eqn.outvars)


def _by_jax(eqn: JaxprEqn, operands: Sequence[Value]) -> Sequence[Value]:
    inputs = [Var(v.aval) for v in eqn.invars]
    call = eqn.replace(invars=list[Atom](inputs))
    fun = as_function([call], inputs, eqn.outvars)
    with jax.ensure_compile_time_eval():
        results = fun(*(x.full for x in operands))
        return [
            Value(np.asarray(y), shape_of(v))
            for y, v in zip(results, eqn.outvars, strict=True)
        ]


def as_value(x: Any) -> Value | None:
    if isinstance(x, Value):
        return x
    if jnp.issubdtype(jnp.result_type(x), jax.dtypes.extended):
        return None
    return constant_value(np.asarray(x))


MAX_SIZE = 1 << 22  # entries of a value that is worth evaluating at trace time


def is_small(equation: Equation, operands: Sequence[Value]) -> bool:
    """Whether an equation is worth evaluating, by the entries that it would fill."""
    if equation.name in ("iota", "broadcast_in_dim"):
        return True  # views, and one axis
    sizes = [x.array.size for x in operands]
    compact = equation.name in _COMPACT
    sizes += [] if compact else [math.prod(shape_of(v)) for v in equation.eqn.outvars]
    shapes = [x.array.shape for x in operands if x.array.ndim]
    if compact and len({len(s) for s in shapes}) == 1:
        sizes.append(math.prod(np.broadcast_shapes(*shapes)))
    return max(sizes, default=0) <= MAX_SIZE


_COMPACT = {
    "add", "sub", "mul", "div", "rem", "neg", "max", "min", "and", "or", "xor", "not",
    "eq", "ne", "lt", "le", "gt", "ge", "select_n", "convert_element_type",
    "transpose", "squeeze", "slice", "copy", "stop_gradient",
}  # fmt: skip
