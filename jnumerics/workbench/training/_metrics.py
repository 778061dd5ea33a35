"""What a run reports, in two files: `metrics.csv` and `metrics.jsonl`.

Each row is what was known after so many steps, and nothing that differs between two
equal runs, such as times: a run that was broken and resumed with the same arguments
leaves the same files as one that was not. A resumed run first removes the rows behind
its checkpoint.

CSV has the numbers; JSON lines have arrays too, as nested lists, and null for what is
not finite. Numbers are written with the digits that their own dtype needs.
"""

import contextlib
import csv
import io
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

Row = dict[str, np.ndarray]
Steps = Callable[[list[str]], list[float]]


def row(step: int, loss: Any, **reported: PyTree) -> Row:
    """Return a row: every leaf of what is reported by its path, behind its name."""
    values = {"step": np.asarray(step), "loss": np.asarray(loss)}
    for name, tree in reported.items():
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
            if _is_key(leaf):
                continue
            keys = (jax.tree_util.keystr((key,), simple=True) for key in path)
            text = ".".join((name, *keys))
            values[" ".join(text.splitlines())] = np.asarray(leaf)
    return values


class Metrics:
    """The two files of a run in its folder."""

    def __init__(self, folder: Path, step: int, say: Callable[[str], None]):
        """Begin them, or keep what there is up to a step."""
        self._say, self._failed = say, False
        self._csv, self._json = folder / "metrics.csv", folder / "metrics.jsonl"
        self._pending: dict[Path, list[Row]] = {self._csv: [], self._json: []}
        self._columns: list[str] = []
        _cut(self._json, step, _steps_of_json)
        lines = _cut(self._csv, step, _steps_of_csv)
        if lines:
            self._columns = next(csv.reader(lines), [])

    def append(self, row: Row) -> None:
        """Write a row; where that fails, say so, and try again with the next one."""
        for path, write in ((self._csv, self._tabled), (self._json, _as_objects)):
            rows = self._pending[path]
            rows.append(row)
            try:
                _append(path, write(rows))
            except OSError as e:
                if not self._failed:
                    self._say(f"the metrics cannot be written: {e}; the run goes on")
                self._failed = True
            else:
                rows.clear()
        if not any(self._pending.values()):
            self._failed = False

    def _tabled(self, rows: list[Row]) -> str:
        """Return rows of the table, whose header has all of their names then."""
        if not self._csv.exists():  # it was removed: begun again
            self._columns = []
        for row in rows:
            self._add_columns([name for name, x in row.items() if x.ndim == 0])
        texts = [{k: _text(x) for k, x in row.items()} for row in rows]
        return _csv_text([[t.get(name, "") for name in self._columns] for t in texts])

    def sync(self) -> None:
        """Let the disk have what was written, before a checkpoint refers to it."""
        for path in (self._csv, self._json):
            with contextlib.suppress(OSError), path.open("rb") as file:
                os.fsync(file.fileno())  # where that fails, `append` says so

    def _add_columns(self, names: list[str]) -> None:
        """Write the table anew where a row has what none before had."""
        new = [name for name in names if name not in self._columns]
        if not new:
            return
        columns = self._columns + new
        lines = _lines(self._csv)
        rows = list(csv.reader(lines))[1:]
        padded = [row + [""] * (len(columns) - len(row)) for row in rows]
        _replace(self._csv, _csv_text([columns, *padded]))
        self._columns = columns


# files


def _cut(path: Path, step: int, steps: Steps) -> list[str]:
    """Remove the rows behind a step, all of them for step 0; return what is left."""
    lines = _lines(path)
    left = [
        line for line, at in zip(lines, steps(lines), strict=True) if at <= step != 0
    ]
    _replace(path, "".join(left))
    return left


def _lines(path: Path) -> list[str]:
    """Return the rows of a file; a last one without its end was cut by a crash."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = file.readlines()
    except FileNotFoundError:
        return []
    return lines if not lines or lines[-1].endswith("\n") else lines[:-1]


def _steps_of_csv(lines: list[str]) -> list[float]:
    """Return the step of each row, and for the header one before all."""
    return [-1.0, *(_step(line.partition(",")[0]) for line in lines[1:])][: len(lines)]


def _steps_of_json(lines: list[str]) -> list[float]:
    return [_step(line.partition(",")[0].rpartition(":")[2]) for line in lines]


def _step(text: str) -> float:
    try:
        return float(int(text))  # exact, as far as steps go
    except ValueError:
        return math.inf  # no row of ours


def _replace(path: Path, text: str) -> None:
    """Write a file aside, and rename it."""
    aside = path.with_name(f".{path.name}.part")
    with aside.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def _append(path: Path, text: str) -> None:
    """Write at the end of a file, all or nothing."""
    with path.open("ab", buffering=0) as file:  # else the rest is written at the end
        size, left = file.tell(), text.encode()
        try:
            while left:
                left = left[file.write(left) :]
        except OSError:
            os.ftruncate(file.fileno(), size)
            raise


# numbers


def _is_key(leaf: Any) -> bool:
    dtype = getattr(leaf, "dtype", None)
    return dtype is not None and jax.dtypes.issubdtype(dtype, jax.dtypes.prng_key)


def _csv_text(rows: list[list[str]]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(rows)
    return file.getvalue()


def _as_objects(rows: list[Row]) -> str:
    """Return rows as lines of JSON."""
    objects = [{k: _plain(x) for k, x in row.items()} for row in rows]
    return "".join(json.dumps(o) + "\n" for o in objects)


def _text(x: np.ndarray) -> str:
    return str(x[()]) if x.ndim == 0 else ""


def _plain(x: np.ndarray) -> Any:
    """Return what JSON can say, in the digits that the dtype needs."""
    if x.ndim:
        return [_plain(np.asarray(part)) for part in x]
    if x.dtype.kind in "bUiu":
        return x.item()
    text = str(x[()])
    try:
        number = float(text)
    except ValueError:  # a complex one
        return text
    return number if np.isfinite(number) else None
