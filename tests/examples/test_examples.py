"""Every example runs in the suite, on small settings."""

import importlib.util
import inspect
import itertools
import re
import runpy
import sys
import textwrap

import jax.numpy as jnp
import pytest

from jnumerics import softmax
from jnumerics.workbench import config, demo, lesson
from tests.examples._examples import ROOT, SCRIPTS, SMALL, each_script, promotion, run

SHOWN = {
    # quadratic at last
    "heat_newton": r"by elimination, errors .* (1\.9\d*|2(\.0\d*)?)\n",
    # the right product beside the two wrong ones, of which the first is zero
    "softmax": r"obtained  0\.38409351, -0\.60317552, 0\.21908201,(.|\n)*"
    r"rows: ((0|\S+e-1[5-8])[,\n] ?){3}(.|\n)*"
    r"`einsum\('mnr,mrr->mr'\)`: 0\.22288277, -0\.43891607, 0\.11210955\n",
}


@pytest.mark.process
@pytest.mark.slow
@each_script
def test_example_is_right_and_leaves_a_figure(script, monkeypatch, tmp_path, capsys):
    run(script, monkeypatch, "--out", str(tmp_path), *SMALL[script.stem])
    out = capsys.readouterr().out
    assert out.startswith(f"{script.stem} on ")
    assert re.search(r"expected .*\n +obtained .*\n +error .*\n +time ", out)
    assert "WRONG" not in out
    assert re.search(SHOWN.get(script.stem, ""), out)
    figures = [*tmp_path.glob("*.png")]
    assert figures
    assert all(figure.name.startswith(f"{script.stem}_") for figure in figures)
    assert all(figure.stat().st_size > 5_000 for figure in figures)


@pytest.mark.process
@each_script
def test_lines_above_the_lesson_work_in_a_notebook(script, tmp_path):
    _, _, main = script.read_text(encoding="utf-8").partition("def main(")
    lines = main.splitlines()[1:]
    above = itertools.takewhile(lambda line: "lesson" not in line, lines)
    cell = textwrap.dedent("\n".join(above)).strip()

    flags = SMALL[script.stem]
    keys = (flag[2:].replace("-", "_") for flag in flags[::2])
    small = {**dict(zip(keys, flags[1::2], strict=True)), "out": str(tmp_path)}
    names = runpy.run_path(str(script))
    values = config.load(names["Config"], demo.settings_file(script), small)
    with promotion(script):
        exec(cell, names | {"config": values})
    assert lesson.opening(names["main"]) == cell  # as the report shows it


@each_script
def test_main_of_an_example_is_short(script):
    main = runpy.run_path(str(script))["main"]
    assert [*inspect.signature(main).parameters] == ["config", "lesson"]
    assert len(inspect.getsource(main).splitlines()) <= 30


