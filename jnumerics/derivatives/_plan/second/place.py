"""Where a program is narrow: a place through which few directions go on.

A sweep pushes c directions through each equation. Where all paths cross a place of d
numbers, d of them suffice behind it, so that the work is about

    c (operations before it) + d (operations behind it) + c d (numbers behind it)

The best place is sought among the minimum cuts of a network in which a number in the
cut costs 1, and each equation before it its share of all operations, times one of a few
weights: for each of these the cut is exact, and the sum above chooses between them.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import jax

from jnumerics.derivatives._modes.collapsed.elementwise import CONSTANT
from jnumerics.derivatives._modes.collapsed.narrow import Narrow
from jnumerics.derivatives._modes.collapsed.sweep import Sweep
from jnumerics.derivatives._modes.flow import Network, minimum_cut
from jnumerics.derivatives._plan.cost import WEIGHTS, Weights, count, factoring
from jnumerics.derivatives._program.inline import Flat, flatten
from jnumerics.derivatives._program.jaxpr import (
    Equation,
    Var,
    closed,
    dtype_of,
    is_var,
    open_jaxpr,
    shape_of,
    variables,
)
from jnumerics.derivatives._program.linearity.directions import (
    OneWay,
    is_inexact,
    reach,
)
from jnumerics.derivatives._program.tangent import needed_for

# of all operations, in numbers of the cut and shares of the directions
_PRICES = (4.0, 1.0, 1 / 4, 1 / 16)
_OPERATIONS = Weights(bandwidth=math.inf, fixed=0.0)
_STEP = 8  # parts of a number in the cut, the unit of the network's integers


class _Place(NamedTuple):
    crossed: list[Var]
    width: int
    behind: int  # numbers made there
    seconds: float  # about, of both sweeps


def narrowed(sweep: Sweep, at_most: float) -> Narrow | str:
    """Return a sweep through its program's narrow place, or why there is none.

    Args:
        sweep: All directions in one sweep.
        at_most: The operations that both sweeps may take, as a share of its own.
    """
    active = set(sweep.active)
    moves = [k in active for k in range(len(open_jaxpr(sweep.jaxpr).invars))]
    flat = flatten(sweep.jaxpr, moves, keeps_rules=True)
    for equation in flat.equations:
        if equation.eqn.effects:
            return f"{equation.name} at {equation.line} has an effect"
    starts = [v for v, moved in zip(flat.inputs, moves, strict=True) if moved]
    moving = _Moving.from_inputs(flat, starts)
    place = _best(moving, sweep.directions.count, at_most)
    if place is None:
        share = "" if at_most == 1 else f" to save {1 - at_most:.0%} of the operations"
        return f"no place is narrow enough{share}"
    return _laid_out(sweep, flat, place)


def _laid_out(sweep: Sweep, flat: Flat, place: _Place) -> Narrow:
    """Part the program at a place."""
    crossed = place.crossed
    before = needed_for(flat.equations, crossed)
    after = _behind(flat, crossed)
    widest = max(crossed, key=_size)
    maker = next((e for e in before if widest in e.eqn.outvars), None)
    first = replace(
        sweep,
        jaxpr=closed([e.eqn for e in before], flat.inputs, crossed, flat.consts),
        keeps_jacs=True,
    )
    return Narrow(
        before=first,
        after=closed(
            [e.eqn for e in after],
            [*flat.inputs, *crossed],
            flat.outputs,
            flat.consts,
        ),
        width=place.width,
        where=f"{maker.name}, {maker.line}" if maker else "the arguments",
        keeps_jacs=sweep.keeps_jacs,
        is_factored=_pays(place, sweep.directions.count) and _is_constant(first),
    )


def _pays(place: _Place, directions: int) -> bool:
    """Whether a factor of the derivatives at a place costs less than it saves."""
    width, dtypes = place.width, {str(dtype_of(v)) for v in place.crossed}
    if directions <= width or len(dtypes) > 1 or not dtypes <= {"float32", "float64"}:
        return False
    saved = 2 * (directions - width) * width * place.behind / WEIGHTS.product
    return factoring(directions, width) / WEIGHTS.factor < saved


def _is_constant(before: Sweep) -> bool:
    """Whether the derivatives at a place are the same at every point."""
    jaxpr = open_jaxpr(before.jaxpr)
    leaves = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in jaxpr.invars]
    program = jax.make_jaxpr(lambda leaves: before(leaves).jacs)(leaves)
    flat = flatten(program, [k in before.active for k in range(len(leaves))])
    return flat.reached.isdisjoint(filter(is_var, flat.outputs))


def _behind(flat: Flat, crossed: list[Var]) -> list[Equation]:
    """Return the equations behind a place.

    One that makes a part of the place may make other values that are read there: what
    it makes of the place is not.
    """
    behind = []
    for equation in needed_for(flat.equations, flat.outputs, crossed):
        outvars = [Var(v.aval) if v in crossed else v for v in equation.eqn.outvars]
        behind.append(equation._replace(eqn=equation.eqn.replace(outvars=outvars)))
    return behind


class _Moving(NamedTuple):
    """The part of a program that derivatives go through.

    Attributes:
        equations: Its equations.
        inputs: Where they start.
        outputs: The results that move.
        variables: All that moves, these among them.
        seconds: Of each equation's operations, for one direction.
    """

    equations: list[Equation]
    inputs: list[Var]
    outputs: list[Var]
    variables: set[Var]
    seconds: list[float]

    @classmethod
    def from_inputs(cls, flat: Flat, inputs: list[Var]) -> "_Moving":
        moving = set(inputs)
        equations = []
        for e in flat.equations:
            if e.name not in CONSTANT and not moving.isdisjoint(variables(e)):
                moving.update(v for v in e.eqn.outvars if is_inexact(v))
                equations.append(e)
        results = dict.fromkeys(filter(is_var, flat.outputs))
        outputs = [v for v in results if v in moving]
        needed, wanted = [], set(outputs)
        for e in reversed(equations):
            if not wanted.isdisjoint(e.eqn.outvars):
                needed.insert(0, e)
                wanted.update(v for v in variables(e) if v in moving)
        seconds = [count(closed([e.eqn], [], []), _OPERATIONS).seconds for e in needed]
        return cls(needed, [v for v in inputs if v in wanted], outputs, wanted, seconds)

    def seconds_behind(self, width: int) -> float:
        """Return those of all equations behind any variable that is narrower.

        A cut of fewer numbers holds such variables alone.
        """
        behind = reach(self.equations, (v for v in self.variables if _size(v) < width))
        pairs = zip(self.equations, self.seconds, strict=True)
        return sum((s for e, s in pairs if not behind.isdisjoint(variables(e))), 0.0)


def _best(moving: _Moving, directions: int, at_most: float) -> _Place | None:
    """Return the place with the least work of all cuts, if it saves enough."""
    whole = directions * sum(moving.seconds)
    most_saved = directions * moving.seconds_behind(directions)
    if not moving.outputs or not whole or most_saved <= (1 - at_most) * whole:
        return None
    cuts = (_cut(moving, directions * price) for price in _PRICES)
    places = [_place(moving, cut, directions) for cut in cuts if cut]
    best = min(places, key=lambda place: place.seconds, default=None)
    return best if best and best.seconds < at_most * whole else None


def _cut(moving: _Moving, price: float) -> list[Var]:
    """Return the cheapest cut, all operations before it costing `price` numbers."""
    total = sum(moving.seconds)
    prices = {}
    for equation, seconds in zip(moving.equations, moving.seconds, strict=True):
        first = next(v for v in equation.eqn.outvars if v in moving.variables)
        prices[first] = round(_STEP * price * seconds / total)
    network = Network(
        moving.equations, moving.inputs, moving.outputs, OneWay([], []), prices
    )
    sizes = network.sizes(moving.variables, lambda v: _STEP * _size(v))
    crossed = minimum_cut(network, sizes)
    return [] if isinstance(crossed, str) else crossed


def _place(moving: _Moving, crossed: list[Var], directions: int) -> _Place:
    """Count the work of both sweeps around a cut."""
    width = sum(map(_size, crossed))
    before = {id(e.eqn) for e in needed_for(moving.equations, crossed)}
    after = needed_for(moving.equations, moving.outputs, crossed)
    pairs = list(zip(moving.equations, moving.seconds, strict=True))
    first = sum(s for e, s in pairs if id(e.eqn) in before)
    behind = {id(e.eqn) for e in after}
    second = sum(s for e, s in pairs if id(e.eqn) in behind)
    numbers = sum(_size(v) for e in after for v in e.eqn.outvars)
    combining = 2 * directions * width * numbers / WEIGHTS.product
    seconds = directions * first + width * second + combining
    return _Place(crossed, width, numbers, seconds)


def _size(var: Var) -> int:
    return math.prod(shape_of(var))
