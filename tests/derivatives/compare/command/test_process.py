"""The command that compares, in a process of its own."""

import re
import subprocess
import sys

import pytest

COMMANDS = {
    "right": ["own_functions.py:tall", "--shape", "5", "--repeats", "2"],
    "breaks": ["own_functions.py:breaks", "--shape", "5"],
    "missing": ["nosuch:f", "--shape", "5"],
}


@pytest.fixture(scope="module")
def processes(file):
    """Several commands, each in a process of its own, at the same time."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    started = {
        name: subprocess.Popen(
            [sys.executable, "-m", "jnumerics", "compare", *argv],
            cwd=file.parent,
            **options,
        )
        for name, argv in COMMANDS.items()
    }
    texts = {name: process.communicate() for name, process in started.items()}
    return {name: (started[name].returncode, *texts[name]) for name in started}


@pytest.mark.process
def test_process_prints_the_table(processes):
    status, out, err = processes["right"]
    assert (status, err) == (0, "")
    assert out.startswith("tall(float32[5]) on ")


@pytest.mark.process
def test_process_shows_no_frames_but_the_users(processes):
    status, out, err = processes["breaks"]
    assert (status, out) == (1, "")
    assert err.count("File ") == err.count("own_functions.py") == 2


@pytest.mark.process
def test_process_leaves_no_traceback_of_a_missing_module(processes):
    status, out, err = processes["missing"]
    assert (status, out) == (2, "")
    assert re.fullmatch(r"jnumerics: error: no module 'nosuch' here, .*\n", err)
