"""Loops and branches, and solvers that are given as functions.

A loop's carry is passed through the body until its boxes stand still. A scan of known
length is followed step by step where that is cheap, so that each step keeps its own time
and index arithmetic on a counter is known; otherwise all steps share one carry, and
the body is passed once more with time folded into the rows.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jax.extend.core import JaxprEqn

from jnumerics.derivatives._equations import open_jaxpr
from jnumerics.derivatives._inner import body_of_call, scan_roles
from jnumerics.derivatives._rules._boxes import (
    RULES,
    Body,
    Box,
    Boxes,
    Context,
    flat_box,
    is_index,
    join,
    nothing,
    shape_of,
)

ROUNDS = 20  # of a fixpoint, after which what still grows is joined
MAX_EQUATIONS = 4000  # passed while following a scan step by step
MAX_ENTRIES = 100_000_000  # of their boxes


@RULES.rule("cond", reads="branches", ignores="branches_platforms")
def _(context: Context, eqn: JaxprEqn, boxes: Boxes) -> list[Box] | None:
    if boxes[0] is not None:
        return None
    branches, chosen = eqn.params["branches"], context.known(eqn.invars[0])
    if chosen is not None and 0 <= int(chosen) < len(branches):
        branches = [branches[int(chosen)]]
    values = _known_indices(context, eqn.invars[1:])
    reached = [box is not None for box in boxes[1:]]
    results = [context.body(b, reached)(boxes[1:], values)[0] for b in branches]
    return [
        join([_empty_for(boxes, v), *(box for box in branch if box is not None)])
        for v, branch in zip(eqn.outvars, zip(*results, strict=True), strict=True)
    ]


@RULES.rule(
    "call_hi_primitive",
    "custom_jvp_call",
    "eval_jaxpr",
    "linear_call",
    reads="_prim call_jaxpr callee",
    ignores="transpose transpose_thunk num_callee_consts num_transpose_consts num_res "
    "jvp_jaxpr_fun num_consts symbolic_zeros",
)
def _(context: Context, eqn: JaxprEqn, boxes: Boxes) -> list[Box] | None:
    body = body_of_call(eqn)
    if body is None:
        return None
    reached = [box is not None for box in boxes]
    results, _ = context.body(body, reached)(boxes, _known_indices(context, eqn.invars))
    return _present(boxes, eqn, results)


@RULES.rule("while", reads="cond_jaxpr cond_nconsts body_jaxpr body_nconsts")
def _(context: Context, eqn: JaxprEqn, boxes: Boxes) -> list[Box] | None:
    n_cond, n_consts = eqn.params["cond_nconsts"], eqn.params["body_nconsts"]
    of_cond, consts = boxes[:n_cond], boxes[n_cond : n_cond + n_consts]
    start = boxes[n_cond + n_consts :]
    known = _known_indices(context, eqn.invars[n_cond : n_cond + n_consts])
    known += [None] * len(start)

    def passed(carry: Boxes) -> tuple[list[Box | None], Box | None]:
        """Return the carry at its fixpoint, and what the condition reads there."""
        body, carry = _loop_body(context, eqn.params["body_jaxpr"], consts, carry, [])
        reached = [box is not None for box in (*of_cond, *carry)]
        condition = context.body(eqn.params["cond_jaxpr"], reached)

        def goes_on(carry: Boxes) -> Box | None:
            return condition([*of_cond, *carry], [None] * len(reached))[0][0]

        def step(carry: Boxes) -> list[Box | None]:
            results, decision = body([*consts, *carry], known)[0], goes_on(carry)
            if decision is None:
                return results
            pairs = zip(results, carry, strict=True)
            return [
                _decided(old if new is None else new, decision) for new, old in pairs
            ]

        carry = fixpoint(step, carry, [*of_cond, *consts])
        return carry, goes_on(carry)

    carry: Boxes = start
    if any(box is not None for box in (*consts, *start)):
        carry, decision = passed(start)
        if decision is None:
            return _present(boxes, eqn, carry)
    # how often it runs decides every part of the carry
    carry, _ = passed(_present(boxes, eqn, carry))
    return _present(boxes, eqn, carry)


def _decided(box: Box | None, decision: Box) -> Box | None:
    """Join what a condition reads: of a batched loop, each sample's own condition."""
    if box is None:
        return None
    spread = (1,) * (box.ndim - decision.ndim)
    return join([box, decision.reshape(*decision.shape, *spread)])


@RULES.rule(
    "scan",
    reads="jaxpr length reverse",
    ignores="num_consts num_carry ft_in ft_out unroll linear _split_transpose",
)
def _(context: Context, eqn: JaxprEqn, boxes: Boxes) -> list[Box] | None:
    scan = _Scan(context, eqn, boxes)
    if scan.length == 0:
        results = [*scan.carry, *[None] * (len(eqn.outvars) - scan.n_carry)]
        return _present(boxes, eqn, results)
    results = scan.stepwise() if scan.is_short else None
    if results is None:
        results = scan.folded()
    return _present(boxes, eqn, results)


