"""The command line: `jnumerics plan | check | compare | crossover | demo | info`.

A command is an entry of `COMMANDS`. What the person who typed can mend is one line on
the standard error stream and exit status 2; a wrong answer is exit status 1. Ctrl-C
keeps what was done until then: it is printed and written, then follow one line and
status 130. A reader that goes, as `head` does, is status 141, and no line.
"""

import argparse
import errno
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Never

import jax

import jnumerics
from jnumerics.workbench import config, devices, lesson, report
from jnumerics.workbench.commands import (
    _interrupt,
    _terminal,
    check,
    compare,
    crossover,
    demo,
    flags,
    info,
    plan,
)
from jnumerics.workbench.config import Settings, UsageError
from jnumerics.workbench.demo import settings_file
from jnumerics.workbench.lesson import Lesson, Performance

__all__ = ["COMMANDS", "Parser", "main", "run_example"]

OUT_OF_MEMORY = re.compile("out of memory|RESOURCE_EXHAUSTED", re.IGNORECASE)
INTERRUPTED, NO_READER = 128 + 2, 128 + 13  # as shells tell of SIGINT and SIGPIPE
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # of what the output is written to


class Parser(argparse.ArgumentParser):
    """An argument parser whose flags are written out and whose errors take one line."""

    def __init__(self, *args: Any, **kwargs: Any):
        """Take what `argparse.ArgumentParser` takes."""
        super().__init__(*args, allow_abbrev=False, **kwargs)

    def error(self, message: str) -> Never:
        """Print the message and exit with status 2."""
        self.exit(2, f"{self.prog}: error: {message} (see --help)\n")


def main(argv: Sequence[str]) -> int:
    """Run a command.

    Args:
        argv: What follows the program's name.

    Returns:
        The exit status.

    Example:
        >>> main(["demo", "--platform", "abacus"])
        2
    """
    return _guarded("jnumerics", lambda: _run(argv))


def _run(argv: Sequence[str]) -> int:
    parser = Parser("jnumerics", description="Numerical functions in JAX.")
    parser.add_argument(
        "--version", action="version", version=f"jnumerics {jnumerics.__version__}"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (configure, run) in COMMANDS.items():
        summary = (run.__doc__ or "").splitlines()[0]
        command = commands.add_parser(name, help=summary, description=summary)
        command.add_argument(
            "--platform", metavar="cpu|cuda|tpu", help="where to compute"
        )
        configure(command)
        command.set_defaults(run=run)
    arguments = parser.parse_args(argv)
    with flags.json_alone(arguments):
        return arguments.run(arguments)


def run_example(
    script: str,
    main: Callable[[Any, Lesson], None],
    settings: type[Settings],
    argv: Sequence[str] | None = None,
) -> None:
    """Run an example as a script: settings from its config and flags, results printed.

    Args:
        script: The example's file.
        main: Its `main(config, lesson)`.
        settings: The model of its settings.
        argv: What follows the script's name; None takes it from this process.

    Raises:
        SystemExit: With status 2 for a wrong setting, 1 for a wrong answer, 130 after
            Ctrl-C.
    """
    about = (main.__globals__["__doc__"] or "").strip()
    parser = Parser(Path(script).name, description=about.partition("\n")[0])

    def run() -> int:
        file = config.given_file(argv, settings_file(script))
        config.add_flags(parser, settings, file)
        arguments = parser.parse_args(argv)
        values = config.load(settings, file, config.given_flags(settings, arguments))
        if arguments.print_config:
            print(config.to_toml(values))
            return 0
        named = "--out" if arguments.out is not None else f"{file}: `out`"
        with devices.joined_as(values):
            device = devices.select(values.platform)
            folder = config.output_folder(values.out, named)
            performance = lesson.perform(Path(script).stem, about, main, values)
            if devices.is_first():
                _tell(performance, f"{device}, {values.precision}", folder)
        return 0 if performance.is_right else 1

    if status := _guarded(parser.prog, run):
        sys.exit(status)


def _tell(performance: Performance, where: str, folder: Path) -> None:
    """Print what an example has to say, and save its figures."""
    try:
        print(report.text(performance, where))
    finally:  # though nobody may read it
        report.save_figures(folder, [performance])


def _guarded(program: str, run: Callable[[], int]) -> int:
    """Run a program; what ends it without being its fault is a line and a status."""
    with _terminal.plain_where_needed():
        try:
            try:
                return _interrupt.counted()(run)()
            finally:
                _terminal.flush()
        except UsageError as e:
            line, status = f"error: {e}", 2
        except KeyboardInterrupt as e:
            line, status = f"interrupted {e}".rstrip(), INTERRUPTED
        except BrokenPipeError:
            _terminal.drop()
            return NO_READER
        except (MemoryError, OSError, jax.errors.JaxRuntimeError) as e:
            line, status = f"error: {_shortage(e)}", 2
            _terminal.drop()
        print(f"{program}: {' '.join(line.splitlines())}", file=sys.stderr)
        return status


def _shortage(error: Exception) -> str:
    """Say what there was too little of; raise again what is another error."""
    text = str(error).partition("\n")[0]
    if isinstance(error, OSError) and error.errno in FULL:
        return f"the output cannot be written: {error.strerror}"
    if isinstance(error, MemoryError) or (
        isinstance(error, jax.errors.JaxRuntimeError) and OUT_OF_MEMORY.search(text)
    ):
        return f"too little memory: {text}"
    raise error


COMMANDS: dict[str, tuple[Callable, Callable]] = {
    module.__name__.rpartition(".")[2]: (module.configure, module.run)
    for module in (demo, plan, check, compare, crossover, info)
}
