"""Boxes of loops: a carry is joined with what a step makes of it, to a fixpoint."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jnumerics.derivatives._dependence.boxes import (
    Body,
    Box,
    Boxes,
    Context,
    flat_box,
    join,
    nothing,
)
from jnumerics.derivatives._program.jaxpr import (
    JaxprEqn,
    is_index,
    open_jaxpr,
    scan_roles,
    shape_of,
)

ROUNDS = 20  # of a fixpoint; what still grows after them is joined with all
MAX_EQUATIONS = 4000  # passed while following a scan step by step
MAX_ENTRIES = 100_000_000  # of their boxes


class Scan:
    """A scan's boxes, and what is known of its operands, by their roles."""

    def __init__(self, context: Context, eqn: JaxprEqn, boxes: Boxes) -> None:
        n_consts, n_carry, n_whole = scan_roles(eqn)
        self.length, self.reverse = eqn.params["length"], eqn.params["reverse"]
        self.rows = next(len(box) for box in boxes if box is not None)
        self.n_carry = n_carry
        self.n_inputs = len(eqn.invars)
        self.consts, self.xs = boxes[:n_consts], boxes[n_whole:]
        values = known_indices(context, eqn.invars)
        self.known_consts = values[:n_consts]
        self.known_carry, self.known_xs = values[n_consts:n_whole], values[n_whole:]
        self.body, self.carry = loop_body(
            context, eqn.params["jaxpr"], self.consts, boxes[n_consts:n_whole], self.xs
        )

    @property
    def is_short(self) -> bool:
        """Whether it is cheap to follow it step by step."""
        return (
            self.length > 0
            and self.length * max(self.body.length, 1) <= MAX_EQUATIONS
            and self.length * self.body.size * self.rows <= MAX_ENTRIES
        )

    def stepwise(self) -> list[Box | None]:
        """Follow it step by step, until nothing changes any more."""
        times = range(self.length)
        times = list(reversed(times) if self.reverse else times)
        uniform = all(box is None or box.shape[1] == 1 for box in self.xs)
        varying = range(len(self.consts), self.n_inputs)
        carry, values, stacked = list(self.carry), list(self.known_carry), []
        for time in times:
            known_xs = [None if x is None else x[time] for x in self.known_xs]
            inputs = [*self.known_consts, *values, *known_xs]
            results, has_varied = self.body(
                [*self.consts, *carry, *self._at(time)], inputs, varying
            )
            stacked.append(results[self.n_carry :])
            stands = (
                uniform and not has_varied and _equal(carry, results[: self.n_carry])
            )
            carry = self._reached(results[: self.n_carry])
            if stands:
                stacked += [stacked[-1]] * (self.length - len(stacked))
                break
            values = self.body.values(inputs)[: self.n_carry]
        ordered = stacked[::-1] if self.reverse else stacked
        return [*carry, *(self._stack(boxes) for boxes in zip(*ordered, strict=True))]

    def folded(self) -> list[Box | None]:
        """Use one carry for all steps, then pass the body once, time among the rows."""
        inputs = [*self.known_consts, *[None] * (self.n_carry + len(self.xs))]
        xs = [None if b is None else b.min(axis=1, initial=2**30) for b in self.xs]

        def step(carry: Boxes) -> list[Box | None]:
            return self.body([*self.consts, *carry, *xs], inputs)[0][: self.n_carry]

        carry = fixpoint(step, self.carry, [*self.consts, *xs])
        times = max((b.shape[1] for b in self.xs if b is not None), default=1)
        whole = [
            None if b is None else np.repeat(b, times, axis=0)
            for b in [*self.consts, *carry]
        ]
        own = [
            None
            if b is None
            else np.broadcast_to(b, (len(b), times, *b.shape[2:])).reshape(
                -1, *b.shape[2:]
            )
            for b in self.xs
        ]
        stacked = self.body([*whole, *own], inputs)[0][self.n_carry :]
        return [
            *carry,
            *(
                None if b is None else b.reshape(self.rows, times, *b.shape[1:])
                for b in stacked
            ),
        ]

    def _at(self, time: int) -> list[Box | None]:
        return [
            None if box is None else box[:, 0 if box.shape[1] == 1 else time]
            for box in self.xs
        ]

    def _reached(self, results: Boxes) -> list[Box | None]:
        """Return the carry after a step, with a box wherever a tangent ever reaches."""
        return [
            None
            if old is None
            else nothing(self.rows, old.ndim - 1)
            if new is None
            else new
            for old, new in zip(self.carry, results, strict=True)
        ]

    def _stack(self, boxes: Boxes) -> Box | None:
        first, *others = boxes
        if first is None:
            return None
        if all(b is first or np.array_equal(b, first) for b in others):
            return first[:, None]
        shape = np.broadcast_shapes(*(b.shape for b in boxes if b is not None))
        return np.stack([np.broadcast_to(b, shape) for b in boxes if b is not None], 1)


def loop_body(
    context: Context, jaxpr: Any, consts: Boxes, carry: Boxes, xs: Boxes
) -> tuple[Body, list[Box | None]]:
    """Find which carries tangents reach, and give an empty box to the new ones."""
    rows = next(len(b) for b in (*consts, *carry, *xs) if b is not None)
    avals = [v.aval for v in open_jaxpr(jaxpr).invars[len(consts) :]]
    carry = list(carry)
    while True:
        operands = [*consts, *carry, *xs]
        body = context.body(jaxpr, [box is not None for box in operands])
        reached = body.reached[: len(carry)]
        added = [k for k, hit in enumerate(reached) if hit and carry[k] is None]
        if not added:
            return body, carry
        for k in added:
            carry[k] = nothing(rows, len(avals[k].shape))


def fixpoint(
    step: Callable[[Boxes], Boxes], start: Boxes, entering: Boxes
) -> list[Box | None]:
    """Join a carry with what a step makes of it until that adds nothing.

    Rows are independent of each other: after some rounds, each row of a variable that
    still grows is joined with all that enters.
    """
    carry = list(start)
    total = join(flat_box(b) for b in (*start, *entering) if b is not None)
    rounds = 0
    while True:
        rounds += 1
        results = step(carry)
        grows = False
        for k, (old, new) in enumerate(zip(carry, results, strict=True)):
            if old is None or new is None:
                continue
            joined = np.minimum(old, new)
            changed = (joined != old).reshape(len(old), -1).any(axis=1)
            if changed.any():
                grows = True
                if rounds > ROUNDS:
                    shape = (-1, *(1,) * (joined.ndim - 1))
                    everything = np.minimum(total, flat_box(joined)).reshape(shape)
                    joined = np.where(changed.reshape(shape), everything, joined)
                carry[k] = joined
        if not grows:
            return carry


def known_indices(context: Context, atoms: Sequence[Any]) -> list[Any]:
    return [context.constant(v) if is_index(v) else None for v in atoms]


def _equal(old: Boxes, new: Boxes) -> bool:
    pairs = zip(old, new, strict=True)
    return all(a is None or (b is not None and np.array_equal(a, b)) for a, b in pairs)


def filled(boxes: Boxes, eqn: JaxprEqn, results: Boxes) -> list[Box]:
    """Put the empty box where a result is no tangent."""
    pairs = zip(eqn.outvars, results, strict=True)
    return [empty_for(boxes, v) if box is None else box for v, box in pairs]


def empty_for(boxes: Boxes, v: Any) -> Box:
    rows = next(len(box) for box in boxes if box is not None)
    return nothing(rows, len(shape_of(v)))
