"""Judging a program: from its inputs to its outputs, and inside of its equations."""

from collections.abc import Sequence
from typing import Any

import jax
from jax.extend.core import JaxprEqn, Literal, Var

from jnumerics import _check
from jnumerics.derivatives._program.inline import (
    LINEAR_CALLS,
    backward_rule,
    pullback_of,
    sees_zeros,
)
from jnumerics.derivatives._program.jaxpr import (
    Equation,
    body_of_call,
    constants,
    open_jaxpr,
    scan_roles,
)
from jnumerics.derivatives._program.linearity import numbers
from jnumerics.derivatives._program.linearity.result import Linearity, Loss
from jnumerics.derivatives._program.linearity.rules import RULES, unruled
from jnumerics.derivatives._program.linearity.value import (
    LINEAR,
    UNKNOWN,
    Degree,
    Value,
    fixpoint,
    join,
)

Callers = tuple[JaxprEqn, ...]
Values = Sequence[Value]


def judge(
    jaxpr: Any, is_tangent: Sequence[bool], is_answer: Sequence[bool]
) -> Linearity:
    """Judge a closed jaxpr.

    Args:
        jaxpr: The program.
        is_tangent: For each of its inputs, whether it is a tangent.
        is_answer: For each of its outputs, whether it has to be linear.
    """
    judging = _Judge()
    values = judging.results(jaxpr, [LINEAR if t else UNKNOWN for t in is_tangent], ())
    makers = {v: e for e in open_jaxpr(jaxpr).eqns for v in e.outvars}
    triples = zip(open_jaxpr(jaxpr).outvars, values, is_answer, strict=True)
    answers = [(atom, value) for atom, value, is_one in triples if is_one]
    for atom, value in answers:
        if value.is_free and value.at_zero != 0:  # a constant for a tangent
            judging.lose(makers.get(atom) if isinstance(atom, Var) else None, ())
    is_zero = tuple(value.at_zero == 0 for _, value in answers)
    return Linearity(tuple(judging.losses.values()), is_zero)


