"""The times of contenders in the record: first calls that were one, further calls.

Where the record has what was taken for a first call although the program had run before
it, nothing was compiled in it. A contender that is compiled in any run is known to need
the compiler, so such a call of it is left out; others, NumPy's, compile nothing at all.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks._record import LAST, having

WARM = {"the same derivative"}  # compiled before under another name, where nothing was


class Times(NamedTuple):
    """One contender's times over the last runs, in seconds, oldest first.

    First calls are those of the last runs in which the program had not run before, and
    may be none.
    """

    name: str
    first: tuple[float, ...]
    compiling: tuple[float, ...]
    steady: tuple[float, ...]


def compiled(runs: Iterable[dict[str, Any]], benchmark: str) -> set[str]:
    """Name the contenders that a compiler has worked for, in any of the runs."""
    rows = [t for run in having(runs, benchmark) for t in run["times"]]
    return WARM | {t["contender"] for t in rows if t["compiling_s"]}


def over_runs(
    runs: Sequence[dict[str, Any]], benchmark: str, known: Container[str] = ()
) -> list[Times]:
    """Return the times of a benchmark's contenders, each over the last runs.

    Args:
        runs: Those of one place.
        benchmark: Its name.
        known: Contenders that are compiled: where nothing was compiled in their first
            call, it was none.
    """
    by_run = [_by_contender(run) for run in having(runs, benchmark)]
    return [
        _over_rows([rows[name] for rows in by_run if name in rows], name in known)
        for name in (by_run[-1] if by_run else ())
    ]


def _by_contender(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's times by name; of two rows the first, whose program was new."""
    rows: dict[str, Any] = {}
    for row in run["times"]:
        rows.setdefault(row["contender"], row)
    return rows


def _over_rows(rows: Sequence[Mapping[str, Any]], is_compiled: bool) -> Times:
    firsts = [r for r in rows if r["compiling_s"] or not is_compiled][-LAST:]
    return Times(
        rows[-1]["contender"],
        tuple(r["first_s"] for r in firsts),
        tuple(r["compiling_s"] for r in firsts),
        tuple(r["median_s"] for r in rows[-LAST:]),
    )
