"""The command `jnumerics crossover`."""

import json
import re
import signal
import subprocess
import sys

import pytest

from jnumerics.workbench import cli
from jnumerics.workbench.commands import crossover
from jnumerics.workbench.config import UsageError
from tests._schema import CROSSOVER, faults


@pytest.mark.parametrize(
    ("text", "factor", "expected"),
    [("1:100", 4, [1, 4, 16, 64]), ("3:24", 2, [3, 6, 12, 24]), ("7", 4, [7])],
)
def test_numbers_grow_by_a_factor(text, factor, expected):
    assert crossover.numbers("--inputs", text, factor) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "0:4",
        "8:2",
        "1:2:3",
        "-1",
        "1.5:3",
        ":",
        "nan",
        "1:1000001",
        "9" * 5000,
    ],
)
def test_other_numbers_are_refused(text):
    with pytest.raises(UsageError, match="--inputs must be LOW:HIGH with 1 <= LOW <="):
        crossover.numbers("--inputs", text, 4)


def test_command_prints_the_map_and_progress_and_writes_files(tmp_path, capsys):
    files = [str(tmp_path / name) for name in ("a.json", "a.svg")]
    flags = ["--factor", "8", "--repeats", "2", "--json", files[0], "--plot", files[1]]
    status = cli.main(["crossover", "--inputs", "1:8", "--outputs", "2", *flags])
    out, err = capsys.readouterr()
    assert status == 0
    assert out.startswith("outputs \\ inputs  1 ")
    assert [line.partition(":")[0] for line in err.splitlines()] == ["1 of 2", "2 of 2"]
    assert faults(json.loads((tmp_path / "a.json").read_text()), CROSSOVER) == []
    assert "<svg" in (tmp_path / "a.svg").read_text()


@pytest.mark.process
def test_ctrl_c_prints_and_writes_the_cells_until_then(tmp_path):
    # a process that a shell starts in the background ignores Ctrl-C: not this one
    code = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from jnumerics.__main__ import main
sys.exit(main())
"""
    argv = ["crossover", "--factor", "2", "--repeats", "1", "--json", "a.json"]
    with subprocess.Popen(
        [sys.executable, "-c", code, *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    ) as process:
        assert process.stderr is not None
        lines = [process.stderr.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130
    cells = len(lines) + err.count("\n") - 1
    assert err.splitlines()[-1] == f"jnumerics: interrupted after {cells} of 121 cells"
    assert out.startswith("outputs \\ inputs  1 ")
    value = json.loads((tmp_path / "a.json").read_text())
    assert faults(value, CROSSOVER) == []
    assert len(value["cells"]) == cells


def test_json_to_the_standard_output_stands_there_alone(capsys):
    argv = ["--inputs", "1", "--outputs", "2", "--repeats", "1", "--json", "-"]
    assert cli.main(["crossover", *argv]) == 0
    out, err = capsys.readouterr()
    assert faults(json.loads(out), CROSSOVER) == []
    assert "outputs \\ inputs" in err


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (
            ["--inputs", "8:1"],
            "--inputs must be LOW:HIGH with 1 <= LOW <= HIGH <= 1000000, got '8",
        ),
        (
            ["--outputs", "x"],
            "--outputs must be LOW:HIGH with 1 <= LOW <= HIGH <= 1000000, got 'x",
        ),
        (
            ["--factor", "1"],
            "--factor must be an integer from 2 to 2147483647, got '1'",
        ),
        (
            ["--repeats", "no"],
            "--repeats must be an integer from 1 to 2147483647, got 'no'",
        ),
        (["--plot", "a.txt"], "--plot a.txt: must end in one of .png, .svg, .pdf"),
        (["--json", "no/a"], "--json no/a: must be a file that can be written: No suc"),
        (["--platform", "abacus"], "platform 'abacus' is not here, expected one that "),
    ],
)
def test_what_the_user_can_mend_is_one_line_and_status_2(argv, line, capsys):
    assert cli.main(["crossover", *argv]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"jnumerics: error: {line}")
    assert err.count("\n") == 1


@pytest.mark.process
def test_process_prints_the_map(tmp_path):
    argv = ["--inputs", "1", "--outputs", "4", "--repeats", "2"]
    done = subprocess.run(
        [sys.executable, "-m", "jnumerics", "crossover", *argv],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0
    assert re.search(r"Predicted: [01] of [01] cells", done.stdout)
    assert done.stderr.startswith("1 of 1: 1 inputs, 4 outputs: ")
