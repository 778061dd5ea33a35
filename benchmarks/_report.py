"""What was measured, on the screen, and the record as Markdown."""

import textwrap
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any

from benchmarks import _record, _times
from benchmarks._measure import Bench, Clock, Line
from benchmarks._record import Figure
from benchmarks.goals import GOALS
from jnumerics import _table

Runs = Sequence[dict[str, Any]]
Places = Mapping[str, Runs]
WIDTH = 88  # columns of prose
HERE = ("numpy", "scipy", "scikit-learn", "equinox", "optimistix")
LONGEST = 8  # benchmarks whose time is told
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
    body = []
    for what, at in rows.items():
        bound = _bound_of(at)
        body.append([what, bound, *(_cell(at.get(p), bound, str) for p in places)])
    return markdown(["what", "target", *places], body)


def goals(places: Places, benchmarks: Sequence[str]) -> str:
    """Write what is aimed at beside other libraries, the medians, and versions."""
    figures = {
        where: {figure.what: figure for figure in _figures(runs, benchmarks)}
        for where, runs in places.items()
    }
    rows = []
    for what in GOALS:
        at = {where: f[what] for where, f in figures.items() if what in f}
        bound = _bound_of(at)
        cells = [_cell(at.get(where), bound, _median) for where in places]
        rows.append([what, bound, *cells])
    named = dict.fromkeys(v for runs in places.values() for v in _versions(runs))
    also = "; ".join(named)
    table = markdown(["task, and over what", "goal", *places], rows)
    return f"{table}\n\n{textwrap.fill(f'Beside {also}.', WIDTH)}" if also else table


def _versions(runs: Runs) -> list[str]:
    """Name the other libraries, those of this process first."""
    versions = runs[-1]["machine"]["versions"]
    here = [f"{name} {versions[name]}" for name in HERE if versions.get(name)]
    return here + list(_record.peers_of(runs).values())


def _median(figure: Figure) -> str:
    write = figure.target.write if figure.target else _table.number
    return write(figure.median) if figure.values else str(figure)


def _bound_of(at: Mapping[str, Figure]) -> str:
    """Write a target, which may be one of the JAX versions' only."""
    bounds = [_bound(figure) for figure in at.values() if figure.target is not None]
    return bounds[0] if bounds else "-"


def _figures(runs: Runs, benchmarks: Sequence[str]) -> Iterable[Figure]:
    for name in benchmarks:
        yield from _record.figures(runs, name)


def _cell(figure: Figure | None, bound: str, write: Callable[[Figure], str]) -> str:
    """Write a figure of a row, and whether its place misses or lacks the bound."""
    if figure is None:
        return "-"
    if figure.values and figure.target is None and bound != "-":
        return f"{write(figure)}, no goal"
    return f"{write(figure)}, **missed**" if figure.is_met is False else write(figure)


def missed(places: Places, benchmarks: Sequence[str]) -> str:
    """List the targets that the median of the last runs misses, and why."""
    reasons = _record.reasons()
    lines = [
        f"- {where}: {figure.what}: {figure}, the newest "
        f"{figure.target.write(figure.values[-1])}, target {figure.target}"
        + (f" ({figure.note})" if figure.note else "")
        + (f". {reasons[figure.what]}" if figure.what in reasons else "")
        for where, runs in places.items()
        for figure in _figures(runs, benchmarks)
        if figure.target is not None and figure.is_met is False
    ]
    return "\n".join(lines) or "Every target is met."


def times(places: Places, benchmarks: Sequence[str]) -> str:
    """Write a table of times for each place."""
    every = [run for runs in places.values() for run in runs]
    known = {name: _times.compiled(every, name) for name in benchmarks}
    return "\n\n".join(_times_at(*place, known) for place in places.items())


def _times_at(where: str, runs: Runs, known: Mapping[str, Container[str]]) -> str:
    header = [where, "first call", "of that compiling", "further calls (range)"]
    rows = [
        [
            t.name,
            _median_s(t.first) if t.first else "-",
            _median_s(t.compiling) if any(t.compiling) else "-",
            _record.over_runs(t.steady, _table.seconds),
        ]
        for name, compiled in known.items()
        for t in _times.over_runs(runs, name, compiled)
    ]
    return markdown(header, rows)


def _median_s(values: Sequence[float]) -> str:
    return _table.seconds(_record.statistics.median(values))


def durations(places: Places) -> str:
    """Tell what the benchmarks take together, and the longest of them."""
    return "\n".join(
        f"- {where}: {_durations(_record.seconds(runs))}"
        for where, runs in places.items()
    )


def _durations(seconds: Mapping[str, int]) -> str:
    longest = sorted(seconds, key=lambda name: -seconds[name])[:LONGEST]
    each = ", ".join(f"{name} {seconds[name]} s" for name in longest)
    total = f"{sum(seconds.values()) / 60:.1f} minutes"
    return f"{len(seconds)} benchmarks in {total}; the longest: {each or 'not known'}"


def machines(places: Places) -> str:
    """List the runs of each place: when, with what, and what is to be known of them."""
    return "\n".join(f"- {where}: {_described(runs)}" for where, runs in places.items())


def _described(runs: Runs) -> str:
    m = runs[-1]["machine"]
    dates = [run["time"][:10] for run in runs]
    on = ", ".join(f"{dates.count(d)} on {d}" for d in dict.fromkeys(dates))
    versions = ", ".join(f"{n} {v}" for n, v in m["versions"].items() if v)
    notes = dict.fromkeys(run["note"] for run in runs if run.get("note"))
    beside = _record.peers_of(runs).values()
    on_what = f"{m['system']}, Python {m['python']}, {versions}"
    parts = [f"runs: {on}", on_what, *beside, *notes]
    return "; ".join(parts)


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def item(sentence: str) -> str:
    """Write an item of a list in Markdown."""
    return textwrap.fill(
        f"- {sentence}", WIDTH, subsequent_indent="  ", break_on_hyphens=False
    )


def filled(sentence: str) -> str:
    """Fill the columns of prose."""
    return textwrap.fill(sentence, WIDTH, break_on_hyphens=False)
