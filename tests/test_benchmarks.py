"""The benchmarks' command; the benchmarks themselves run by `make bench`."""

import importlib
import pkgutil

import pytest

from benchmarks import __main__ as command
from benchmarks import suites
from benchmarks._measure import at_least


def test_every_benchmark_of_the_package_can_be_run_by_name(capsys):
    names = sorted(m.name for m in pkgutil.iter_modules(suites.__path__))
    modules = [importlib.import_module(f"benchmarks.suites.{name}") for name in names]
    known = {k for m in modules for k in getattr(m, "BENCHMARKS", {})}
    assert set(command.BENCHMARKS) == known
    with pytest.raises(SystemExit):
        command.main(["--help"])
    listed = "".join(capsys.readouterr().out.split())
    assert ",".join(command.BENCHMARKS) in listed


def test_table_shows_target_and_figure_of_what_ran(monkeypatch, capsys):
    def made_up(bench):
        bench.report("how much", at_least(90, "%"), 80 if bench.is_quick else 100)

    monkeypatch.setattr(command, "BENCHMARKS", {"made_up": made_up})
    assert command.main(["--quick"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[2].split() == [
        "missed",
        "how",
        "much",
        "≥",
        "90",
        "%",
        "80",
        "%",
    ]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["abacus"], "'abacus' is none of perceptron"),
        (["--save", "--quick"], "quick results are not worth storing"),
    ],
)
def test_wrong_flag_is_status_2(argv, message, capsys):
    with pytest.raises(SystemExit) as caught:
        command.main(argv)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
