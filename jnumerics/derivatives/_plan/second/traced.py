"""Programs of second order, traced: what they cost, how many directions fit a bound."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax

from jnumerics.derivatives._plan import cost as _cost
from jnumerics.derivatives._plan.cost import Cost
from jnumerics.derivatives._plan.memory import FIXED, temporary_bytes
from jnumerics.derivatives._program.convolutions import by_taps
from jnumerics.derivatives._program.inline import as_array, flatten
from jnumerics.derivatives._program.jaxpr import as_function, closed
from jnumerics.derivatives._program.tangent import needed_for

# over what is estimated for the sweep's own equations: products turn their operands,
# and a last chunk of another size has buffers of its own: measured by
# `test_max_bytes_bounds_the_temporary_memory`
COPIES = 3.0


class Traced:
    """A function of leaves as a program, without what nothing needs."""

    def __init__(self, fun: Callable[[Any], Any], leaves: Sequence[Any]) -> None:
        """Trace a function at the shapes of its leaves."""
        avals = [jax.typeof(x) for x in leaves]
        jaxpr, shape = jax.make_jaxpr(fun, return_shape=True)(avals)
        flat = flatten(jaxpr, [False] * len(avals))
        self._tree = jax.tree.structure(shape)
        self._consts = [as_array(c) for c in flat.consts.values()]
        needed = needed_for(flat.equations, flat.outputs, effects=True)
        eqns, inputs = [e.eqn for e in needed], [*flat.consts, *flat.inputs]
        self._jaxpr = closed(eqns, inputs, flat.outputs)
        self._call = as_function(by_taps(eqns), inputs, flat.outputs)

    @functools.cached_property
    def cost(self) -> Cost:
        """The predicted cost."""
        return _cost.count(self._jaxpr)

    @functools.cached_property
    def bytes(self) -> int:
        """The temporary memory, estimated."""
        return FIXED + int(COPIES * temporary_bytes(self._jaxpr))

    def run(self, leaves: Sequence[Any]) -> Any:
        """Evaluate the program."""
        return self._tree.unflatten(self._call(*self._consts, *leaves))


def within(
    whole: Traced,
    trace: Callable[[int], Traced],
    count: int,
    max_bytes: int | None,
) -> tuple[Traced, int | None] | str:
    """Return a program below a bound, and how many directions it takes at a time.

    Args:
        whole: That of all directions at once; its number of directions is None.
        trace: Makes that of so many at a time.
        count: How many there are.
        max_bytes: The bound.

    Returns:
        Both; where the bound is too small for one direction, the error's words.
    """
    if max_bytes is None or whole.bytes <= max_bytes:
        return whole, None
    one = trace(1) if count > 1 else whole
    if one.bytes > max_bytes:
        return (
            f"`max_bytes` must be at least {one.bytes} for one direction, "
            f"got {max_bytes}"
        )
    slope = max((whole.bytes - one.bytes) / (count - 1), 1)
    chunk = min(1 + int((max_bytes - one.bytes) / slope), count - 1)
    while chunk > 1:
        program = trace(chunk)
        if program.bytes <= max_bytes:
            return program, chunk
        chunk //= 2
    return one, 1
