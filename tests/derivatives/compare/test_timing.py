"""When a comparison of times names a winner, on times that are made up."""

import time

import numpy as np
import pytest

from jnumerics.derivatives._compare.timing import (
    Interrupted,
    Timing,
    interleave,
    level_with_best,
    verdict,
)


def timing(center, spread=0.0, runs=20):
    """Runs whose quartiles are `spread` apart."""
    return Timing.from_runs([*(center + spread * np.linspace(-1, 1, runs))])


def test_quartiles_are_those_of_numpy():
    runs = [*np.random.default_rng(0).uniform(size=21)]
    summary = Timing.from_runs(runs)
    assert summary[:3] == pytest.approx(
        [np.quantile(runs, q) for q in (0.5, 0.25, 0.75)]
    )
    assert summary.runs == tuple(runs)


def test_clear_win_is_named():
    outcome = verdict(
        {"a": timing(2.0, 0.1), "b": timing(1.0, 0.1), "c": timing(9.0, 5)}
    )
    assert outcome == ("b", False)


def test_margin_within_the_spread_is_a_tie():
    assert verdict({"a": timing(1.0, 0.5), "b": timing(1.2, 0.5)}) == (None, True)


@pytest.mark.parametrize(("margin", "fastest"), [(0.49, None), (0.51, "a")])
def test_spread_is_half_of_both_interquartile_ranges(margin, fastest):
    # quartiles at center -+ 0.2 and -+ 0.3
    times = {"a": timing(1.0, 0.4, 21), "b": timing(1.0 + margin, 0.6, 21)}
    assert verdict(times).fastest == fastest


def test_equal_times_are_a_tie_without_any_spread():
    assert verdict({"a": timing(1.0), "b": timing(1.0)}) == (None, True)


def test_margin_to_the_third_does_not_make_a_winner():
    times = {"a": timing(1.0, 0.2), "b": timing(1.01, 0.2), "c": timing(50.0)}
    assert verdict(times) == (None, True)


def test_rare_delays_hide_no_winner():
    runs = np.r_[np.full(17, 1.0), 80.0, 90.0, 100.0]
    times = {"a": Timing.from_runs([*runs]), "b": Timing.from_runs([*(1.1 * runs)])}
    assert verdict(times).fastest == "a"


@pytest.mark.parametrize(("runs", "limit"), [(2, 15), (3, 5), (5, 5), (8, 5), (20, 5)])
def test_noise_alone_names_a_winner_at_most_once_in_a_hundred(runs, limit):
    rng = np.random.default_rng(0)
    named = [
        verdict(
            {k: Timing.from_runs([*rng.lognormal(size=runs)]) for k in "ab"}
        ).fastest
        for _ in range(500)
    ]
    assert sum(name is not None for name in named) <= limit


def test_modes_level_with_the_best_are_in_the_order_of_their_medians():
    times = {"a": timing(50.0), "b": timing(1.01, 0.2), "c": timing(1.0, 0.2)}
    assert level_with_best(times) == ["c", "b"]
    assert level_with_best(
        {"b": Timing.from_runs([2.0]), "a": Timing.from_runs([1.0])}
    ) == ["a", "b"]


def test_margin_of_one_half_is_seen_through_noise_of_a_tenth():
    noise = np.random.default_rng(0).lognormal(0, 0.1, size=(200, 2, 20))
    verdicts = [
        verdict({"a": Timing.from_runs([*a]), "b": Timing.from_runs([*(1.5 * b)])})
        for a, b in noise
    ]
    assert all(v.fastest == "a" for v in verdicts)


def test_only_one_that_ran_is_the_fastest():
    assert verdict({"a": timing(1.0, 5.0)}) == ("a", False)


def test_none_that_ran_is_neither_a_win_nor_a_tie():
    assert verdict({}) == (None, False)


def test_single_run_decides_nothing():
    times = {"a": Timing.from_runs([1.0]), "b": Timing.from_runs([100.0])}
    assert verdict(times) == (None, True)


def sleeper(seconds, log, name):
    def program():
        log.append(name)
        time.sleep(seconds())

    return program


def test_programs_take_turns_in_random_order():
    log = []
    times = interleave({k: sleeper(lambda: 0.0, log, k) for k in "abc"}, 30)
    rounds = [tuple(log[k : k + 3]) for k in range(3, len(log), 3)]
    assert [len(t.runs) for t in times.values()] == [30, 30, 30]
    assert all(sorted(r) == ["a", "b", "c"] for r in rounds)
    assert len(set(rounds)) > 2


def test_run_is_the_shortest_of_its_calls():
    delays = iter([0.0] + [0.02, 0.001, 0.02] * 4)
    times = interleave({"a": sleeper(lambda: next(delays), [], "a")}, 4, calls=3)
    assert next(delays, None) is None
    assert max(times["a"].runs) < 0.02


def test_first_round_is_not_counted():
    delays = iter([0.1, 0.0, 0.0, 0.0])
    times = interleave({"a": sleeper(lambda: next(delays), [], "a")}, 3)
    assert max(times["a"].runs) < 0.1


def test_long_program_is_called_once_in_a_run():
    log = []
    interleave({"a": sleeper(lambda: 0.3, log, "a")}, 1, calls=5)
    assert len(log) == 2


def ctrl_c_after(calls):
    """A program that is interrupted after so many calls."""
    left = iter(range(calls))

    def program():
        if next(left, None) is None:
            raise KeyboardInterrupt

    return program


def test_ctrl_c_keeps_the_rounds_that_are_whole():
    with pytest.raises(Interrupted) as caught:
        interleave({"a": lambda: None, "b": ctrl_c_after(4)}, repeats=9)
    assert {k: len(t.runs) for k, t in caught.value.found.items()} == {"a": 3, "b": 3}


@pytest.mark.parametrize("calls", [0, 1])
def test_ctrl_c_before_a_round_is_whole_keeps_nothing(calls):
    with pytest.raises(KeyboardInterrupt) as caught:
        interleave({"a": lambda: None, "b": ctrl_c_after(calls)}, repeats=9)
    assert not isinstance(caught.value, Interrupted)
