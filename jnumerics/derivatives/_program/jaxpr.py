"""Equations of jaxprs: what they read, what is inside, where the user wrote them."""

import functools
import itertools
import os
import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.extend.core as jex
import jax.numpy as jnp
import jaxlib
import jaxtyping
import numpy as np
from jax.extend.core import JaxprEqn, Literal, Var

Atom = Var | Literal
UNKNOWN_LINE = "an unknown line"
WIDE = {"float64", "complex128"}
REMATS = {"remat", "remat2", "checkpoint"}


class Equation(NamedTuple):
    """An equation with the calls it was inlined from, outermost first."""

    eqn: JaxprEqn
    callers: tuple[JaxprEqn, ...]

    @property
    def name(self) -> str:
        """Name of the primitive."""
        return self.eqn.primitive.name

    @property
    def line(self) -> str:
        """The user's file and line: the innermost frame outside JAX and jnumerics.

        A custom_vjp function that is differentiated itself has no such frame: there it
        is the line of its backward rule.
        """
        around = (self.eqn, *reversed(self.callers))
        for eqn in itertools.chain(around, equations_inside(self.eqn)):
            stack = eqn.source_info.traceback
            for frame in stack.frames if stack else ():
                if is_user_file(frame.file_name):
                    return f"{shown(frame.file_name)}:{frame.line_num}"
        rules = (getattr(eqn.params.get("bwd"), "f", None) for eqn in around)
        codes = (getattr(rule, "__code__", None) for rule in rules)
        users = (c for c in codes if c is not None and is_user_file(c.co_filename))
        return next(map(_first_line, users), UNKNOWN_LINE)


def _first_line(code: types.CodeType) -> str:
    return f"{shown(code.co_filename)}:{code.co_firstlineno}"


def closed(
    eqns: Sequence[JaxprEqn],
    inputs: Sequence[Var],
    outputs: Sequence[Atom],
    consts: Mapping[Var, Any] | None = None,
) -> Any:
    """Make a closed jaxpr of equations in order, over the values of some variables."""
    info = jex.DebugInfo("tangent program", "jnumerics.derivatives", None, None)
    known = consts or {}
    jaxpr = jex.Jaxpr(
        list(known), list(inputs), list(outputs), list(eqns), debug_info=info
    )
    return jex.ClosedJaxpr(jaxpr, list(known.values()))


def as_function(
    eqns: Sequence[JaxprEqn], inputs: Sequence[Var], outputs: Sequence[Atom]
) -> Any:
    """Return the function that equations in order are."""
    return jex.jaxpr_as_fun(closed(eqns, inputs, outputs))


def open_jaxpr(jaxpr: Any) -> Any:
    """Return the jaxpr without its constants."""
    return getattr(jaxpr, "jaxpr", jaxpr)


def constants(jaxpr: Any) -> Sequence[Any]:
    """Return the values of a jaxpr's constants."""
    return getattr(jaxpr, "consts", ())


def with_constants(jaxpr: Any, consts: Sequence[Any]) -> Any:
    """Return a closed jaxpr with other values of its constants."""
    return jex.ClosedJaxpr(open_jaxpr(jaxpr), list(consts))


def is_var(atom: Atom) -> bool:
    """Whether an atom is a variable rather than a literal."""
    return isinstance(atom, Var)


def variables(equation: Equation) -> Iterator[Var]:
    """Yield the variables that an equation reads."""
    return (v for v in equation.eqn.invars if isinstance(v, Var))


def inner_jaxprs(eqn: JaxprEqn) -> Iterator[Any]:
    """Yield the jaxprs among an equation's parameters."""
    for value in eqn.params.values():
        for item in value if isinstance(value, tuple | list) else (value,):
            if isinstance(item, jex.Jaxpr | jex.ClosedJaxpr):
                yield item


def equations_inside(eqn: JaxprEqn) -> Iterator[JaxprEqn]:
    """Yield the equations of the jaxprs inside an equation, at every depth."""
    for jaxpr in inner_jaxprs(eqn):
        for inner in open_jaxpr(jaxpr).eqns:
            yield inner
            yield from equations_inside(inner)


_LIBRARIES = tuple(
    str(Path(module.__file__).parent) + os.sep
    for module in (jax, jaxlib, jaxtyping, sys.modules[__name__.partition(".")[0]])
    if module.__file__
)


@functools.cache
def is_user_file(name: str) -> bool:
    """Whether a file belongs neither to JAX nor to this package."""
    return not name.startswith(("<", *_LIBRARIES))


def shown(file: str) -> str:
    """Return a file's path as a person at the command line would write it."""
    path, here = Path(file), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else file


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
    """Return the jaxpr that a call stands for, None where there is none.

    JAX 0.12 binds `jnp.nonzero`, `jnp.frexp` and `lax.custom_root` whole, as primitives
    of `jax.experimental.hijax` that expand to their operations: without these, indices
    by `nonzero` of a known mask are not known (`test_values`).
    """
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


def evaluate(jaxpr: Any, *args: Any) -> list[Any]:
    """Run a closed program at its inputs."""
    return jex.jaxpr_as_fun(jaxpr)(*args)


def shape_of(atom: Any) -> tuple[int, ...]:
    """Return the shape of a variable or a literal."""
    return atom.aval.shape


def dtype_of(atom: Any) -> Any:
    """Return the dtype of a variable or a literal; of random keys it is JAX's own."""
    return atom.aval.dtype


def is_index(v: Any) -> bool:
    """Whether a variable holds integers or booleans."""
    return not jnp.issubdtype(dtype_of(v), jnp.inexact) and not jnp.issubdtype(
        dtype_of(v), jax.dtypes.extended
    )


def narrow_dtypes(jaxpr: Any, varied: Sequence[Var]) -> set[str]:
    """Find the dtypes below double precision among what depends on `varied`."""
    reached, dtypes = set(varied), set()
    for eqn in open_jaxpr(jaxpr).eqns:
        if reached.isdisjoint(v for v in eqn.invars if is_var(v)):
            continue
        reached.update(eqn.outvars)
        made = {getattr(v.aval, "dtype", np.dtype(bool)) for v in eqn.outvars}
        dtypes |= {str(d) for d in made if jnp.issubdtype(d, jnp.inexact)}
        for inner in inner_jaxprs(eqn):
            dtypes |= narrow_dtypes(inner, open_jaxpr(inner).invars)
    return dtypes - WIDE
