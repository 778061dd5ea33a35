"""Results as text in 100 columns, as HTML and as JSON.

A table is a header and rows of strings. In text nothing is shortened: cells that
do not fit are wrapped. Numbers are made strings by `number`, `seconds`, `count` and
`memory`, the same way everywhere.
"""

import html as _html
import json
import math
import re
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

Rows = Sequence[Sequence[str]]

LONG = 30  # letters of a cell of HTML, from which its words are wrapped
_HARD_SPACE = "\N{NO-BREAK SPACE}"
_NUMBER = r"-?\d[\d,]*(\.\d+)?(e[+-]?\d+)?"
_FIGURE = re.compile(rf"{_NUMBER}(( x |-){_NUMBER})*( ?([A-Za-zµ]{{1,3}}|%))?")
_UNIT = re.compile(r"(?<=\d) (?=[A-Za-zµ]{1,3}\b)")


def text(header: Sequence[str], rows: Rows, *, width: int = 100) -> str:
    """Lay out a table in at most `width` columns, wrapping what does not fit.

    Columns of numbers are aligned to the right; the first column keeps its width,
    and the widest of the others give way first, down to their longest word; a unit
    counts as a part of its number while there is room.
    """
    columns = list(zip(header, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    room = width - 2 * (len(columns) - 1)
    for words in (_words, str.split):  # at last a number goes without its unit
        least = [max(map(len, _each(words, column))) for column in columns]
        _shrink(widths, least, room)
    is_number = [all(_is_figure(cell) for cell in column[1:]) for column in columns]
    lines = [*_row(header, widths, is_number), "  ".join("─" * w for w in widths)]
    for row in rows:
        lines += _row(row, widths, is_number)
    return "\n".join(lines)


def _each(words: Callable[[str], Sequence[str]], column: Sequence[str]) -> list[str]:
    return [word for cell in column for word in (words(cell) or [""])]


def _shrink(widths: list[int], least: Sequence[int], room: int) -> None:
    """Take from the widest column, of all but the first, until all have room."""
    shrinkable = set(range(1, len(widths)))
    while sum(widths) > room and shrinkable:
        widest = max(shrinkable, key=lambda k: widths[k])
        if widths[widest] > max(least[widest], 4):
            widths[widest] -= 1
        else:
            shrinkable.remove(widest)


def _row(
    cells: Sequence[str], widths: Sequence[int], is_number: Sequence[bool]
) -> list[str]:
    wrapped = [_wrap(c, w) for c, w in zip(cells, widths, strict=True)]
    height = max(map(len, wrapped))
    lines = []
    for k in range(height):
        parts = [cell[k] if k < len(cell) else "" for cell in wrapped]
        padded = [
            part.rjust(w) if numeric else part.ljust(w)
            for part, w, numeric in zip(parts, widths, is_number, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return lines


def _wrap(cell: str, width: int) -> list[str]:
    """Break a cell into lines, a number from its unit only where it must be."""
    joined = _UNIT.sub(_HARD_SPACE, cell)
    fits = all(len(word) <= width for word in joined.split(" "))
    lines = textwrap.wrap(joined if fits else cell, width) or [""]
    return [line.replace(_HARD_SPACE, " ") for line in lines]


def _words(cell: str) -> list[str]:
    return _UNIT.sub(_HARD_SPACE, cell).split(" ")


def _is_figure(cell: str) -> bool:
    """Whether a cell holds a number, a range or a product, with its unit or without."""
    return cell in ("", "-") or _FIGURE.fullmatch(cell) is not None


def html(header: Sequence[str], rows: Rows) -> str:
    """Write a table as an HTML `<table>`, every cell escaped.

    Columns of numbers are aligned to the right, as in text. Colors are the page's; a
    row's rule is its ink, fainter. Where the page is too narrow the table scrolls.
    """
    styles = [_style(column) for column in zip(header, *rows, strict=True)]
    head = _cells("th", header, styles)
    body = "".join(f"<tr>{_cells('td', row, styles)}</tr>" for row in rows)
    return (
        '<div style="overflow-x: auto"><table style="border-collapse: collapse;'
        ' font-variant-numeric: tabular-nums">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _style(column: Sequence[str]) -> str:
    """Return how a column is set: numbers and short words are not broken."""
    align = "right" if all(map(_is_figure, column[1:])) else "left"
    is_long = max(map(len, column)) > LONG
    return f"text-align: {align}; " + (
        "min-width: 18em" if is_long else "white-space: nowrap"
    )


def _cells(tag: str, row: Sequence[str], styles: Sequence[str]) -> str:
    return "".join(
        f'<{tag} style="{style}; padding: 0.2em 0.8em; vertical-align: top">'
        f"{_html.escape(cell)}</{tag}>"
        for cell, style in zip(row, styles, strict=True)
    )


def html_lines(*lines: str) -> str:
    """Write lines as HTML paragraphs, escaped, those that are empty left out."""
    style = "margin: 0.5em 0; max-width: 60em; overflow-wrap: anywhere"
    return "".join(
        f'<p style="{style}">{_html.escape(line)}</p>' for line in lines if line
    )


def to_json(value: Any) -> str:
    """Write plain data as strict JSON: what is not finite becomes null."""
    return json.dumps(_finite(value), indent=2, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def number(x: int | float | complex, digits: int = 3) -> str:
    """Format a number with the given significant digits."""
    return f"{x:.{digits}g}"


def times(ratio: int | float, digits: int = 2) -> str:
    """Format how many times: `1.5`, `33`, `1,090`."""
    if ratio >= 10**digits - 0.5:
        return f"{ratio:,.0f}"
    return number(ratio, digits)


def seconds(t: int | float) -> str:
    """Format a time with its unit: `1.23 ms`."""
    unit, scale = _unit(t)
    return f"{_three(t / scale)} {unit}"


def _unit(t: int | float) -> tuple[str, float]:
    units = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))
    return next((u for u in units if t >= u[1]), ("ns", 1e-9))


def seconds_in_unit_of(t: int | float, reference: float) -> str:
    """Format a time as a bare figure, in the unit that `seconds` has for another."""
    return _three(t / _unit(reference)[1])


def seconds_range(low: int | float, high: int | float) -> str:
    """Format two times with the unit of the larger: `1.20-3.40 ms`."""
    unit, scale = _unit(high)
    return f"{_three(low / scale)}-{_three(high / scale)} {unit}"


def count(n: int | float) -> str:
    """Format a number of things: `950`, `1.20 k`, `3.40 M`."""
    return _scaled(n, 1000, ("", "k", "M", "G", "T", "P"))


def plural(n: int, one: str, many: str) -> str:
    """Count things by name: `1 pass`, `2 passes`."""
    return f"{n} {one if n == 1 else many}"


def memory(n: int | float) -> str:
    """Format a number of bytes: `512 B`, `1.50 MiB`."""
    return _scaled(n, 1024, ("B", "KiB", "MiB", "GiB", "TiB", "PiB"))


def _scaled(n: int | float, base: int, units: Sequence[str]) -> str:
    power = 0
    while n >= base and power < len(units) - 1:
        n, power = n / base, power + 1
    figure = f"{n:.0f}" if power == 0 and float(n).is_integer() else _three(n)
    return f"{figure} {units[power]}".rstrip()


def _three(x: int | float) -> str:
    return f"{x:.2f}" if x < 10 else f"{x:.1f}" if x < 100 else f"{x:.0f}"
