"""The record of measurements: `results/` keeps every saved run, one file each.

A run is never replaced: of each benchmark, the last `LAST` runs at one place (a JAX
version on a device) make its figures, by their median, so that measuring again until a
target is met does not help.
"""

import dataclasses
import datetime
import hashlib
import importlib.metadata
import json
import platform
import re
import statistics
import subprocess
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from benchmarks import peers
from benchmarks._measure import Bench, Clock, Line, Target
from jnumerics import _table
from jnumerics.workbench import devices

RESULTS = Path(__file__).parent / "results"
PACKAGES = (
    "jax",
    "jaxlib",
    "numpy",
    "scipy",
    "optax",
    "scikit-learn",
    "equinox",
    "optimistix",
)
LAST = 5  # runs of a benchmark make its figures


class Figure(NamedTuple):
    """One line of the table, over the last runs that could measure it.

    Attributes:
        what: What is measured.
        target: Its bound, as of the newest run; None where none was promised.
        values: The runs' figures, oldest first.
        note: What the newest run has to add.
    """

    what: str
    target: Target | None
    values: tuple[float, ...]
    note: str

    @property
    def median(self) -> float:
        """The middle one of the runs."""
        return statistics.median(self.values)

    @property
    def is_met(self) -> bool | None:
        """Whether the runs' median meets the target; None where there is none."""
        if not self.values or self.target is None:
            return None
        return self.target.is_met(self.median)

    def __str__(self) -> str:
        """Return the median and the runs' range, or why there is none."""
        if not self.values:
            return self.note or "not measured"
        write = self.target.write if self.target else _table.number
        return over_runs(self.values, write)


def over_runs(values: Sequence[float], write: Any) -> str:
    """Write the median of some runs, their least and most, and how many they are."""
    runs = _table.plural(len(values), "run", "runs")
    low, high = write(min(values)), write(max(values))
    between = runs if low == high else f"{low} - {high}, {runs}"
    return f"{write(statistics.median(values))} ({between})"


def machine() -> dict[str, Any]:
    """Describe where and with what is measured."""
    return {
        "cpu": devices.cpu(),
        "cores": devices.cores(),
        "platform": jax.default_backend(),
        "device": jax.devices()[0].device_kind,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "peers": peers.versions(),
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Name the program that is measured, as git does, where there is git."""
    git = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(
            git, cwd=RESULTS.parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def save(benches: Mapping[str, Bench], note: str = "") -> Path:
    """Write a run to a file of its own, with what is to be known of it."""
    now = _now()
    run = {
        "time": now.isoformat(timespec="seconds"),
        "commit": _commit(),
        "note": note,
        "machine": machine(),
        "seconds": {name: round(bench.seconds) for name, bench in benches.items()},
        "benchmarks": {name: _data(bench) for name, bench in benches.items()},
    }
    folder = RESULTS / f"jax-{jax.__version__}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{now:%Y-%m-%dT%H%M%S}.json"
    with path.open("x", encoding="utf-8") as file:  # never another run's
        file.write(_table.to_json(run) + "\n")
    return path


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _data(bench: Bench) -> dict[str, Any]:
    return {
        "lines": [_line_data(line) for line in bench.lines],
        "times": [_clock_data(clock) for clock in bench.clocks],
        "shown": bench.shown,
        "pictures": {name: digest(drawn) for name, drawn in bench.pictures.items()},
    }


def _line_data(line: Line) -> dict[str, Any]:
    return {
        "what": line.what,
        "target": dataclasses.asdict(line.target) if line.target else None,
        "value": line.value._asdict() if line.value else None,
        "note": line.note,
    }


def _clock_data(clock: Clock) -> dict[str, Any]:
    q = clock.steady
    return {
        "contender": clock.name,
        "first_s": clock.first,
        "compiling_s": clock.compiling,
        "median_s": q.median,
        "q1_s": q.q1,
        "q3_s": q.q3,
        "runs": len(q.runs),
    }


def digest(drawn: bytes) -> str:
    """Return what a picture is known by."""
    return hashlib.sha256(drawn).hexdigest()


def reasons() -> dict[str, str]:
    """Return why goals are missed: what was measured of it, by the goal's words."""
    text = (RESULTS.parent / "reasons.toml").read_text(encoding="utf-8")
    return {miss["goal"]: miss["why"] for miss in tomllib.loads(text)["miss"]}


def load() -> list[dict[str, Any]]:
    """Return every run in the record, oldest first."""
    files = RESULTS.glob("jax-*/*.json")
    runs = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return sorted(runs, key=lambda run: run["time"])


def device(run: Mapping[str, Any]) -> str:
    """Name the device of a run: the card, or the processor with its cores."""
    m = run["machine"]
    return (
        m["device"] if m["platform"] != "cpu" else f"{m['cores']} cores of {m['cpu']}"
    )


def place(run: Mapping[str, Any]) -> str:
    """Name what runs are comparable on: a JAX version and a device."""
    return f"JAX {run['machine']['versions']['jax']}, {device(run)}"


def by_place(runs: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Sort runs by their places: the processor before cards, the newest JAX first.

    Of places that differ by the processor alone, the one that measured last is first.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        groups.setdefault(place(run), []).append(run)
    by_time = sorted(groups, key=lambda name: groups[name][-1]["time"], reverse=True)

    def rank(name: str) -> tuple[bool, list[int]]:
        m = groups[name][-1]["machine"]
        version = [-int(part) for part in re.findall(r"\d+", m["versions"]["jax"])]
        return m["platform"] != "cpu", version

    return {name: groups[name] for name in sorted(by_time, key=rank)}


def figures(runs: Sequence[dict[str, Any]], benchmark: str) -> list[Figure]:
    """Return a benchmark's lines, each over the last runs of one place."""
    saved = having(runs, benchmark)
    newest = saved[-1]["lines"] if saved else []
    return [
        Figure(
            line["what"],
            Target(**line["target"]) if line["target"] else None,
            tuple(_last(saved, line["what"])),
            line["note"],
        )
        for line in newest
    ]


def seconds(runs: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Return what each benchmark took when it was run last, as far as that is known."""
    return {name: s for run in runs for name, s in run.get("seconds", {}).items()}


def peers_of(runs: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return the versions of other libraries in their newest runs."""
    known = (run["machine"].get("peers", {}) for run in runs)
    return {name: version for peers in known for name, version in peers.items()}


def having(runs: Iterable[dict[str, Any]], benchmark: str) -> list[dict[str, Any]]:
    """Return what the runs that have a benchmark saved of it."""
    return [r["benchmarks"][benchmark] for r in runs if benchmark in r["benchmarks"]]


def _last(saved: Sequence[dict[str, Any]], what: str) -> list[float]:
    """Return a line's figures in the last runs that could measure it."""
    lines = [x for run in saved for x in run.get("lines", ()) if x["what"] == what]
    return [x["value"]["median"] for x in lines if x["value"] is not None][-LAST:]
