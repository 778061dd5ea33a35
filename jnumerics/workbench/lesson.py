"""What an example tells: questions, the answers beside the expected ones, pictures.

An example's `main(config)` returns a `Lesson`. The same lesson is printed by the script,
is a row of the demo's table and a chapter of its report.
"""

import ast
import functools
import importlib.util
import inspect
import math
import statistics
import textwrap
import time
from collections.abc import Callable, Sequence
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
    "ask",
    "has_matplotlib",
    "measure",
    "median_s",
    "numbers",
    "perform",
    "source",
]


class Race(NamedTuple):
    """Two ways to one answer, timed in turn."""

    obtained: Any
    expected: Any
    first_s: float  # our first call, compilation included
    run_s: float  # our median after that
    original_s: float  # the original's median


class Answer(NamedTuple):
    """A question, its answer, and what it was expected to be."""

    asked: str
    call: str  # the source code that answers
    expected: np.ndarray
    obtained: np.ndarray
    race: Race
    rival: str = "the NumPy original"

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
        return self.error <= math.sqrt(jnp.finfo(self.obtained.dtype).eps)

    @property
    def times_faster(self) -> float:
        """The original's time over ours."""
        return self.race.original_s / self.race.run_s


class Picture(NamedTuple):
    """A figure that is drawn only where matplotlib is installed."""

    name: str  # of its file
    caption: str
    draw: Callable[[], "Figure"]


class Lesson(NamedTuple):
    """What an example has to say; its first answer is the one that sums it up."""

    answers: Sequence[Answer]
    notes: Sequence[str] = ()
    pictures: Sequence[Picture] = ()


class Performance(NamedTuple):
    """A lesson given: with its name, its text, and its pictures drawn."""

    system: str
    about: str
    lesson: Lesson
    figures: Sequence[tuple[Picture, "Figure"]] = ()
    failure: str = ""

    @property
    def is_right(self) -> bool:
        """Whether it ran and every answer is right."""
        return not self.failure and all(a.is_right for a in self.lesson.answers)


def ask(
    asked: str,
    answer: Callable[[], Any],
    original: Callable[[], Any],
    *,
    expected: Any = None,
    compared: Any = ...,
    shown: Callable | None = None,
    rival: str = "the NumPy original",
) -> Answer:
    """Answer a question by our way and by the original's, and time both.

    Args:
        asked: The question, in a few words.
        answer: Our way.
        original: The original's way.
        expected: The right answer; None where the original gives it.
        compared: Index of the entries of our answer that are compared with it.
        shown: The function of one `return` whose source code is shown; None shows
            that of `answer`.
        rival: What the original's way is.

    Returns:
        The answer.

    Example:
        >>> square = ask("2 times 2", lambda: np.square(2.0), lambda: 2.0 * 2.0)
        >>> square.is_right, float(square.obtained)
        (True, 4.0)
    """
    race = measure(answer, original)
    right = np.asarray(race.expected if expected is None else expected)
    obtained = np.asarray(race.obtained)[compared]
    return Answer(asked, source(shown or answer), right, obtained, race, rival)


def measure(
    ours: Callable[[], Any], original: Callable[[], Any], *, seconds: float = 0.5
) -> Race:
    """Time two functions in turn, for about so many seconds, and at least once each.

    Every timing waits for its result. Each is called once before, to compile.

    Example:
        >>> measure(lambda: 1.0, lambda: 2.0, seconds=0.0).obtained
        1.0
    """
    obtained, first_s = _clock(ours)
    expected, _ = _clock(original)
    runs, original_runs = [], []
    while not runs or (sum(runs) + sum(original_runs) < seconds and len(runs) < 50):
        runs.append(_clock(ours)[1])
        original_runs.append(_clock(original)[1])
    medians = statistics.median(runs), statistics.median(original_runs)
    return Race(obtained, expected, first_s, *medians)


def median_s(call: Callable[[], Any], *, seconds: float = 0.05) -> float:
    """Time calls for about so many seconds, after one that compiles.

    Example:
        >>> median_s(lambda: 1.0, seconds=0.0) < 1.0
        True
    """
    _clock(call)
    runs = [_clock(call)[1]]
    while sum(runs) < seconds and len(runs) < 50:
        runs.append(_clock(call)[1])
    return statistics.median(runs)


def source(function: Callable) -> str:
    """Return the expression that a function of one `return` evaluates.

    Example:
        >>> source(median_s)
        'statistics.median(runs)'
    """
    try:
        text = textwrap.dedent(inspect.getsource(function))
        tree = ast.parse(text)
    except (OSError, SyntaxError):  # no file, or a lambda in the midst of a call
        return ""
    for node in ast.walk(tree):
        if isinstance(node, ast.Return) and node.value is not None:
            return textwrap.dedent(_segment(text, node.value))
    return ""


def perform(
    system: str, about: str, main: Callable[[Any], Lesson], config: Settings
) -> Performance:
    """Give a lesson in the precision that its settings ask for, pictures included."""
    with jax.enable_x64(config.precision == "float64"):
        given = main(config)
        figures = [(p, p.draw()) for p in given.pictures] if has_matplotlib() else []
    return Performance(system, inspect.cleandoc(about), given, figures)


@functools.cache
def has_matplotlib() -> bool:
    """Whether pictures can be drawn."""
    return importlib.util.find_spec("matplotlib") is not None


def numbers(x: np.ndarray, digits: int, most: int = 4) -> str:
    """Write the first numbers of an array.

    Example:
        >>> numbers(np.array([[1.0, 2.5], [3.0, 4.0]]), 6, most=3)
        '1, 2.5, 3, …'
    """
    flat = np.ravel(x)
    shown = [_table.number(float(v), digits) for v in flat[:most]]
    return ", ".join(shown + ["…"] * (flat.size > most))


def _clock(call: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    value = jax.block_until_ready(call())
    return value, time.perf_counter() - start


def _segment(text: str, node: ast.expr) -> str:
    first, *rest = (ast.get_source_segment(text, node) or "").splitlines()
    return "\n".join([first, textwrap.dedent("\n".join(rest))]) if rest else first
