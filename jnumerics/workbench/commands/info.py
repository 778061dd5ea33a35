"""`jnumerics info`: what is installed here, and what it computes on."""

import argparse
import importlib.metadata
import platform

from jnumerics import _table
from jnumerics.workbench import devices

__all__ = ["configure", "facts", "run"]

PACKAGES = ("jnumerics", "jax", "jaxlib", "optax", "numpy", "scipy", "jaxtyping")
OPTIONAL = ("matplotlib", "pydantic", "jinja2", "scikit-learn")


def configure(_: argparse.ArgumentParser) -> None:
    """Add nothing: the command has no flags of its own."""


def run(arguments: argparse.Namespace) -> int:
    """Show versions, platform, devices, precision and what is installed."""
    rows = [*facts(devices.select(arguments.platform)), *devices.precision()]
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
        ("devices", str(len(devices.names()))),
        *((name, _version(name)) for name in OPTIONAL),
    ]


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
