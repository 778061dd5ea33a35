"""`python -m tests.fuzz.faults`: each fault is found within 1,000 programs."""

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence

from tests.fuzz.faults.trial import Trial, attempt, is_fault_free
from tests.fuzz.work import each, prepare

LIMIT = 1000  # programs of its family, within which a fault is to be found


def main(arguments: Sequence[str] | None = None) -> int:
    """Try every fault; return 1 if one is not found."""
    prepare()
    from tests.fuzz.faults.listed import FAULTS

    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz.faults", description=__doc__
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="a part of the faults' names")
    parser.add_argument("--programs", type=int, default=LIMIT)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args(arguments)
    for fault in FAULTS:
        fault.source()  # fits, or says so
    chosen = [k for k, f in enumerate(FAULTS) if options.only in f.name]
    started, missed = time.monotonic(), 0
    work = [(k, options.seed, options.programs) for k in chosen]
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as sound:
        for trial, wrong in each(attempt, work, options.workers, 1):
            is_own = bool(wrong) and sound.apply(is_fault_free, (wrong[0],))
            missed += not is_own
            print(_line(trial, is_own), flush=True)
    minutes = (time.monotonic() - started) / 60
    print(
        f"{len(chosen) - missed} of {len(chosen)} faults found in {minutes:.1f} minutes"
    )
    return 1 if missed else 0


def _line(trial: Trial, is_own: bool) -> str:
    if trial.number is None:
        return f"NOT FOUND {trial.name} ({trial.family}, {trial.seconds:.0f} s)"
    if not is_own:
        return f"NOT ITS OWN {trial.name} ({trial.family} {trial.number}): {trial.what}"
    return f"{trial.number:5d} {trial.family}: {trial.name} -> {trial.what[:90]}"


if __name__ == "__main__":
    sys.exit(main())
