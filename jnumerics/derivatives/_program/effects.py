"""Effects: prints, callbacks and writes to references, once a call and in order.

They belong to the primal program, which is evaluated once. An effect in an equation
that tangents pass would happen in every pass, so it is refused. What `jax.checkpoint`
computes again for the passes prints nothing a second time. What cannot be traced at all
is refused here too, with the user's line.
"""

import contextlib
import traceback
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import Any

import jax.extend.core as jex
from jax.extend.core import JaxprEqn, Var

from jnumerics import _check
from jnumerics.derivatives._program.inline import pullback_of
from jnumerics.derivatives._program.jaxpr import (
    REMATS,
    UNKNOWN_LINE,
    Equation,
    inner_jaxprs,
    is_user_file,
    open_jaxpr,
    shown,
    variables,
)


def refuse_in_passes(equations: Iterable[Equation], reached: Set[Var]) -> None:
    """Refuse effects and callbacks in equations that the tangents reach.

    Raises:
        TypeError: It names the operation and the user's line.
    """
    passed = [e for e in equations if not reached.isdisjoint(variables(e))]
    rules = {id(c): Equation(c, ()) for e in passed for c in e.callers if _is_rule(c)}
    for eqn, callers in (*passed, *rules.values()):
        culprit = _first(eqn, callers)
        if culprit is not None:
            msg = (
                "`fun` must be free of effects and callbacks where derivatives pass, "
                f"got {culprit.name} at {culprit.line}, which would run again in every "
                "pass"
            )
            raise TypeError(msg)


def _first(eqn: JaxprEqn, callers: tuple[JaxprEqn, ...]) -> Equation | None:
    """Return the innermost equation with an effect, or a callback, if there is one."""
    inside = (e for body in _bodies(eqn) for e in open_jaxpr(body).eqns)
    nested = (_first(e, (*callers, eqn)) for e in inside)
    first = next(filter(None, nested), None)
    effects = [e for e in eqn.effects if type(e).__name__ not in _HARMLESS]
    if first is None and (effects or "callback" in eqn.primitive.name):
        return Equation(eqn, callers)
    return None if _discharges(eqn) and not effects else first


_HARMLESS = {"NamedAxisEffect"}  # of collectives inside of shard_map: it names an axis


def _discharges(eqn: JaxprEqn) -> bool:
    """Whether effects inside end there: collectives, and a kernel's references."""
    return eqn.primitive.name in {"shard_map", "pallas_call"}


def _is_rule(eqn: JaxprEqn) -> bool:
    return eqn.primitive.name == "custom_lin"


def _bodies(eqn: JaxprEqn) -> list[Any]:
    """Return the jaxprs in an equation; of a custom_vjp function's map, its rule."""
    if not _is_rule(eqn):
        return list(inner_jaxprs(eqn))
    rule = pullback_of(eqn)
    return [] if rule is None else [rule]


def without_repeats(jaxpr: Any, is_repeat: bool = False) -> Any:
    """Drop effects without a result from what remat computes a second time.

    Args:
        jaxpr: A jaxpr of values and tangents; returned as it is if it has no effects.
        is_repeat: Whether all of it is computed a second time.
    """
    inner = open_jaxpr(jaxpr)
    if not inner.effects:
        return jaxpr
    eqns = [
        _without_repeats(eqn, is_repeat)
        for eqn in inner.eqns
        if not (is_repeat and eqn.effects and not eqn.outvars)
    ]
    changed = {"eqns": eqns, "effects": inner.effects & _effects(eqns)}
    if isinstance(jaxpr, jex.Jaxpr):
        return jaxpr.replace(**changed)
    return jaxpr.replace(jaxpr=inner.replace(**changed))


def _without_repeats(eqn: JaxprEqn, is_repeat: bool) -> JaxprEqn:
    if not eqn.effects:
        return eqn
    is_again = eqn.primitive.name in REMATS and eqn.params.get("differentiated")
    is_repeat = is_repeat or bool(is_again)

    def changed(value: Any) -> Any:
        if isinstance(value, jex.Jaxpr | jex.ClosedJaxpr):
            return without_repeats(value, is_repeat)
        if isinstance(value, tuple | list):
            return type(value)(map(changed, value)) if _holds_jaxprs(value) else value
        return value

    params = {name: changed(value) for name, value in eqn.params.items()}
    new = eqn.replace(params=params)
    gone = _effects(inner_jaxprs(eqn)) - _effects(inner_jaxprs(new))
    return new.replace(effects=eqn.effects - gone)


def _holds_jaxprs(values: Sequence[Any]) -> bool:
    return any(isinstance(v, jex.Jaxpr | jex.ClosedJaxpr) for v in values)


def _effects(several: Iterable[Any]) -> set[Any]:
    """Join the effects of jaxprs or equations."""
    return {effect for one in several for effect in open_jaxpr(one).effects}


@contextlib.contextmanager
def tracing() -> Iterator[None]:
    """Refuse what JAX cannot trace and differentiate, in terms of the user's function.

    Raises:
        TypeError: If the function needs concrete values, or calls back to the host.
    """
    try:
        yield
    except _check.NEEDS_VALUES as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        msg = (
            "`fun` must be traceable, as under jax.jit, got one that needs a concrete "
            f"value at {_line_of_error(error)}: {reason}"
        )
        raise TypeError(msg) from error
    except ValueError as error:
        if "callbacks do not support JVP" not in str(error):
            raise
        msg = (
            "`fun` must be free of effects and callbacks, got a callback "
            f"at {_line_of_error(error)}, which JAX does not differentiate"
        )
        raise TypeError(msg) from error


def _line_of_error(error: BaseException) -> str:
    """Return the innermost frame of the user's in an exception's traceback."""
    frames = [
        f"{shown(frame.f_code.co_filename)}:{number}"
        for frame, number in traceback.walk_tb(error.__traceback__)
        if is_user_file(frame.f_code.co_filename)
    ]
    return frames[-1] if frames else UNKNOWN_LINE
