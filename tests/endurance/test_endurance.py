"""The short form of the endurance run."""

import re
import time

import pytest

from tests.endurance import __main__ as endurance
from tests.endurance.calls import Case
from tests.endurance.files.damage import flips_and_truncations
from tests.endurance.inputs import outcome_of
from tests.endurance.outcome import Outcome, Work


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.boundary
@pytest.mark.whole
@pytest.mark.parametrize("part", endurance.PARTS)
def test_short_form_finds_nothing_wrong(part, standard_promotion, capfd):
    run, _, count = endurance.PARTS[part]
    outcome = run(Work(0, count, time.monotonic() + 300, is_short=True))
    assert outcome.wrong == []
    assert not re.search(
        r"\b0 (kills|runs|flipped|forged|failed|wrong|times)", str(outcome)
    )


def test_a_part_that_finds_something_or_fails_ends_with_status_1(monkeypatch, capsys):
    def fails(_):
        raise OSError(5, "Input/output error")

    parts = {
        "good": (lambda _: Outcome("3 cases", []), 1, 1),
        "bad": (lambda _: Outcome("2 cases", ["one is lost"]), 1, 1),
        "broken": (fails, 1, 1),
    }
    monkeypatch.setattr(endurance, "PARTS", parts)
    statuses = [endurance.main(["--seed", "1", "--part", name]) for name in parts]
    assert statuses == [0, 1, 1]
    printed = capsys.readouterr().out
    assert "good: 3 cases; 0 wrong" in printed
    assert "wrong: bad: one is lost" in printed
    assert "wrong: broken: Traceback" in printed


def test_damage_that_is_not_seen_is_told(monkeypatch):
    monkeypatch.setattr(
        "jnumerics.workbench.checkpoint._format._verify", lambda _: None
    )
    outcome = flips_and_truncations(Work(0, 20, time.monotonic() + 60))
    assert any("was not seen" in line for line in outcome.wrong)


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda x: x, "silent answer"),
        (lambda x: 1 / 0, "ZeroDivisionError"),
        (lambda x: int("x"), "not in the grammar"),
        (lambda x: refuse("`y` must be right, got x"), "names another argument"),
        (lambda x: refuse("`x` must be right, got x"), ""),
    ],
)
def test_call_that_is_not_refused_in_the_grammar_is_told(function, told):
    case = Case(function, {"x": 1}, {})
    assert outcome_of(case, {"x": 2}, ["x"]).startswith(told)
    assert bool(outcome_of(case, {"x": 2}, ["x"])) == bool(told)


def refuse(message):
    raise ValueError(message)
