"""The narrowest cut of a tangent program: the fewest directions between its two ends.

A cut is a set of intermediate tangents that every path from the inputs to the outputs
crosses. If it has d elements, J = J_after J_before, where d reverse passes through the
first part and d forward passes through the second give the two factors. Forward mode is
the cut at the inputs, reverse mode the cut at the outputs. The smallest d is the
minimum cut of a network in which each variable is an edge, with its size as capacity.

A cut respects how the equations run: those that only run forward come after it, those
that can only be transposed before it, and the variables in it are all real, or all
complex.

Reference:
    L. R. Ford and D. R. Fulkerson, "Maximal flow through a network", Canad. J. Math. 8
    (1956).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from jnumerics.derivatives._dependence.boxes import reads_own
from jnumerics.derivatives._program.jaxpr import Equation, Var, shape_of, variables
from jnumerics.derivatives._program.linearity.directions import (
    OneWay,
    forwardable,
    is_complex,
    is_inexact,
    mixed_kinds,
    one_way,
    reach,
    transposable,
)
from jnumerics.derivatives._program.tangent import LinearPart, needed_for, part

__all__ = [
    "Capacity",
    "Cut",
    "Network",
    "SampleAxis",
    "batch_capacity",
    "forwardable",
    "minimum_cut",
    "narrowest",
    "transposable",
]

Capacity = Callable[[Var], int | None]

_SOURCE, _GATE, _SINK = range(3)
_LARGEST = 2**31 - 1  # SciPy's flows are 32-bit integers


@dataclass(frozen=True)
class Cut:
    """A factorization J = J_after J_before.

    Attributes:
        variables: What every path crosses; one may depend on another.
        width: Number of directions; in a batch, of each sample.
        before: From the inputs to the variables.
        after: From the variables, each independent of the others, to the outputs
            that depend on the inputs, each once.
        line: The user's line of the widest variable's equation.
        operation: Its primitive; "input" for an input.
    """

    variables: list[Var]
    width: int
    before: LinearPart
    after: LinearPart
    line: str
    operation: str


def narrowest(
    equations: Sequence[Equation],
    inputs: Sequence[Var],
    outputs: Sequence[Var | None],
    *,
    capacity: Capacity | None = None,
    below: int | None = None,
) -> Cut | str:
    """Find the narrowest cut.

    Args:
        equations: Linear ones, in order.
        inputs: The tangents to start from.
        outputs: The tangents to arrive at; None where it is zero.
        capacity: Number of directions of a variable, None where it must not be cut; its
            size by default. Variables of another kind than the inputs, real or
            complex, are never cut.
        below: The width from which a cut is of no use: none is sought where no variable
            has fewer directions, as a cut holds one at least.

    Returns:
        The cut, or the reason why there is none.
    """
    reached = reach(equations, inputs)
    answers = [v for v in dict.fromkeys(outputs) if v is not None and v in reached]
    if not answers:
        return "no output depends on the inputs"
    needed = needed_for(equations, answers)
    needed = [e for e in needed if not reached.isdisjoint(variables(e))]
    read = {v for e in needed for v in variables(e)} | set(answers)
    network = Network(
        equations=needed,
        inputs=[v for v in dict.fromkeys(inputs) if v in read],
        outputs=answers,
        one_way=one_way(needed, reached),
    )
    reason = mixed_kinds(needed, network.inputs, answers, reached)
    if reason:
        return reason
    sizes = network.sizes(read & reached, capacity or _size)
    if below is not None and all(
        size is None or size >= below for size in sizes.values()
    ):
        return "nothing is narrower than the ends"
    crossed = minimum_cut(network, sizes)
    if isinstance(crossed, str):
        return crossed
    return _cut(equations, inputs, answers, {v: sizes[v] or 0 for v in crossed})


def _cut(
    equations: Sequence[Equation],
    inputs: Sequence[Var],
    outputs: Sequence[Var],
    sizes: Mapping[Var, int],
) -> Cut:
    crossed = list(sizes)
    widest = max(crossed, key=lambda v: sizes[v])
    maker = next((e for e in equations if widest in e.eqn.outvars), None)
    return Cut(
        variables=crossed,
        width=sum(sizes.values()),
        before=part(equations, inputs, crossed),
        after=part(equations, crossed, outputs),
        line=maker.line if maker else "the arguments",
        operation=maker.name if maker else "input",
    )


def _size(var: Var) -> int:
    return math.prod(shape_of(var))


@dataclass(frozen=True)
class Network:
    """A program as a flow network: variables, and what connects them.

    Attributes:
        equations: Its equations, in order.
        inputs: What paths start from.
        outputs: Where they end.
        one_way: Those of the equations that run in one direction alone.
        prices: What it costs, in directions, to have a variable before the cut, or in
            it.
    """

    equations: list[Equation]
    inputs: list[Var]
    outputs: list[Var]
    one_way: OneWay
    prices: Mapping[Var, int] = field(default_factory=dict)

    def sizes(self, useful: set[Var], capacity: Capacity) -> dict[Var, int | None]:
        """Return the number of directions of each variable; None is infinite."""
        made = (v for e in self.equations for v in e.eqn.outvars)
        kind = is_complex(self.inputs[0])

        def directions(v: Var) -> int | None:
            if not is_inexact(v) or is_complex(v) != kind:
                return None
            return capacity(v) if _size(v) else 0

        both = dict.fromkeys([*self.inputs, *made])
        return {v: directions(v) for v in both if v in useful}

    def edges(
        self, sizes: Mapping[Var, int | None], infinite: int
    ) -> tuple[dict[Var, int], dict[tuple[int, int], int]]:
        """Return each variable's in-node, one below its out-node, and all edges."""
        enter = {v: 3 + 2 * k for k, v in enumerate(sizes)}
        # One edge before all others keeps every sum of flows within `infinite`.
        edges = {(_SOURCE, _GATE): infinite}
        for v, size in sizes.items():
            edges[enter[v], enter[v] + 1] = infinite if size is None else size
        edges |= {(_GATE, enter[v]): infinite for v in self.inputs}
        edges |= {(enter[v] + 1, _SINK): infinite for v in self.outputs}
        edges |= {(enter[v], _SINK): price for v, price in self.prices.items()}
        for equation in self.equations:
            read = [enter[v] + 1 for v in variables(equation) if v in enter]
            made = [enter[v] for v in equation.eqn.outvars if v in enter]
            edges |= {(r, m): infinite for r in read for m in made}
        behind = reach(self.equations, self.one_way.made_forward)
        edges |= {(enter[v], _SINK): infinite for v in behind if v in enter}
        ahead = self.one_way.made_reverse
        edges |= {(_GATE, enter[v]): infinite for v in ahead if v in enter}
        return enter, edges


