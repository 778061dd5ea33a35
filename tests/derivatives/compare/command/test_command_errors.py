"""What goes wrong in a command that compares: one line, or the person's own frames."""

import re

import pytest


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["nosuch:f"], "no module 'nosuch' here, expected one that can be imported"),
        (["nosuch.py:f"], "no file 'nosuch.py', expected a Python file, or a module"),
        (
            [".own_functions:f"],
            "no file '.own_functions', expected a Python file, or a",
        ),
        (["own_functions:f"], "own_functions has no function 'f': it has tall, pair, "),
        (
            ["own_functions.py:number"],
            "own_functions.py:number must be a function, got",
        ),
        (
            ["own_functions"],
            "a function is written MODULE:FUNCTION, got 'own_functions'",
        ),
        (
            ["own_functions:pair"],
            "own_functions:pair with --shape 3: pair() missing 1 ",
        ),
        (["own_functions:pair", "--shape", "4"], "own_functions:pair with --shape 4 -"),
        (["jax.numpy:linalg.inv"], "jax.numpy:linalg.inv with --shape 3: "),
        (
            ["own_functions:tall", "--shape", "-3"],
            "--shape must be such as 784 or 32,7",
        ),
        (["own_functions:tall", "--dtype", "int8"], "--dtype must be one of float32, "),
        (
            ["own_functions:tall", "--modes", "up"],
            "--modes must be among forward, rever",
        ),
        (
            ["own_functions:tall", "--modes", "full"],
            "--modes must be among forward, rev",
        ),
        (
            ["own_functions:tall", "--repeats", "0"],
            "--repeats must be an integer from ",
        ),
        (["own_functions:tall", "--max-bytes", "x"], "--max-bytes must be an integer"),
        (
            ["own_functions:tall", "--platform", "abacus"],
            "platform 'abacus' is not her",
        ),
        (
            ["own_functions:tall", "--json", "no/a"],
            "--json no/a: must be a file that c",
        ),
        (["own_functions:tall", "--plot", "a.gif"], "--plot a.gif: must end in one of"),
        (["own_functions:mixing", "--batch"], "own_functions:mixing with --shape 3: "),
    ],
)
def test_what_the_user_can_mend_is_one_line_and_status_2(run, argv, line):
    status, out, err = run(*argv, "--shape", "3")
    assert (status, out) == (2, "")
    assert err.startswith("jnumerics: error: ")
    assert line in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("words.txt", "words", "words.txt must be a Python file"),
        ("open.py", "def f(x:\n", "open.py:f: '(' was never closed (open.py, line 1)"),
    ],
)
def test_file_that_is_no_python_is_one_line(run, tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    status, out, err = run(f"{tmp_path / name}:f", "--shape", "3")
    assert (status, out) == (2, "")
    assert err == f"jnumerics: error: {tmp_path}/{said}\n"


def test_exception_inside_the_function_shows_its_own_frames_alone(run):
    status, out, err = run("own_functions.py:breaks", "--shape", "3")
    assert (status, out) == (1, "")
    lines = err.splitlines()
    assert lines[0] == "Traceback, your code only:"
    assert lines[-1] == "KeyError: 'no such key'"
    frames = re.findall(r'File "(.*)", line \d+, in (\w+)', err)
    assert [name for _, name in frames] == ["breaks", "inner"]
    assert all(path.endswith("own_functions.py") for path, _ in frames)


def test_exception_of_the_persons_own_that_speaks_of_shapes_is_no_misfit(run):
    status, _, err = run("own_functions.py:refuses", "--shape", "3")
    assert status == 1
    assert err.splitlines()[-1] == "ValueError: this shape has no name"
    assert "in refuses" in err


def test_module_whose_own_import_fails_shows_where(run, tmp_path):
    (tmp_path / "needs.py").write_text("import no_such_package\n")
    status, _, err = run(f"{tmp_path / 'needs.py'}:f", "--shape", "3")
    assert status == 1
    assert re.search(r'needs\.py", line 1, in <module>', err)
    assert err.endswith("No module named 'no_such_package'\n")


def test_named_module_whose_own_import_fails_shows_where(run, tmp_path, monkeypatch):
    (tmp_path / "named_needs.py").write_text("import no_such_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    status, _, err = run("named_needs:f", "--shape", "3")
    assert status == 1
    assert re.search(r'named_needs\.py", line 1, in <module>', err)
