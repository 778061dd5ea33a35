"""Tables on the screen, results as JSON, and the tables of `README.md` from those."""

import datetime
import importlib.metadata
import json
import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from benchmarks._measure import Bench, Clock, Line
from jnumerics import _table

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"
README = FOLDER / "README.md"
PACKAGES = ("jax", "jaxlib", "numpy", "scipy", "optax", "asdex", "torch")


def text(bench: Bench) -> str:
    """Write what was promised and measured, then the times behind it."""
    promises = [(x.verdict, x.what, _bound(x), x.measured) for x in bench.lines]
    table = _table.text(("", "what", "target", "measured"), promises)
    notes = [f"{x.what}: {x.note}" for x in bench.lines if x.note and x.value]
    rows = [_clock_row(c) for c in bench.clocks]
    clocks = _table.text(CLOCKS, rows) if rows else ""
    return "\n\n".join(filter(None, [table, "\n".join(notes), clocks]))


CLOCKS = ("contender", "first call", "of that compiling", "further calls", "quartiles")


def _clock_row(clock: Clock) -> tuple[str, ...]:
    return (
        clock.name,
        _table.seconds(clock.first),
        _table.seconds(clock.compiling) if clock.compiling else "-",
        _table.seconds(clock.steady.median),
        _table.seconds_range(clock.steady.q1, clock.steady.q3),
    )


def _bound(line: Line) -> str:
    return "-" if line.target is None else str(line.target)


def machine() -> dict[str, Any]:
    """Describe where and with what was measured."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "device": jax.devices()[0].device_kind,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    found = (
        re.search(r"model name\s*: (.*)", info.read_text()) if info.exists() else None
    )
    return found[1] if found else platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def save(benches: Mapping[str, Bench]) -> Path:
    """Put results beside those of benchmarks that did not run now."""
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"jax-{jax.__version__}.json"
    stored = json.loads(file.read_text()) if file.exists() else {"benchmarks": {}}
    stored["machine"] = machine()
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    for name, bench in benches.items():
        stored["benchmarks"][name] = {
            "date": today,
            "lines": [_line_data(line) for line in bench.lines],
            "times": [_clock_data(clock) for clock in bench.clocks],
        }
    file.write_text(_table.to_json(stored) + "\n")
    return file


def _line_data(line: Line) -> dict[str, Any]:
    return {
        "what": line.what,
        "target": _bound(line),
        "measured": line.measured,
        "value": line.value._asdict() if line.value else None,
        "met": line.is_met,
        "note": line.note,
    }


def _clock_data(clock: Clock) -> dict[str, Any]:
    q = clock.steady
    return {
        "contender": clock.name,
        "first_s": clock.first,
        "compiling_s": clock.compiling,
        "median_s": q.median,
        "q1_s": q.q1,
        "q3_s": q.q3,
        "runs": len(q.runs),
    }


def rewrite_readme(order: Sequence[str]) -> None:
    """Write the tables between README's marks from all stored results."""
    results = [json.loads(file.read_text()) for file in RESULTS.glob("jax-*.json")]
    results.sort(key=lambda r: _sortable(r["machine"]["versions"]["jax"]), reverse=True)
    page = README.read_text(encoding="utf-8")
    for mark, table in {
        "measured": _promises(results, order),
        "times": "\n\n".join(_times(r, order) for r in results),
        "machines": "\n".join(f"- {_describe(r)}" for r in results),
        "missed": _missed(results, order),
    }.items():
        begin, end = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        page = f"{before}{begin}\n{table}\n{end}{after}"
    README.write_text(page, encoding="utf-8")


def _sortable(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def _lines(result: dict, order: Sequence[str]) -> Iterable[dict]:
    known = result["benchmarks"]
    for name in order:
        yield from known.get(name, {"lines": []})["lines"]


def _promises(results: Sequence[dict], order: Sequence[str]) -> str:
    rows: dict[str, dict] = {}
    for k, result in enumerate(results):
        for line in _lines(result, order):
            rows.setdefault(line["what"], {"target": line["target"]})[k] = line
    header = ["what", "target", *(_name(r) for r in results)]
    body = [
        [what, row["target"], *(_cell(row.get(k)) for k in range(len(results)))]
        for what, row in rows.items()
    ]
    return _markdown(header, body)


def _name(result: dict) -> str:
    return f"JAX {result['machine']['versions']['jax']}"


def _cell(line: dict | None) -> str:
    if line is None:
        return "-"
    return (
        f"{line['measured']}, **missed**" if line["met"] is False else line["measured"]
    )


def _missed(results: Sequence[dict], order: Sequence[str]) -> str:
    found = [
        f"- {_name(r)}: {line['what']}: {line['measured']}, target {line['target']}"
        for r in results
        for line in _lines(r, order)
        if line["met"] is False
    ]
    return "\n".join(found) or "Every target is met."


def _times(result: dict, order: Sequence[str]) -> str:
    header = [_name(result), *CLOCKS[1:]]
    known = result["benchmarks"]
    rows = [
        [
            t["contender"],
            _table.seconds(t["first_s"]),
            _table.seconds(t["compiling_s"]) if t["compiling_s"] else "-",
            _table.seconds(t["median_s"]),
            _table.seconds_range(t["q1_s"], t["q3_s"]),
        ]
        for name in order
        for t in known.get(name, {"times": []})["times"]
    ]
    return _markdown(header, rows)


def _describe(result: dict) -> str:
    m = result["machine"]
    dates = sorted({b["date"] for b in result["benchmarks"].values()})
    versions = ", ".join(f"{n} {v}" for n, v in m["versions"].items() if v)
    return (
        f"{' to '.join(dict.fromkeys([dates[0], dates[-1]]))}: {m['cores']} cores of "
        f"{m['cpu']}, {m['system']}, Python {m['python']}, {versions}"
    )


def _markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
