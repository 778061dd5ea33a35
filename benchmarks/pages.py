"""The figures of the pages, from the record: `python -m benchmarks.pages [--check]`.

A page holds its figures between marks, `<!-- NAME -->` and `<!-- end of NAME -->`. What
stands there is written by this command; `--check` says which of them differ from the
record, with status 1.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import _record, _report, compat
from benchmarks.suites import (
    calls,
    choice,
    colorings,
    derivatives,
    models,
    passes,
    scaling,
    second,
    shown,
    verdicts,
)
from benchmarks.trials import applications, endurance, fuzz
from jnumerics import _table

PROMISES: Mapping[str, Callable] = {
    **models.BENCHMARKS,
    **derivatives.BENCHMARKS,
    **second.BENCHMARKS,
    **colorings.PROMISES,
    **calls.BENCHMARKS,
    **choice.BENCHMARKS,
    **verdicts.BENCHMARKS,
}
BENCHMARKS: Mapping[str, Callable] = {
    **PROMISES,
    **passes.BENCHMARKS,
    **colorings.BENCHMARKS,
    **scaling.BENCHMARKS,
    **shown.BENCHMARKS,
}
ROOT = Path(__file__).parents[1]
Places = _report.Places


def newest(places: Places, benchmark: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the run that pages show of a benchmark: the first place's newest."""
    for runs in places.values():
        for run in reversed(runs):
            if benchmark in run["benchmarks"]:
                return run, run["benchmarks"][benchmark]
    return {}, {}


def _text(benchmark: str, part: str = "text") -> Callable[[Places], str]:
    def write(places: Places) -> str:
        _, run = newest(places, benchmark)
        return f"```text\n{run['shown'][part]}\n```"

    return write


def _where(benchmark: str) -> Callable[[Places], str]:
    def write(places: Places) -> str:
        run, _ = newest(places, benchmark)
        return _report.filled(f"Measured on {run['time'][:10]}: {_record.place(run)}.")

    return write


def _with_place(benchmark: str, part: str = "text") -> Callable[[Places], str]:
    text, where = _text(benchmark, part), _where(benchmark)
    return lambda places: f"{text(places)}\n\n{where(places)}"


def _short(places: Places) -> str:
    """Write a comparison without its title and its last remark, for the README."""
    _, run = newest(places, "modes_autoencoder")
    body = run["shown"]["text"].partition("\n\n")[2].partition("\nOne evaluation")[0]
    return f"```text\n{body}\n```\n\n{_where('modes_autoencoder')(places)}"


def _modes(places: Places, benchmark: str) -> dict[str, Any]:
    _, run = newest(places, benchmark)
    return {m["mode"]: m for m in run["shown"]["result"]["modes"]}


def _cut(places: Places) -> str:
    modes = _modes(places, "modes_autoencoder")
    cut, ends = modes["cut"], [modes["forward"], modes["reverse"]]
    ratio = min(_median_s(m) for m in ends) / _median_s(cut)
    few, many = cut["passes"], ends[0]["passes"]
    return _report.filled(
        f"{few} passes instead of {many} are {_table.times(ratio, 3)} times faster "
        f"here, not {many / few:.0f} times: the product B A still has to write {many} "
        f"x {many} numbers, and {many} passes that share one matrix product are "
        f"cheaper than {many} products."
    )


def _samples(places: Places) -> str:
    modes = _modes(places, "modes_samples")
    cut, forward = modes["cut"], modes["forward"]
    ratio = _median_s(forward) / _median_s(cut)
    return _report.filled(
        "For 32 samples of the autoencoder above the cut was "
        f"{_table.times(ratio)} times "
        "faster than forward mode, whose memory it does not need either "
        f"({_table.memory(cut['temp_bytes'])} instead of "
        f"{_table.memory(forward['temp_bytes'])}). The full Jacobian of the batch, of "
        "which the blocks are the diagonal, takes "
        f"{_table.memory(4 * (32 * 784) ** 2)}; it is measured where it fits "
        "`max_bytes`, to show what it costs."
    )


def _corners(places: Places) -> str:
    _, run = newest(places, "crossover")
    result = run["shown"]["result"]
    cells = {(c["inputs"], c["outputs"]): c for c in result["cells"]}
    n, m = max(result["inputs"]), max(result["outputs"])
    wide, tall = cells[n, 1], cells[1, m]
    loss = _table.times(wide["forward_s"] / wide["reverse_s"])
    column = _table.times(tall["reverse_s"] / tall["forward_s"])
    return _report.filled(
        f"Here a loss of {n} parameters took {loss} times as long by forward mode as "
        f"by reverse mode, {m} outputs of one number {column} times as long by reverse "
        f"mode as by forward mode. Of the {result['decided']} cells whose margin "
        f"exceeded the spread {result['right']} were predicted; the predicted mode "
        f"took at most {result['worst_slowdown']:.2f} times as long as the better one."
    )