def minimum_cut(network: Network, sizes: Mapping[Var, int | None]) -> list[Var] | str:
    """Return the variables of a minimum cut, or why there is none."""
    infinite = 1 + sum(size or 0 for size in sizes.values())
    infinite += sum(network.prices.values())
    if infinite > _LARGEST:
        return f"its tangents have {infinite - 1} elements, too many to seek a cut"
    enter, edges = network.edges(sizes, infinite)
    flow, near = _maximum_flow(edges, 3 + 2 * len(sizes))
    if flow >= infinite:
        return network.one_way.reason or "a path has no variable that may be cut"
    return [v for v, k in enter.items() if k in near and k + 1 not in near]


def _maximum_flow(edges: Mapping[tuple[int, int], int], n: int) -> tuple[int, set[int]]:
    """Return the flow, and the nodes that the source reaches in the residual graph."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    ends = np.array(list(edges), np.int32).T
    sizes = np.fromiter(edges.values(), np.int32, len(edges))
    graph = csr_array((sizes, (ends[0], ends[1])), shape=(n, n))
    result = maximum_flow(graph, _SOURCE, _SINK)
    residual = csr_array(graph - result.flow)
    residual.eliminate_zeros()
    # An infinite flow fills the gate; the nodes are not used in that case.
    near = breadth_first_order(residual, _SOURCE, return_predecessors=False)
    return int(result.flow_value), {int(k) for k in near}


class SampleAxis(NamedTuple):
    """Where a variable's samples lie.

    Attributes:
        axis: The axis of samples.
        inner: How many consecutive elements of it each sample has: more than one where
            the axis of samples was merged with the axes behind it.
    """

    axis: int
    inner: int


def batch_capacity(
    boxes: Mapping[Var, np.ndarray], samples: int
) -> tuple[Capacity, dict[Var, SampleAxis | None]]:
    """Count a variable's directions for one sample of a batch.

    A variable may be cut if it has an axis along which the box of each element is the
    element's own sample, so that one direction serves all samples. An element that
    depends on no sample rules the axis out: a pass that starts at it could reach
    several samples.

    Args:
        boxes: Boxes that follow the batch axis alone, rows low and negated high.
        samples: Their number.

    Returns:
        The capacity, and the axis of each variable that may be cut; None where no axis
        is needed: for a single sample, or a variable without elements.
    """
    axes: dict[Var, SampleAxis | None] = {}
    for var, box in boxes.items():
        axis = _sample_axis(shape_of(var), box, samples) if samples > 1 else None
        if axis is not None or samples == 1 or not _size(var):
            axes[var] = axis
    return lambda v: _size(v) // samples if v in axes else None, axes


def _sample_axis(shape: Sequence[int], box: np.ndarray, n: int) -> SampleAxis | None:
    for axis, size in enumerate(shape):
        if box.shape[axis + 1] != size or size % n or not size:
            continue
        if reads_own(box, axis, size, size // n).all():
            return SampleAxis(axis, size // n)
    return None
