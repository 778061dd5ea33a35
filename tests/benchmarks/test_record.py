"""The record of measurements: every run is kept, the median of the last five counts."""

import json
import re
import statistics
from types import SimpleNamespace

import pytest

from benchmarks import __main__ as command
from benchmarks import _record, _report, _times
from benchmarks._measure import Bench, Clock, at_least, at_most, usual_s
from benchmarks._record import Figure
from benchmarks.goals import GOALS
from benchmarks.suites import verdicts
from jnumerics.derivatives._compare.result import ModeResult
from jnumerics.derivatives._compare.timing import Timing


def run(
    value,
    *,
    day=1,
    jax="0.12",
    cpu="EPYC",
    note="",
    platform="cpu",
    target=None,
    **more,
):
    """A saved run of one benchmark with one line."""
    target = at_least(10.0) if target is None else target
    bound = {"bound": target.bound, "is_floor": target.is_floor, "unit": target.unit}
    line = {
        "what": "speed",
        "target": bound,
        "value": None if value is None else {"median": value, "q1": 0.0, "q3": 0.0},
        "note": note,
    }
    machine = {
        "cpu": cpu,
        "cores": 2,
        "platform": platform,
        "device": "H100" if platform == "gpu" else "cpu",
        "system": "Linux",
        "python": "3.13",
        "versions": {"jax": jax, "torch": None},
    }
    named = {"made_up": {"lines": [line], "times": [], **more}}
    time = f"2026-01-{day:02}T00:00:00+00:00"
    return {"time": time, "machine": machine, "benchmarks": named}


def figure_of(values, **options):
    runs = [run(v, day=k + 1, **options) for k, v in enumerate(values)]
    (figure,) = _record.figures(runs, "made_up")
    return figure


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(_record, "RESULTS", tmp_path / "results")
    return tmp_path / "results"


def test_figure_is_the_median_of_the_last_five_runs_with_their_range():
    figure = figure_of([1.0, 2.0, 30.0, 11.0, 5.0, 7.0, 20.0])
    assert figure.values == (30.0, 11.0, 5.0, 7.0, 20.0)
    assert figure.median == 11.0
    assert str(figure) == "11 (5 - 30, 5 runs)"


@pytest.mark.parametrize(
    ("values", "is_met"),
    [([9.0, 9.0, 99.0], False), ([9.0, 11.0, 11.0], True), ([11.0, 9.0], True)],
)
def test_target_is_met_by_the_median_not_by_the_newest_run(values, is_met):
    assert figure_of(values).is_met is is_met


def test_ceiling_is_met_by_the_median():
    target = at_most(10.0, "s")
    assert figure_of([9.0, 9.0, 99.0], target=target).is_met is True
    assert figure_of([9.0, 99.0, 99.0], target=target).is_met is False


def test_missed_target_tells_the_newest_run():
    text = _report.missed(
        {"here": [run(4.0), run(5.0, day=2), run(99.0, day=3)]}, ["made_up"]
    )
    assert text == "- here: speed: 5 (4 - 99, 3 runs), the newest 99, target ≥ 10"


def test_run_that_could_not_measure_is_not_counted_and_says_why():
    figure = figure_of([12.0, None], note="asdex does not import here")
    assert str(figure) == "12 (1 run)"
    assert str(figure_of([None], note="asdex does not import here")) == figure.note


def test_figure_beside_its_bound_is_rounded_to_its_side():
    assert at_most(1.7).write(1.7004) == "1.7004"
    assert at_most(1.7).write(1.6996) == "1.7"
    assert at_least(1000.0).write(999.9) == "999.9"
    assert at_least(10.0).write(123456.0) == "123,456"


def test_places_are_jax_versions_and_devices_newest_first_and_cards_last():
    runs = [
        run(1.0, jax="0.9"),
        run(1.0, jax="0.12", platform="gpu"),
        run(1.0, jax="0.10.2"),
        run(1.0, jax="0.12"),
    ]
    assert [*_record.by_place(runs)] == [
        "JAX 0.12, 2 cores of EPYC",
        "JAX 0.10.2, 2 cores of EPYC",
        "JAX 0.9, 2 cores of EPYC",
        "JAX 0.12, H100",
    ]


def test_of_two_processors_the_one_that_measured_last_is_first():
    runs = [run(1.0), run(1.0, cpu="Xeon", day=2), run(1.0, jax="0.10", day=3)]
    names = [name.split(", ")[0] + name[-4:] for name in _record.by_place(runs)]
    assert names == ["JAX 0.12Xeon", "JAX 0.12EPYC", "JAX 0.10EPYC"]


def test_missed_target_tells_why_where_that_was_measured(monkeypatch):
    monkeypatch.setattr(_record, "reasons", lambda: {"speed": "The memory is full."})
    text = _report.missed({"here": [run(4.0)]}, ["made_up"])
    assert text.endswith("target ≥ 10. The memory is full.")


def test_every_reason_is_of_a_goal():
    whats = {x["what"] for r in _record.load() for x in lines_of(r)}
    assert set(_record.reasons()) <= whats | set(GOALS)


def lines_of(run):
    return [line for bench in run["benchmarks"].values() for line in bench["lines"]]


def test_goals_are_the_medians_with_the_peers_versions(monkeypatch):
    monkeypatch.setattr(_report, "GOALS", ("speed", "not yet"))
    old, new = run(5.0, jax="0.10.2"), run(50.0)
    new["machine"]["peers"] = {"torch": "torch 2.13, Python 3.11"}
    assert _report.goals(_record.by_place([old, new]), ["made_up"]).splitlines() == [
        "| task, and over what | goal | JAX 0.12, 2 cores of EPYC | "
        "JAX 0.10.2, 2 cores of EPYC |",
        "| --- | --- | --- | --- |",
        "| speed | ≥ 10 | 50 | 5, **missed** |",
        "| not yet | - | - | - |",
        "",
        "Beside torch 2.13, Python 3.11.",
    ]


