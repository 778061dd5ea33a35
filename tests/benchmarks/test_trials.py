"""Trials are kept as they were: each is added to its record, none is replaced."""

import json

import numpy as np
import pytest

from benchmarks.trials import _runs, applications, endurance, fuzz
from jnumerics.workbench.lesson import Lesson, Performance, Race
from tests.endurance import __main__ as endurance_run
from tests.endurance.outcome import Outcome
from tests.fuzz import __main__ as fuzz_run
from tests.fuzz.work import Finding, Report

RUN = {"date": "2026-01-02", "jax": "0.10.2", "note": "", "seed": 1}
COUNTS = {"programs": 98, "wrong": 0, "independent": 40, "needless": 2}


@pytest.fixture(params=[fuzz, endurance, applications])
def records(request):
    """The runs of a record, as the repository has them."""
    return _runs.load(request.param.FILE)


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch, request):
    """Records of their own, which are empty at first."""
    if "records" not in request.fixturenames:
        for module in (fuzz, endurance, applications):
            monkeypatch.setattr(module, "FILE", tmp_path / module.FILE.name)


@pytest.fixture
def batches(monkeypatch):
    """Two batches of the fuzzer, after which Ctrl-C is pressed."""
    wrong = [Finding("movement", 7, "dependence", "outside")]

    def each(*_):
        yield Report(programs=49, independent=20, needless=[("movement", 1)])
        yield Report(programs=49, independent=20, wrong=wrong)
        raise KeyboardInterrupt

    monkeypatch.setattr(fuzz_run, "each", each)
    monkeypatch.setattr(fuzz_run, "prepare", lambda: None)


def test_records_hold_runs(records):
    assert records
    assert all({"date", "jax", "note"} <= run.keys() for run in records)


def test_runs_are_added_behind_those_of_before():
    for programs in (1, 2, 2):
        fuzz.append({**RUN, **COUNTS, "programs": programs})
    assert [run["programs"] for run in _runs.load(fuzz.FILE)] == [1, 2, 2]


def test_newest_jax_is_told_first_with_the_sums_of_its_runs():
    for jax, programs, date in [
        ("0.9.12", 5, "2026-01-02"),
        ("0.10.2", 1000, "2026-01-02"),
        ("0.10.2", 2345, "2026-01-03"),
    ]:
        run = RUN | COUNTS | {"jax": jax, "programs": programs, "date": date}
        fuzz.append({**run, "wrong": 1})
    assert fuzz.rows() == [
        [
            "0.10.2",
            "3,345 in 2 runs",
            "2",
            "1 in 20 (2 of 40)",
            "2026-01-03, 2026-01-02",
        ],
        ["0.9.12", "5 in 1 run", "1", "1 in 20 (2 of 40)", "2026-01-02"],
    ]


def test_programs_since_the_last_wrong_one_are_told():
    for programs, wrong in ((1000, 1), (200, 0), (30, 0)):
        fuzz.append({**RUN, **COUNTS, "programs": programs, "wrong": wrong})
    assert fuzz.rows()[0][2] == "1, none in 230 since"


def test_share_is_of_the_newest_run_that_counted_it():
    fuzz.append({**RUN, **COUNTS, "needless": 0})
    fuzz.append({**RUN, **COUNTS, "independent": None, "needless": None})
    assert fuzz.rows()[0][3] == "0 of 40"


def test_notes_on_runs_stand_below_the_table():
    fuzz.append({**RUN, **COUNTS, "note": "a crash, mended"})
    noted = "- JAX 0.10.2, 2026-01-02, 98 programs, 0 wrong: a crash, mended"
    assert fuzz.text().endswith(f"\n\n{noted}")


@pytest.mark.parametrize(
    ("run", "told"),
    [
        ({**RUN, "programs": 9}, "got none of"),
        ({**RUN, **COUNTS, "programs": 0}, "must have checked programs, got 0"),
        ({**RUN, **COUNTS, "date": "yesterday"}, "isoformat"),
    ],
)
def test_run_that_tells_too_little_is_not_kept(run, told):
    with pytest.raises(ValueError, match=told):
        fuzz.append(run)
    assert not fuzz.FILE.exists()


