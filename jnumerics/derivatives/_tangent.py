"""The tangent program: a function's derivative as a flat list of linear equations.

`trace` linearizes a function at abstract arguments (shapes alone, so that what is
proven of the program holds at every value) and splits the result:

- the **linear** equations are those that the tangents of the inputs reach; each is
  linear in them;
- all others are the **primal** equations; what the linear ones read of them are the
  residuals.

Calls (`jit`, `closed_call`, remat, custom_jvp calls) are inlined, every inner variable
fresh at every inlining; `scan`, `cond` and `while` stay one equation. The linear map of
a custom_vjp function only transposes; transposing it twice makes an ordinary program.

Any part of the list is a function again (`LinearPart`); its transpose is the reverse pass.
"""

import functools
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.extend.core as jex
import jax.numpy as jnp
import jaxlib
from jax.extend.core import JaxprEqn, Literal, Var

Atom = Var | Literal

CALLS = {"jit", "pjit", "closed_call", "core_call"}
LINEAR_CALLS = CALLS | {"remat", "remat2", "checkpoint", "custom_jvp_call"}
_INNER = ("jaxpr", "call_jaxpr")


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
        """The user's file and line: the innermost frame outside JAX and jnumerics."""
        for eqn in (self.eqn, *reversed(self.callers)):
            stack = eqn.source_info.traceback
            for frame in stack.frames if stack else ():
                if is_user_file(frame.file_name):
                    return f"{shown(frame.file_name)}:{frame.line_num}"
        return "an unknown line"


class Flat(NamedTuple):
    """A jaxpr with its calls inlined.

    Attributes:
        inputs: Its inputs.
        outputs: Its outputs.
        equations: Its equations, in order.
        reached: Everything that depends on a tangent among the inputs.
        consts: The values it closes over.
    """

    inputs: list[Var]
    outputs: list[Atom]
    equations: list[Equation]
    reached: set[Var]
    consts: dict[Var, Any]


@dataclass(frozen=True)
class Program:
    """A function's values and its tangent program.

    Attributes:
        inputs: The leaves of all arguments.
        tangents: One for each leaf that is differentiated.
        values: The leaves of the result, then those of aux.
        outputs: The tangents of the result's leaves; None where it is zero.
        primal: The equations of the values and the residuals.
        linear: The equations that the tangents reach.
        consts: The values that the function closes over; tracers among them.
    """

    inputs: list[Var]
    tangents: list[Var]
    values: list[Atom]
    outputs: list[Var | None]
    primal: list[Equation]
    linear: list[Equation]
    consts: dict[Var, Any]

    def evaluate(self, leaves: Sequence[Any]) -> tuple[list[Any], dict[Var, Any]]:
        """Evaluate the primal program: the values, and all that the linear one reads."""
        # constants of NumPy would not be indexed by tracers in a custom rule
        env = {v: jnp.asarray(x) for v, x in self.consts.items()}
        env.update(zip(self.inputs, leaves, strict=True))
        read = {v for e in self.linear for v in variables(e)}
        made = [v for e in self.primal for v in e.eqn.outvars if v in read]
        targets = [*self.values, *made]
        jaxpr = closed([e.eqn for e in self.primal], list(env), targets)
        results = jex.jaxpr_as_fun(jaxpr)(*env.values())
        n = len(self.values)
        env.update(zip(made, results[n:], strict=True))
        return results[:n], env


@dataclass(frozen=True)
class LinearPart:
    """Some linear equations as a function of some of their variables.

    Attributes:
        inputs: What a pass starts from, taken as independent of each other.
        outputs: What it arrives at.
        equations: Those between the two.
        residuals: What else the equations read.
    """

    inputs: list[Var]
    outputs: list[Var]
    equations: list[Equation]
    residuals: list[Var]

    def forward(self, env: dict[Var, Any]) -> Callable[..., list[Any]]:
        """Return the linear map from tangents of `inputs` to those of `outputs`."""
        eqns = [e.eqn for e in self.equations]
        fun = jex.jaxpr_as_fun(
            closed(eqns, [*self.residuals, *self.inputs], self.outputs)
        )
        given = [env[v] for v in self.residuals]
        return lambda *tangents: fun(*given, *tangents)

    def reverse(self, env: dict[Var, Any]) -> Callable[..., list[Any]]:
        """Return its transpose, from cotangents of `outputs` to those of `inputs`."""
        start = [v.aval for v in self.inputs]
        transposed = jax.linear_transpose(self.forward(env), *start)
        return lambda *cotangents: list(transposed(list(cotangents)))


