"""What a person's function, and what they type, may do to `plan` and `check`."""

import io
import os
import re
import signal
import subprocess
import sys

import pytest

from jnumerics.workbench import cli
from jnumerics.workbench.commands import check, plan
from tests.workbench.cli._run import run_process, with_environment

pytestmark = pytest.mark.usefixtures("file")
each_command = pytest.mark.parametrize("command", ["plan", "check"])


@each_command
@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["nosuch:f"], "no module 'nosuch' here, expected one that can be imported"),
        (["nosuch.py:f"], "no file 'nosuch.py', expected a Python file, or a module"),
        (["own_functions:f"], "own_functions has no function 'f': it has tall, pair, "),
        (["own_functions.py:number"], "own_functions.py:number must be a function"),
        (["own_functions"], "a function is written MODULE:FUNCTION, got 'own_fun"),
        (["own_functions:pair"], "own_functions:pair with --shape 3: pair() missing"),
        (["jax.numpy:linalg.inv"], "jax.numpy:linalg.inv with --shape 3: "),
        (["own_functions:tall", "--shape", "-3"], "--shape must be such as 784 or"),
        (["own_functions:tall", "--dtype", "int8"], "--dtype must be one of float32"),
        (["own_functions:tall", "--dtype", "float32", "--dtype", "float64"],
         "--dtype must be given once, or once for each --shape, got 2 for 1"),
        (["own_functions:tall", "--dtype", "int32"], "own_functions:tall with --sha"),
        (["own_functions:tall", "--argnums", "1"], "--argnums must be such as 0 or 0"),
        (["own_functions:tall", "--argnums", "0,0"], "--argnums must be such as 0 or"),
        (["own_functions:tall", "--argnums", "-1"], "--argnums must be such as 0 or"),
        (["own_functions:tall", "--argnums", ""], "--argnums must be such as 0 or 0,"),
        (["own_functions:tall", "--seed", "x"], "--seed must be an integer from 0 to"),
        (["own_functions:tall", "--target", "up"], "--target must be one of jacobian"),
        (["own_functions:tall", "--platform", "abacus"], "platform 'abacus' is not "),
        (["own_functions:tall", "--json", "no/a"], "--json no/a: must be a file that"),
    ],
)  # fmt: skip
def test_what_the_user_can_mend_is_one_line_and_status_2(run, command, argv, line):
    status, out, err = run(command, *argv, "--shape", "3")
    assert (status, out) == (2, "")
    assert err.startswith("jnumerics: error: ")
    assert line in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["a.gif", "no/a.png", ""])
def test_figure_that_cannot_be_written_is_one_line(run, name):
    status, out, err = run("plan", "jax.numpy:sin", "--shape", "3", "--out", name)
    assert (status, out) == (2, "")
    assert re.fullmatch("jnumerics: error: --out [^\n]*must [^\n]*\n", err)


@each_command
def test_exception_inside_the_function_shows_its_own_frames_alone(run, command):
    status, out, err = run(command, "own_functions.py:breaks", "--shape", "3")
    assert (status, out) == (1, "")
    lines = err.splitlines()
    assert lines[0] == "Traceback, your code only:"
    assert lines[-1] == "KeyError: 'no such key'"
    frames = re.findall(r'File "(.*)", line \d+, in (\w+)', err)
    assert [name for _, name in frames] == ["breaks", "inner"]


@each_command
def test_exit_inside_the_function_is_shown_as_an_exception(run, command):
    status, out, err = run(command, "own_functions:leaves", "--shape", "3")
    assert (status, out) == (1, "")
    assert err.splitlines()[-1] == "SystemExit: 3"


@each_command
def test_json_to_the_standard_output_stands_there_alone(run, command):
    argv = ["own_functions:speaks", "--shape", "3", "--json", "-"]
    status, out, err = run(command, *argv)
    assert status == 0
    assert out.startswith("{\n")
    assert out.endswith("\n}\n")
    assert "a word" in err
    assert "speaks(float32[3])" in err


@each_command
def test_file_is_written_although_nobody_reads(monkeypatch, command, tmp_path):
    class Closed(io.StringIO):
        def write(self, _):
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    argv = [command, "own_functions.py:tall", "--shape", "9", "--json", "a.json"]
    assert cli.main(argv) == 141
    assert (tmp_path / "a.json").read_text().startswith("{")


@pytest.mark.parametrize(
    ("command", "module", "name"),
    [("plan", plan, "make_plan"), ("check", check, "check_derivatives")],
)
def test_ctrl_c_is_one_line_and_status_130(run, monkeypatch, command, module, name):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, name, interrupted)
    outcome = run(command, "own_functions:tall", "--shape", "9")
    assert outcome == (130, "", "jnumerics: interrupted\n")


@pytest.mark.process
def test_terminal_in_ascii_gets_plain_signs():
    done = run_process(
        "plan", "jax.numpy:diff", "--shape", "4",
        env=with_environment(PYTHONIOENCODING="ascii"),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "##..\n.##.\n..##\n" in done.stdout


@pytest.mark.process
@each_command
def test_reader_that_is_gone_leaves_no_traceback(command):
    end, writing = os.pipe()
    os.close(end)  # as `head` does
    done = subprocess.run(
        [sys.executable, "-m", "jnumerics", command, "jax.numpy:sin", "--shape", "3"],
        stdout=writing, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.process
def test_signal_of_ctrl_c_ends_a_command_in_a_line(tmp_path):
    (tmp_path / "waits.py").write_text(
        "import signal, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def f(x):\n    print('here', flush=True)\n    time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "jnumerics", "plan", "waits.py:f", "--shape", "3"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "jnumerics: interrupted\n")
