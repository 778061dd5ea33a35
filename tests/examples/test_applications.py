"""Worked applications: whole runs, seeds, and a run that is resumed."""

import runpy
import sys
from pathlib import Path

import jax
import pytest

from jnumerics.workbench import lesson
from tests.examples._examples import ADAM

EXAMPLES = Path(__file__).parents[2] / "examples"
pytestmark = pytest.mark.process


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run an application without figures and clocks; what it prints is captured."""
    monkeypatch.setattr(lesson, "has_matplotlib", lambda: False)
    monkeypatch.setattr(lesson, "measure", lambda *_: lesson.Race(1.0, 1.0, 1.0))

    def run(name, folder, *flags):
        script = str(EXAMPLES / f"{name}.py")
        monkeypatch.setattr(
            sys, "argv", [script, "--out", str(tmp_path / folder), *flags]
        )
        with jax.numpy_dtype_promotion("standard"):
            runpy.run_path(script, run_name="__main__")

    return run


@pytest.mark.product
@pytest.mark.parametrize("name", sorted(ADAM))
def test_whole_run_is_right(name, run, capsys):
    run(name, "out")
    assert "WRONG" not in capsys.readouterr().out


@pytest.mark.product
@pytest.mark.parametrize("seed", [1, 2])
def test_rates_are_recovered_whatever_the_seed(seed, run, capsys):
    run("epidemic_pinn", "out", "--seed", str(seed))
    assert "WRONG" not in capsys.readouterr().out


@pytest.mark.slow
def test_resumed_epidemic_has_the_rates_of_the_unbroken_one(run, tmp_path, capsys):
    few = ("--tolerance", "9", "--hidden", "[4]", "--steps", "40")
    few += ("--report-every", "10")
    run("epidemic_pinn", "out", *few)
    whole, metrics = capsys.readouterr().out, tmp_path / "out" / "metrics.csv"
    table = metrics.read_text()
    *_, last = sorted(metrics.parent.glob("step-*.safetensors"))
    last.unlink()  # as if it had been killed before
    run("epidemic_pinn", "out", *few, "--resume")
    assert capsys.readouterr().out == whole
    assert metrics.read_text() == table
    assert last.exists()