class _Judge:
    """Passes values through jaxprs.

    Args:
        is_transposed: Whether these are a transpose's, whose own transposes are the
            maps that it was made of.

    Attributes:
        losses: Where linearity was lost, each equation once.
    """

    def __init__(self, *, is_transposed: bool = False) -> None:
        self.losses: dict[int, Loss] = {}
        self._is_transposed = is_transposed

    def results(self, jaxpr: Any, values: Values, callers: Callers) -> list[Value]:
        """Return the values of a jaxpr's outputs."""
        inner = open_jaxpr(jaxpr)
        env: dict[Var, Value] = dict(zip(inner.invars, values, strict=True))
        for var, constant in zip(inner.constvars, constants(jaxpr), strict=False):
            is_readable = _check.is_concrete(constant) and not isinstance(
                constant, jax.Ref
            )
            number = numbers.uniform(constant) if is_readable else None
            env[var] = Value(Degree.FREE, number)
        for eqn in inner.eqns:
            operands = [_read(env, atom) for atom in eqn.invars]
            results = self._equation(eqn, operands, callers)
            env.update(zip(eqn.outvars, results, strict=True))
        return [_read(env, atom) for atom in inner.outvars]

    def lose(self, eqn: JaxprEqn | None, callers: Callers) -> None:
        """Note that linearity is lost at an equation; None is an input or a literal."""
        loss = Loss("a derivative that no input's tangent reaches")
        if eqn is not None:
            loss = Loss(eqn.primitive.name, Equation(eqn, callers).line)
        self.losses.setdefault(id(eqn), loss)

    def _equation(
        self, eqn: JaxprEqn, operands: Values, callers: Callers
    ) -> Sequence[Value]:
        name, before = eqn.primitive.name, len(self.losses)
        if name in _CALLS:
            results = self._call(eqn, operands, callers)
        elif name in _CONTROL and not all(v.is_free for v in operands):
            results = _CONTROL[name](self, eqn, operands, callers)
        else:
            results = RULES.get(name, unruled)(eqn, operands)
        results = [
            v._replace(degree=Degree.UNPROVEN) if _is_rounded(v, atom) else v
            for v, atom in zip(results, eqn.outvars, strict=True)
        ]
        is_new = _is_lost(results) and not _is_lost(operands)
        if is_new and len(self.losses) == before:  # not inside of it
            self.lose(eqn, callers)
        return results

    def _call(
        self, eqn: JaxprEqn, operands: Values, callers: Callers
    ) -> Sequence[Value]:
        body = eqn.params.get("jaxpr") or body_of_call(eqn)
        if body is None:
            return unruled(eqn, operands)
        return self.results(body, operands, (*callers, eqn))

    def judge_scan(
        self, eqn: JaxprEqn, operands: Values, callers: Callers
    ) -> list[Value]:
        roles, body = scan_roles(eqn), eqn.params["jaxpr"]
        consts, stacked = operands[: roles.n_consts], operands[roles.n_whole :]

        def step(carry: Values) -> list[Value]:
            return self.results(body, [*consts, *carry, *stacked], (*callers, eqn))

        start = operands[roles.n_consts : roles.n_whole]
        carry = fixpoint(lambda carry: step(carry)[: roles.n_carry], start)
        return [*carry, *step(carry)[roles.n_carry :]]

    def judge_while(
        self, eqn: JaxprEqn, operands: Values, callers: Callers
    ) -> list[Value]:
        p, inside = eqn.params, (*callers, eqn)
        n_cond, n_consts = p["cond_nconsts"], p["body_nconsts"]
        of_cond, start = operands[:n_cond], operands[n_cond + n_consts :]
        consts = operands[n_cond : n_cond + n_consts]

        def goes_on(carry: Values) -> Value:
            return self.results(p["cond_jaxpr"], [*of_cond, *carry], inside)[0]

        def step(carry: Values) -> list[Value]:
            return self.results(p["body_jaxpr"], [*consts, *carry], inside)

        first = goes_on(start)
        carry = fixpoint(step, start)
        if goes_on(carry).is_free:
            return carry
        at_zero = start if first.at_zero == 0 else carry  # not entered at zero
        return [Value(Degree.UNPROVEN, v.at_zero) for v in at_zero]

    def judge_cond(
        self, eqn: JaxprEqn, operands: Values, callers: Callers
    ) -> list[Value]:
        index, *others = operands
        branches = [
            self.results(branch, others, (*callers, eqn))
            for branch in eqn.params["branches"]
        ]
        joined = [join(values) for values in zip(*branches, strict=True)]
        if index.is_free:
            return joined
        return [v._replace(degree=Degree.UNPROVEN) for v in joined]

    def judge_reduce(
        self, eqn: JaxprEqn, operands: Values, callers: Callers
    ) -> list[Value]:
        """Judge a reduction by its reducer, linear in what it combines or not."""
        half = len(operands) // 2  # operands, then their initial values
        start = [
            join(pair) for pair in zip(operands[:half], operands[half:], strict=True)
        ]

        def step(parts: Values) -> list[Value]:
            return self.results(eqn.params["jaxpr"], [*parts, *parts], (*callers, eqn))

        return fixpoint(step, start)

    def judge_scatter(
        self, eqn: JaxprEqn, operands: Values, callers: Callers
    ) -> Sequence[Value]:
        """Judge a function that is applied in place, by what it makes of an element."""
        operand, indices, updates = operands
        body = eqn.params["update_jaxpr"]
        if body is None or not indices.is_free:
            return RULES["scatter"](eqn, operands)
        return [
            join([operand, *self.results(body, [operand, updates], (*callers, eqn))])
        ]

    def judge_linear_call(
        self, eqn: JaxprEqn, operands: Values, callers: Callers
    ) -> Sequence[Value]:
        """Judge a linear function by its callee, and by the transpose that it has."""
        results = self._call(eqn, operands, callers)
        return results if self._transposes(eqn, operands, callers) else _lost(results)

    def _transposes(self, eqn: JaxprEqn, operands: Values, callers: Callers) -> bool:
        """Whether the transpose that users may write is linear, if there is one."""
        is_tangent = [not v.is_free for v in operands]
        if self._is_transposed:
            return True
        try:
            rule = backward_rule(eqn, is_tangent)
        except Exception:
            return True  # whatever the rule's reason: it runs forward alone
        still = [v for v, moves in zip(operands, is_tangent, strict=True) if not moves]
        cotangents = [LINEAR] * len(eqn.outvars)
        judging = _Judge(is_transposed=True)
        results = judging.results(rule, [*still, *cotangents], (*callers, eqn))
        return not _is_lost(results) and all(v.at_zero == 0 for v in results)

    def judge_solve(
        self, eqn: JaxprEqn, operands: Values, callers: Callers
    ) -> list[Value]:
        """Judge a linear solve by its solvers: one that iterates is not linear."""
        lengths, inside = eqn.params["const_lengths"], (*callers, eqn)
        n_consts = sum(lengths)
        matrix, rhs = operands[:n_consts], operands[n_consts:]
        if not all(v.is_free for v in matrix):
            return _lost([UNKNOWN] * len(eqn.outvars))
        first = lengths.matvec + lengths.vecmat
        consts = matrix[first : first + lengths.solve]
        # where inside it is lost says nothing to its user
        solver = _Judge(is_transposed=self._is_transposed)
        body = eqn.params["jaxprs"].solve
        results = solver.results(body, [*consts, *rhs], inside)
        return results if self._transposes(eqn, operands, callers) else _lost(results)

    def judge_custom_vjp(
        self, eqn: JaxprEqn, operands: Values, callers: Callers
    ) -> list[Value]:
        """Judge a custom_vjp function by its backward rule, in the cotangents."""
        n_residuals = eqn.params["num_res"]
        residuals, tangents = operands[:n_residuals], operands[n_residuals:]
        unproven = _lost([UNKNOWN] * len(eqn.outvars))
        if sees_zeros(eqn) or not all(v.is_free for v in residuals):
            return unproven
        rule = pullback_of(eqn)
        if rule is None:
            return unproven
        cotangents = [LINEAR] * len(eqn.outvars)
        results = self.results(rule, [*residuals, *cotangents], (*callers, eqn))
        if _is_lost(results) or any(v.at_zero != 0 for v in results):
            return unproven
        is_zero = all(v.at_zero == 0 for v in tangents)
        degree = max(v.degree for v in tangents)
        return [Value(degree, 0 if is_zero else None)] * len(eqn.outvars)


