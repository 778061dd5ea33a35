"""Contenders in one race, first calls apart.

Contenders run interleaved, each round in a random order, every result waited for; those
that must agree are compared after their first calls, before any further one. A ratio is
the median of the ratios within a round, with its quartiles: what slows the machine down
for a while slows both down. Every round counts.
"""

import contextlib
import math
import random
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental.compilation_cache import compilation_cache

from benchmarks._measure._targets import Line, Spread, Target
from benchmarks._measure._turns import Contender, Here, Missing, call_s, require_same
from jnumerics.derivatives._compare.timing import Timing
from jnumerics.workbench import lesson

FEWEST, LIMIT = 5, 400  # rounds of a race
FEWEST_LONG, LONG_S = 3, 1.0  # rounds that take longer than so many seconds
MOST_CALLS = 20  # in a row, of what is short beside the slowest
SHORT_S = 0.01  # of a call, below which one before each run finds the caches again
AFRESH = 3  # rounds of calls that all are first calls

Contenders = Mapping[str, Callable[[], Any] | Contender | Missing]


@dataclass(frozen=True)
class Clock:
    """Times of one contender, in seconds.

    Attributes:
        name: Of the contender.
        first: The first call, tracing and compilation included.
        compiling: Of that, the compiler's part; 0 where nothing is compiled.
        steady: Further calls.
    """

    name: str
    first: float
    compiling: float
    steady: Timing


@dataclass
class Race:
    """Times of contenders that ran interleaved, and why others did not."""

    clocks: dict[str, Clock]
    scales: Mapping[str, float]
    missing: Mapping[str, str] = field(default_factory=dict)

    def runs(self, name: str) -> np.ndarray:
        """Return the times of a contender, round by round."""
        return np.array(self.clocks[name].steady.runs) * self.scales.get(name, 1.0)

    def ratio(self, slow: str | list[str], fast: str) -> Spread:
        """Return how many times slower one contender is, or the best of several.

        The best is the one with the smallest median.
        """
        names = [slow] if isinstance(slow, str) else slow
        best = min(names, key=lambda name: float(np.median(self.runs(name))))
        return Spread.from_values(self.runs(best) / self.runs(fast))


@dataclass
class Bench:
    """What a benchmark measures with, and where its results go.

    Attributes:
        is_quick: Whether to be done soon rather than accurate.
        lines: The table's lines so far.
        clocks: The contenders' times so far.
        shown: Texts and figures that pages show, by name.
        pictures: Files in `docs/`, by name.
        seconds: What the benchmark took.
    """

    is_quick: bool = False
    lines: list[Line] = field(default_factory=list)
    clocks: list[Clock] = field(default_factory=list)
    shown: dict[str, Any] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)
    seconds: float = 0.0

    def race(
        self,
        contenders: Contenders,
        *,
        seconds: float = 3.0,
        same: float | None = None,
        afresh: bool = False,
        scales: Mapping[str, float] | None = None,
        keep: bool = True,
    ) -> Race:
        """Time contenders: first calls apart, then rounds for about some seconds.

        Where the times are kept, JAX forgets all programs before: what ran earlier in
        this process is compiled again, within the first call. Arrays that are still
        being computed are waited for.

        Args:
            contenders: Functions without arguments, or whoever takes turns.
            seconds: About how long; a tenth of it when quick.
            same: How far the results may be from the first one's, relative to the
                largest number in an array; None where contenders do not do the same.
            afresh: Whether each call prepares and compiles anew, so that all are first
                calls.
            scales: Factors for contenders that do only a part of the work.
            keep: Whether the times go into the table of times.

        Raises:
            ArithmeticError: If results differ; only first calls are timed then.
            ValueError: If the table of times has one of the contenders already.
        """
        there = _there(contenders)
        if keep:
            _require_new(there, self.clocks)
            jax.clear_caches()
            jax.block_until_ready(jax.live_arrays())
        firsts = {name: contender.first() for name, contender in there.items()}
        if same is not None:
            require_same(there, same)
        if afresh:
            rounds, calls = 1 if self.is_quick else AFRESH, dict.fromkeys(there, 1)
        else:
            budget = seconds / 10 if self.is_quick else seconds
            rounds, calls = _plan(there, firsts, budget)
        timings = _rounds(there, calls, rounds)
        clocks = {name: Clock(name, *firsts[name], t) for name, t in timings.items()}
        if keep:
            self.clocks += clocks.values()
        missing = {n: c.reason for n, c in contenders.items() if isinstance(c, Missing)}
        return Race(clocks, scales or {}, missing)

    def draw(self, name: str, write: Callable[[Path], Any]) -> None:
        """Keep a picture, given what writes it to a file; none without matplotlib."""
        if not lesson.has_matplotlib():
            return
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, name)
            write(file)
            self.pictures[name] = file.read_bytes()

    def report(
        self,
        what: str,
        target: Target | None,
        value: Spread | float | None,
        note: str = "",
    ) -> None:
        """Add a line to the table."""
        if isinstance(value, int | float):
            value = Spread.exactly(value)
        self.lines.append(Line(what, target, value, note))

    def compare(
        self,
        what: str,
        target: Target | None,
        race: Race,
        slow: str | list[str],
        fast: str,
        note: str = "",
    ) -> None:
        """Add the line of a ratio, or of the reason why a contender is missing."""
        names = [slow] if isinstance(slow, str) else slow
        there = [name for name in names if name in race.clocks]
        if there:
            self.report(what, target, race.ratio(there, fast), note)
        else:
            self.report(what, target, None, race.missing[names[0]])


