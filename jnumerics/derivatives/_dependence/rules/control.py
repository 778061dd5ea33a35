"""Loops and branches, and solvers that are given as functions.

A loop's carry is passed through the body until its boxes stand still. A scan of known
length is followed step by step where that is cheap, so that each step keeps its own
time and index arithmetic on a counter is known; otherwise all steps share one carry,
and the body is passed once more with time folded into the rows.
"""

import functools
import itertools
from collections.abc import Sequence

import numpy as np

from jnumerics.derivatives._dependence.boxes import (
    NONE,
    RULES,
    Box,
    Boxes,
    Context,
    compact,
    join,
    minimum_at,
    own_index,
)
from jnumerics.derivatives._dependence.rules.loops import (
    Scan,
    empty_for,
    filled,
    fixpoint,
    known_indices,
    loop_body,
)
from jnumerics.derivatives._program.inline import sees_zeros
from jnumerics.derivatives._program.jaxpr import (
    JaxprEqn,
    body_of_call,
    shape_of,
)


@RULES.rule("cond", reads="branches", ignores="branches_platforms")
def _(context: Context, eqn: JaxprEqn, boxes: Boxes) -> list[Box] | None:
    if boxes[0] is not None:
        return None
    branches, chosen = eqn.params["branches"], context.known(eqn.invars[0])
    if chosen is not None and 0 <= int(chosen) < len(branches):
        branches = [branches[int(chosen)]]
    values = known_indices(context, eqn.invars[1:])
    reached = [box is not None for box in boxes[1:]]
    results = [context.body(b, reached)(boxes[1:], values)[0] for b in branches]
    return [
        join([empty_for(boxes, v), *(box for box in branch if box is not None)])
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
    results, _ = context.body(body, reached)(boxes, known_indices(context, eqn.invars))
    return filled(boxes, eqn, results)


@RULES.rule("while", reads="cond_jaxpr cond_nconsts body_jaxpr body_nconsts")
def _(context: Context, eqn: JaxprEqn, boxes: Boxes) -> list[Box] | None:
    n_cond, n_consts = eqn.params["cond_nconsts"], eqn.params["body_nconsts"]
    of_cond, consts = boxes[:n_cond], boxes[n_cond : n_cond + n_consts]
    start = boxes[n_cond + n_consts :]
    known = known_indices(context, eqn.invars[n_cond : n_cond + n_consts])
    known += [None] * len(start)

    def passed(carry: Boxes) -> tuple[list[Box | None], Box | None]:
        """Return the carry at its fixpoint, and what the condition reads there."""
        body, carry = loop_body(context, eqn.params["body_jaxpr"], consts, carry, [])
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
            return filled(boxes, eqn, carry)
    # how often it runs decides every part of the carry
    carry, _ = passed(filled(boxes, eqn, carry))
    return filled(boxes, eqn, carry)


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
    scan = Scan(context, eqn, boxes)
    if scan.length == 0:
        results = [*scan.carry, *[None] * (len(eqn.outvars) - scan.n_carry)]
        return filled(boxes, eqn, results)
    results = scan.stepwise() if scan.is_short else None
    if results is None:
        results = scan.folded()
    return filled(boxes, eqn, results)


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
        values = known_indices(context, [eqn.invars[k] for k in operands])
        solved, _ = body(given, values)
    return filled(boxes, eqn, solved)


def _solved_exactly(context: Context, eqn: JaxprEqn, right: Boxes) -> list[Box | None]:
    """Pass boxes through the inverse of a matrix.

    It is a polynomial of the matrix, so the solution reads what powers of it reach.
    """
    matvec = eqn.params["jaxprs"].matvec
    consts: list[Box | None] = [None] * eqn.params["const_lengths"].matvec
    body, right = loop_body(context, matvec, consts, right, [])
    known = known_indices(context, eqn.invars[: len(consts)]) + [None] * len(right)
    return fixpoint(lambda x: body([*consts, *x], known)[0], right, [])


@RULES.rule(
    "custom_lin", reads="num_res symbolic_zeros", ignores="bwd out_avals in_zeros"
)
def _(context: Context, eqn: JaxprEqn, boxes: Boxes) -> list[Box] | None:
    n_residuals = eqn.params["num_res"]
    is_moved = any(box is not None for box in boxes[:n_residuals])
    pullback = None if is_moved or sees_zeros(eqn) else context.pullback(eqn)
    if pullback is None:
        return None
    outs = [shape_of(v) for v in eqn.outvars]
    cotangents = [own_index(outs, k) for k in range(len(outs))]
    values = known_indices(context, eqn.invars[:n_residuals])
    read, _ = pullback(
        [*[None] * n_residuals, *cotangents], [*values, *[None] * len(outs)]
    )
    pairs = [
        (_every_element(box, shape_of(v)), _every_element(reads, shape_of(v)))
        for box, reads, v in zip(
            boxes[n_residuals:], read, eqn.invars[n_residuals:], strict=True
        )
        if box is not None and reads is not None
    ]
    if not pairs:
        return filled(boxes, eqn, [None] * len(outs))
    moved, reads = (np.concatenate(both, axis=1) for both in zip(*pairs, strict=True))
    rows = itertools.accumulate((max(len(out), 1) for out in outs), initial=0)
    return [
        _turned(moved, reads, out, row) for out, row in zip(outs, rows, strict=False)
    ]


def _every_element(box: Box, shape: Sequence[int]) -> Box:
    """Write boxes out as (rows, elements)."""
    return np.broadcast_to(box, (len(box), *shape)).reshape(len(box), -1)


def _turned(moved: Box, reads: Box, shape: Sequence[int], row: int) -> Box:
    """Turn what cotangents of operands read of a result into what the result reads.

    An element of the result reads no operand whose cotangent does not read it: along
    each axis those operands are joined whose interval holds it, and what all axes
    allow is kept.

    Args:
        moved: Boxes of the operands' elements.
        reads: What their cotangents read of the results, all axes of all of them.
        shape: The result's shape.
        row: Its first axis among them.
    """
    lows, highs = np.split(reads, 2)
    by_axis = []
    for k, size in enumerate(shape or (1,)):
        low, high = lows[row + k], -highs[row + k]
        is_read = low != NONE
        one = _spread(moved[:, is_read], low[is_read], high[is_read], size)
        one = one.reshape(
            len(moved), *(size if k == a else 1 for a in range(len(shape)))
        )
        by_axis.append(one)
    return compact(functools.reduce(_intersection, by_axis), range(len(shape)))


def _spread(box: Box, low: np.ndarray, high: np.ndarray, size: int) -> Box:
    """Join for each index the boxes whose interval holds it.

    An interval is the union of two blocks whose length is a power of two; blocks are
    halved until they are single indices.
    """
    level = np.frexp(high - low + 1)[1] - 1
    found = np.full((len(box), size), NONE, np.int32)
    for k in reversed(range(size.bit_length())):
        length, is_here = 1 << k, level == k
        halves = found.copy()
        halves[:, length:] = np.minimum(halves[:, length:], found[:, : size - length])
        found = halves
        for start in (low[is_here], high[is_here] - length + 1):
            found = np.minimum(found, minimum_at(box[:, is_here], start, size)[0])
    return found


def _intersection(one: Box, other: Box) -> Box:
    """Keep what both boxes hold; the first where they have nothing in common."""
    both = np.maximum(one, other)
    lows, highs = np.split(both, 2)
    is_empty = (lows > -highs) & (lows != NONE)
    return np.where(np.concatenate([is_empty, is_empty]), one, both)