def test_what_was_checked_until_ctrl_c_is_kept(batches, capsys):
    assert fuzz_run.main(["--seed", "3", "--save", "--note", "x"]) == 1  # one is wrong
    (run,) = _runs.load(fuzz.FILE)
    counts = {"programs": 98, "wrong": 1, "independent": 40, "needless": 1}
    assert counts.items() <= run.items()
    assert (run["seed"], run["note"]) == (3, "x")
    assert capsys.readouterr().out.splitlines()[-1].startswith("seed 3: 98 programs")


def test_run_of_one_family_says_so_and_none_is_kept_unasked(batches):
    fuzz_run.main(["--seed", "3"])
    assert not fuzz.FILE.exists()
    fuzz_run.main(["--seed", "3", "--family", "movement", "--save"])
    assert _runs.load(fuzz.FILE)[0]["note"] == "the family movement alone"


def test_run_is_read_from_its_log(batches, capsys, tmp_path):
    fuzz_run.main(["--seed", "3", "--save"])
    log = tmp_path / "log"
    log.write_text(capsys.readouterr().out + "BrokenPipeError")
    fuzz.main([str(log), "--jax", "0.10.2", "--date", "2026-01-02"])
    read, saved = _runs.load(fuzz.FILE)
    assert read["date"] == "2026-01-02"
    assert {k: read[k] for k in fuzz.COUNTS} == {k: saved[k] for k in fuzz.COUNTS}


def test_newest_endurance_run_of_each_jax_is_told(monkeypatch, capsys):
    parts = {
        "good": (lambda _: Outcome("3 cases", []), 1, 1),
        "bad": (lambda _: Outcome("2 cases", ["one is lost"]), 1, 1),
    }
    monkeypatch.setattr(endurance_run, "PARTS", parts)
    monkeypatch.setattr(_runs, "here", lambda: {**RUN, "python": "3", "on": "a chip"})
    old = {"good": {"figures": "1 case", "wrong": 0, "seconds": 2}}
    endurance.append(old, seed=1)
    assert endurance_run.main(["--seed", "4", "--save"]) == 1
    assert [run["seed"] for run in _runs.load(endurance.FILE)] == [1, 4]
    assert endurance.text() == (
        "On 2026-01-02, with JAX 0.10.2 and Python 3 on a chip, **1 wrong**:\n\n"
        "- 3 cases\n- 2 cases; **1 wrong**"
    )


def test_part_of_an_endurance_run_is_not_kept(capsys):
    with pytest.raises(SystemExit):
        endurance_run.main(["--part", "kills", "--save"])
    assert "a part alone is not kept" in capsys.readouterr().err


@pytest.fixture
def lesson():
    lesson = Lesson()
    lesson.compare("a sum", np.float32(3.0), np.float32(2.0), within=0.1)
    race = Race(1.0, 0.002, 0.001, "a loop")
    lesson.answers[0] = lesson.answers[0]._replace(race=race)
    lesson.note("one\ntwo")
    return lesson


def test_application_is_told_as_it_was(lesson, monkeypatch, capsys):
    performance = Performance("image_filters", "about", lesson)
    monkeypatch.setattr(applications, "perform", lambda _: (performance, 12.3))
    assert applications.main(["image_filters", "--save"]) == 1
    written = applications.page("image_filters")({})
    row = "| a sum | 2 | 3 | 0.5, **wrong** | 0.1 | 2.00 ms, 2 times slower than a loop"
    assert row in written
    assert "```text\none\ntwo\n```" in written
    assert "It took 12.3 s" in written
    assert applications.page("heat_newton")({}) == "Not run yet."


def test_application_that_fails_is_told(monkeypatch):
    failed = Performance("heat_newton", "", Lesson(), failure="ValueError: no")
    run = applications.record(failed, 1.0)
    assert "**failed**: ValueError: no" in applications.text(
        [json.loads(json.dumps(run))]
    )
