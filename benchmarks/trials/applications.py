"""The applications in full: `python -m benchmarks.trials.applications [NAME ...]`.

Each runs with the settings in `configs/`, and its answers are checked. `--save` adds
what it told to `applications.jsonl`; `python -m benchmarks.pages` writes the newest run
of each into `docs/applications.md`.
"""

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import _report
from benchmarks.trials import _runs
from jnumerics import _table
from jnumerics.workbench import demo, lesson, report
from jnumerics.workbench.lesson import Answer, Performance, Race

FILE = Path(__file__).with_name("applications.jsonl")
NAMES = (  # as the page has them
    "epidemic_pinn", "schroedinger", "heat_newton", "score_divergence",
    "matrix_filter", "image_filters",
)  # fmt: skip
HEADER = ("asked", "expected", "obtained", "error", "allowed", "time")


def perform(name: str) -> tuple[Performance, float]:
    """Run an application with its own settings, and say how many seconds it took."""
    with tempfile.TemporaryDirectory() as out:
        start = time.perf_counter()
        (performance,) = demo.performances([name], {"out": out})
        return performance, time.perf_counter() - start


def record(performance: Performance, seconds: float, note: str = "") -> _runs.Run:
    """Return what is kept of a run."""
    return {
        **_runs.here(),
        "application": performance.system,
        "seconds": round(seconds, 1),
        "failure": performance.failure,
        "answers": [_answer(answer) for answer in performance.lesson.answers],
        "notes": performance.lesson.notes,
        "note": note,
    }


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "asked": answer.asked,
        "expected": lesson.numbers(answer.expected, 5, limit=3),
        "obtained": lesson.numbers(answer.obtained, 5, limit=3),
        "error": answer.error if math.isfinite(answer.error) else None,
        "within": answer.within,
        "is_right": answer.is_right,
        "race": answer.race._asdict() if answer.race else None,
    }


def page(name: str) -> Callable[[Any], str]:
    """Return what writes the newest run of an application, for its page."""
    return lambda _: text([r for r in _runs.load(FILE) if r["application"] == name])


def text(runs: Sequence[_runs.Run]) -> str:
    """Write the newest of some runs: its answers, its notes, and where it was."""
    if not runs:
        return "Not run yet."
    run = runs[-1]
    where = f"JAX {run['jax']}, {run['on']}"
    took = f"It took {_table.seconds(run['seconds'])}, compilation included."
    parts = [
        run["failure"] and f"It **failed**: {run['failure']}",
        _report.markdown(HEADER, [_row(answer) for answer in run["answers"]]),
        *(
            f"```text\n{x}\n```" if "\n" in x else _report.filled(x)
            for x in run["notes"]
        ),
        _report.filled(f"Run on {run['date']}: {where}. {took} {run['note']}".strip()),
    ]
    return "\n\n".join(filter(None, parts))


def _row(answer: dict[str, Any]) -> list[str]:
    error, race = answer["error"], answer["race"]
    shown = "not finite" if error is None else _table.number(error, 2)
    within = answer["within"]
    return [
        answer["asked"],
        answer["expected"],
        answer["obtained"],
        shown if answer["is_right"] else f"{shown}, **wrong**",
        "half of the digits" if within is None else _table.number(within, 2),
        "-" if race is None else _time(Race(**race)),
    ]


def _time(race: Race) -> str:
    ratio, word = race.times_faster, "faster"
    if ratio < 1:
        ratio, word = 1 / ratio, "slower"
    ours, other = _table.seconds(race.run_s), _table.seconds(race.original_s)
    beside = f"{_table.times(ratio)} times {word} than {race.rival} ({other})"
    return f"{ours}, {beside}"


def main(argv: Sequence[str]) -> int:
    """Run applications; the status is 1 if one of them is wrong."""
    about = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(
        "benchmarks.trials.applications", description=about
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument(
        "--save", action="store_true", help="add the runs to the record"
    )
    parser.add_argument("--note", default="", help="what is to be known of them")
    options = parser.parse_args(argv)
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        parser.error(f"{unknown[0]!r} is none of {', '.join(NAMES)}")
    status = 0
    for name in options.names or NAMES:
        performance, seconds = perform(name)
        run = record(performance, seconds, options.note)
        print(report.text(performance, run["on"]), f"took {seconds:.1f} s", sep="\n\n")
        if options.save:
            _runs.append(FILE, run)
        status |= not performance.is_right
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
