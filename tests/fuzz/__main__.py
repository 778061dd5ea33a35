"""`python -m tests.fuzz --programs N --seed S [--family NAME] [--minutes M]`.

Ctrl-C, or `kill`, ends it with what was found so far. `--save` adds that to the record.
"""

import argparse
import itertools
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator, Sequence

from tests.fuzz.work import Job, Report, each, prepare, run

BATCH = 49  # programs of one job
RESTART = 6  # jobs after which a worker is restarted: caches stay bounded
SHOWN = 20  # programs that are needlessly refused
TOLD = 1000  # programs, after which it says how far it is
INTERRUPTED = 128 + 2  # as shells tell of SIGINT


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print what was found, return 1 if anything is wrong."""
    prepare()
    options = _options(arguments)
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    started, report = time.monotonic(), Report()
    end = started + 60 * options.minutes if options.minutes else None
    status = _check(_jobs(options, seed, end), options.workers, report, seed)
    _print(report, seed, time.monotonic() - started)
    if options.save and report.programs:
        _save(report, seed, options)
    return 1 if report.wrong else status


def _check(jobs: Iterator[Job], workers: int, report: Report, seed: int) -> int:
    """Add what jobs find to a report, until they end or are interrupted."""
    started = time.monotonic()
    try:
        for part in each(run, jobs, workers, RESTART):
            report.add(part)
            for failure in part.wrong:
                print(f"wrong: {failure}", flush=True)
            if report.programs // TOLD > (report.programs - part.programs) // TOLD:
                print(_told(report, seed, time.monotonic() - started), flush=True)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _save(report: Report, seed: int, options: argparse.Namespace) -> None:
    from benchmarks.trials import _runs, fuzz

    family = f"the family {options.family} alone" if options.family else ""
    counts = {
        "seed": seed,
        "programs": report.programs,
        "wrong": len(report.wrong),
        "independent": report.independent,
        "needless": len(report.needless),
    }
    note = "; ".join(filter(None, [family, options.note]))
    fuzz.append({**_runs.here(), **counts, "note": note})


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    from tests.fuzz.families import FAMILIES

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "--programs", type=int, help="how many; without: until --minutes"
    )
    parser.add_argument("--seed", type=int, help="of the run; without: a fresh one")
    parser.add_argument("--family", default="", choices=["", *FAMILIES])
    parser.add_argument("--minutes", type=float, help="after which no more are begun")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--save", action="store_true", help="add it to the record")
    parser.add_argument("--note", default="", help="what is to be known of it")
    options = parser.parse_args(arguments)
    if options.programs is None and options.minutes is None:
        options.programs = 1000
    return options


def _jobs(options: argparse.Namespace, seed: int, end: float | None) -> Iterator[Job]:
    """Yield jobs until all programs are given out, or time is over."""
    for first in itertools.count(0, BATCH):
        left = (
            BATCH if options.programs is None else min(BATCH, options.programs - first)
        )
        if left <= 0:
            return
        yield Job(options.family, seed, first, left)
        if end is not None and time.monotonic() > end:
            return


def _print(report: Report, seed: int, seconds: float) -> None:
    from tests.fuzz import coverage

    print("\n".join(coverage.lines(report.coverage)))
    for reason, count in report.refused.most_common():
        print(f"refused {count}: {reason}")
    for family, number in report.needless[:SHOWN]:
        print(f"needlessly refused: {family} {number}")
    print(f"chosen: {dict(report.choices.most_common())}")
    print(f"evaluated by JAX: {dict(report.fallbacks.most_common())}")
    print(_told(report, seed, seconds), flush=True)


def _told(report: Report, seed: int, seconds: float) -> str:
    share = len(report.needless) / max(report.independent, 1)
    return (
        f"seed {seed}: {report.programs} programs in {seconds:.0f} s "
        f"({report.programs / max(seconds, 1e-9):.1f}/s), {len(report.wrong)} wrong, "
        f"{report.refused.total()} refused ({report.unserved} more by JAX too), "
        f"{len(report.needless)} of {report.independent} independent ones needlessly "
        f"refused ({100 * share:.1f} %), {report.undefined} not finite"
    )


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    sys.exit(main())
