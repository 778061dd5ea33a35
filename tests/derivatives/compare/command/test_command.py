"""The command that prints a comparison."""

import io
import json
import re
import sys

import matplotlib.pyplot
import pytest

from jnumerics.workbench import cli, lesson
from jnumerics.workbench.commands import _functions
from jnumerics.workbench.config import UsageError
from tests._schema import COMPARE, faults


def test_command_prints_the_table_and_writes_json_and_figure(run, tmp_path):
    figures = [str(tmp_path / name) for name in ("a.json", "a.png")]
    flags = ["--json", figures[0], "--plot", figures[1], "--repeats", "2"]
    status, out, err = run("own_functions:tall", "--shape", "9", *flags)
    assert (status, err) == (0, "")
    assert out.startswith("tall(float32[9]) on ")
    assert max(map(len, out.splitlines())) <= 100
    value = json.loads((tmp_path / "a.json").read_text())
    assert faults(value, COMPARE) == []
    assert len(value["modes"][0]["run_s"]["runs"]) == 2
    assert matplotlib.pyplot.imread(tmp_path / "a.png").shape[1] > 1000


def test_command_takes_several_shapes_a_dtype_modes_and_a_bound(run, tmp_path):
    flags = ["--dtype", "float64", "--modes", "forward,reverse", "--max-bytes", "9999"]
    json_file = tmp_path / "a.json"
    shapes = ["--shape", "(2, 3)", "--shape", "()"]
    argv = ["own_functions.py:pair", *shapes, *flags, "--repeats", "1"]
    status, out, _ = run(*argv, "--json", str(json_file))
    assert status == 0
    assert out.startswith("pair(float64[2, 3], float64[]) on ")
    assert [m["mode"] for m in json.loads(json_file.read_text())["modes"]] == [
        "forward",
        "reverse",
    ]


def test_command_compares_batches(run):
    argv = ["jax.numpy:sin", "--shape", "3x4", "--batch", "--repeats", "1"]
    status, out, _ = run(*argv)
    assert status == 0
    assert re.findall(r"^\w+(?=  )", out, flags=re.MULTILINE)[1:] == [
        "forward", "reverse", "cut", "full",
    ]  # fmt: skip


def test_plot_without_matplotlib_is_one_line_before_anything_is_measured(
    run, monkeypatch
):
    monkeypatch.setattr(lesson, "has_matplotlib", lambda: False)
    status, _, err = run("own_functions:tall", "--shape", "3", "--plot", "a.png")
    assert status == 2
    assert "--plot needs matplotlib: pip install" in err


@pytest.mark.parametrize(
    ("text", "expected"),
    [("784", (784,)), ("32, 784", (32, 784)), ("32x784", (32, 784)), ("[3]", (3,)),
     ("(3,)", (3,)), ("()", ()), ("", ()), ("0", (0,))],
)  # fmt: skip
def test_shapes_are_read_as_people_write_them(text, expected):
    assert _functions.shape(text) == expected


@pytest.mark.parametrize(
    "text", ["7x", "a", "3,,4", "-1", "3.5", "(3", "3 4", "9" * 5000]
)
def test_other_shapes_are_refused(text):
    with pytest.raises(UsageError, match="--shape must be such as 784 or 32,784 or"):
        _functions.shape(text)


def test_exit_inside_the_function_is_shown_as_an_exception(run):
    status, out, err = run("own_functions:leaves", "--shape", "3")
    assert (status, out) == (1, "")
    assert err.splitlines()[-1] == "SystemExit: 3"
    assert err.count("File ") == err.count("own_functions.py") == 1


def test_exit_of_a_module_on_import_is_shown_as_an_exception(run, tmp_path):
    (tmp_path / "script.py").write_text("import sys\nsys.exit()\n")
    status, _, err = run(f"{tmp_path / 'script.py'}:f", "--shape", "3")
    assert status == 1
    assert re.search(r'script\.py", line 2', err)


def test_json_to_the_standard_output_stands_there_alone(run):
    argv = ["own_functions:speaks", "--shape", "3", "--repeats", "2", "--json", "-"]
    status, out, err = run(*argv)
    assert status == 0
    assert faults(json.loads(out), COMPARE) == []
    assert "a word" in err
    assert "Fastest: " in err


def test_files_are_written_although_nobody_reads_the_table(monkeypatch, file, tmp_path):
    class Closed(io.StringIO):
        def write(self, _):
            raise BrokenPipeError

    monkeypatch.chdir(file.parent)
    monkeypatch.setattr(sys, "stdout", Closed())
    argv = ["own_functions.py:tall", "--shape", "9", "--repeats", "1"]
    status = cli.main(["compare", *argv, "--json", str(tmp_path / "a.json")])
    assert status == 141
    assert faults(json.loads((tmp_path / "a.json").read_text()), COMPARE) == []


def test_a_file_imports_what_lies_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "lies_beside.py").write_text("def f(x):\n    return x\n")
    (tmp_path / "imports_it.py").write_text("from lies_beside import f\n")
    assert _functions.load(f"{tmp_path / 'imports_it.py'}:f")(3) == 3


def test_a_missing_function_is_told_with_those_that_are_public(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "has_two.py").write_text("def f(x): ...\ndef _g(x): ...\n")
    with pytest.raises(UsageError, match=r"has no function 'h': it has f$"):
        _functions.load(f"{tmp_path / 'has_two.py'}:h")
