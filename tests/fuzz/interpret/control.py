"""Loops and branches in Python; solvers that are given as functions."""

import itertools
from typing import Any

import jax
import numpy as np

from tests.fuzz.interpret.core import Eqn, Function, Interpreter, evaluator, shape_of

LONGEST = 10_000  # steps of a while loop


@evaluator("cond")
def _(eqn: Eqn) -> Function:
    branches = [Interpreter(b) for b in eqn.params["branches"]]

    def fun(index: Any, *args: Any) -> Any:
        return branches[min(max(int(index), 0), len(branches) - 1)](*args)

    return fun


@evaluator("while")
def _(eqn: Eqn) -> Function:
    p = eqn.params
    n_cond, n_body = p["cond_nconsts"], p["body_nconsts"]
    goes_on, body = Interpreter(p["cond_jaxpr"]), Interpreter(p["body_jaxpr"])

    def fun(*args: Any) -> Any:
        first, consts = args[:n_cond], args[n_cond : n_cond + n_body]
        carry = args[n_cond + n_body :]
        for step in itertools.count():
            if not np.any(goes := np.asarray(goes_on(*first, *carry)[0])):
                break
            if step > LONGEST:  # a program that was shrunk too far
                msg = f"a loop of more than {LONGEST} steps"
                raise RuntimeError(msg)
            after = body(*consts, *carry)
            carry = [
                _chosen(goes, new, old) for new, old in zip(after, carry, strict=True)
            ]
        return carry

    return fun


def _chosen(goes: Any, new: Any, old: Any) -> Any:
    """Keep what done samples hold: a vmapped loop's predicate has their axes."""
    if not goes.ndim:
        return new
    return np.where(
        goes.reshape(goes.shape + (1,) * (np.ndim(new) - goes.ndim)), new, old
    )


def scan_parts(eqn: Eqn) -> tuple[int, int]:
    """Return how many constants and carried values a scan has, by ranks."""
    body = getattr(eqn.params["jaxpr"], "jaxpr", eqn.params["jaxpr"])
    ranks = [
        sum(
            len(shape_of(a)) == len(shape_of(b))
            for a, b in zip(outer, inner, strict=True)
        )
        for outer, inner in ((eqn.invars, body.invars), (eqn.outvars, body.outvars))
    ]
    return ranks[0] - ranks[1], ranks[1]


@evaluator("scan")
def _(eqn: Eqn) -> Function:
    n_consts, n_carry = scan_parts(eqn)
    body, length = Interpreter(eqn.params["jaxpr"]), eqn.params["length"]
    times = range(length)
    stacked = eqn.outvars[n_carry:]

    def fun(*args: Any) -> Any:
        consts, carry = args[:n_consts], args[n_consts : n_consts + n_carry]
        xs = args[n_consts + n_carry :]
        rows: list[Any] = [None] * length
        for time in reversed(times) if eqn.params["reverse"] else times:
            results = body(*consts, *carry, *(x[time] for x in xs))
            carry, rows[time] = results[:n_carry], results[n_carry:]
        if not length:
            return [*carry, *(np.zeros(shape_of(v), v.aval.dtype) for v in stacked)]
        return [*carry, *map(np.stack, zip(*rows, strict=True))]

    return fun


@evaluator("custom_lin")
def _(eqn: Eqn) -> Function:
    """Give NaN for what has no forward mode: compiled programs drop it if unread."""
    avals = [v.aval for v in eqn.outvars]
    return lambda *_: [
        np.zeros(a.shape, a.dtype)
        if a.dtype == jax.dtypes.float0
        else np.full(a.shape, np.nan, a.dtype)
        for a in avals
    ]


@evaluator("custom_linear_solve")
def _(eqn: Eqn) -> Function:
    lengths, solve = eqn.params["const_lengths"], eqn.params["jaxprs"].solve
    solver = Interpreter(solve)
    first = lengths.matvec + lengths.vecmat
    total = first + lengths.solve + lengths.transpose_solve

    def fun(*args: Any) -> Any:
        return solver(*args[first : first + lengths.solve], *args[total:])

    return fun
