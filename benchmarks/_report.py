"""What was measured, on the screen, and the record as Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks import _record
from benchmarks._measure import Bench, Clock, Line
from benchmarks._record import Figure
from jnumerics import _table

Runs = Sequence[dict[str, Any]]
Places = Mapping[str, Runs]
CLOCKS = ("contender", "first call", "of that compiling", "further calls", "quartiles")


def text(bench: Bench) -> str:
    """Write what was promised and measured, then the times behind it."""
    promises = [(x.verdict, x.what, _bound(x), x.measured) for x in bench.lines]
    header = ("", "what", "target", "measured")
    table = _table.text(header, promises) if promises else ""
    notes = [f"{x.what}: {x.note}" for x in bench.lines if x.note and x.value]
    rows = [_clock_row(c) for c in bench.clocks]
    clocks = _table.text(CLOCKS, rows) if rows else ""
    texts = [x for x in bench.shown.values() if isinstance(x, str)]
    return "\n\n".join(filter(None, [table, "\n".join(notes), clocks, *texts]))


def _clock_row(clock: Clock) -> tuple[str, ...]:
    return (
        clock.name,
        _table.seconds(clock.first),
        _table.seconds(clock.compiling) if clock.compiling else "-",
        _table.seconds(clock.steady.median),
        _table.seconds_range(clock.steady.q1, clock.steady.q3),
    )


def _bound(line: Line | Figure) -> str:
    return "-" if line.target is None else str(line.target)


def promises(places: Places, benchmarks: Sequence[str]) -> str:
    """Write what was promised, beside the median of the last runs at each place."""
    rows: dict[str, dict[str, Figure]] = {}
    for where, runs in places.items():
        for figure in _figures(runs, benchmarks):
            rows.setdefault(figure.what, {})[where] = figure
    body = [
        [what, _bound(next(iter(at.values()))), *(_cell(at.get(p)) for p in places)]
        for what, at in rows.items()
    ]
    return markdown(["what", "target", *places], body)


def _figures(runs: Runs, benchmarks: Sequence[str]) -> Iterable[Figure]:
    for name in benchmarks:
        yield from _record.figures(runs, name)


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return "-"
    return f"{figure}, **missed**" if figure.is_met is False else str(figure)


def missed(places: Places, benchmarks: Sequence[str]) -> str:
    """List the targets that the median of the last runs misses."""
    found = [
        f"- {where}: {figure.what}: {figure}, the newest "
        f"{figure.target.write(figure.values[-1])}, target {figure.target}"
        + (f" ({figure.note})" if figure.note else "")
        for where, runs in places.items()
        for figure in _figures(runs, benchmarks)
        if figure.target is not None and figure.is_met is False
    ]
    return "\n".join(found) or "Every target is met."


def times(places: Places, benchmarks: Sequence[str]) -> str:
    """Write a table of times for each place."""
    return "\n\n".join(_times(*place, benchmarks) for place in places.items())


def _times(where: str, runs: Runs, benchmarks: Sequence[str]) -> str:
    header = [where, "first call", "of that compiling", "further calls (range)"]
    rows = [
        [
            t.name,
            _median_s(t.first),
            _median_s(t.compiling) if any(t.compiling) else "-",
            _record.over_runs(t.steady, _table.seconds),
        ]
        for name in benchmarks
        for t in _record.times(runs, name)
    ]
    return markdown(header, rows)


def _median_s(values: Sequence[float]) -> str:
    return _table.seconds(_record.statistics.median(values))


def machines(places: Places) -> str:
    """List the runs of each place: when, with what, and what is to be known of them."""
    return "\n".join(f"- {where}: {_described(runs)}" for where, runs in places.items())


def _described(runs: Runs) -> str:
    m = runs[-1]["machine"]
    dates = [run["time"][:10] for run in runs]
    on = ", ".join(f"{dates.count(d)} on {d}" for d in dict.fromkeys(dates))
    versions = ", ".join(f"{n} {v}" for n, v in m["versions"].items() if v)
    notes = dict.fromkeys(run["note"] for run in runs if run.get("note"))
    parts = [f"runs: {on}", f"{m['system']}, Python {m['python']}, {versions}", *notes]
    return "; ".join(parts)


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
