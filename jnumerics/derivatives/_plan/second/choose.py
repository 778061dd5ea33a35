"""The plan of the second order: collapsed, or nested, and why.

Collapsed Taylor mode needs a first derivative that is proven linear and a program that
jets can pass; what lacks either is nested. Where colors of the Hessian's graph let
inputs share a direction (`colors`), it takes fewer of them. Of a scalar both ways are
counted: a narrow place in the gradient may leave the nested one fewer passes.
"""

from jnumerics.derivatives._modes.collapsed.sweep import Directions, Swept
from jnumerics.derivatives._plan.second import colors, nested
from jnumerics.derivatives._plan.second.collapsed import collapsed
from jnumerics.derivatives._plan.second.nested import NestedScalar
from jnumerics.derivatives._plan.second.request import Request, Way

MODES = ("nested", "collapsed")
FEW = 8  # directions: so few that nested passes cannot pay
WORTH_IT = 0.9  # of the collapsed way: the most the nested one may cost


def choose(request: Request, mode: str) -> Way:
    """Choose a way.

    Raises:
        ValueError: If the mode does not serve the function, or the bound is too small.
    """
    if mode == "nested":
        return _nested(request)
    found = collapsed(request)
    if isinstance(found, str):
        if mode == "auto":
            return _nested(request)
        msg = f"`mode` must be one that serves `fun`, got {mode!r}: {found}"
        raise ValueError(msg)
    other = _alternative(request) if found.count > FEW else None
    if found.count > FEW and request.directions is None:
        found = found.along(shared(request, other))
    try:
        bounded = found.within(request.max_bytes)
    except ValueError:  # the bound is too small for one direction
        if mode == "auto" and request.is_scalar:
            return _nested(request)
        raise
    if mode == "collapsed" or other is None:
        return bounded
    is_nested = other.cost.seconds < WORTH_IT * bounded.seconds
    return _of_scalar(other) if is_nested else bounded


def _alternative(request: Request) -> NestedScalar | None:
    """Return the nested way of a scalar, None where there is none."""
    try:
        return request.nested() if request.is_scalar else None
    except Exception:  # whatever its reason: no reverse mode, or the bound
        return None


def shared(request: Request, other: NestedScalar | None) -> Directions | None:
    """Return few directions, of inputs that are proven to share them."""
    if other is not None:
        return colors.of_plan(other.plan, request.point)
    try:
        avals = request.target.out_avals
        fun, point, vouched = request.restricted, request.point, request.vouched
        return colors.of_gradient(fun, point, avals, vouched=vouched)
    except Exception:  # whatever its reason: no reverse mode
        return None


def _nested(request: Request) -> Way:
    point, directions = request.point, request.directions
    if not request.is_scalar:
        chunk = None if request.max_bytes is None else 1

        def entries() -> Swept:
            vouched, fun = request.vouched, request.restricted
            laps = nested.of_entries(
                fun, point, directions, vouched=vouched, chunk=chunk
            )
            return Swept([], [], laps)

        return Way("nested", 0.0, entries)
    return _of_scalar(request.nested())


def _of_scalar(found: NestedScalar) -> Way:
    def run() -> Swept:
        value, gradient, laplacian = found.run()
        return Swept([value], gradient, [laplacian])

    return Way("nested", found.cost.seconds, run)
