"""Runs of the fuzzer: `python -m tests.fuzz --save` adds them to `fuzz.jsonl`.

Of a run that could not, the log is enough, whose last count is added:
`python -m benchmarks.trials.fuzz LOG --jax VERSION [--date D] [--note N]`.
`python -m benchmarks.pages` writes the README.
"""

import argparse
import datetime
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import _report
from benchmarks.trials import _runs

FILE = Path(__file__).with_name("fuzz.jsonl")
HEADER = ("JAX", "programs", "wrong", "refused without need", "dates")
COUNTS = ("seed", "programs", "wrong", "independent", "needless")
TOLD = re.compile(
    r"seed (?P<seed>\d+): (?P<programs>\d+) programs .*?, (?P<wrong>\d+) wrong, .*?"
    r"(?P<needless>\d+) of (?P<independent>\d+) independent ones needlessly refused"
)


def append(run: dict[str, Any]) -> None:
    """Add a run to the record.

    Args:
        run: Its `date` and `jax`, what it counted (`COUNTS`, None where that is not
            known any more), a `note`, and what else is to be kept.

    Raises:
        ValueError: If one of these is not there, or of no program was told.
    """
    missing = [k for k in ("date", "jax", *COUNTS, "note") if k not in run]
    if missing:
        msg = f"`run` must have date, jax, counts and note, got none of {missing}"
        raise ValueError(msg)
    if not run["programs"]:
        msg = f"`run` must have checked programs, got {run['programs']}"
        raise ValueError(msg)
    datetime.date.fromisoformat(run["date"])
    _runs.append(FILE, run)


def counted(log: str) -> dict[str, int]:
    """Read the last count that a run of the fuzzer told.

    Example:
        >>> counted(
        ...     "seed 7: 98 programs in 9 s (11/s), 0 wrong, 1 refused, "
        ...     "3 of 40 independent ones needlessly refused (7.5 %)"
        ... )
        {'seed': 7, 'programs': 98, 'wrong': 0, 'independent': 40, 'needless': 3}
    """
    told = [*TOLD.finditer(log)]
    if not told:
        msg = f"`log` must tell a count of the fuzzer, got {log[-80:]!r}"
        raise ValueError(msg)
    return {name: int(told[-1][name]) for name in COUNTS}


def text() -> str:
    """Write a row for each version of JAX, and the notes on its runs."""
    table = _report.markdown(HEADER, rows())
    return f"{table}\n\n{notes()}" if notes() else table


def rows() -> list[list[str]]:
    """Sum runs up for each version of JAX, the newest first."""
    return [_row(jax, runs) for jax, runs in _runs.by_jax(_runs.load(FILE)).items()]


def _row(jax: str, runs: Sequence[_runs.Run]) -> list[str]:
    programs = sum(run["programs"] for run in runs)
    what = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    days = [*dict.fromkeys(run["date"] for run in runs)]
    dates = ", ".join(reversed(days))
    return [jax, f"{programs:,} in {what}", _wrong(runs), _needless(runs), dates]


def _wrong(runs: Sequence[_runs.Run]) -> str:
    """Count what was wrong, and the programs since."""
    last = max((k for k, run in enumerate(runs, 1) if run["wrong"]), default=0)
    since = sum(run["programs"] for run in runs[last:])
    wrong = f"{sum(run['wrong'] for run in runs):,}"
    return f"{wrong}, none in {since:,} since" if last and since else wrong


def _needless(runs: Sequence[_runs.Run]) -> str:
    """Write the share of the newest run that has one."""
    known = [run for run in runs if run["independent"]]
    if not known:
        return "-"
    needless, independent = known[-1]["needless"], known[-1]["independent"]
    if not needless:
        return f"0 of {independent:,}"
    return f"1 in {independent / needless:.0f} ({needless:,} of {independent:,})"


def notes() -> str:
    """List what is to be known of the runs, the newest first."""
    return "\n".join(
        _report.item(
            f"JAX {jax}, {run['date']}, {run['programs']:,} programs, "
            f"{run['wrong']:,} wrong: {run['note']}"
        )
        for jax, runs in _runs.by_jax(_runs.load(FILE)).items()
        for run in reversed(runs)
        if run["note"]
    )


def main(argv: Sequence[str]) -> int:
    """Add the run that a log tells of."""
    parser = argparse.ArgumentParser("benchmarks.trials.fuzz", description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("--jax", required=True, metavar="VERSION")
    parser.add_argument("--date", default=_runs.here()["date"], help="of its end")
    parser.add_argument("--note", default="", help="what is to be known of it")
    options = parser.parse_args(argv)
    counts = counted(options.log.read_text(encoding="utf-8"))
    append({"date": options.date, "jax": options.jax, **counts, "note": options.note})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
