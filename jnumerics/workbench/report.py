"""Lessons as text for a terminal, as rows of a table, and as one page of HTML.

The page needs nothing beside itself: figures are inline SVG, and its colors follow the
reader's light or dark scheme.
"""

import html
import re
import textwrap
from collections.abc import Sequence
from importlib import resources
from string import Template

from jnumerics import _table
from jnumerics.workbench import lesson, plots
from jnumerics.workbench.lesson import Answer, Performance, Picture, Race

__all__ = ["page", "row", "table", "text"]

HEADER = ("system", "asked", "expected", "obtained", "error", "time", "times faster")


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
        lesson.numbers(answer.expected, 6, most=2),
        lesson.numbers(answer.obtained, 6, most=2),
        _error(answer),
        *_times(answer.race),
    )


def text(performance: Performance, device: str) -> str:
    """Write everything that a performance has to say, for a terminal."""
    lines = [f"{performance.system} on {device}"]
    if performance.code:
        lines += ["", textwrap.indent(performance.code, "    ")]
    for answer in performance.lesson.answers:
        lines += ["", f"  {answer.asked}"]
        lines += [
            f"    expected  {lesson.numbers(answer.expected, 8)}",
            f"    obtained  {lesson.numbers(answer.obtained, 8)}",
            f"    error     {_error(answer)}",
        ]
        if answer.race:
            lines.append(f"    time      {_speed(answer.race)}")
    for note in performance.lesson.notes:  # a table is laid out in the whole width
        lines += ["", note if "\n" in note else f"  {note}"]
    return "\n".join(lines)


def page(performances: Sequence[Performance], facts: Sequence[tuple[str, str]]) -> str:
    """Write the demo's report, complete in itself.

    Args:
        performances: What the examples had to say.
        facts: Names and values that say where it ran, such as versions.

    Returns:
        An HTML document.
    """
    wrong = [p.system for p in performances if not p.is_right]
    verdict = f"Wrong: {', '.join(wrong)}." if wrong else "All answers are right."
    template = resources.files("jnumerics.workbench") / "report.html"
    return Template(template.read_text(encoding="utf-8")).substitute(
        verdict=html.escape(verdict),
        mood="bad" if wrong else "good",
        table=_table.html(HEADER, [row(p) for p in performances]),
        chapters="\n".join(_chapter(p) for p in performances),
        contents=" ".join(
            f'<a href="#{p.system}">{p.system}</a>' for p in performances
        ),
        facts="".join(
            f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>"
            for name, value in facts
        ),
    )


def _chapter(performance: Performance) -> str:
    paragraphs = "".join(
        f"<p>{_with_code(paragraph)}</p>"
        for paragraph in performance.about.split("\n\n")[1:]
    )
    title = _with_code(performance.about.partition("\n\n")[0])
    parts = [
        f'<section id="{performance.system}">',
        f"<h2><code>{performance.system}</code> {title}</h2>{paragraphs}",
        f'<p class="bad">{html.escape(performance.failure)}</p>',
        *(_figure(performance.system, p) for p in performance.lesson.pictures),
        _code(performance.code),
        *(_answer(answer) for answer in performance.lesson.answers),
        *map(_note, performance.lesson.notes),
        "</section>",
    ]
    return "\n".join(parts)


def _note(note: str) -> str:
    if "\n" in note:
        return f'<pre class="note">{html.escape(note)}</pre>'
    return f'<p class="note">{_with_code(note)}</p>'


def _with_code(text: str) -> str:
    return re.sub(r"`(.+?)`", r"<code>\1</code>", html.escape(text))


def _code(code: str) -> str:
    return f"<pre><code>{html.escape(code)}</code></pre>" if code else ""


def _figure(system: str, picture: Picture) -> str:
    drawing = plots.inline_svg(picture.figure, f"{system}-{picture.name}")
    caption = html.escape(picture.caption)
    return f"<figure>{drawing}<figcaption>{caption}</figcaption></figure>"


def _answer(answer: Answer) -> str:
    rows = (
        ("expected", lesson.numbers(answer.expected, 8)),
        ("obtained", lesson.numbers(answer.obtained, 8)),
        ("error", _error(answer)),
    )
    details = "".join(f"<dt>{k}</dt><dd>{html.escape(v)}</dd>" for k, v in rows)
    bars = _bars(answer.race) if answer.race else ""
    mood = "good" if answer.is_right else "bad"
    return (
        f'<article class="{mood}"><h3>{html.escape(answer.asked)}</h3>'
        f"<dl>{details}</dl>{bars}</article>"
    )


def _bars(race: Race) -> str:
    ours, original = race.run_s, race.original_s
    longest = max(ours, original)
    bars = "".join(
        f'<span>{html.escape(name)}</span><span class="bar {kind}">'
        f'<i style="width:{100 * t / longest:.2f}%"></i></span>'
        f"<span>{_table.seconds(t)}</span>"
        for name, t, kind in (("jnumerics", ours, "ours"), (race.rival, original, ""))
    )
    note = f"{_ratio(race)}; the {_first_call(race)}"
    return f'<div class="bars">{bars}</div><p class="note">{note}</p>'


def _error(answer: Answer) -> str:
    figure = _table.number(answer.error, 2)
    return figure if answer.is_right else f"WRONG {figure}"


def _times(race: Race | None) -> tuple[str, str]:
    if race is None:
        return "-", "-"
    return _table.seconds(race.run_s), _table.times(race.times_faster)


def _speed(race: Race) -> str:
    ours = _table.seconds(race.run_s)
    return f"{ours}, {_ratio(race)}; {_first_call(race)}"


def _first_call(race: Race) -> str:
    compiled = race.first_s > 5 * race.run_s  # else the run is most of it
    what = "first call, compilation included, took" if compiled else "first call took"
    return f"{what} {_table.seconds(race.first_s)}"


def _ratio(race: Race) -> str:
    times, word = race.times_faster, "faster"
    if times < 1:
        times, word = 1 / times, "slower"
    original = f"{race.rival} ({_table.seconds(race.original_s)})"
    if times < 1.05:
        return f"as fast as {original}"
    return f"{_table.times(times)} times {word} than {original}"
