"""Lessons as one page of HTML, whose markup stands in `page.html`."""

import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from jnumerics import _table
from jnumerics.workbench import lesson, plots
from jnumerics.workbench.lesson import Performance
from jnumerics.workbench.report._text import (
    ERROR,
    HEADER,
    error,
    first_call,
    limit,
    ratio,
    row,
)


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
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters |= {"code": _with_code, "seconds": _table.seconds}
    markup = resources.files(__package__ or "") / "page.html"
    return environment.from_string(markup.read_text(encoding="utf-8")).render(
        mood="bad" if wrong else "good", verdict=verdict, about_errors=ERROR,
        header=HEADER, performances=performances, facts=facts, row=row, error=error,
        ratio=ratio, first_call=first_call, limit=limit, numbers=lesson.numbers,
        drawing=_drawing,
    )  # fmt: skip


def _with_code(text: str) -> Markup:
    """Mark up as code what stands in backquotes."""
    return Markup(re.sub(r"`(.+?)`", r"<code>\1</code>", str(escape(text))))


def _drawing(system: str, picture: lesson.Picture) -> Markup:
    return Markup(plots.inline_svg(picture.figure, f"{system}-{picture.name}"))


def save_figures(folder: Path, performances: Sequence[Performance]) -> None:
    """Write the figures of performances to files, and say where they are."""
    if not lesson.has_matplotlib():
        print("No figures without matplotlib: pip install 'jnumerics[workbench]'")
    files = []
    for performance in performances:
        for picture in performance.lesson.pictures:
            files.append(folder / f"{performance.system}_{picture.name}.png")
            plots.save(picture.figure, files[-1])
    for file in files:
        print(f"Figure: {file}")
