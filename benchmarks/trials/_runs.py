"""A file of runs, one a line, the oldest first."""

import datetime
import json
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jax

from jnumerics.workbench import devices

Run = dict[str, Any]


def load(file: Path) -> list[Run]:
    """Return the runs of a file, the oldest first."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    runs = [json.loads(line) for line in lines]
    return sorted(runs, key=lambda run: run["date"])  # stable: then as they were added


def append(file: Path, run: Mapping[str, Any]) -> None:
    """Add a run behind those that the file has, also while another program does."""
    line = json.dumps(run, ensure_ascii=False, allow_nan=False)
    with file.open("a", encoding="utf-8") as runs:
        runs.write(f"{line}\n")


def here() -> Run:
    """Say when and with what a run was made."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "jax": jax.__version__,
        "python": platform.python_version(),
        "on": f"{devices.cores()} cores of {devices.cpu()}",
    }


def by_jax(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Sort runs by their version of JAX, the newest version first."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run["jax"], []).append(run)
    newest_first = sorted(groups, key=lambda v: [-int(n) for n in v.split(".")])
    return {version: groups[version] for version in newest_first}
