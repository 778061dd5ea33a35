"""Boxes pass from the tangents of the inputs through every linear equation."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from jnumerics.derivatives._dependence.boxes import Box
from jnumerics.derivatives._dependence.constants.fold import Constants
from jnumerics.derivatives._dependence.rules import apply
from jnumerics.derivatives._program.inline import flatten, pullback_of
from jnumerics.derivatives._program.jaxpr import (
    UNKNOWN_LINE,
    Equation,
    JaxprEqn,
    Var,
    inner_jaxprs,
    is_index,
    is_var,
    open_jaxpr,
    shape_of,
    variables,
)

Pass = tuple[Sequence[Equation], Mapping[Var, Box]]


class _Bodies(dict[Any, "_Body"]):
    """Bodies by the identity of their jaxpr; what happens inside is recorded.

    Attributes:
        passes: All passes of bodies, if it is a list.
        stack: The equations around the one that is being passed, outermost first.
        joined: Operations that no rule served, with the user's line.
    """

    passes: list[Pass] | None = None
    trusts_solvers = False

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[Equation] = []
        self.joined: dict[tuple[str, str], None] = {}

    def note(self) -> None:
        """Record the equation that is being passed as one that no rule serves."""
        lines = [equation.line for equation in reversed(self.stack)]
        line = next((line for line in lines if line != UNKNOWN_LINE), UNKNOWN_LINE)
        self.joined[self.stack[-1].name, line] = None


class _Context:
    """The program around an equation, as the rules see it."""

    def __init__(self, known: Constants, bodies: _Bodies) -> None:
        self.known = known
        self.nonzero = known.nonzero
        self.columns = known.columns
        self.trusts_solvers = bodies.trusts_solvers
        self.bodies = bodies

    def body(self, jaxpr: Any, reached: Sequence[bool]) -> "_Body":
        key = (id(jaxpr), tuple(reached))
        if key not in self.bodies:
            self.bodies[key] = _Body(jaxpr, reached, self.bodies)
        return self.bodies[key]

    def pullback(self, eqn: JaxprEqn) -> "_Body | None":
        if eqn not in self.bodies:
            rule = pullback_of(eqn)
            if rule is None:
                return None
            moves = [k >= eqn.params["num_res"] for k in range(len(rule.in_avals))]
            self.bodies[eqn] = _Body(rule, moves, self.bodies)
        return self.bodies[eqn]


class _Body:
    """A jaxpr among an equation's parameters, flattened once."""

    def __init__(self, jaxpr: Any, reached: Sequence[bool], bodies: _Bodies) -> None:
        flat = flatten(jaxpr, reached)
        self._jaxpr, self._bodies = jaxpr, bodies  # the key is the jaxpr's identity
        self._inputs, self._outputs, self._consts = (
            flat.inputs,
            flat.outputs,
            flat.consts,
        )
        is_linear = [not flat.reached.isdisjoint(variables(e)) for e in flat.equations]
        pairs = list(zip(flat.equations, is_linear, strict=True))
        self._primal = [e for e, linear in pairs if not linear]
        self._linear = [e for e, linear in pairs if linear]
        self.reached = [is_var(v) and v in flat.reached for v in flat.outputs]
        self.length = sum(map(_count, (e.eqn for e in self._linear)))
        self.size = sum(
            math.prod(shape_of(v)) for e in self._linear for v in e.eqn.outvars
        )

    def __call__(
        self,
        boxes: Sequence[Box | None],
        values: Sequence[Any],
        varying: Sequence[int] = (),
    ) -> tuple[list[Box | None], bool]:
        known = self._known(values, varying)
        seeds = {
            v: b for v, b in zip(self._inputs, boxes, strict=True) if b is not None
        }
        found = _propagate(self._linear, seeds, _Context(known, self._bodies))
        if self._bodies.passes is not None:
            self._bodies.passes.append((self._linear, found))
        outputs = [found.get(v) if isinstance(v, Var) else None for v in self._outputs]
        return outputs, known.has_varied

    def values(self, values: Sequence[Any]) -> list[Any]:
        known = self._known(values, ())
        return [known(v) if is_index(v) else None for v in self._outputs]

    def _known(self, values: Sequence[Any], varying: Sequence[int]) -> Constants:
        given = dict(self._consts)
        pairs = zip(self._inputs, values, strict=True)
        given.update((v, x) for v, x in pairs if x is not None)
        moving = [self._inputs[k] for k in varying if values[k] is not None]
        return Constants(self._primal, given, moving)


def _count(eqn: Any) -> int:
    """Count the equations that one pass takes, loops followed."""
    inner = sum(_count(e) for body in inner_jaxprs(eqn) for e in open_jaxpr(body).eqns)
    return max(inner * eqn.params.get("length", 1), 1)


def propagate(
    equations: Sequence[Equation], seeds: Mapping[Var, Box], known: Constants
) -> dict[Var, Box]:
    """Pass boxes through linear equations.

    Args:
        equations: In order.
        seeds: Boxes of the variables to start from.
        known: Values of the primal program.

    Returns:
        The boxes of all variables that are reached, the seeds among them.
    """
    return _propagate(equations, seeds, _Context(known, _bodies_of(known)))


def joined(known: Constants) -> list[tuple[str, str]]:
    """Return operations that no rule served, and the user's lines, of all passes so far.

    Their outputs were taken to depend on all that entered, along every axis: a
    primitive
    without a rule, a parameter that its rule does not know, or an operand that is no
    tangent by right, such as the matrix of a solve. Those inside loops and branches
    are among them.
    """
    return list(_bodies_of(known).joined)


def _bodies_of(known: Constants) -> _Bodies:
    bodies = known.cache.setdefault("bodies", _Bodies())
    bodies.trusts_solvers = known.trusts_solvers
    return bodies


def passes_inside(
    equation: Equation, found: Mapping[Var, Box], known: Constants
) -> list[Pass]:
    """Pass boxes through one equation again, and return all passes of its bodies."""
    bodies = _Bodies()
    bodies.passes = []
    bodies.trusts_solvers = known.trusts_solvers
    _propagate([equation], found, _Context(known, bodies))
    return bodies.passes


def _propagate(
    equations: Sequence[Equation], seeds: Mapping[Var, Box], context: _Context
) -> dict[Var, Box]:
    found = dict(seeds)
    for equation in equations:
        eqn = equation.eqn
        boxes = [found.get(v) if isinstance(v, Var) else None for v in eqn.invars]
        if any(box is not None for box in boxes):
            context.bodies.stack.append(equation)
            results, is_served = apply(context, eqn, boxes)
            if not is_served:
                context.bodies.note()
            context.bodies.stack.pop()
            found.update(zip(eqn.outvars, results, strict=True))
    return found
