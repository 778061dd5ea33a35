"""Flags that commands share: `--json FILE`, a figure's file, and whole numbers."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jnumerics._check import MOST_COUNTED
from jnumerics.workbench import lesson
from jnumerics.workbench._usage import UsageError

__all__ = ["add_flags", "integer", "json_alone", "require_writable", "write"]

FIGURES = (".png", ".svg", ".pdf")
STDOUT = "-"  # as the file of `--json`


def add_flags(parser: argparse.ArgumentParser, figure: str | None = "plot") -> None:
    """Add `--json`, and the flag of the figure's file, if there is a figure."""
    parser.add_argument(
        "--json",
        metavar="FILE",
        help="write all figures to a file; - writes them alone",
    )
    parser.set_defaults(plot=None, plot_flag=figure)
    if figure is not None:
        parser.add_argument(
            f"--{figure}",
            dest="plot",
            metavar="FILE",
            help="draw them: a .png, .svg or .pdf file",
        )


def require_writable(arguments: argparse.Namespace) -> None:
    """Make sure, before anything is measured, that the files can be written.

    Raises:
        UsageError: If one cannot, or if there is no matplotlib to draw with.
    """
    if arguments.plot is not None:
        if Path(arguments.plot).suffix.lower() not in FIGURES:
            expected = ", ".join(FIGURES)
            flag = f"--{arguments.plot_flag} {_shown(arguments.plot)}"
            msg = f"{flag}: must end in one of {expected}"
            raise UsageError(msg)
        if not lesson.has_matplotlib():
            needs = f"--{arguments.plot_flag} needs matplotlib"
            msg = f"{needs}: pip install 'jnumerics[workbench]'"
            raise UsageError(msg)
    files = {"json": arguments.json, arguments.plot_flag: arguments.plot}
    for flag, name in files.items():
        if name is not None and (flag, name) != ("json", STDOUT):
            _require_writable(flag, name)


def _require_writable(flag: str, name: str) -> None:
    with _written(flag, name) as file:
        is_new = not file.exists()
        with file.open("ab"):
            pass
        if is_new:
            file.unlink()


@contextlib.contextmanager
def _written(flag: str, name: str) -> Iterator[Path]:
    reason = "it has no name"
    try:
        if name:
            yield Path(name)
            return
    except OSError as e:
        reason = e.strerror
    msg = f"--{flag} {_shown(name)}: must be a file that can be written: {reason}"
    raise UsageError(msg)


def _shown(name: str) -> str:
    return name or "''"


@contextlib.contextmanager
def json_alone(arguments: argparse.Namespace) -> Iterator[None]:
    """With `--json -`, leave the standard output to the JSON.

    Everything else goes to the standard error stream: the table, and what the user's
    function prints.
    """
    arguments.stdout = sys.stdout
    if getattr(arguments, "json", None) != STDOUT:
        yield
        return
    with contextlib.redirect_stdout(sys.stderr):
        yield


def write(
    arguments: argparse.Namespace,
    to_json: Callable[[], str],
    draw: Callable[[Path], Any] = lambda _: None,
) -> None:
    """Write the files that were asked for.

    Raises:
        UsageError: If one cannot be written, because the disk is full for instance.
    """
    text = "" if arguments.json is None else to_json() + "\n"
    if arguments.json == STDOUT:
        arguments.stdout.write(text)
    elif arguments.json is not None:
        with _written("json", arguments.json) as file:
            file.write_text(text, encoding="utf-8")
    if arguments.plot is not None:
        with _written(arguments.plot_flag, arguments.plot) as file:
            draw(file)


def integer(flag: str, text: str, *, least: int, greatest: int = MOST_COUNTED) -> int:
    """Read a flag's text as an integer from `least` to `greatest`.

    Raises:
        UsageError: If it is something else.

    Example:
        >>> integer("--repeats", "20", least=1)
        20
    """
    # Python refuses to read thousands of digits
    is_number = text.isdecimal() and len(text) <= len(str(greatest))
    if not (is_number and least <= int(text) <= greatest):
        msg = f"{flag} must be an integer from {least} to {greatest}, got {text!r}"
        raise UsageError(msg)
    return int(text)
