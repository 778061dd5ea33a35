"""Where in a person's function something broke."""

import argparse
import functools
import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ABOUT_SHAPES = re.compile(
    r"shape|dimension|\brank|\baxis|\baxes|broadcast|\bsizes?\b|unpack|out of bounds"
    r"|indices|positional argument|\bscalar",
    re.IGNORECASE,
)
RAISES = re.compile(r"(^|:\s*)raise\b")  # a line that raises an exception itself


class OwnError(Exception):
    """An exception inside a person's function; its text shows their frames alone."""


def shows_own_errors(run: Callable[[argparse.Namespace], int]) -> Callable:
    """Let a command show an exception inside a person's function; the status is 1."""

    @functools.wraps(run)
    def guarded(arguments: argparse.Namespace) -> int:
        try:
            return run(arguments)
        except OwnError as error:
            print(error, file=sys.stderr)
            return 1

    return guarded


def own_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """Return the frames outside of Python's library, of packages, and of jnumerics."""
    paths = sysconfig.get_paths()
    ours = f"{Path(__file__).parents[3]}{os.sep}"
    others = (*(paths[k] for k in ("stdlib", "purelib", "platlib")), ours, "<frozen")
    frames = traceback.extract_tb(error.__traceback__)
    return [f for f in frames if not f.filename.startswith(others)]


def is_misfit(error: BaseException, frame: traceback.FrameSummary) -> bool:
    """Whether shapes do not fit, by the words of a library: not of the person's own."""
    is_own = RAISES.search(frame.line or "") is not None
    kinds = (TypeError, ValueError, IndexError)
    about_shapes = isinstance(error, kinds) and ABOUT_SHAPES.search(str(error))
    return bool(about_shapes) and not is_own


def told(error: BaseException, frames: Sequence[Any]) -> str:
    """Write an exception with frames of the person's own code only."""
    lines = traceback.format_list(list(frames))
    last = traceback.TracebackException.from_exception(error)
    last.__notes__ = None  # JAX's words about the frames that it hid
    return "".join(
        ["Traceback, your code only:\n", *lines, *last.format_exception_only()]
    ).rstrip()
