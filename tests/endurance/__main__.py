"""`python -m tests.endurance [--seed S] [--minutes M] [--part NAME | --save]`."""

import argparse
import secrets
import sys
import time
import traceback
from collections.abc import Callable, Sequence

from benchmarks.trials import endurance as record
from tests.endurance import inputs, memory, threads
from tests.endurance.files import damage, disk, kills
from tests.endurance.outcome import Outcome, Work

PARTS: dict[str, tuple[Callable[[Work], Outcome], int, int]] = {
    # name: what it runs, how many cases, how many in the short form
    "damage": (damage.flips_and_truncations, 600, 40),
    "forgeries": (damage.forgeries, 3000, 100),
    "disk": (disk.failures, 1, 1),
    "inputs": (inputs.refusals, 1000, 40),
    "threads": (threads.agreement, 3, 1),
    "memory": (memory.growth, 2000, 100),
    "kills": (kills.kills, 50, 1),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts, print a line for each, return 1 if anything is wrong."""
    options = _options(arguments)
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    end = time.monotonic() + 60 * options.minutes
    parts = {}
    print(f"seed {seed}", flush=True)
    for name in [options.part] if options.part else PARTS:
        run, count, _ = PARTS[name]
        started = time.monotonic()
        outcome = _outcome(run, Work(seed, count, end))
        for line in outcome.wrong:
            print(f"wrong: {name}: {line}", flush=True)
        seconds, wrong = time.monotonic() - started, len(outcome.wrong)
        print(f"{name}: {outcome.figures}; {wrong} wrong, {seconds:.0f} s", flush=True)
        parts[name] = {
            "figures": outcome.figures, "wrong": wrong, "seconds": round(seconds),
        }  # fmt: skip
    if options.save:
        record.append(parts, seed=seed, note=options.note)
    return int(any(part["wrong"] for part in parts.values()))


def _outcome(run: Callable[[Work], Outcome], work: Work) -> Outcome:
    try:
        return run(work)
    except Exception:
        return Outcome("it failed", [traceback.format_exc()])


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.endurance")
    parser.add_argument("--seed", type=int, help="of the run; without: a fresh one")
    parser.add_argument("--minutes", type=float, default=10, help="the longest")
    parser.add_argument("--part", choices=PARTS, help="one alone")
    parser.add_argument(
        "--save", action="store_true", help="add the run to the record at its end"
    )
    parser.add_argument("--note", default="", help="what is to be known of it")
    options = parser.parse_args(arguments)
    if options.save and options.part:
        parser.error("a part alone is not kept")
    return options


if __name__ == "__main__":
    sys.exit(main())
