"""How calls are measured."""

import jax

from jnumerics.workbench import lesson


def test_first_call_of_a_race_compiles_again():
    traced = []

    @jax.jit
    def compiled(x):
        traced.append(x)
        return x + 1

    compiled(1.0)
    lesson.measure(lambda: compiled(1.0), lambda: None, seconds=0.0)
    assert len(traced) == 2


def test_measure_takes_turns():
    calls = []
    race = lesson.measure(
        lambda: calls.append("ours"), lambda: calls.append("theirs"), seconds=1e-9
    )
    assert calls == ["ours", "theirs"] * 2
    assert min(race.first_s, race.run_s, race.original_s) > 0


class Durations:
    """A clock for calls that take known times, one after another."""

    def __init__(self, *seconds):
        self.left, self.now, self.is_running = list(seconds), 0.0, False

    def perf_counter(self):
        if self.is_running:
            self.now += self.left.pop(0)
        self.is_running = not self.is_running
        return self.now


def test_measure_tells_the_first_call_and_the_medians_of_the_others(monkeypatch):
    ours, theirs = (100.0, 1.0, 2.0, 9.0), (200.0, 30.0, 40.0, 90.0)
    clock = Durations(*(t for pair in zip(ours, theirs, strict=True) for t in pair))
    monkeypatch.setattr(lesson, "time", clock)
    race = lesson.measure(lambda: "ours", lambda: "theirs", seconds=74.0)
    assert race == (100.0, 2.0, 40.0, "the NumPy original")
    assert clock.left == []


def test_median_is_of_the_calls_after_the_one_that_compiles(monkeypatch):
    clock = Durations(100.0, 1.0, 2.0, 9.0)
    monkeypatch.setattr(lesson, "time", clock)
    assert lesson.median_s(lambda: None, seconds=4.0) == 2.0
    assert clock.left == []