def part(
    equations: Sequence[Equation], inputs: Sequence[Var], outputs: Sequence[Var]
) -> LinearPart:
    """Cut out the equations that lead from `inputs` to `outputs`.

    Every path from elsewhere to `outputs` must cross `inputs`.
    """
    needed = needed_for(equations, outputs, inputs)
    made = {v for e in needed for v in e.eqn.outvars} | set(inputs)
    read = dict.fromkeys(v for e in needed for v in variables(e) if v not in made)
    return LinearPart(list(inputs), list(outputs), needed, list(read))


def needed_for(
    equations: Sequence[Equation], outputs: Iterable[Atom], stop: Iterable[Var] = ()
) -> list[Equation]:
    """Keep the equations that `outputs` need, not going back beyond `stop`."""
    stop = set(stop)
    wanted = {v for v in outputs if isinstance(v, Var)} - stop
    kept = []
    for equation in reversed(equations):
        if not wanted.isdisjoint(equation.eqn.outvars):
            kept.append(equation)
            wanted.update(v for v in variables(equation) if v not in stop)
    return kept[::-1]


def trace(
    fun: Callable[[list[Any]], tuple[list[Any], list[Any]]],
    leaves: Sequence[Any],
    active: Sequence[int],
) -> Program:
    """Trace the tangent program of a function of flat leaves.

    Args:
        fun: From all leaves to (leaves of the result, leaves of aux).
        leaves: The arguments' leaves; only their shapes and dtypes are read.
        active: Positions of the leaves to differentiate with respect to.

    Returns:
        The program, without the equations that nothing needs.

    Raises:
        TypeError: If `fun` needs concrete values, or has effects.
    """
    n_results = 0

    def joint(leaves: list[Any], tangents: list[Any]) -> tuple[Any, Any, Any]:
        def restricted(*xs: Any) -> Any:
            filled = list(leaves)
            for position, x in zip(active, xs, strict=True):
                filled[position] = x
            return fun(filled)

        nonlocal n_results
        point = [leaves[k] for k in active]
        out, pushforward, aux = jax.linearize(restricted, *point, has_aux=True)
        n_results = len(out)
        return out, aux, pushforward(*tangents)

    abstract = [jax.typeof(x) for x in leaves]
    try:
        jaxpr = jax.make_jaxpr(joint)(abstract, [abstract[k] for k in active])
    except _NEEDS_VALUES as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        msg = (
            "`fun` must be traceable, as under jax.jit, got one that needs a concrete "
            f"value at {_line_of_error(error)}: {reason}"
        )
        raise TypeError(msg) from error
    _refuse_effects(jaxpr)
    flat = flatten(jaxpr, [False] * len(leaves) + [True] * len(active))
    return _split(flat, len(leaves), len(flat.outputs) - n_results)


_NEEDS_VALUES = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.NonConcreteBooleanIndexError,
)


def _split(flat: Flat, n_leaves: int, n_values: int) -> Program:
    """Part the joint program in primal and linear equations, and drop the unneeded."""
    values, outputs = flat.outputs[:n_values], flat.outputs[n_values:]
    tangent = [v if is_var(v) and v in flat.reached else None for v in outputs]
    needed = needed_for(flat.equations, [*values, *filter(None, tangent)])
    linear = [e for e in needed if not flat.reached.isdisjoint(variables(e))]
    primal = [e for e in needed if flat.reached.isdisjoint(variables(e))]
    return Program(
        inputs=flat.inputs[:n_leaves],
        tangents=flat.inputs[n_leaves:],
        values=values,
        outputs=tangent,
        primal=primal,
        linear=linear,
        consts=flat.consts,
    )


def flatten(jaxpr: Any, reached: Sequence[bool]) -> Flat:
    """Inline the calls of a closed jaxpr.

    Args:
        jaxpr: The jaxpr.
        reached: For each of its inputs, whether it is a tangent.
    """
    inner = open_jaxpr(jaxpr)
    inputs = [Var(v.aval) for v in inner.invars]
    seeds = {v for v, is_tangent in zip(inputs, reached, strict=True) if is_tangent}
    flat = Flat(inputs, [], [], seeds, {})
    flat.outputs.extend(_inline(flat, jaxpr, inputs, ()))
    return flat


