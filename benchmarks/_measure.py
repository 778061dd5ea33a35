"""Contenders in one race, first calls apart, and targets that are met or not.

Contenders run interleaved, each round in a random order, every result waited for. A
ratio is the median of the ratios within a round, with its quartiles: what slows the
machine down for a while slows both down. Every round counts.
"""

import math
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jnumerics import _table
from jnumerics.derivatives._compare.timing import Timing
from jnumerics.workbench import lesson

COMPILING = "/jax/core/compile/backend_compile_duration"
FEWEST, MOST = 5, 400  # rounds of a race
MOST_CALLS = 20  # in a row, of what is short beside the slowest


class Spread(NamedTuple):
    """A figure with its quartiles."""

    median: float
    q1: float
    q3: float

    @classmethod
    def of(cls, values: Any) -> "Spread":
        """Summarize values."""
        q1, median, q3 = (float(q) for q in np.quantile(values, [0.25, 0.5, 0.75]))
        return cls(median, q1, q3)

    @classmethod
    def exactly(cls, value: float) -> "Spread":
        """Take a figure that has no spread."""
        return cls(float(value), float(value), float(value))


@dataclass(frozen=True)
class Target:
    """A bound of a figure.

    Attributes:
        bound: The least or the most that it may be.
        is_floor: Whether it is the least.
        unit: "" for ratios, "s" for seconds, "%" for shares.
    """

    bound: float
    is_floor: bool
    unit: str = ""

    def is_met(self, value: float) -> bool:
        """Whether a figure keeps the bound."""
        return value >= self.bound if self.is_floor else value <= self.bound

    def __str__(self) -> str:
        """Return the bound with its direction."""
        return f"{'≥' if self.is_floor else '≤'} {self.write(self.bound)}"

    def write(self, value: float) -> str:
        """Return a figure as text, with its unit, and on its side of the bound."""
        if self.unit == "s":
            return _table.seconds(value)
        rounded = float(f"{value:.3g}")
        digits = 3 if self.is_met(rounded) == self.is_met(value) else 5
        large = abs(value) >= 1000 and digits == 3
        text = f"{value:,.0f}" if large else _table.number(value, digits)
        return f"{text} {self.unit}".rstrip()


def at_least(bound: float, unit: str = "") -> Target:
    """Require a figure to be at least the bound."""
    return Target(bound, is_floor=True, unit=unit)


def at_most(bound: float, unit: str = "") -> Target:
    """Require a figure to be at most the bound."""
    return Target(bound, is_floor=False, unit=unit)


@dataclass(frozen=True)
class Line:
    """One line of the table: a promise, and what was measured.

    Attributes:
        what: What is measured.
        target: Its bound; None where none was promised.
        value: The figure; None where it could not be measured.
        note: Why not, or what else is to be known.
    """

    what: str
    target: Target | None
    value: Spread | None
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None where nothing was measured or promised."""
        if self.value is None or self.target is None:
            return None
        return self.target.is_met(self.value.median)

    @property
    def measured(self) -> str:
        """The figure, with its quartiles where it has a spread."""
        if self.value is None:
            return self.note or "not measured"
        write = (self.target or at_least(0)).write
        middle, low, high = (write(v) for v in self.value)
        return middle if low == high else f"{middle} ({low} - {high})"

    @property
    def verdict(self) -> str:
        """The words "met", "missed" or "-"."""
        return {None: "-", True: "met", False: "missed"}[self.is_met]


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
    """Times of contenders that ran interleaved."""

    clocks: dict[str, Clock]
    scales: Mapping[str, float]

    def runs(self, name: str) -> np.ndarray:
        """Return the times of a contender, round by round."""
        return np.array(self.clocks[name].steady.runs) * self.scales.get(name, 1.0)

    def ratio(self, slow: str | list[str], fast: str) -> Spread:
        """Return how many times slower one contender is, or the best of several.

        The best is the one with the smallest median.
        """
        names = [slow] if isinstance(slow, str) else slow
        best = min(names, key=lambda name: float(np.median(self.runs(name))))
        return Spread.of(self.runs(best) / self.runs(fast))


@dataclass
class Bench:
    """What a benchmark measures with, and where its results go.

    Attributes:
        is_quick: Whether to be done soon rather than accurate.
        lines: The table's lines so far.
        clocks: The contenders' times so far.
        shown: Texts and figures that pages show, by name.
        pictures: Files in `docs/`, by name.
    """

    is_quick: bool = False
    lines: list[Line] = field(default_factory=list)
    clocks: list[Clock] = field(default_factory=list)
    shown: dict[str, Any] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)

    def race(
        self,
        contenders: Mapping[str, Callable[[], Any]],
        *,
        seconds: float = 4.0,
        scales: Mapping[str, float] | None = None,
        keep: bool = True,
    ) -> Race:
        """Time contenders: first calls apart, then rounds for about some seconds.

        Args:
            contenders: Functions without arguments; JAX results are waited for.
            seconds: About how long; a tenth of it when quick.
            scales: Factors for contenders that do only a part of the work.
            keep: Whether the times go into the table of times.
        """
        firsts = {name: first_call(run) for name, run in contenders.items()}
        warm = {name: _call_s(run) for name, run in contenders.items()}
        slowest = max(warm.values())
        calls = {name: min(round(slowest / s), MOST_CALLS) for name, s in warm.items()}
        round_s = sum(warm[name] * calls[name] for name in contenders)
        budget = seconds / 10 if self.is_quick else seconds
        rounds = min(max(math.floor(budget / round_s), FEWEST), MOST)
        timings = _rounds(contenders, calls, rounds)
        clocks = {name: Clock(name, *firsts[name], t) for name, t in timings.items()}
        if keep:
            self.clocks += clocks.values()
        return Race(clocks, scales or {})

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


def _rounds(
    contenders: Mapping[str, Callable[[], Any]], calls: Mapping[str, int], rounds: int
) -> dict[str, Timing]:
    """Time contenders in rounds: of some calls in a row, the median.

    What is short beside the slowest is called several times in a row, or it would
    always be measured on caches and cores that the slow one has just left.
    """
    order, names = random.Random(0), list(contenders)
    runs: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        order.shuffle(names)
        for name in names:
            times = [_call_s(contenders[name]) for _ in range(calls[name])]
            runs[name].append(statistics.median(times))
    return {name: Timing.from_runs(times) for name, times in runs.items()}


def first_call(run: Callable[[], Any]) -> tuple[float, float]:
    """Return the seconds of a first call, and those of them spent in the compiler."""
    durations = []

    def listen(event: str, duration_secs: float, **kwargs: str | int) -> None:
        del kwargs
        if event == COMPILING:
            durations.append(duration_secs)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        seconds = _call_s(run)
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    return seconds, sum(durations)


def _call_s(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    jax.block_until_ready(run())
    return time.perf_counter() - start


def usual_s(run: Callable[[], Any], repeats: int) -> float:
    """Return the median time of several calls that differ in nothing."""
    return statistics.median(_call_s(run) for _ in range(repeats))
