"""Times that can be believed: interleaved runs, their spread, and a verdict."""

import math
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

LONG_ENOUGH = 0.03  # seconds of calls in a run, from where on more calls are not made
ENOUGH_RUNS = 20  # for their quartiles to stand for the spread
LONG = 0.3  # seconds of one call that is not repeated within a run


class Timing(NamedTuple):
    """Run times of a program, in seconds."""

    median: float
    q1: float
    q3: float
    runs: tuple[float, ...]

    @classmethod
    def from_runs(cls, runs: list[float]) -> "Timing":
        """Summarize runs."""
        q1, median, q3 = (float(q) for q in np.quantile(runs, [0.25, 0.5, 0.75]))
        return cls(median, q1, q3, tuple(runs))


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, which leaves what was measured until then in `found`."""

    def __init__(self, partial: Any) -> None:
        super().__init__()
        self.found = partial


class Verdict(NamedTuple):
    """Who is the fastest.

    Attributes:
        fastest: Named only where the margin to every other exceeds the spread.
        tie: Whether there were several, and none could be named.
    """

    fastest: str | None
    tie: bool


def interleave(
    programs: Mapping[str, Callable[[], Any]],
    repeats: int,
    seed: int = 0,
    *,
    calls: int = 1,
) -> dict[str, Timing]:
    """Time programs in rounds, each round in a random order, waiting for every result.

    So that whatever slows the machine down for a while slows all of them down. One
    round before the first is not counted.

    Args:
        programs: What to time, by name.
        repeats: Rounds: runs of each program.
        seed: Of the order.
        calls: The most calls in a run, which takes as long as the shortest of them:
            other work on the machine only ever adds. Long programs get fewer.

    Raises:
        Interrupted: By Ctrl-C, with the timings of the rounds that were completed.
    """
    order = random.Random(seed)
    first = {name: shortest(program, 1) for name, program in programs.items()}
    names = list(programs)
    runs: dict[str, list[float]] = {name: [] for name in names}
    try:
        for _ in range(repeats):
            order.shuffle(names)
            for name in names:
                count = min(calls, _calls_worth_making(first[name]))
                runs[name].append(shortest(programs[name], count))
    except KeyboardInterrupt:
        rounds = min(map(len, runs.values()))
        if not rounds:
            raise
        whole = {name: Timing.from_runs(times[:rounds]) for name, times in runs.items()}
        raise Interrupted(whole) from None
    return {name: Timing.from_runs(times) for name, times in runs.items()}


def _calls_worth_making(seconds: float) -> int:
    if seconds >= LONG:
        return 1
    return max(2, math.ceil(LONG_ENOUGH / max(seconds, 1e-9)))


def shortest(program: Callable[[], Any], calls: int) -> float:
    times = []
    for _ in range(calls):
        start = time.perf_counter()
        jax.block_until_ready(program())
        times.append(time.perf_counter() - start)
    return min(times)


def verdict(timings: Mapping[str, Timing]) -> Verdict:
    """Name the fastest where the difference of medians exceeds the spread.

    The spread of two programs is the sum of their half interquartile ranges, larger in
    proportion where there are fewer than twenty runs: two programs that are the same
    are then told apart in less than one of a hundred comparisons, or in three with two
    runs. A single run has no spread that is known, so it decides nothing.
    """
    level = level_with_best(timings)
    if len(level) > 1:
        return Verdict(None, tie=True)
    return Verdict(next(iter(level), None), tie=False)


def level_with_best(timings: Mapping[str, Timing]) -> list[str]:
    """Return the least median's program, and those that the spread keeps beside it."""
    names = sorted(timings, key=lambda name: timings[name].median)
    if any(len(t.runs) < 2 for t in timings.values()):
        return names
    return names[:1] + [
        name for name in names[1:] if not _is_clear(timings[names[0]], timings[name])
    ]


def _is_clear(best: Timing, other: Timing) -> bool:
    return other.median - best.median > _spread(best, other)


def _spread(a: Timing, b: Timing) -> float:
    few = max(1.0, ENOUGH_RUNS / min(len(a.runs), len(b.runs)))
    return few * ((a.q3 - a.q1) / 2 + (b.q3 - b.q1) / 2)
