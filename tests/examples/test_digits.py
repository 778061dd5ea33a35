"""The example that trains a network on digits: its folder, its flags, its accuracy."""

import json
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from jnumerics.workbench import devices, lesson
from tests.examples._examples import SMALL

SCRIPT = Path(__file__).parents[2] / "examples" / "digits.py"
NAMES = "whole", "parts"
pytestmark = pytest.mark.process


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run the example on small settings, without figures; return its `result.json`."""
    monkeypatch.setattr(lesson, "has_matplotlib", lambda: False)
    monkeypatch.setattr(lesson, "measure", lambda *_: lesson.Race(1.0, 1.0, 1.0))

    def run(folder, *flags):
        argv = [*SMALL["digits"], "--out", str(tmp_path / folder), *flags]
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *argv])
        runpy.run_path(str(SCRIPT), run_name="__main__")
        return (tmp_path / folder / "result.json").read_text()

    return run


@pytest.mark.slow
def test_resumed_run_writes_the_result_of_the_unbroken_one(run, tmp_path):
    run("parts", "--steps", "4")
    parts = run("parts", "--resume")
    assert parts == run("whole")
    with pytest.raises(SystemExit) as caught:  # it would be another run
        run("parts", "--resume", "--learning-rate", "0.01")
    assert caught.value.code == 2
    assert run("whole", "--resume") == parts  # it was finished
    tables = [(tmp_path / name / "metrics.csv").read_text() for name in NAMES]
    assert tables[0].splitlines()[-1] == tables[1].splitlines()[-1]
    result = json.loads(parts)
    assert [*result] == [
        *("accuracy", "params_sha256", "config", "versions", "device", "losses")
    ]
    assert len(result["losses"]) == result["config"]["steps"] == 6
    assert result["losses"] == [float(str(np.float32(x))) for x in result["losses"]]
    assert len(result["params_sha256"]) == 64
    assert 0 <= result["accuracy"] <= 1


@pytest.mark.slow
def test_folder_that_holds_checkpoints_is_refused_in_one_line(run, capsys):
    run("out", "--steps", "1")
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        run("out")
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("digits.py: error: `checkpoint` must be a folder without ")
    assert "(--resume)" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "here", "message"),
    [
        (["--batch-size", "30"], 4, "--batch-size must be a multiple of the 4 devices"),
        (["--devices", "99"], None, "--xla_force_host_platform_device_count=99"),
        (["--channels", "3"], None, "--channels must be 2 numbers, got '3'"),
    ],
)
def test_settings_that_do_not_fit_the_devices_are_refused_in_one_line(
    flags, here, message, run, monkeypatch, capsys
):
    if here:
        mesh = SimpleNamespace(size=here)
        monkeypatch.setattr(devices, "mesh", lambda *_, **__: mesh)
    with pytest.raises(SystemExit) as caught:
        run("out", *flags)
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.product
def test_held_out_digits_are_read(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), "--out", str(tmp_path)])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["accuracy"] > 0.97
