"""What memory a program takes beside its arguments and its results: an estimate.

A buffer lives from its first write to its last read. What works in place shares its
operand's buffer: a loop's state, an array of which a slice is updated, a reshaped view.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from jnumerics.derivatives._plan.candidates import passes_jaxpr
from jnumerics.derivatives._plan.cost import is_view, size_bytes
from jnumerics.derivatives._plan.result import Plan
from jnumerics.derivatives._program.jaxpr import (
    Atom,
    JaxprEqn,
    Var,
    inner_jaxprs,
    is_var,
    open_jaxpr,
    scan_roles,
)

SPARE, FIXED = 1.5, 1024  # a compiler's over what is estimated: times, bytes more


def temporary_bytes(jaxpr: Any, *, is_body: bool = False) -> int:
    """Estimate the most bytes of intermediate results alive at a time.

    Args:
        jaxpr: The program.
        is_body: Whether it is a loop's body, whose results are intermediate too.
    """
    jaxpr = open_jaxpr(jaxpr)
    buffers = _buffers(jaxpr)
    results = {buffers.get(v) for v in jaxpr.outvars if is_var(v) and not is_body}
    last = {
        buffers[v]: k
        for k, eqn in enumerate(jaxpr.eqns)
        for v in (*eqn.invars, *eqn.outvars)
        if is_var(v) and v in buffers
    }
    alive: dict[Any, int] = {}
    peak = now = 0
    for k, eqn in enumerate(jaxpr.eqns):
        is_loop = eqn.primitive.name in ("while", "scan")
        bodies = inner_jaxprs(eqn)
        inside = max((temporary_bytes(b, is_body=is_loop) for b in bodies), default=0)
        for v in eqn.outvars:
            if buffers[v] is v and v not in results:
                alive[v] = size_bytes(v.aval)
                now += alive[v]
        peak = max(peak, now + inside)
        for buffer in [b for b in alive if last[b] <= k]:
            now -= alive.pop(buffer)
    return peak


def _buffers(jaxpr: Any) -> dict[Any, Any]:
    """Name, for what each equation makes, the variable that first filled its buffer.

    Nobody else's buffer is written: what is read again later is copied first. The
    inputs of a loop's body stand for its state, and are written in place.
    """
    last = {v: k for k, eqn in enumerate(jaxpr.eqns) for v in eqn.invars if is_var(v)}
    buffers: dict[Any, Any] = {v: v for v in jaxpr.invars}
    for k, eqn in enumerate(jaxpr.eqns):
        for v, source in zip(eqn.outvars, _sources(eqn), strict=True):
            operand = source if isinstance(source, Var) else v
            is_free = is_view(eqn) or last.get(operand) == k
            buffers[v] = buffers.get(operand, v) if is_free else v
    return buffers


def _sources(eqn: JaxprEqn) -> Sequence[Atom | None]:
    """Return, for each result, the operand in whose place it may be written."""
    name, n = eqn.primitive.name, len(eqn.outvars)
    if is_view(eqn) or name.startswith(("dynamic_update_slice", "scatter")):
        return [eqn.invars[0]]
    if name == "while":
        return eqn.invars[len(eqn.invars) - n :]
    if name == "scan":
        roles = scan_roles(eqn)
        stacked = [None] * (n - roles.n_carry)
        return [*eqn.invars[roles.n_consts : roles.n_whole], *stacked]
    return [None] * n


def others(plan: Plan) -> list[Plan]:
    """Return the same plan with each mode that was not chosen, the cheapest first."""
    served = [
        c
        for c in plan.candidates
        if c.strategy is not None and c.same_as is None and c.mode != plan.mode
    ]
    reason = f"{plan.mode} takes more memory than `max_bytes`"
    return [
        replace(plan, mode=c.mode, reason=reason)
        for c in sorted(served, key=lambda c: c.cost.seconds)
    ]


def within(plans: Sequence[Plan], max_bytes: int) -> Plan:
    """Return the first plan whose passes keep below the bound, some at a time."""
    least = {}
    for plan in plans:
        least[plan.mode], chunk = _chunk(plan, max_bytes)
        if least[plan.mode] <= max_bytes:
            return replace(plan, chunk=chunk)
    mode = min(least, key=lambda mode: least[mode])
    msg = (
        f"`max_bytes` must be at least {least[mode]} for one {mode} pass, "
        f"got {max_bytes}"
    )
    raise ValueError(msg)


def _chunk(plan: Plan, max_bytes: int) -> tuple[int, int | None]:
    """Return the bytes of one pass, and how many passes at a time keep to the bound."""
    strategy, problem = plan.strategy, plan.problem
    program = problem.program
    held = sum(
        size_bytes(v.aval)
        for v in problem.linear.residuals
        if v not in program.consts and v not in program.inputs
    )

    def needed(chunk: int) -> int:
        jaxpr = passes_jaxpr(problem, plan.target, strategy, chunk)
        several = len(problem.inputs) * len(problem.outputs) > 1
        parted = plan.target == "sparse" and several  # entries, before they are
        results = sum(size_bytes(v.aval) for v in jaxpr.jaxpr.outvars) if parted else 0
        return FIXED + int(SPARE * (held + temporary_bytes(jaxpr) + results))

    values = FIXED + int(SPARE * (held + temporary_bytes(program.primal_jaxpr())))
    one = needed(1)
    least = max(one, values)
    if least > max_bytes or plan.passes < 2:
        return least, None
    slope = max(needed(2) - one, 1)
    return least, min(1 + (max_bytes - one) // slope, plan.passes)
