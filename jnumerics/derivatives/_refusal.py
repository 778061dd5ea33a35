"""What no derivative's program can be made of, refused with the user's line."""

import contextlib
import traceback
from collections.abc import Iterator
from typing import Any

import jax
from jax.extend.core import JaxprEqn

from jnumerics.derivatives._equations import (
    UNKNOWN_LINE,
    Equation,
    inner_jaxprs,
    is_user_file,
    open_jaxpr,
    shown,
)

_NEEDS_VALUES = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.NonConcreteBooleanIndexError,
)


@contextlib.contextmanager
def tracing() -> Iterator[None]:
    """Refuse what JAX cannot trace and differentiate, in terms of the user's function.

    Raises:
        TypeError: If the function needs concrete values, or calls back to the host.
    """
    try:
        yield
    except _NEEDS_VALUES as error:
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


def refuse_effects(jaxpr: Any, callers: tuple[JaxprEqn, ...] = ()) -> None:
    for eqn in open_jaxpr(jaxpr).eqns:
        inner = list(inner_jaxprs(eqn))
        for body in inner:
            refuse_effects(body, (*callers, eqn))
        has_effect = eqn.effects and not inner and not _is_discharged(callers)
        if has_effect or "callback" in eqn.primitive.name:
            line = Equation(eqn, callers).line
            msg = (
                f"`fun` must be free of effects and callbacks, got {eqn.primitive.name}"
                f" at {line}: the derivative's program is taken apart, which drops them"
            )
            raise TypeError(msg)


def _is_discharged(callers: tuple[JaxprEqn, ...]) -> bool:
    """Whether an effect ends in a `shard_map`, as those of collectives do."""
    return any(c.primitive.name == "shard_map" and not c.effects for c in callers)


def _line_of_error(error: BaseException) -> str:
    """Return the innermost frame of the user's in an exception's traceback."""
    frames = [
        f"{shown(frame.f_code.co_filename)}:{number}"
        for frame, number in traceback.walk_tb(error.__traceback__)
        if is_user_file(frame.f_code.co_filename)
    ]
    return frames[-1] if frames else UNKNOWN_LINE
