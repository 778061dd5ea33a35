"""The collapsed mode of a request: its directions, how many at a time, its cost."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
from jaxtyping import Array

from jnumerics.derivatives._modes.collapsed.operation import NotServedError
from jnumerics.derivatives._modes.collapsed.sweep import (
    Directions,
    Sweep,
    Swept,
    basis,
    given,
)
from jnumerics.derivatives._plan import cost as _cost
from jnumerics.derivatives._plan.memory import FIXED, temporary_bytes
from jnumerics.derivatives._plan.second.request import Request, Way
from jnumerics.derivatives._program import effects
from jnumerics.derivatives._program.inline import as_array, flatten
from jnumerics.derivatives._program.jaxpr import as_function, closed
from jnumerics.derivatives._program.tangent import needed_for
from jnumerics.derivatives._program.trace import Target

COPIES = 3.0  # times: products turn their operands, the last chunk has its own


@dataclass(frozen=True)
class Collapsed:
    """The collapsed way, before it is known how many directions go at a time.

    Attributes:
        request: What is asked.
        sweep: How all directions go through.
        whole: Its program with all of them at once.
    """

    request: Request
    sweep: Sweep
    whole: "_Traced"

    @property
    def count(self) -> int:
        """How many directions."""
        return self.sweep.directions.count

    @property
    def seconds(self) -> float:
        """The predicted cost, of all directions at once."""
        request = self.request
        if not request.wants_first or self.sweep.keeps_jacs:
            return self.whole.seconds
        gradient = jax.make_jaxpr(request.value_and_gradient)(*request.point)
        return self.whole.seconds + _cost.count(gradient).seconds

    def along(self, directions: Directions | None) -> "Collapsed":
        """Return the same along fewer directions, if that is cheaper."""
        if directions is None:
            return self
        sweep = replace(
            self.sweep,
            directions=directions,
            keeps_jacs=False,
            effects=not self.request.wants_first,
        )
        whole = _Traced(sweep, self.request.target.leaves, None)
        found = replace(self, sweep=sweep, whole=whole)
        return found if found.seconds < self.seconds else self

    def within(self, max_bytes: int | None) -> Way:
        """Return the way below a bound, some directions at a time.

        Raises:
            ValueError: If that is too small for one.
        """
        program, leaves = self.whole, self.request.target.leaves
        if max_bytes is not None and program.bytes > max_bytes:
            program = self._chunked(max_bytes)

        def run() -> Swept:
            found = program.run(leaves)
            return found._replace(jacs=self._gradient(found))

        return Way("collapsed", self.seconds, run)

    def _gradient(self, found: Swept) -> list[Array]:
        """Return a scalar's gradient: the sweep's own rows, or by one reverse pass."""
        if not self.request.wants_first:
            return []
        if not self.sweep.keeps_jacs:
            return self.request.value_and_gradient(*self.request.point)[1]
        parts, before = [], 0
        for x in self.request.point:
            parts.append(found.jacs[0][before : before + x.size].reshape(x.shape))
            before += x.size
        return parts

    def _chunked(self, max_bytes: int) -> "_Traced":
        leaves = self.request.target.leaves
        one = _Traced(self.sweep, leaves, 1) if self.count > 1 else self.whole
        if one.bytes > max_bytes:
            msg = (
                f"`max_bytes` must be at least {one.bytes} for one direction, "
                f"got {max_bytes}"
            )
            raise ValueError(msg)
        slope = max((self.whole.bytes - one.bytes) / (self.count - 1), 1)
        chunk = min(1 + int((max_bytes - one.bytes) / slope), self.count - 1)
        while chunk > 1:
            found = _Traced(self.sweep, leaves, chunk)
            if found.bytes <= max_bytes:
                return found
            chunk //= 2
        return one


def collapsed(request: Request) -> Collapsed | str:
    """Return the collapsed way, or why there is none."""
    ends = request.target.ends
    if ends is not None:
        return ends.reason
    try:
        sweep = _sweep(request, _primal(request.target))
        whole = _Traced(sweep, request.target.leaves, None)
    except NotServedError as reason:
        return f"not through {reason}"
    except (NotImplementedError, TypeError, ValueError) as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        return f"JAX refuses: {reason}"
    return Collapsed(request, sweep, whole)


def _primal(target: Target) -> Any:
    avals = [jax.typeof(x) for x in target.leaves]
    with effects.tracing():
        return jax.make_jaxpr(lambda leaves: target.fun(leaves)[0])(avals)


def _sweep(request: Request, jaxpr: Any) -> Sweep:
    is_basis = request.directions is None
    along = basis(request.point) if is_basis else given(request.directions or ())
    return Sweep(
        jaxpr,
        request.target.active,
        along,
        keeps_jacs=request.wants_first and is_basis,
        effects=not request.wants_first or is_basis,
        vouched=request.vouched,
    )


class _Traced:
    """A sweep's own program, without what nothing needs."""

    def __init__(self, sweep: Sweep, leaves: Sequence[Any], chunk: int | None) -> None:
        avals = [jax.typeof(x) for x in leaves]
        jaxpr, shape = jax.make_jaxpr(
            lambda leaves: sweep(leaves, chunk), return_shape=True
        )(avals)
        flat = flatten(jaxpr, [False] * len(avals))
        self._tree = jax.tree.structure(shape)
        self._consts = [as_array(c) for c in flat.consts.values()]
        needed = needed_for(flat.equations, flat.outputs, effects=True)
        eqns, inputs = [e.eqn for e in needed], [*flat.consts, *flat.inputs]
        self._jaxpr = closed(eqns, inputs, flat.outputs)
        self._call = as_function(eqns, inputs, flat.outputs)

    @property
    def seconds(self) -> float:
        return _cost.count(self._jaxpr).seconds

    @property
    def bytes(self) -> int:
        return FIXED + int(COPIES * temporary_bytes(self._jaxpr))

    def run(self, leaves: Sequence[Any]) -> Swept:
        return self._tree.unflatten(self._call(*self._consts, *leaves))
