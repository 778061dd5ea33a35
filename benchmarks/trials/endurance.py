"""Endurance runs: `python -m tests.endurance --save` adds them to `endurance.jsonl`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import _report
from benchmarks.trials import _runs

FILE = Path(__file__).with_name("endurance.jsonl")


def append(
    parts: Mapping[str, Mapping[str, Any]], *, seed: int, note: str = ""
) -> None:
    """Add a run of today to the record.

    Args:
        parts: What each part found: `figures` in words, how many are `wrong`, and the
            `seconds` it took.
        seed: The run's.
        note: What is to be known of it.
    """
    run = {**_runs.here(), "seed": seed, "parts": parts, "note": note}
    _runs.append(FILE, run)


def text() -> str:
    """Write the newest run of each version of JAX, the newest version first."""
    newest = [runs[-1] for runs in _runs.by_jax(_runs.load(FILE)).values()]
    return "\n\n".join(_run(run) for run in newest) or "Not run yet."


def _run(run: _runs.Run) -> str:
    wrong = sum(part["wrong"] for part in run["parts"].values())
    verdict = f"**{wrong:,} wrong**" if wrong else "nothing was lost or wrong"
    where = f"with JAX {run['jax']} and Python {run['python']} on {run['on']}"
    note = f" {run['note']}" if run["note"] else ""
    head = _report.filled(f"On {run['date']}, {where}, {verdict}:{note}")
    parts = [_report.item(_part(**part)) for part in run["parts"].values()]
    return "\n".join([head, "", *parts])


def _part(figures: str, wrong: int, seconds: float | None = None) -> str:
    del seconds  # is kept, and not shown
    return f"{figures}; **{wrong:,} wrong**" if wrong else figures