@pytest.mark.process
def test_example_with_a_wrong_answer_exits_with_1(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(softmax, "vjp", lambda x, _: jnp.zeros_like(x))
    script = ROOT / "examples" / "softmax.py"
    with pytest.raises(SystemExit) as caught:
        run(script, monkeypatch, "--out", str(tmp_path), *SMALL["softmax"])
    assert caught.value.code == 1
    assert "WRONG 1" in capsys.readouterr().out


@pytest.mark.process
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--steps", "many"], "--steps must be a valid integer, got 'many'"),
        (["--steps", "0"], "--steps must be greater than or equal to 1, got '0'"),
        (
            ["--steps", f"1{'0' * 23}"],
            "--steps must be less than or equal to 2147483647",
        ),
        (
            ["--learning-rate", "nan"],
            "--learning-rate must be a finite number, got 'nan'",
        ),
        (["--platform", "abacus"], "platform 'abacus' is not here, expected one that"),
        (["--config", ""], ".: must be a TOML file with the settings: Is a directory"),
        (["--config", "no.toml"], "no.toml: must be a TOML file with the settings: "),
        (["--out", __file__], f"--out {__file__}: must be a folder that can be "),
        (["--learning"], "unrecognized arguments: --learning"),
    ],
)
def test_wrong_flag_of_an_example_is_one_line_and_status_2(
    flags, message, monkeypatch, capsys
):
    with pytest.raises(SystemExit) as caught:
        run(ROOT / "examples" / "perceptron.py", monkeypatch, *flags)
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("perceptron.py: error: ")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.process
@pytest.mark.parametrize(
    ("example", "flags", "message"),
    [
        ("autoencoder_jacobian", ["--sizes", "[3]"], "2 sizes or more, the last like "),
        (
            "autoencoder_jacobian",
            ["--sizes", "[3, 2]"],
            "2 sizes or more, the last like ",
        ),
        (
            "conv2d",
            ["--smoothings", "101"],
            "--smoothings must be less than or equal to 100",
        ),
        (
            "linear_regression",
            ["--rows", "-1"],
            "--rows must be greater than or equal to 1",
        ),
        (
            "matrix_filter",
            ["--band", "[2, 1]"],
            "must be 2 numbers, the second one larger",
        ),
        (
            "matrix_polynomial",
            ["--size", "1001"],
            "--size must be less than or equal to 1000",
        ),
        (
            "mlp_derivative",
            ["--sizes", "[2, 4]"],
            "2 sizes or more, the first 1, got '[2",
        ),
        (
            "mlp_derivative",
            ["--sizes", "[1]"],
            "2 sizes or more, the first 1, got '[1]'",
        ),
        (
            "mlp_derivative",
            ["--growth", "[]"],
            "--growth must be 1 number or more, got '[]'",
        ),
        (
            "epidemic_pinn",
            ["--tolerance", "0"],
            "--tolerance must be greater than 0, got '0'",
        ),
    ],
)
def test_setting_without_an_answer_is_one_line_and_status_2(
    example, flags, message, monkeypatch, capsys
):
    with pytest.raises(SystemExit) as caught:
        run(ROOT / "examples" / f"{example}.py", monkeypatch, *flags)
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.process
def test_config_whose_folder_cannot_be_made_is_named(tmp_path, monkeypatch, capsys):
    settings = (ROOT / "configs" / "perceptron.toml").read_text()
    file = tmp_path / "mine.toml"
    file.write_text(f"{settings}\nout = {__file__!r}\n")
    with pytest.raises(SystemExit) as caught:
        run(ROOT / "examples" / "perceptron.py", monkeypatch, "--config", str(file))
    assert caught.value.code == 2
    assert f"{file}: `out` {__file__}: must be a folder" in capsys.readouterr().err


@pytest.mark.process
def test_settings_that_an_example_prints_are_a_file_for_it(
    monkeypatch, tmp_path, capsys
):
    script, file = ROOT / "examples" / "perceptron.py", tmp_path / "mine.toml"
    run(script, monkeypatch, "--steps", "7", "--print-config")
    file.write_text(capsys.readouterr().out)
    assert "steps = 7  # updates of the weights\n" in file.read_text()
    run(script, monkeypatch, "--config", str(file), "--print-config")
    assert capsys.readouterr().out == file.read_text()


@pytest.mark.process
def test_help_of_an_example_shows_meanings_and_the_defaults_of_its_file(
    monkeypatch, capsys
):
    with pytest.raises(SystemExit) as caught:
        run(ROOT / "examples" / "perceptron.py", monkeypatch, "--help")
    assert caught.value.code == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "--steps INT updates of the weights (default: 10000)" in out


@each_script
def test_comments_of_a_config_are_the_meanings_of_its_settings(script):
    spec = importlib.util.spec_from_file_location(script.stem, script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        # Python 3.11 finds a class's source by its module's name, and remembers the
        # name under which another test has run the file.
        patch.setattr(inspect, "modulesbyfile", {})
        patch.setitem(sys.modules, script.stem, module)
        spec.loader.exec_module(module)
    fields = module.Config.model_fields
    text = (ROOT / "configs" / f"{script.stem}.toml").read_text()
    for key, meaning in re.findall(r"^(\w+) = .*?(?:  # (.*))?$", text, re.MULTILINE):
        assert meaning in ("", fields[key].description), key


def test_every_example_has_a_config_and_small_settings():
    stems = {p.stem for p in SCRIPTS}
    assert stems == {p.stem for p in ROOT.glob("configs/*.toml")}
    assert set(SMALL) == stems


def test_demo_runs_examples_that_are_there():
    assert set(demo.SYSTEMS) <= {p.stem for p in SCRIPTS}
