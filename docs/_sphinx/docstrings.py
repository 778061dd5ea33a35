"""Docstrings as reStructuredText: `$...$` becomes math, a table of Markdown a list."""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

ARRAYS = "Array | ndarray | generic | bool | int | float | complex"
ROW = re.compile(r"\s*\|.*\|\s*$")


def converted(lines: list[str]) -> list[str]:
    """Return the lines of a docstring with math and tables that Sphinx reads."""
    return list(_tables(_math("\n".join(lines)).split("\n")))


def _math(text: str) -> str:
    """Write `$x$` as a role, and a star that is no emphasis with a backslash.

    What stands in backticks or in lines of a doctest is code and stays.
    """

    def role(match: re.Match[str]) -> str:
        if match["math"]:
            return f":math:`{' '.join(match['math'].split())}`"
        return match[0].replace("*", r"\*") if match["star"] else match[0]

    code = r"`[^`]*`|^ *(?:>>>|\.\.\.).*$"
    pattern = rf"{code}|\$(?P<math>[^$]+)\$|(?P<star>\*+(?=\w))"
    return re.sub(pattern, role, text, flags=re.MULTILINE)


def _tables(lines: list[str]) -> Iterator[str]:
    for is_table, group in groupby(lines, key=lambda line: bool(ROW.match(line))):
        rows = list(group)
        yield from _list_table(rows) if is_table else rows


def _list_table(lines: Iterable[str]) -> Iterator[str]:
    yield from ("", ".. list-table::", "   :header-rows: 1", "")
    for line in lines:
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not all(re.fullmatch(":?-+:?", cell) for cell in cells):
            for k, cell in enumerate(cells):
                yield f"   {'  ' if k else '* '}- {cell}"
    yield ""


def _process(_app: Any, _what: str, _name: str, _object: Any, _: Any, lines: list):
    lines[:] = converted(lines)


def _skip(_app: Any, _what: str, _name: str, value: Any, skip: bool, _: Any) -> bool:
    """Leave out the fields of a named tuple: its docstring has told of them."""
    return skip or type(value).__name__ == "_tuplegetter"


def _named(_app: Any, *described: Any) -> tuple[str, str] | None:
    """Write the alias `ArrayLike` where a signature has its members."""
    *_, signature, returned = described
    if not signature:
        return None
    return signature.replace(ARRAYS, "ArrayLike"), returned


def setup(app: Any) -> dict[str, bool]:
    """Convert docstrings before napoleon reads their sections."""
    app.connect("autodoc-process-docstring", _process, priority=400)
    app.connect("autodoc-process-signature", _named)
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