def _is_lost(values: Values) -> bool:
    return any(v.degree == Degree.UNPROVEN for v in values)


def _lost(values: Values) -> list[Value]:
    return [v._replace(degree=Degree.UNPROVEN) for v in values]


def _is_rounded(value: Value, atom: Any) -> bool:
    """Whether a linear value was put into integers, or floats of few digits."""
    dtype = getattr(atom.aval, "dtype", None)
    is_linear = value.degree == Degree.LINEAR
    return is_linear and dtype is not None and not numbers.is_wide(dtype)


def _read(env: dict[Var, Value], atom: Any) -> Value:
    if isinstance(atom, Literal):
        dtype: Any = atom.aval
        return Value(Degree.FREE, numbers.literal(atom.val, dtype.dtype))
    return env.get(atom, UNKNOWN)


_CALLS = LINEAR_CALLS | {
    "call_hi_primitive",
    "custom_vjp_call",
    "eval_jaxpr",
    "shard_map",
}
_CONTROL = {
    "scan": _Judge.judge_scan,
    "while": _Judge.judge_while,
    "cond": _Judge.judge_cond,
    "reduce": _Judge.judge_reduce,
    "reduce_window": _Judge.judge_reduce,
    "scatter": _Judge.judge_scatter,
    "custom_linear_solve": _Judge.judge_solve,
    "custom_lin": _Judge.judge_custom_vjp,
    "linear_call": _Judge.judge_linear_call,
}
