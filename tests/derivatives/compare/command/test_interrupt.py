"""A comparison that is interrupted keeps what was measured."""

import json

import pytest

from jnumerics.derivatives import compare_modes
from jnumerics.derivatives._compare import reference, timing
from jnumerics.derivatives._compare.timing import Interrupted
from tests._schema import COMPARE, faults
from tests.derivatives.compare._compare import AT, bottleneck


@pytest.fixture
def ctrl_c(monkeypatch):
    """Interrupt the measurement at its so-and-so-manieth run of a program."""

    def at(run):
        runs = iter(range(1, run))
        shortest = timing.shortest

        def measured(program, calls):
            if next(runs, None) is None:
                raise KeyboardInterrupt
            return shortest(program, calls)

        monkeypatch.setattr(timing, "shortest", measured)

    return at


def test_ctrl_c_keeps_the_runs_until_then(ctrl_c):
    ctrl_c(3 + 2 * 3 + 2)  # one of each to warm up, two rounds, and one more run
    with pytest.raises(Interrupted) as caught:
        compare_modes(bottleneck, AT, modes=("forward", "reverse"), repeats=9)
    comparison = caught.value.found
    assert [len(m.run_s.runs) for m in comparison.modes] == [2, 2]
    assert [m.max_relative_difference for m in comparison.modes] == [None, None]
    assert comparison.reference == "nothing"


def test_ctrl_c_before_every_mode_has_run_keeps_nothing(ctrl_c):
    ctrl_c(2)
    with pytest.raises(KeyboardInterrupt) as caught:
        compare_modes(bottleneck, AT, repeats=9)
    assert not hasattr(caught.value, "found")


def test_ctrl_c_while_results_are_compared_keeps_all_runs(monkeypatch):
    def find(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(reference, "find", find)
    with pytest.raises(Interrupted) as caught:
        compare_modes(bottleneck, AT, modes=("cut",), repeats=2)
    assert [len(m.run_s.runs) for m in caught.value.found.modes] == [2]
    assert caught.value.found.reference == "nothing"


def test_command_after_ctrl_c_prints_and_writes_what_was_measured(
    run, ctrl_c, tmp_path
):
    ctrl_c(3 + 2 * 3 + 1)
    files = ["--json", str(tmp_path / "a.json"), "--plot", str(tmp_path / "a.svg")]
    argv = ["own_functions:tall", "--shape", "9", "--modes", "forward,reverse"]
    status, out, err = run(*argv, *files)
    assert status == 130
    assert out.startswith("tall(float32[9]) on ")
    assert err == "jnumerics: interrupted after 2 of 20 runs\n"
    value = json.loads((tmp_path / "a.json").read_text())
    assert faults(value, COMPARE) == []
    assert "<svg" in (tmp_path / "a.svg").read_text()


def test_command_after_ctrl_c_before_any_run_is_one_line(run, ctrl_c):
    ctrl_c(1)
    outcome = run("own_functions:tall", "--shape", "9")
    assert outcome == (130, "", "jnumerics: interrupted\n")
