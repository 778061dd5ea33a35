"""First calls: taken where programs are new, shown where they were."""

from typing import Any

import jax
import pytest

from benchmarks import _record, _report, _times, pages
from benchmarks._measure import Bench


def row(name, first, compiling, median=1.0):
    """What a run saves of a contender."""
    return {
        "contender": name,
        "first_s": first,
        "compiling_s": compiling,
        "median_s": median,
    }


def run(*rows):
    """A saved run of one benchmark."""
    return {"benchmarks": {"made_up": {"times": [*rows]}}}


def shown(*places):
    """The rows of the tables of times."""
    text = _report.times({f"place {k}": p for k, p in enumerate(places)}, ["made_up"])
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [line for line in lines if not line.startswith(("| place", "| ---"))]


def test_first_call_of_a_race_compiles_what_ran_before():
    program = jax.jit(lambda x: x + 1)
    program(1.0)
    for _ in range(2):
        race = Bench(is_quick=True).race({"ours": lambda: program(1.0)}, seconds=0.0)
        clock = race.clocks["ours"]
        assert 0 < clock.compiling < clock.first


def test_programs_of_one_race_stay_compiled_for_its_further_calls():
    traced = []

    @jax.jit
    def program(x):
        traced.append(x)
        return x + 1

    both = {"ours": lambda: program(1.0), "twice": lambda: program(program(1.0))}
    Bench(is_quick=True).race(both, seconds=0.0, same=2.0)
    assert len(traced) == 1


def test_first_call_does_not_wait_for_its_arguments():
    argument: Any = jax.random.normal(jax.random.key(0), (2048, 2048))
    was_ready = []
    race = {"ours": lambda: was_ready.append(argument.is_ready())}
    Bench(is_quick=True).race(race, seconds=0.0)
    assert was_ready[0]


def test_contender_is_timed_once_in_a_benchmark():
    bench, calls = Bench(is_quick=True), []
    bench.race({"ours": lambda: 1}, seconds=0.0)
    bench.race({"ours": lambda: 1}, seconds=0.0, keep=False)
    with pytest.raises(ValueError, match="must be timed once, got `ours` again"):
        bench.race({"ours": lambda: calls.append(1)}, seconds=0.0)
    assert calls == []
    assert [clock.name for clock in bench.clocks] == ["ours"]


def test_first_call_that_compiled_nothing_is_left_out_of_what_is_compiled():
    warm, cold = run(row("ours", 0.001, 0)), run(row("ours", 0.4, 0.1, 3.0))
    assert shown([warm, warm, cold]) == [
        "| ours | 400 ms | 100 ms | 1.00 s (1.00 s - 3.00 s, 3 runs) |"
    ]


def test_without_a_first_call_at_a_place_there_is_none_to_show():
    warm, cold = run(row("ours", 0.001, 0)), run(row("ours", 0.4, 0.1))
    assert shown([cold], [warm]) == [
        "| ours | 400 ms | 100 ms | 1.00 s (1 run) |",
        "| ours | - | - | 1.00 s (1 run) |",
    ]


def test_first_call_of_what_is_never_compiled_is_shown():
    numpy = run(row("np.linalg.solve", 0.001, 0))
    assert shown([numpy]) == ["| np.linalg.solve | 1.00 ms | - | 1.00 s (1 run) |"]


def test_first_calls_are_those_of_the_last_five_runs_that_had_one():
    warm = [run(row("ours", 0.001, 0))] * 5
    cold = [run(row("ours", first, 0.1)) for first in (9.0, 1.0, 2.0, 3.0, 4.0, 5.0)]
    (times,) = _times.over_runs(cold + warm, "made_up", {"ours"})
    assert times.first == (1.0, 2.0, 3.0, 4.0, 5.0)
    assert len(times.steady) == 5


def test_contender_that_a_run_has_twice_is_one_row_the_first():
    twice = run(row("ours", 0.4, 0.1, 1.0), row("ours", 0.001, 0, 2.0))
    assert shown([twice, twice]) == ["| ours | 400 ms | 100 ms | 1.00 s (2 runs) |"]


def test_no_first_call_on_the_page_compiled_nothing_in_no_time():
    places = _record.by_place(_record.load())
    tables = _report.times(places, list(pages.PROMISES)).split("\n\n")
    assert len(tables) == len(places)
    for table in tables:
        rows = [line.split(" | ") for line in table.splitlines()[2:]]
        names = [cells[0] for cells in rows]
        assert sorted(set(names)) == sorted(names)
        assert [cells for cells in rows if "0.00 ns" in cells] == []
