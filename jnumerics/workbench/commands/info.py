"""`jnumerics info`: what is installed here, and what it computes on."""

import argparse
import importlib.metadata
import platform

from jnumerics import _table
from jnumerics.workbench import devices
from jnumerics.workbench.commands import flags

__all__ = ["configure", "facts", "run"]

PACKAGES = ("jnumerics", "jax", "jaxlib", "optax", "numpy", "scipy", "jaxtyping")
OPTIONAL = ("matplotlib", "pydantic", "jinja2", "scikit-learn")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags of processes that join: a trial of them before a long run."""
    parser.add_argument(
        "--coordinator", metavar="HOST:PORT", help="address of the first process"
    )
    parser.add_argument("--processes", metavar="INT", help="number of processes")
    parser.add_argument(
        "--process-id", metavar="INT", help="number of this process, from 0"
    )


def run(arguments: argparse.Namespace) -> int:
    """Show versions, platform, devices, processes, precision and what is installed."""
    options = [("--processes", 1), ("--process-id", 0)]
    numbers = [arguments.processes, arguments.process_id]
    processes, process_id = (
        None if text is None else flags.integer(flag, text, least=least)
        for (flag, least), text in zip(options, numbers, strict=True)
    )
    with devices.joined(arguments.coordinator, processes, process_id):
        rows = [*facts(devices.select(arguments.platform)), *devices.precision()]
        if devices.is_first():
            print(_table.text(("what", "is"), rows))
    return 0


def facts(device: str) -> list[tuple[str, str]]:
    """Return names and values that say where this runs."""
    return [
        ("Python", platform.python_version()),
        *((name, _version(name)) for name in PACKAGES),
        ("system", f"{platform.system()} {platform.machine()}"),
        ("CPU", devices.cpu()),
        ("cores", str(devices.cores())),
        ("platforms here", ", ".join(devices.available())),
        ("device", device),
        *devices.counts(),
        *((name, _version(name)) for name in OPTIONAL),
    ]


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
