"""What no derivative's program can be made of, refused with the user's line."""

import contextlib
import traceback
from collections.abc import Iterator

import jax

from jnumerics.derivatives._equations import (
    UNKNOWN_LINE,
    is_user_file,
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


def _line_of_error(error: BaseException) -> str:
    """Return the innermost frame of the user's in an exception's traceback."""
    frames = [
        f"{shown(frame.f_code.co_filename)}:{number}"
        for frame, number in traceback.walk_tb(error.__traceback__)
        if is_user_file(frame.f_code.co_filename)
    ]
    return frames[-1] if frames else UNKNOWN_LINE
