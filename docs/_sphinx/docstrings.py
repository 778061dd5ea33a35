"""Docstrings as reStructuredText: `$...$` becomes math, a table of Markdown a list."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise
from typing import Any

from jnumerics.workbench import config, devices

ARRAYS = re.compile(
    r"[~\w.]*Array \| [~\w.]*ndarray \| [~\w.]*generic \| bool \| int \| float \| complex"
)
ROW = re.compile(r"\s*\|.*\|\s*$")
SECTION = re.compile("(?:Args|Returns|Yields|Raises|Example|Attributes|Reference):")
SETTINGS = {"model_config", *devices.Settings.model_fields}  # and its base's


def converted(lines: list[str]) -> list[str]:
    """Return the lines of a docstring with math and tables that Sphinx reads."""
    return [
        line
        for is_code, part in groupby(_literal(lines), key=lambda pair: pair[0])
        for line in _converted([line for _, line in part], is_code)
    ]


def _converted(lines: list[str], is_code: bool) -> list[str]:
    return lines if is_code else list(_tables(_math("\n".join(lines)).split("\n")))


def _literal(lines: Iterable[str]) -> Iterator[tuple[bool, str]]:
    """Pair each line with whether it is of the block that a line with "::" begins."""
    begun: int | None = None
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if begun is not None and line.strip() and indent <= begun:
            begun = None
        yield begun is not None, line
        if begun is None and line.rstrip().endswith("::"):
            begun = indent


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


def with_code(lines: list[str]) -> Iterator[str]:
    """Mark the indented blocks before a docstring's first section as code."""
    before, is_code = "", False
    for k, line in enumerate(lines):
        if SECTION.fullmatch(line):
            yield from lines[k:]
            return
        is_indented = line.startswith("    ")
        is_text = before[:1].strip() != "" and before[:2] not in ("- ", "* ")
        if is_indented and not is_code and is_text and not lines[k - 1]:
            yield from ("::", "")
            is_code = True
        elif line and not is_indented:
            is_code = False
        yield line
        before = line or before


def without_type(lines: list[str]) -> Iterator[str]:
    """Break the first line of "Returns:", where a colon in it would end a type."""
    before = ""
    for line in lines:
        if before == "Returns:" and ":" in line and len(words := line.split()) > 1:
            indent = line[: len(line) - len(line.lstrip())]
            yield from (indent + words[0], indent + " ".join(words[1:]))
        else:
            yield line
        before = line


def fields(described: type) -> Iterator[str]:
    """Yield a section of a class's own fields that have docstrings."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(described))).body
    assert isinstance(tree, ast.ClassDef)
    lines = [
        f"    {field.target.id}: {' '.join(str(text.value.value).split())}"
        for field, text in pairwise(tree.body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
    ]
    if lines:
        yield from ("", "Attributes:", *lines)


def _process(_app: Any, what: str, _name: str, value: Any, _: Any, lines: list) -> None:
    lines[:] = without_type(list(with_code(lines)))
    if what == "class" and (hasattr(value, "_fields") or _is_settings(value)):
        lines += fields(value)
    lines[:] = converted(lines)


def _is_settings(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, config.Settings)


def _skip(_app: Any, what: str, name: str, value: Any, skip: bool, _: Any) -> bool:
    """Leave out fields of named tuples and settings: their classes have told of them."""
    is_setting = what == "class" and name in SETTINGS
    return skip or is_setting or type(value).__name__ == "_tuplegetter"


def _named(_app: Any, *described: Any) -> tuple[str, str] | None:
    """Write the alias `ArrayLike` where a signature has its members."""
    *_, signature, returned = described
    if not signature:
        return None
    return ARRAYS.sub("ArrayLike", signature), returned


def _reached(_app: Any, _domain: str, _kind: str, content: Any) -> None:
    """Give a class of a private module the public anchor as well.

    The page of a module's source has one name for all that leads back from it, and that
    of a module with both kinds is the public one.
    """
    signature = content.parent[0]
    public, private, _ = signature.get("module", "").partition("._")
    if private:
        signature["ids"].append(f"{public}.{signature['fullname']}")


def setup(app: Any) -> dict[str, bool]:
    """Convert docstrings before napoleon reads their sections."""
    app.connect("autodoc-process-docstring", _process, priority=400)
    app.connect("autodoc-process-signature", _named)
    app.connect("autodoc-skip-member", _skip)
    app.connect("object-description-transform", _reached)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
