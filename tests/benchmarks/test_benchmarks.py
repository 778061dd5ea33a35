"""The benchmarks' command; the benchmarks themselves run by `make bench`."""

import importlib
import pkgutil

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import _figure, suites
from benchmarks._measure import at_least
from benchmarks.suites import calls, scaling
from tests._public import public_functions


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


def test_tiny_calls_are_of_every_public_function_but_the_analyses():
    names = {name for name, _ in public_functions()}
    assert set(calls.CALLS) | calls.ANALYSES == names
    assert not set(calls.CALLS) & calls.ANALYSES


def test_exponent_is_fitted_to_the_largest_sizes():
    n = np.array([1.0, 10, 100, 1000, 10_000])
    assert scaling.fitted(n, 3 * n**1.5) == pytest.approx(1.5)
    assert scaling.fitted(n, np.maximum(n**2, 1e4)) == pytest.approx(2.0)


def test_program_holds_its_arguments_and_results():
    program = scaling.jax.jit(lambda x: x + 1).lower(np.ones(250, np.float32)).compile()
    assert scaling.held_bytes(program) == 2000


def test_figure_of_growth_is_drawn(tmp_path):
    data = {
        "what": "a function",
        "sizes": [1, 10, 100],
        "times": [1e-6, 1e-5, 1e-3],
        "bytes": [10.0, 1e4, 1e8],
        "fitted": {"time": 1.5, "memory": 4.0},
        "expected": {"time": 1, "memory": 1},
    }
    _figure.growth({f"subject {k}": data for k in range(5)}, tmp_path / "one.png")
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