def _median_s(mode: Mapping[str, Any]) -> float:
    return mode["run_s"]["median"]


def _passes(places: Places) -> str:
    runs = next(iter(places.values()))
    figures = {f.what: f for f in _record.figures(runs, "passes")}
    rows = [
        [name, *(f"{figures[f'{name}: {way}'].median:.1f}" for way in passes.WAYS)]
        for name in passes.CASES
        if f"{name}: {passes.WAYS[0]}" in figures
    ]
    rows.sort(key=lambda row: float(row[1]))
    return _report.markdown(["function", *passes.WAYS], rows)


def _laplacians(places: Places) -> str:
    """Write how many times as long others take as ours, case by case."""
    if not newest(places, "laplacians")[0]:
        return "Not measured yet."
    runs = next(iter(places.values()))
    by_name = {f.what: f for f in _record.figures(runs, "laplacians")}
    rivals = second.RIVALS[:2]  # of every JAX; the benchmarks' table has the others
    whats = {
        name: [
            by_name.get(f"laplacian of {name}: {rival} over ours") for rival in rivals
        ]
        for name in second.CASES
    }
    rows = [
        [name, *("-" if f is None else _table.times(f.median) for f in figures)]
        for name, figures in whats.items()
    ]
    table = _report.markdown(["function", *rivals], rows)
    return f"{table}\n\n{_where('laplacians')(places)}"


def _scaling(places: Places) -> str:
    """Write the fitted exponents beside the expected ones."""
    if not newest(places, "scaling")[0]:
        return "Not measured yet."
    return _with_place("scaling")(places)


def _table_of(write: Callable[[Places, Sequence[str]], str]) -> Callable[[Places], str]:
    return lambda places: write(places, list(PROMISES))


BLOCKS: Mapping[str, Mapping[str, Callable[[Places], str]]] = {
    "README.md": {
        "demo": _with_place("demo", "table"),
        "plan": _text("plan", "plan"),
        "refusal": _text("plan", "refusal"),
        "comparison": _short,
        "endurance": lambda _: endurance.text(),
        "goals": _table_of(_report.goals),
        "compat": lambda _: compat.text(),
        "fuzz": lambda _: fuzz.text(),
    },
    "docs/applications.md": {
        name: applications.page(name) for name in applications.NAMES
    },
    "docs/which-mode.md": {
        "machine": _where("five_functions"),
        "corners": _corners,
        "cut": _cut,
        "samples": _samples,
        "passes": _passes,
        "laplacians": _laplacians,
        "comparison": _with_place("modes_autoencoder"),
    },
    "benchmarks/README.md": {
        "measured": _table_of(_report.promises),
        "machines": _report.machines,
        "durations": _report.durations,
        "scaling": _scaling,
        "missed": _table_of(_report.missed),
        "times": _table_of(_report.times),
    },
}


def filled(page: str, blocks: Mapping[str, str]) -> str:
    """Put texts between a page's marks."""
    for name, text in blocks.items():
        begin, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
        before, opened, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not (opened and closed):
            msg = f"a page must have the marks of {name!r}, got one without"
            raise ValueError(msg)
        page = f"{before}{begin}{text}{end}{after}"
    return page


def due() -> Iterator[tuple[str, str, str]]:
    """Yield each page's name, its text, and the text that it should have."""
    places = _record.by_place(_record.load())
    for name, blocks in BLOCKS.items():
        page = (ROOT / name).read_text(encoding="utf-8")
        texts = {block: text(places) for block, text in blocks.items()}
        yield name, page, filled(page, texts)


def shown_pictures() -> dict[str, str]:
    """Return what each picture in `docs/` must be, by the run that the pages show."""
    places = _record.by_place(_record.load())
    return {
        name: drawn
        for benchmark in BENCHMARKS
        for name, drawn in newest(places, benchmark)[1].get("pictures", {}).items()
    }


def write(pictures: Mapping[str, bytes]) -> None:
    """Write the pages, and those of the pictures that belong to the runs they show."""
    expected = shown_pictures()
    for name, drawn in pictures.items():
        if expected[name] == _record.digest(drawn):
            (ROOT / "docs" / name).write_bytes(drawn)
    for name, _, text in due():
        (ROOT / name).write_text(text, encoding="utf-8")


def stale() -> list[str]:
    """Name what differs from the record."""
    pages = [name for name, text, expected in due() if text != expected]
    pictures = [
        f"docs/{name}"
        for name, drawn in shown_pictures().items()
        if _record.digest((ROOT / "docs" / name).read_bytes()) != drawn
    ]
    return pages + pictures


def main(argv: Sequence[str]) -> int:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser("benchmarks.pages", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    if not parser.parse_args(argv).check:
        write({})
        return 0
    names = stale()
    for name in names:
        print(f"{name} differs from the record")
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
