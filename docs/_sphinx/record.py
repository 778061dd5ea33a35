"""What the pages show of the records in `benchmarks/`, with dates."""

import html
from collections.abc import Iterable, Sequence
from pathlib import Path

from IPython.display import HTML, Markdown

from benchmarks import _record, pages
from benchmarks.trials import endurance as _endurance
from benchmarks.trials import fuzz as _fuzz

README = Path(__file__).parents[2] / "README.md"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> HTML:
    """Return a table as the theme draws those of a page: a wide one scrolls."""

    def row(cells: Sequence[str], tag: str) -> str:
        inner = "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells)
        return f"<tr>{inner}</tr>"

    body = "".join(row(cells, "td") for cells in rows)
    return HTML(
        '<div class="table-wrapper"><table class="docutils align-default"><thead>'
        f"{row(header, 'th')}</thead><tbody>{body}</tbody></table></div>"
    )


def beside(*peers: str) -> HTML:
    """Show how many times as long peers take, at the first place that measured it."""
    rows: dict[str, list[str]] = {}
    for where, runs in _record.by_place(_record.load()).items():
        for figure in (
            f for name in pages.PROMISES for f in _record.figures(runs, name)
        ):
            contender = figure.what.rpartition(": ")[2]
            is_ratio = contender.endswith(" over ours") and bool(figure.values)
            if is_ratio and any(peer in contender for peer in peers):
                cells = [figure.what, str(figure), runs[-1]["time"][:10], where]
                rows.setdefault(figure.what, cells)
    return table(["what", "times as long", "until", "where"], rows.values())


def figures() -> HTML:
    """Show what is promised of speed at the first place of the record, and measured."""
    where, runs = next(iter(_record.by_place(_record.load()).items()))
    rows = [
        [
            figure.what,
            str(figure.target or "-"),
            f"{figure}{', missed' if figure.is_met is False else ''}",
        ]
        for name in pages.PROMISES
        for figure in _record.figures(runs, name)
        if figure.values
    ]
    return table(["what", "promised", f"{where}, until {runs[-1]['time'][:10]}"], rows)


def fuzz() -> HTML:
    """Show what the fuzzer's runs came to, for each version of JAX."""
    return table(_fuzz.HEADER, _fuzz.rows())


def notes_on_fuzz() -> Markdown:
    """Show what is to be known of the fuzzer's runs."""
    return Markdown(_fuzz.notes())


def endurance() -> Markdown:
    """Show the newest endurance run of each version of JAX."""
    return Markdown(_endurance.text())


def readme(beginning: str) -> Markdown:
    """Return the paragraph of the README that begins with these words.

    Raises:
        ValueError: If there is none, so that a page cannot show what is gone.
    """
    for paragraph in README.read_text(encoding="utf-8").split("\n\n"):
        if paragraph.startswith(beginning):
            return Markdown(paragraph)
    msg = f"`beginning` must begin a paragraph of the README, got {beginning!r}"
    raise ValueError(msg)


__all__ = [
    "beside",
    "endurance",
    "figures",
    "fuzz",
    "notes_on_fuzz",
    "readme",
    "table",
]
