"""Lessons as text for a terminal, and as rows of a table."""

import textwrap
from collections.abc import Sequence

from jnumerics import _table
from jnumerics.workbench import lesson
from jnumerics.workbench.lesson import Answer, Performance, Race

HEADER = ("system", "asked", "expected", "obtained", "error", "time", "times faster")
ERROR = (
    "Error is the largest absolute difference from an expected number, divided by the "
    "largest absolute expected number."
)


def table(performances: Sequence[Performance]) -> str:
    """Lay out one row for each performance in 100 columns of text."""
    return _table.text(HEADER, [row(p) for p in performances])


def row(performance: Performance) -> tuple[str, ...]:
    """Sum up a performance: its first answer, or the first one that is wrong."""
    if performance.failure:
        return (performance.system, "", "", performance.failure, "FAILED", "-", "-")
    answers = performance.lesson.answers
    answer = next((a for a in answers if not a.is_right), answers[0])
    return (
        performance.system,
        answer.asked,
        lesson.numbers(answer.expected, 6, limit=2),
        lesson.numbers(answer.obtained, 6, limit=2),
        error(answer),
        *_times(answer.race),
    )


def text(performance: Performance, device: str) -> str:
    """Write everything that a performance has to say, for a terminal."""
    lines = [f"{performance.system} on {device}"]
    if performance.code:
        lines += ["", textwrap.indent(performance.code, "    ")]
    for answer in performance.lesson.answers:
        lines += [
            "",
            f"  {answer.asked}",
            f"    expected  {lesson.numbers(answer.expected, 8)}",
            f"    obtained  {lesson.numbers(answer.obtained, 8)}",
            f"    error     {error(answer)}{limit(answer)}",
        ]
        if answer.race:
            lines.append(f"    time      {_speed(answer.race)}")
    for note in performance.lesson.notes:  # a table is laid out in the whole width
        lines += ["", note if "\n" in note else f"  {note}"]
    return "\n".join(lines)


def error(answer: Answer) -> str:
    figure = _table.number(answer.error, 2)
    return figure if answer.is_right else f"WRONG {figure}"


def limit(answer: Answer) -> str:
    """Say what the error may be, where that is not half of the digits."""
    return "" if answer.within is None else f", at most {answer.within:g}"


def _times(race: Race | None) -> tuple[str, str]:
    if race is None:
        return "-", "-"
    return _table.seconds(race.run_s), _table.times(race.times_faster)


def _speed(race: Race) -> str:
    ours = _table.seconds(race.run_s)
    return f"{ours}, {ratio(race)}; {first_call(race)}"


def first_call(race: Race) -> str:
    compiled = race.first_s > 5 * race.run_s  # else the run is most of it
    what = "first call, compilation included, took" if compiled else "first call took"
    return f"{what} {_table.seconds(race.first_s)}"


def ratio(race: Race) -> str:
    times, word = race.times_faster, "faster"
    if times < 1:
        times, word = 1 / times, "slower"
    original = f"{race.rival} ({_table.seconds(race.original_s)})"
    if times < 1.05:
        return f"as fast as {original}"
    return f"{_table.times(times)} times {word} than {original}"
