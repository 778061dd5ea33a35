"""The precision of an example's numbers and products is that of its flags."""

import ast
import re

import jax
import jax.numpy as jnp
import pytest

from jnumerics import conv
from jnumerics.workbench import config, lesson
from tests.examples._examples import ROOT, SMALL, each_script, run


@pytest.mark.process
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_precision_is_that_of_the_flag(precision, monkeypatch, tmp_path, capsys):
    script, flags = ROOT / "examples" / "perceptron.py", ["--precision", precision]
    run(script, monkeypatch, "--steps", "9", "--out", str(tmp_path), *flags)
    out = capsys.readouterr().out
    assert out.splitlines()[0].endswith(f", {precision}")
    error = float(re.findall(r"error +(\S+)", out)[0])
    assert (error < 1e-12) == (precision == "float64")


@pytest.mark.parametrize("precision", ["default", "high", "highest"])
def test_products_without_a_precision_have_that_of_the_flag(precision):
    programs = []

    def main(config, lesson):
        programs.append(jax.make_jaxpr(lambda x: x @ x)(jnp.ones((2, 2))))

    settings = config.Settings(matmul_precision=precision)
    lesson.perform("system", "about", main, settings)
    assert f"Precision.{precision.upper()}" in str(programs[0])


@each_script
def test_functions_that_take_a_precision_are_given_that_of_the_flag(script):
    nodes = ast.walk(ast.parse(script.read_text(encoding="utf-8")))
    for call in (node for node in nodes if isinstance(node, ast.Call)):
        candidates = (call.func, *call.args[:1])
        names = {
            ast.unparse(node) for node in candidates if isinstance(node, ast.Attribute)
        }
        if names & {"mlp.apply", "conv.conv2d"}:
            keywords = {k.arg: ast.unparse(k.value) for k in call.keywords}
            assert keywords["precision"] in ("precision", "config.matmul_precision")


@pytest.mark.process
def test_convolutions_of_an_example_have_the_precision_of_the_flag(
    monkeypatch, tmp_path
):
    precisions = []

    def recorded(*args, precision, **kwargs):
        precisions.append(precision)
        return convolve(*args, precision=precision, **kwargs)

    convolve = conv.conv2d
    monkeypatch.setattr(conv, "conv2d", recorded)
    script, flags = ROOT / "examples" / "conv2d.py", SMALL["conv2d"]
    flags = [*flags, "--matmul-precision", "default", "--out", str(tmp_path)]
    run(script, monkeypatch, *flags)
    assert {*precisions} == {"default"}
