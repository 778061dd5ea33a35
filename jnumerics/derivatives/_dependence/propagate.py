"""Propagation: boxes pass from the inputs' tangents through every linear equation."""

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
    """Bodies by the identity of their jaxpr, and a record of what happens inside.

    Attributes:
        passes: All passes of bodies, where they are recorded.
        stack: The equations that are being passed, outermost first.
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

    def __init__(self, constants: Constants, bodies: _Bodies) -> None:
        self.constant = constants
        self.nonzero = constants.nonzero
        self.columns = constants.columns
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
        constants = self._constants(values, varying)
        seeds = {
            v: b for v, b in zip(self._inputs, boxes, strict=True) if b is not None
        }
        box_of = _propagate(self._linear, seeds, _Context(constants, self._bodies))
        if self._bodies.passes is not None:
            self._bodies.passes.append((self._linear, box_of))
        outputs = [box_of.get(v) if isinstance(v, Var) else None for v in self._outputs]
        return outputs, constants.has_varied

    def values(self, values: Sequence[Any]) -> list[Any]:
        constants = self._constants(values, ())
        return [constants(v) if is_index(v) else None for v in self._outputs]

    def _constants(self, values: Sequence[Any], varying: Sequence[int]) -> Constants:
        concrete = dict(self._consts)
        pairs = zip(self._inputs, values, strict=True)
        concrete.update((v, x) for v, x in pairs if x is not None)
        moving = [self._inputs[k] for k in varying if values[k] is not None]
        return Constants(self._primal, concrete, moving)


def _count(eqn: Any) -> int:
    """Count the equations that one pass takes, those of all steps of loops included."""
    inner = sum(_count(e) for body in inner_jaxprs(eqn) for e in open_jaxpr(body).eqns)
    return max(inner * eqn.params.get("length", 1), 1)


def propagate(
    equations: Sequence[Equation], seeds: Mapping[Var, Box], constants: Constants
) -> dict[Var, Box]:
    """Pass boxes through linear equations.

    Args:
        equations: In order.
        seeds: Boxes of the variables to start from.
        constants: Values of the primal program.

    Returns:
        The boxes of all variables that are reached, the seeds among them.
    """
    return _propagate(equations, seeds, _Context(constants, _bodies_of(constants)))


def joined(constants: Constants) -> list[tuple[str, str]]:
    """Return the operations that no rule served so far, with the user's lines.

    Their outputs were taken to depend on all that entered, along every axis. The reason
    is a primitive without a rule, a parameter that its rule does not know, or a tangent
    in an operand for which the rule expects none, such as the matrix of a solve.
    Operations inside loops and branches are among them.
    """
    return list(_bodies_of(constants).joined)


def _bodies_of(constants: Constants) -> _Bodies:
    bodies = constants.cache.setdefault("bodies", _Bodies())
    bodies.trusts_solvers = constants.trusts_solvers
    return bodies


def passes_inside(
    equation: Equation, boxes: Mapping[Var, Box], constants: Constants
) -> list[Pass]:
    """Pass boxes through one equation again, and return all passes of its bodies."""
    bodies = _Bodies()
    bodies.passes = []
    bodies.trusts_solvers = constants.trusts_solvers
    _propagate([equation], boxes, _Context(constants, bodies))
    return bodies.passes


def _propagate(
    equations: Sequence[Equation], seeds: Mapping[Var, Box], context: _Context
) -> dict[Var, Box]:
    box_of = dict(seeds)
    for equation in equations:
        eqn = equation.eqn
        boxes = [box_of.get(v) if isinstance(v, Var) else None for v in eqn.invars]
        if any(box is not None for box in boxes):
            context.bodies.stack.append(equation)
            results, is_served = apply(context, eqn, boxes)
            if not is_served:
                context.bodies.note()
            context.bodies.stack.pop()
            box_of.update(zip(eqn.outvars, results, strict=True))
    return box_of