def test_figure_of_a_place_without_the_goal_of_its_row_says_so(monkeypatch):
    monkeypatch.setattr(_report, "GOALS", ("speed",))
    old, new = run(5.0, jax="0.10.2"), run(50.0)
    for line in lines_of(old):
        line["target"] = None
    places = _record.by_place([old, new])
    for write, cells in (
        (_report.goals, "| 50 | 5, no goal |"),
        (_report.promises, "| 50 (1 run) | 5 (1 run), no goal |"),
    ):
        assert write(places, ["made_up"]).splitlines()[2] == f"| speed | ≥ 10 {cells}"


def test_durations_are_those_of_the_last_runs():
    first, second = run(1.0), run(1.0, day=2)
    first["seconds"], second["seconds"] = {"a": 50, "b": 20}, {"a": 40}
    text = _report.durations({"here": [run(1.0), first, second]})
    assert text == "- here: 2 benchmarks in 1.0 minutes; the longest: a 40 s, b 20 s"


def test_table_has_a_column_for_each_place_and_names_what_is_missed():
    places = _record.by_place([run(5.0), run(50.0, platform="gpu")])
    assert _report.promises(places, ["made_up"]).splitlines() == [
        "| what | target | JAX 0.12, 2 cores of EPYC | JAX 0.12, H100 |",
        "| --- | --- | --- | --- |",
        "| speed | ≥ 10 | 5 (1 run), **missed** | 50 (1 run) |",
    ]


def test_saved_run_is_added_and_never_replaces_another(results, monkeypatch):
    bench = Bench()
    bench.report("speed", at_least(10.0), 11.0, "a note")
    bench.clocks.append(Clock("ours", 2.0, 1.0, Timing.from_runs([1.0, 3.0])))
    bench.shown["text"] = "a table"
    bench.pictures["one.png"] = b"drawn"
    first = _record.save({"made_up": bench}, "alone")
    text = first.read_text()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_record, "_now", lambda: _record.datetime.datetime(2030, 1, 1))
        later = _record.save({"made_up": bench})
        written = later.read_text()
        with pytest.raises(FileExistsError):
            _record.save({"made_up": Bench()})
    assert (first.read_text(), later.read_text()) == (text, written)
    assert [r["note"] for r in _record.load()] == ["alone", ""]
    (figure,) = _record.figures(_record.load(), "made_up")
    assert figure == Figure("speed", at_least(10.0), (11.0, 11.0), "a note")
    (times,) = _times.over_runs(_record.load(), "made_up")
    assert times == ("ours", (2.0, 2.0), (1.0, 1.0), (2.0, 2.0))
    known = _record.load()[0]["benchmarks"]["made_up"]
    assert known["shown"] == {"text": "a table"}
    assert known["pictures"] == {"one.png": _record.digest(b"drawn")}


def test_run_names_its_device_and_its_program(results):
    _record.save({"made_up": Bench()})
    (saved,) = _record.load()
    machine = saved["machine"]
    assert machine["cpu"]
    assert machine["cores"] >= 1
    assert re.match(r"JAX [\d.]+, ", _record.place(saved))
    assert saved["commit"] is None or re.match("[0-9a-f]{7,}", saved["commit"])


def test_stored_runs_are_whole():
    for path in _record.RESULTS.glob("jax-*/*.json"):
        saved = json.loads(path.read_text(encoding="utf-8"))
        assert path.parent.name == f"jax-{saved['machine']['versions']['jax']}"
        assert f"{saved['time'][:19].replace(':', '')}" == path.stem
        for name, bench in saved["benchmarks"].items():
            assert name in command.BENCHMARKS
            assert set(bench) == {"lines", "times", "shown", "pictures"}


def test_every_round_of_a_race_counts():
    calls = {"a": 0, "b": 0}

    def count(name):
        calls[name] += 1

    race = Bench(is_quick=True).race(
        {name: lambda name=name: count(name) for name in calls}, seconds=0.0
    )
    rounds = [len(clock.steady.runs) for clock in race.clocks.values()]
    assert rounds == [5, 5]


def test_usual_time_is_the_median(monkeypatch):
    times = iter([0.0, 3.0, 10.0, 11.0, 20.0, 40.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    assert usual_s(lambda: 1.0, 3) == statistics.median([3.0, 1.0, 20.0])


def test_margin_of_the_true_winner_is_measured_and_must_be_the_named_one(monkeypatch):
    medians = iter([1.0, 1.2, 9.0, 1.0, 1.4, 9.0, 1.0, 9.0, 1.3] * 2)

    def compare(fun, x, *, modes, reference):
        names = (winner, *[mode for mode in modes if mode != winner][:2])
        rows = [ModeResult(n, run_s=Timing.from_runs([next(medians)])) for n in names]
        return SimpleNamespace(modes=rows, fastest=winner)

    winner = "forward"
    monkeypatch.setattr(verdicts.derivatives, "compare_modes", compare)
    monkeypatch.setattr(verdicts, "QUICK", ("dense 1 to 1024", "dense 4 to 512"))
    bench = Bench(is_quick=True)
    verdicts.verdicts(bench)
    named, margin = bench.lines
    assert margin.value == (1.3, 1.3, 1.3)
    assert margin.target == at_least(verdicts.MARGIN)
    assert (named.is_met, margin.is_met) == (True, False)
