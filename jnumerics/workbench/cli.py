"""The command line: `jnumerics demo | compare | crossover | info`; the examples' flags.

A command is an entry of `COMMANDS`. What the person who typed can mend is one line on
the standard error stream and exit status 2; a wrong answer is exit status 1.
"""

import argparse
import importlib.metadata
import platform
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Never

import jax

from jnumerics import _table
from jnumerics.workbench import (
    compare,
    config,
    crossover,
    demo,
    devices,
    lesson,
    plots,
    report,
)
from jnumerics.workbench.config import Settings, UsageError
from jnumerics.workbench.lesson import Lesson, Performance

__all__ = ["COMMANDS", "Parser", "main", "run_example"]

OUT_OF_MEMORY = re.compile("out of memory|RESOURCE_EXHAUSTED", re.IGNORECASE)
PACKAGES = ("jnumerics", "jax", "jaxlib", "optax", "numpy", "scipy", "jaxtyping")
OPTIONAL = ("matplotlib", "scikit-learn")


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
    parser = Parser("jnumerics", description="Numerical functions in JAX.")
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
    return _guarded(parser.prog, lambda: arguments.run(arguments))


def run_example(
    script: str,
    main: Callable[[Any], Lesson],
    settings: type[Settings],
    argv: Sequence[str] | None = None,
) -> None:
    """Run an example as a script: settings from its config and flags, results printed.

    Args:
        script: The example's file.
        main: Its `main(config)`.
        settings: Its settings' dataclass.
        argv: What follows the script's name; None takes it from this process.

    Raises:
        SystemExit: With status 2 for a wrong setting, 1 for a wrong answer.
    """
    about = (main.__globals__["__doc__"] or "").strip()
    parser = Parser(Path(script).name, description=about.partition("\n")[0])
    config.add_flags(parser, settings)
    arguments = parser.parse_args(argv)

    def run() -> int:
        given = arguments.config
        file = demo.settings_file(script) if given is None else Path(given)
        values = config.load(settings, file, config.given_flags(settings, arguments))
        device = devices.select(values.platform)
        named = "--out" if arguments.out else f"{file}: `out`"
        folder = config.output_folder(values.out, named)
        performance = lesson.perform(Path(script).stem, about, main, values)
        print(report.text(performance, f"{device}, {values.precision}"))
        _save_figures(folder, [performance])
        return 0 if performance.is_right else 1

    if status := _guarded(parser.prog, run):
        sys.exit(status)


def _configure_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", metavar="DIR", default="out", help="folder of the report"
    )


def _demo(arguments: argparse.Namespace) -> int:
    """Run all six systems, and write figures and a report to out/."""
    device = devices.select(arguments.platform)
    folder = config.output_folder(Path(arguments.out))
    performances = []
    for performance in demo.performances():
        performances.append(performance)
        done = f"{len(performances)} of {len(demo.SYSTEMS)}"
        print(f"{done}: {performance.system}", file=sys.stderr)
    print(report.table(performances))
    print(f"\nTimes are medians, in turn with the original's, on {device}.")
    performances += demo.chapters()
    _save_figures(folder, performances)
    page = folder / "report.html"
    page.write_text(report.page(performances, _facts(device)), encoding="utf-8")
    print(f"Report: {page}")
    return 0 if all(p.is_right for p in performances) else 1


def _info(arguments: argparse.Namespace) -> int:
    """Show versions, platform, devices, precision and what is installed."""
    rows = _facts(devices.select(arguments.platform))
    print(_table.text(("what", "is"), rows))
    return 0


def _facts(device: str) -> list[tuple[str, str]]:
    return [
        ("Python", platform.python_version()),
        *((name, _version(name)) for name in PACKAGES),
        ("system", f"{platform.system()} {platform.machine()}"),
        ("platforms here", ", ".join(devices.available())),
        ("device", device),
        ("devices", str(len(devices.names()))),
        *devices.precision(),
        *((name, _version(name)) for name in OPTIONAL),
    ]


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _save_figures(folder: Path, performances: Sequence[Performance]) -> None:
    if not lesson.has_matplotlib():
        print("No figures without matplotlib: pip install 'jnumerics[workbench]'")
    for performance in performances:
        for picture, figure in performance.figures:
            file = folder / f"{performance.system}_{picture.name}.png"
            plots.save(figure, file)
            print(f"Figure: {file}")


def _guarded(program: str, run: Callable[[], int]) -> int:
    try:
        return run()
    except UsageError as e:
        print(f"{program}: error: {e}", file=sys.stderr)
    except (MemoryError, jax.errors.JaxRuntimeError) as e:
        text = str(e).partition("\n")[0]
        if not (isinstance(e, MemoryError) or OUT_OF_MEMORY.search(text)):
            raise
        print(f"{program}: error: too little memory: {text}", file=sys.stderr)
    return 2


def _nothing_more(_: argparse.ArgumentParser) -> None:
    """Add no argument."""


COMMANDS: dict[str, tuple[Callable, Callable]] = {
    "demo": (_configure_demo, _demo),
    "compare": (compare.configure, compare.run),
    "crossover": (crossover.configure, crossover.run),
    "info": (_nothing_more, _info),
}