class _Scan:
    """A scan's boxes, and what is known of its operands, by their roles."""

    def __init__(self, context: Context, eqn: JaxprEqn, boxes: Boxes) -> None:
        n_consts, n_carry, n_whole = scan_roles(eqn)
        self.length, self.reverse = eqn.params["length"], eqn.params["reverse"]
        self.rows = next(len(box) for box in boxes if box is not None)
        self.n_carry = n_carry
        self.n_inputs = len(eqn.invars)
        self.consts, self.xs = boxes[:n_consts], boxes[n_whole:]
        values = _known_indices(context, eqn.invars)
        self.known_consts = values[:n_consts]
        self.known_carry, self.known_xs = values[n_consts:n_whole], values[n_whole:]
        self.body, self.carry = _loop_body(
            context, eqn.params["jaxpr"], self.consts, boxes[n_consts:n_whole], self.xs
        )

    @property
    def is_short(self) -> bool:
        """Whether following it step by step is cheap; a pass alone has no steps."""
        return (
            self.length > 0
            and self.length * max(self.body.length, 1) <= MAX_EQUATIONS
            and self.length * self.body.size * self.rows <= MAX_ENTRIES
        )

    def stepwise(self) -> list[Box | None]:
        """Follow it step by step, until it stands still."""
        times = range(self.length)
        times = list(reversed(times) if self.reverse else times)
        uniform = all(box is None or box.shape[1] == 1 for box in self.xs)
        varying = range(len(self.consts), self.n_inputs)
        carry, values, stacked = list(self.carry), list(self.known_carry), []
        for time in times:
            known_xs = [None if x is None else x[time] for x in self.known_xs]
            known = [*self.known_consts, *values, *known_xs]
            results, has_varied = self.body(
                [*self.consts, *carry, *self._at(time)], known, varying
            )
            stacked.append(results[self.n_carry :])
            stands = (
                uniform and not has_varied and _equal(carry, results[: self.n_carry])
            )
            carry = self._reached(results[: self.n_carry])
            if stands:
                stacked += [stacked[-1]] * (self.length - len(stacked))
                break
            values = self.body.values(known)[: self.n_carry]
        ordered = stacked[::-1] if self.reverse else stacked
        return [*carry, *(self._stack(boxes) for boxes in zip(*ordered, strict=True))]

    def folded(self) -> list[Box | None]:
        """Give all steps one carry, then pass the body once with time among the rows."""
        known = [*self.known_consts, *[None] * (self.n_carry + len(self.xs))]
        xs = [None if b is None else b.min(axis=1, initial=2**30) for b in self.xs]

        def step(carry: Boxes) -> list[Box | None]:
            return self.body([*self.consts, *carry, *xs], known)[0][: self.n_carry]

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
        stacked = self.body([*whole, *own], known)[0][self.n_carry :]
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
        """Keep a box for every carry that a tangent reaches at any step."""
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


@RULES.rule("custom_linear_solve", reads="const_lengths jaxprs")
def _(context: Context, eqn: JaxprEqn, boxes: Boxes) -> list[Box] | None:
    lengths, jaxprs = eqn.params["const_lengths"], eqn.params["jaxprs"]
    n_consts = sum(lengths)
    if any(box is not None for box in boxes[:n_consts]):
        return None
    if context.trusts_solvers and len(boxes) - n_consts == len(eqn.outvars):
        solved = _solved_exactly(context, eqn, boxes[n_consts:])
    else:
        first = lengths.matvec + lengths.vecmat
        operands = [*range(first, first + lengths.solve), *range(n_consts, len(boxes))]
        given = [boxes[k] for k in operands]
        body = context.body(jaxprs.solve, [box is not None for box in given])
        values = _known_indices(context, [eqn.invars[k] for k in operands])
        solved, _ = body(given, values)
    return _present(boxes, eqn, solved)


def _solved_exactly(context: Context, eqn: JaxprEqn, right: Boxes) -> list[Box | None]:
    """Pass boxes through the inverse of a matrix.

    It is a polynomial of the matrix, so the solution reads what powers of it reach.
    """
    matvec = eqn.params["jaxprs"].matvec
    consts: list[Box | None] = [None] * eqn.params["const_lengths"].matvec
    body, right = _loop_body(context, matvec, consts, right, [])
    known = _known_indices(context, eqn.invars[: len(consts)]) + [None] * len(right)
    return fixpoint(lambda x: body([*consts, *x], known)[0], right, [])


def _loop_body(
    context: Context, jaxpr: Any, consts: Boxes, carry: Boxes, xs: Boxes
) -> tuple[Body, list[Box | None]]:
    """Find which carries tangents reach, and give an empty box to those not yet."""
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


def _known_indices(context: Context, atoms: Sequence[Any]) -> list[Any]:
    return [context.known(v) if is_index(v) else None for v in atoms]


def _equal(old: Boxes, new: Boxes) -> bool:
    pairs = zip(old, new, strict=True)
    return all(a is None or (b is not None and np.array_equal(a, b)) for a, b in pairs)


def _present(boxes: Boxes, eqn: JaxprEqn, found: Boxes) -> list[Box]:
    """Put the empty box where a result is no tangent."""
    pairs = zip(eqn.outvars, found, strict=True)
    return [_empty_for(boxes, v) if box is None else box for v, box in pairs]


def _empty_for(boxes: Boxes, v: Any) -> Box:
    rows = next(len(box) for box in boxes if box is not None)
    return nothing(rows, len(shape_of(v)))
