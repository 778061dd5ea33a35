"""What an example tells: its answers beside the expected ones, times, notes, pictures.

An example's `main(config, lesson)` computes, and then tells the lesson a line at a time
what it found. The script prints it; in the demo it is a row of the table and a chapter
of the report.
"""

import ast
import functools
import importlib.util
import inspect
import itertools
import math
import statistics
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jnumerics import _table
from jnumerics.workbench.config import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "Answer",
    "Lesson",
    "Performance",
    "Picture",
    "Race",
    "has_matplotlib",
    "measure",
    "median_s",
    "numbers",
    "opening",
    "perform",
]


class Race(NamedTuple):
    """Two programs with one purpose, timed in turn."""

    first_s: float  # our first call, compilation included
    run_s: float  # our median after that
    original_s: float  # the original's median
    rival: str = "the NumPy original"

    @property
    def times_faster(self) -> float:
        """The original's time over ours."""
        return self.original_s / self.run_s


class Answer(NamedTuple):
    """What was obtained, beside what was expected; timed where a race was run."""

    asked: str
    obtained: np.ndarray
    expected: np.ndarray
    race: Race | None = None
    within: float | None = None  # what the error may be; None: half of the digits

    @property
    def error(self) -> float:
        """Largest difference, relative to the largest expected number."""
        if self.expected.shape != self.obtained.shape:
            return math.nan
        scale = np.max(np.abs(self.expected), initial=0.0)
        difference = np.max(np.abs(self.obtained - self.expected), initial=0.0)
        return float(difference / scale) if scale else float(difference)

    @property
    def is_right(self) -> bool:
        """Whether at least half of the digits agree; not a number is wrong."""
        if self.within is not None:
            return self.error <= self.within
        return self.error <= math.sqrt(jnp.finfo(self.obtained.dtype).eps)


class Picture(NamedTuple):
    """A figure with the name of its file."""

    name: str
    caption: str
    figure: "Figure"


@dataclass
class Lesson:
    """What an example has to say; its first answer is the one that sums it up.

    Example:
        >>> lesson = Lesson()
        >>> lesson.compare("2 times 2", np.square(2.0), 4.0)
        >>> lesson.race(lambda: np.square(2.0), lambda: 2.0 * 2.0)
        >>> lesson.answers[0].is_right
        True
    """

    answers: list[Answer] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)

    def compare(
        self, asked: str, obtained: Any, expected: Any, *, within: float | None = None
    ) -> None:
        """Compare what was obtained with the expected answer to a question.

        Args:
            asked: The question.
            obtained: The answer that was obtained.
            expected: The one that was expected.
            within: Up to which error it is right, of what is learned or sampled; None
                asks for half of the digits.
        """
        obtained, expected = np.asarray(obtained), np.asarray(expected)
        self.answers.append(Answer(asked, obtained, expected, within=within))

    def race(
        self,
        ours: Callable[[], Any],
        original: Callable[[], Any],
        *,
        rival: str = "the NumPy original",
    ) -> None:
        """Time two programs in turn, for the comparison above.

        Args:
            ours: Ours.
            original: What it is timed beside.
            rival: What that is.
        """
        race = measure(ours, original)._replace(rival=rival)
        self.answers[-1] = self.answers[-1]._replace(race=race)

    def note(self, text: str) -> None:
        """Say a sentence, or show a table of several lines."""
        self.notes.append(text)

    def picture(self, name: str, caption: str, draw: Callable[[], "Figure"]) -> None:
        """Draw a figure where matplotlib is installed; its file gets the name."""
        if has_matplotlib():
            self.pictures.append(Picture(name, caption, draw()))


class Performance(NamedTuple):
    """A lesson given: with its name, its text and the code that it is about."""

    system: str
    about: str
    lesson: Lesson
    code: str = ""
    failure: str = ""

    @property
    def is_right(self) -> bool:
        """Whether it ran and every answer is right."""
        return not self.failure and all(a.is_right for a in self.lesson.answers)


def perform(
    system: str, about: str, main: Callable[[Any, Lesson], None], config: Settings
) -> Performance:
    """Give a lesson in the precision that its settings ask for.

    `matmul_precision` is that of products that name none; functions that take one are
    given it by the example.
    """
    lesson, products = Lesson(), jax.default_matmul_precision(config.matmul_precision)
    with jax.enable_x64(config.precision == "float64"), products:
        main(config, lesson)
    return Performance(system, inspect.cleandoc(about), lesson, opening(main))


def opening(main: Callable[[Any, Lesson], None]) -> str:
    """Return the lines of an example's `main` above the first that names `lesson`."""
    text = textwrap.dedent(inspect.getsource(main))
    function = ast.parse(text).body[0]
    assert isinstance(function, ast.FunctionDef)
    above = itertools.takewhile(lambda s: not _names_lesson(s), function.body)
    end = max((statement.end_lineno or 0 for statement in above), default=0)
    lines = text.splitlines()[function.body[0].lineno - 1 : end]
    return textwrap.dedent("\n".join(lines))


def _names_lesson(statement: ast.stmt) -> bool:
    nodes = ast.walk(statement)
    return any(isinstance(node, ast.Name) and node.id == "lesson" for node in nodes)


def measure(
    ours: Callable[[], Any], original: Callable[[], Any], *, seconds: float = 0.5
) -> Race:
    """Time two functions in turn, for about so many seconds, and at least once each.

    Every timing waits for its result. Each is called once before, to compile: what JAX
    has compiled until then is forgotten, so that the first call tells what that takes.

    Example:
        >>> measure(lambda: 1.0, lambda: 2.0, seconds=0.0).run_s < 1.0
        True
    """
    jax.clear_caches()
    first_s, _ = _clock(ours), _clock(original)
    runs, original_runs = [], []
    while not runs or (sum(runs) + sum(original_runs) < seconds and len(runs) < 50):
        runs.append(_clock(ours))
        original_runs.append(_clock(original))
    return Race(first_s, statistics.median(runs), statistics.median(original_runs))


def median_s(call: Callable, *args: Any, seconds: float = 0.05) -> float:
    """Time calls for about so many seconds, after one that compiles.

    Example:
        >>> median_s(abs, -1.0, seconds=0.0) < 1.0
        True
    """
    _clock(call, *args)
    runs = [_clock(call, *args)]
    while sum(runs) < seconds and len(runs) < 50:
        runs.append(_clock(call, *args))
    return statistics.median(runs)


@functools.cache
def has_matplotlib() -> bool:
    """Whether pictures can be drawn."""
    return importlib.util.find_spec("matplotlib") is not None


def numbers(x: np.ndarray | jax.Array, digits: int, limit: int = 4) -> str:
    """Write the first numbers of an array.

    Example:
        >>> numbers(np.array([[1.0, 2.5], [3.0, 4.0]]), 6, limit=3)
        '1, 2.5, 3, …'
    """
    flat = np.ravel(x)
    shown = [_table.number(v.item(), digits) for v in flat[:limit]]
    return ", ".join(shown + ["…"] * (flat.size > limit))


def _clock(call: Callable, *args: Any) -> float:
    start = time.perf_counter()
    jax.block_until_ready(call(*args))
    return time.perf_counter() - start
