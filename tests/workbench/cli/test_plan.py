"""`jnumerics plan`."""

import json

import jax
import jax.numpy as jnp
import matplotlib.pyplot
import pytest

from jnumerics.derivatives import dependence, plan
from jnumerics.workbench import cli, lesson
from tests._schema import PLAN, faults

pytestmark = pytest.mark.usefixtures("file")


def test_plan_and_dependence_are_drawn(run):
    status, out, err = run("plan", "own_functions:pair", "--shape", "4", "--shape", "4")
    assert (status, err) == (0, "")
    assert out.startswith("pair(float32[4], float32[4]), jacobian: 4 outputs by 4 ")
    x = jnp.ones(4)
    assert str(plan(jnp.multiply, x, x)).partition("\n")[2] in out
    boxes = dependence(jnp.multiply, x, x)
    assert out.endswith(f"\n\n{boxes}\n\n{boxes.pattern()}\n")
    assert "█···\n·█··\n··█·\n···█\n" in out


def test_no_line_is_wider_than_100_columns(run):
    _, out, _ = run("plan", "own_functions:narrow", "--shape", "300")
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize("target", ["hessian", "hessian_diagonal", "laplacian"])
def test_of_second_order_the_dependence_of_the_gradient_is_drawn(run, target):
    argv = ["plan", "own_functions:third", "--shape", "5", "--target", target]
    status, out, _ = run(*argv)
    assert status == 0
    assert f"third(float32[5]), {target}: " in out
    assert "Of the gradient:\n" in out
    assert "elementwise: the Jacobian is diagonal" in out


@pytest.mark.parametrize("flags", [["--batch"], ["--target", "batch"]])
def test_batches_are_planned(run, flags):
    status, out, _ = run("plan", "jax.numpy:sin", "--shape", "3x4", *flags)
    assert status == 0
    assert "batch: 4 outputs by 4 inputs for each of 3 samples" in out


def test_argument_is_chosen_and_may_stand_beside_integers(run):
    shapes = ["--shape", "2", "--shape", "2", "--dtype", "int32", "--dtype", "float64"]
    argv = ["plan", "own_functions:weighted", *shapes, "--argnums", "1"]
    status, out, _ = run(*argv)
    assert status == 0
    assert out.startswith("weighted(int32[2], float64[2]), jacobian: 2 outputs by 2 ")


def test_json_and_figure_are_written(run, tmp_path):
    files = ["--json", "a.json", "--out", "a.png"]
    status, _, err = run("plan", "own_functions:narrow", "--shape", "40", *files)
    assert (status, err) == (0, "")
    value = json.loads((tmp_path / "a.json").read_text())
    assert faults(value, PLAN) == []
    assert value["dependence"]["entries"] == 1600
    assert matplotlib.pyplot.imread(tmp_path / "a.png").shape[1] > 1000


def test_json_of_a_mode_that_is_not_served_has_nulls(run):
    argv = ["plan", "own_functions:third", "--shape", "3", "--target", "laplacian"]
    status, out, _ = run(*argv, "--json", "-")
    assert status == 0
    value = json.loads(out)
    assert faults(value, PLAN) == []
    passes = {c["mode"]: c["passes"] for c in value["candidates"]}
    assert passes["narrow"] is None


def test_nothing_is_evaluated_or_drawn(run, tmp_path, monkeypatch):
    monkeypatch.setattr(jax.random, "normal", None)
    (tmp_path / "huge.py").write_text("def f(x):\n    return x[::2] * x[1::2]\n")
    status, out, _ = run("plan", "huge.py:f", "--shape", "2000000")
    assert status == 0
    assert "1000000 outputs by 2000000 inputs" in out


@pytest.mark.parametrize(
    ("command", "function", "shape", "what"),
    [
        ("plan", "sin", "1000000000", "the arguments take at most 2.00 GiB, got 3.73"),
        ("compare", "sin", "1000000000", "the arguments take at most 2.00 GiB"),
        ("check", "sin", "99999,99999", "the arguments take at most 2.00 GiB"),
        ("plan", "sin", "200000000", "the boxes of what depends on what take at most"),
    ],
)
def test_shape_that_would_fill_the_memory_is_refused_before_it_does(
    run, monkeypatch, command, function, shape, what
):
    monkeypatch.setattr(jax.random, "normal", None)  # nothing is drawn
    status, out, err = run(command, f"jax.numpy:{function}", "--shape", shape)
    assert (status, out) == (2, "")
    assert f"jnumerics: error: --shape must be such that {what}" in err


@pytest.mark.parametrize("command", ["plan", "compare", "check"])
def test_help_says_which_arguments_are_not_taken(command, capsys):
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    words = " ".join(capsys.readouterr().out.split())
    assert "arguments are arrays, not pytrees" in words
    assert "no complex ones" in words


def test_figure_without_matplotlib_is_one_line(run, monkeypatch):
    monkeypatch.setattr(lesson, "has_matplotlib", lambda: False)
    outcome = run("plan", "own_functions:tall", "--shape", "3", "--out", "a.png")
    line = "--out needs matplotlib: pip install 'jnumerics[workbench]'"
    assert outcome == (2, "", f"jnumerics: error: {line}\n")


def test_samples_that_mix_are_one_line(run):
    argv = ["plan", "own_functions:mixing", "--shape", "4", "--batch"]
    status, out, err = run(*argv)
    assert (status, out) == (2, "")
    assert "must not mix samples" in err
    assert err.count("\n") == 1


def test_plan_is_a_command():
    assert {"plan", "check", "compare"} <= {*cli.COMMANDS}
