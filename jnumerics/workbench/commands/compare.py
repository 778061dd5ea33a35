"""`jnumerics compare MODULE:FUNCTION`: the derivative modes of somebody's own function.

What does not fit, such as a module, a shape or a mode, is one line. An exception inside
the function is that person's to find, so it is shown with the frames of their own code.
"""

import argparse
import contextlib
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jnumerics.derivatives import ModeComparison, compare_modes
from jnumerics.derivatives._compare.contenders import MODES
from jnumerics.derivatives._compare.timing import Interrupted
from jnumerics.workbench import devices, plots
from jnumerics.workbench._usage import UsageError
from jnumerics.workbench.commands import flags
from jnumerics.workbench.commands._functions import load, own_frames

__all__ = ["configure", "run", "shape"]

DTYPES = ("float32", "float64", "bfloat16", "float16")
SEED = 0  # of the arguments' values
ABOUT_SHAPES = re.compile(
    r"shape|dimension|\brank|\baxis|\baxes|broadcast|\bsizes?\b|unpack|out of bounds"
    r"|indices|positional argument|\bscalar",
    re.IGNORECASE,
)
RAISES = re.compile(r"(^|:\s*)raise\b")  # a line that raises an exception itself


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jnumerics compare`."""
    parser.add_argument(
        "function", metavar="MODULE:FUNCTION",
        help="MODULE is importable, from the current folder too, or a file",
    )  # fmt: skip
    parser.add_argument(
        "--shape", metavar="SHAPE", action="append", required=True,
        help="of an argument, such as 784 or 32,784 or () for a number; once for each",
    )  # fmt: skip
    parser.add_argument(
        "--dtype", default="float32", help=f"of all arguments: {', '.join(DTYPES)}"
    )
    parser.add_argument(
        "--target", default="jacobian", help=f"{', '.join(MODES)} (jacobian)"
    )
    parser.add_argument(
        "--batch", action="store_true", help="the same as --target batch"
    )
    names = dict.fromkeys(mode for modes in MODES.values() for mode in modes)
    parser.add_argument("--modes", nargs="+", metavar="MODE", help=", ".join(names))
    parser.add_argument(
        "--repeats", metavar="N", default="20", help="runs of each mode (20)"
    )
    parser.add_argument(
        "--max-bytes", metavar="N", help="bound of each mode's temporary memory"
    )
    flags.add_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure the derivative modes of a function side by side."""
    options = _options(arguments)
    shapes = [shape(text) for text in arguments.shape]
    flags.require_writable(arguments)
    devices.select(arguments.platform)
    is_double, is_whole = arguments.dtype == "float64", True
    with jax.enable_x64(True) if is_double else contextlib.nullcontext():
        try:
            fun = load(arguments.function)
            comparison = _compare(fun, shapes, arguments, options)
        except (UsageError, BrokenPipeError):
            raise
        except Interrupted as interrupt:
            comparison, is_whole = interrupt.found, False
        except (Exception, SystemExit) as error:
            frames = own_frames(error)
            if not frames or _is_misfit(error, frames[-1]):
                raise UsageError(_one_line(error, frames, arguments)) from None
            print(_told(error, frames), file=sys.stderr)
            return 1
    try:
        print(comparison)
    finally:  # though nobody may read the table
        flags.write(
            arguments,
            comparison.to_json,
            lambda f: plots.mode_comparison(comparison, f),
        )
    if not is_whole:
        msg = f"after {len(comparison.evaluation.runs)} of {options['repeats']} runs"
        raise KeyboardInterrupt(msg)
    return 0


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.dtype not in DTYPES:
        msg = f"--dtype must be one of {', '.join(DTYPES)}, got {arguments.dtype!r}"
        raise UsageError(msg)
    target = arguments.target
    if arguments.batch and target not in ("jacobian", "batch"):
        msg = f"--target must be batch beside --batch, got {target!r}"
        raise UsageError(msg)
    target = "batch" if arguments.batch else target
    if target not in MODES:
        msg = f"--target must be one of {', '.join(MODES)}, got {target!r}"
        raise UsageError(msg)
    allowed = MODES[target]
    modes = [m for text in arguments.modes or () for m in text.split(",") if m]
    for mode in modes:
        if mode not in allowed:
            msg = f"--modes must be among {', '.join(allowed)}, got {mode!r}"
            raise UsageError(msg)
    return {
        "target": target,
        "modes": modes or None,
        "repeats": flags.integer("--repeats", arguments.repeats, least=1),
        "max_bytes": None
        if arguments.max_bytes is None
        else flags.integer(
            "--max-bytes", arguments.max_bytes, least=1, greatest=2**63 - 1
        ),
    }


def shape(text: str) -> tuple[int, ...]:
    """Read a shape: `784`, `32,784`, `32x784`, `(784,)`; `()` or nothing is a number's.

    Raises:
        UsageError: If it is something else.

    Example:
        >>> shape("784"), shape("32x784"), shape("()")
        ((784,), (32, 784), ())
    """
    inner = re.sub(r"^\((.*)\)$|^\[(.*)\]$", r"\1\2", text.strip())
    parts = re.split(r"\s*[,x]\s*", inner.strip().removesuffix(",")) if inner else []
    if not all(re.fullmatch(r"\d{1,18}", part) for part in parts):
        msg = f"--shape must be such as 784 or 32,784 or (), got {text!r}"
        raise UsageError(msg)
    return tuple(int(part) for part in parts)


def _compare(
    fun: Callable,
    shapes: Sequence[tuple[int, ...]],
    arguments: argparse.Namespace,
    options: dict[str, Any],
) -> ModeComparison:
    keys = jax.random.split(jax.random.key(SEED), len(shapes))
    dtype = jnp.dtype(arguments.dtype)
    args = [jax.random.normal(k, s, dtype) for k, s in zip(keys, shapes, strict=True)]
    return compare_modes(fun, *args, **options)


def _is_misfit(error: BaseException, frame: traceback.FrameSummary) -> bool:
    """Whether shapes do not fit, by the words of a library: not of the person's own."""
    is_own = RAISES.search(frame.line or "") is not None
    kinds = (TypeError, ValueError, IndexError)
    about_shapes = isinstance(error, kinds) and ABOUT_SHAPES.search(str(error))
    return bool(about_shapes) and not is_own


def _one_line(
    error: BaseException, frames: Sequence[Any], arguments: argparse.Namespace
) -> str:
    text = re.sub(r"\s+", " ", str(error)).strip() or type(error).__name__
    if isinstance(error, SyntaxError):  # says where; the shapes were not yet looked at
        return f"{arguments.function}: {text}"
    where = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    shapes = " ".join(f"--shape {text or '()'}" for text in arguments.shape)
    return f"{arguments.function} with {shapes}: {text}{where}"


def _told(error: BaseException, frames: Sequence[Any]) -> str:
    """Write an exception with frames of the person's own code only."""
    lines = traceback.format_list(list(frames))
    last = traceback.TracebackException.from_exception(error)
    last.__notes__ = None  # JAX's words about the frames that it hid
    return "".join(
        ["Traceback, your code only:\n", *lines, *last.format_exception_only()]
    ).rstrip()