def _there(contenders: Contenders) -> dict[str, Contender]:
    return {
        name: Here(c) if callable(c) else c
        for name, c in contenders.items()
        if not isinstance(c, Missing)
    }


def _require_new(there: Mapping[str, Contender], clocks: list[Clock]) -> None:
    """Require that no contender has times already: a name has one row in the table."""
    for clock in clocks:
        if clock.name in there:
            msg = f"a contender must be timed once, got `{clock.name}` again"
            raise ValueError(msg)


def _plan(
    there: Mapping[str, Contender], firsts: Mapping[str, tuple], seconds: float
) -> tuple[int, dict[str, int]]:
    """Return how many rounds take some seconds, and the calls of each in a round."""
    warm = {
        name: min(contender.times(1 if firsts[name][0] > LONG_S else 2))
        for name, contender in there.items()
    }
    slowest = max(warm.values())
    calls = {name: min(round(slowest / s), MOST_CALLS) for name, s in warm.items()}
    round_s = sum(warm[n] * (calls[n] + (warm[n] < SHORT_S)) for n in there)
    fewest = FEWEST_LONG if round_s > LONG_S else FEWEST
    return min(max(math.floor(seconds / round_s), fewest), LIMIT), calls


def _rounds(
    there: Mapping[str, Contender], calls: Mapping[str, int], rounds: int
) -> dict[str, Timing]:
    """Time contenders in rounds: of some calls in a row, the median.

    What is short beside the slowest is called several times in a row, or it would
    always be measured on caches and cores that the slow one has just left; for the
    same reason one call goes before those that count, where a call is short.
    """
    order, names = random.Random(0), list(there)
    runs: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        order.shuffle(names)
        for name in names:
            is_short = bool(runs[name]) and runs[name][-1] < SHORT_S
            times = there[name].times(calls[name] + is_short)
            runs[name].append(statistics.median(times[is_short:]))
    return {name: Timing.from_runs(times) for name, times in runs.items()}


def usual_s(run: Callable[[], Any], repeats: int) -> float:
    """Return the median time of several calls that differ in nothing."""
    return statistics.median(call_s(run) for _ in range(repeats))


@contextlib.contextmanager
def programs(*, cached: bool) -> Iterator[None]:
    """Keep compiled programs on disk meanwhile, or compile every one."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "jax_compilation_cache_dir": folder if cached else None,
            "jax_persistent_cache_min_compile_time_secs": 0.0,
            "jax_persistent_cache_min_entry_size_bytes": -1,
        }
        before = {name: getattr(jax.config, name) for name in settings}
        for name, value in settings.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()
        try:
            yield
        finally:
            for name, value in before.items():
                jax.config.update(name, value)
            compilation_cache.reset_cache()