def _inline(
    flat: Flat, jaxpr: Any, arguments: Sequence[Atom], callers: tuple[JaxprEqn, ...]
) -> list[Atom]:
    inner = open_jaxpr(jaxpr)
    names: dict[Var, Atom] = dict(zip(inner.invars, arguments, strict=True))
    for var, value in zip(inner.constvars, constants(jaxpr), strict=True):
        names[var] = fresh = Var(var.aval)
        flat.consts[fresh] = value

    def rename(atom: Atom) -> Atom:
        return names[atom] if isinstance(atom, Var) else atom

    for eqn in inner.eqns:
        operands = [rename(v) for v in eqn.invars]
        is_linear = not flat.reached.isdisjoint(filter(is_var, operands))
        body = _body(eqn, is_linear, operands, flat.reached)
        if body is not None:
            results = _inline(flat, body, operands, (*callers, eqn))
        else:
            results = [Var(v.aval) for v in eqn.outvars]
            renamed = eqn.replace(invars=operands, outvars=results)
            flat.equations.append(Equation(renamed, callers))
            flat.reached.update(results if is_linear else ())
        names.update(zip(eqn.outvars, results, strict=True))
    return [rename(v) for v in inner.outvars]


def _body(
    eqn: JaxprEqn, is_linear: bool, operands: Sequence[Atom], reached: set[Var]
) -> Any:
    """Return the jaxpr to put in place of an equation, if it is a call."""
    name = eqn.primitive.name
    if name == "custom_lin" and is_linear:
        is_tangent = [is_var(v) and v in reached for v in operands]
        return _transposed_twice(eqn, is_tangent)
    if name in (LINEAR_CALLS if is_linear else CALLS):
        return next((eqn.params[k] for k in _INNER if k in eqn.params), None)
    return None


def _transposed_twice(eqn: JaxprEqn, is_tangent: Sequence[bool]) -> Any:
    """Make an ordinary program of a custom_vjp function's linear map, if one exists.

    It only transposes; but the transpose is an ordinary program (the user's backward
    rule), which transposes again unless it holds a true while loop.
    """
    inputs = [Var(v.aval) for v in eqn.invars]
    renamed = eqn.replace(invars=[*inputs])
    call = jex.jaxpr_as_fun(closed([renamed], inputs, eqn.outvars))
    results = [v.aval for v in eqn.outvars]

    def forward(*operands: Any) -> list[Any]:
        tangents = [x for x, t in zip(operands, is_tangent, strict=True) if t]

        def linear(*ts: Any) -> list[Any]:
            moving = iter(ts)
            pairs = zip(operands, is_tangent, strict=True)
            return call(*(next(moving) if t else x for x, t in pairs))

        backward = jax.linear_transpose(linear, *tangents)
        again = jax.linear_transpose(backward, results)
        return again(tuple(tangents))[0]

    try:
        return jax.make_jaxpr(forward)(*(v.aval for v in eqn.invars))
    except Exception:
        return None  # whatever the rule's reason: it stays reverse-only


def closed(
    eqns: Sequence[JaxprEqn], inputs: Sequence[Var], outputs: Sequence[Atom]
) -> Any:
    """Make a closed jaxpr of equations in order."""
    info = jex.DebugInfo("tangent program", "jnumerics.derivatives", None, None)
    jaxpr = jex.Jaxpr([], list(inputs), list(outputs), list(eqns), debug_info=info)
    return jex.ClosedJaxpr(jaxpr, [])


def open_jaxpr(jaxpr: Any) -> Any:
    """Return the jaxpr without its constants."""
    return getattr(jaxpr, "jaxpr", jaxpr)


def constants(jaxpr: Any) -> Sequence[Any]:
    """Return the values of a jaxpr's constants."""
    return getattr(jaxpr, "consts", ())


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


def _refuse_effects(jaxpr: Any, callers: tuple[JaxprEqn, ...] = ()) -> None:
    for eqn in open_jaxpr(jaxpr).eqns:
        inner = list(inner_jaxprs(eqn))
        for body in inner:
            _refuse_effects(body, (*callers, eqn))
        if (eqn.effects and not inner) or "callback" in eqn.primitive.name:
            line = Equation(eqn, callers).line
            msg = (
                f"`fun` must be free of effects and callbacks, got {eqn.primitive.name}"
                f" at {line}: the derivative's program is taken apart, which drops them"
            )
            raise TypeError(msg)


_LIBRARIES = tuple(
    str(Path(module.__file__).parent) + os.sep
    for module in (jax, jaxlib, sys.modules[__name__.partition(".")[0]])
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


def _line_of_error(error: BaseException) -> str:
    """Return the innermost frame of the user's in an exception's traceback."""
    frames = [
        f"{shown(frame.f_code.co_filename)}:{number}"
        for frame, number in traceback.walk_tb(error.__traceback__)
        if is_user_file(frame.f_code.co_filename)
    ]
    return frames[-1] if frames else "an unknown line"
