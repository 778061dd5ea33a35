"""Flags that commands share: `--json FILE`, `--plot FILE`, and whole numbers."""

import argparse
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jnumerics._check import MOST_COUNTED
from jnumerics.workbench import lesson
from jnumerics.workbench.config import UsageError

__all__ = ["add_flags", "integer", "require_writable", "write"]

FIGURES = (".png", ".svg", ".pdf")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add `--json` and `--plot`."""
    parser.add_argument("--json", metavar="FILE", help="write all figures to a file")
    parser.add_argument(
        "--plot", metavar="FILE", help="draw them: a .png, .svg or .pdf file"
    )


def require_writable(arguments: argparse.Namespace) -> None:
    """Make sure, before anything is measured, that the files can be written.

    Raises:
        UsageError: If one cannot, or if there is no matplotlib to draw with.
    """
    if arguments.plot is not None:
        if Path(arguments.plot).suffix.lower() not in FIGURES:
            expected = ", ".join(FIGURES)
            msg = f"--plot {arguments.plot}: must end in one of {expected}"
            raise UsageError(msg)
        if not lesson.has_matplotlib():
            msg = "--plot needs matplotlib: pip install 'jnumerics[workbench]'"
            raise UsageError(msg)
    for flag in ("json", "plot"):
        file = getattr(arguments, flag)
        if file is not None:
            _require_writable(flag, Path(file))


def _require_writable(flag: str, file: Path) -> None:
    with _written(flag, file):
        is_new = not file.exists()
        with file.open("ab"):
            pass
        if is_new:
            file.unlink()


@contextlib.contextmanager
def _written(flag: str, file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        msg = f"--{flag} {file}: must be a file that can be written: {e.strerror}"
        raise UsageError(msg) from None


def write(
    arguments: argparse.Namespace,
    to_json: Callable[[], str],
    draw: Callable[[Path], Any],
) -> None:
    """Write the files that were asked for.

    Raises:
        UsageError: If one cannot be written, because the disk is full for instance.
    """
    if arguments.json is not None:
        file, text = Path(arguments.json), to_json() + "\n"
        with _written("json", file):
            file.write_text(text, encoding="utf-8")
    if arguments.plot is not None:
        file = Path(arguments.plot)
        with _written("plot", file):
            draw(file)


def integer(flag: str, text: str, *, least: int, most: int = MOST_COUNTED) -> int:
    """Read a flag's text as an integer from `least` to `most`.

    Raises:
        UsageError: If it is something else.

    Example:
        >>> integer("--repeats", "20", least=1)
        20
    """
    # Python refuses to read thousands of digits
    is_number = text.isdecimal() and len(text) <= len(str(most))
    if not (is_number and least <= int(text) <= most):
        msg = f"{flag} must be an integer from {least} to {most}, got {text!r}"
        raise UsageError(msg)
    return int(text)
