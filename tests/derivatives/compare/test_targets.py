"""Comparisons of second order: the modes of Hessians and Laplacians."""

import json

import jax.numpy as jnp
import pytest

from jnumerics.derivatives import compare_modes
from jnumerics.workbench import cli
from tests._schema import COMPARE, faults
from tests.derivatives._second import by_rule, line


def test_modes_of_a_laplacian_agree():
    comparison = compare_modes(line, jnp.linspace(0.0, 1.0, 20), target="laplacian")
    assert [(m.mode, m.passes) for m in comparison.modes] == [
        ("nested", 2),
        ("collapsed", 2),
        ("narrow", None),
    ]
    assert "no place is narrow enough" in str(comparison.modes[2].error)
    assert all((m.max_relative_difference or 0) < 1e-5 for m in comparison.modes)
    assert str(comparison).startswith("laplacian of line(float32[20]) on ")
    assert faults(json.loads(comparison.to_json()), COMPARE) == []


def test_modes_of_a_hessian_agree():
    comparison = compare_modes(
        line, jnp.linspace(0.0, 1.0, 8), target="hessian", repeats=1
    )
    modes = ["forward", "reverse", "cut", "compressed", "star"]
    assert [m.mode for m in comparison.modes] == modes
    assert all((m.max_relative_difference or 0) < 1e-5 for m in comparison.modes)


def test_a_laplacian_that_no_sweep_passes_is_a_row_that_says_so():
    comparison = compare_modes(by_rule, jnp.ones(3), target="laplacian", repeats=1)
    (collapsed,) = (m for m in comparison.modes if m.mode == "collapsed")
    assert "not through custom_vjp_call" in str(collapsed.error)
    assert comparison.predicted == "nested"


def test_modes_are_those_of_the_target():
    with pytest.raises(
        ValueError, match=r"`modes` must be one of 'nested', 'collapsed', 'narrow'"
    ):
        compare_modes(line, jnp.ones(3), target="laplacian", modes=["reverse"])


def test_a_batch_has_one_target():
    with pytest.raises(ValueError, match=r"`target` must be 'batch' where `batch` is"):
        compare_modes(line, jnp.ones(3), target="hessian", batch=True)
    command = ["compare", "m:f", "--shape", "3", "--batch", "--target", "laplacian"]
    assert cli.main(command) == 2


def test_the_command_line_compares_laplacians(tmp_path, monkeypatch, capsys):
    (tmp_path / "waves.py").write_text(
        "import jax.numpy as jnp\ndef wave(x): return jnp.sum(jnp.sin(x) ** 2)\n"
    )
    monkeypatch.chdir(tmp_path)
    command = ["compare", "waves.py:wave", "--shape", "12", "--repeats", "1"]
    assert cli.main([*command, "--target", "laplacian", "--modes", "collapsed"]) == 0
    assert "laplacian of wave(float32[12])" in capsys.readouterr().out
    assert cli.main([*command, "--target", "curl"]) == 2
    expected = "--target must be one of jacobian, batch, hessian, laplacian, got 'curl'"
    assert expected in capsys.readouterr().err
