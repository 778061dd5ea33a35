"""What ends a command early."""

import errno
import gc
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jnumerics import __main__, workbench
from jnumerics.workbench import cli, demo
from jnumerics.workbench.commands import info
from tests.workbench.cli._run import perform, with_environment


@pytest.fixture
def one_line(capsys, monkeypatch):
    """Let a command raise; return its status and its line."""

    def run(error):
        def fails(_):
            raise error

        monkeypatch.setattr(info, "facts", fails)
        status = cli.main(["info"])
        return status, *capsys.readouterr()

    return run


def interrupted(performances):
    """Give performances, then Ctrl-C."""
    yield from performances
    raise KeyboardInterrupt


def test_ctrl_c_is_one_line_and_status_130(one_line):
    assert one_line(KeyboardInterrupt()) == (130, "", "jnumerics: interrupted\n")


@pytest.fixture
def collected():
    """Raise an error where the garbage is collected, which Python drops."""

    def collected(error):
        def callback(*_):
            gc.callbacks.remove(callback)
            raise error

        gc.callbacks.append(callback)
        gc.collect()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield collected
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("seconds", [0, 60])
def test_ctrl_c_in_a_callback_of_the_collector_ends_the_command(
    run, monkeypatch, collected, seconds
):
    def facts(_):
        collected(KeyboardInterrupt())
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.01)
        return {}

    monkeypatch.setattr(info, "facts", facts)
    status, _, err = run("info")
    assert (status, err) == (130, "jnumerics: interrupted\n")


def test_other_errors_of_the_collector_are_told_as_ever(run, monkeypatch, collected):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", hook := told.append)
    monkeypatch.setattr(info, "facts", lambda _: collected(ValueError()) or {})
    status, _, err = run("info")
    assert (status, err) == (0, "")
    assert [dropped.exc_type for dropped in told] == [ValueError]
    assert sys.unraisablehook is hook


@pytest.mark.parametrize("count", [1, 6])
def test_ctrl_c_in_the_demo_keeps_the_systems_that_are_done(
    run, monkeypatch, tmp_path, count
):
    done = [perform(name) for name in demo.SYSTEMS[:count]]
    monkeypatch.setattr(demo, "performances", lambda **_: interrupted(done))
    status, out, err = run("demo", "--out", str(tmp_path))
    assert status == 130
    assert [line.split()[0] for line in out.splitlines()[2 : 2 + count]] == [
        *demo.SYSTEMS[:count]
    ]
    assert err.splitlines()[-1] == f"jnumerics: interrupted after {count} of 6 systems"
    page = (tmp_path / "report.html").read_text()
    assert [n for n in demo.SYSTEMS if f'<section id="{n}">' in page] == [
        *demo.SYSTEMS[:count]
    ]


def test_ctrl_c_in_a_chapter_keeps_the_systems(run, monkeypatch, tmp_path):
    done = [perform(name) for name in demo.SYSTEMS]
    monkeypatch.setattr(demo, "performances", lambda **_: done)
    monkeypatch.setattr(demo, "chapters", lambda **_: interrupted([]))
    status, _, err = run("demo", "--out", str(tmp_path))
    assert status == 130
    assert err.splitlines()[-1] == "jnumerics: interrupted after 6 of 6 systems"
    assert "softmax" in (tmp_path / "report.html").read_text()


def test_ctrl_c_before_anything_is_done_writes_nothing(run, monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "performances", lambda **_: interrupted([]))
    status, out, err = run("demo", "--out", str(tmp_path))
    assert (status, out, err) == (130, "", "jnumerics: interrupted\n")
    assert not (tmp_path / "report.html").exists()


def test_ctrl_c_while_the_command_line_is_imported_is_one_line(monkeypatch, capsys):
    def find_spec(name, *_):
        if name == "jnumerics.workbench.cli":
            raise KeyboardInterrupt

    finder = type("Finder", (), {"find_spec": staticmethod(find_spec)})
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    monkeypatch.delitem(sys.modules, "jnumerics.workbench.cli")
    monkeypatch.delattr(workbench, "cli")
    assert __main__.main() == 130
    assert capsys.readouterr() == ("", "jnumerics: interrupted\n")


def test_full_disk_is_one_line_and_status_2(one_line):
    status, out, err = one_line(OSError(errno.ENOSPC, "No space left on device"))
    assert (status, out) == (2, "")
    assert err == (
        "jnumerics: error: the output cannot be written: No space left on device\n"
    )


def test_other_errors_of_the_system_keep_their_traceback(one_line):
    with pytest.raises(PermissionError):
        one_line(PermissionError(errno.EACCES, "Permission denied"))


@pytest.mark.process
@pytest.mark.parametrize(
    ("word", "buffered"), [("info", ""), ("info", "1"), ("-h", "")]
)
def test_reader_that_is_gone_leaves_no_traceback(word, buffered):
    end, writing = os.pipe()
    os.close(end)  # as `head` does, here before anything is written
    done = subprocess.run(
        [sys.executable, "-m", "jnumerics", word],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        env=with_environment(PYTHONUNBUFFERED=buffered),
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.process
@pytest.mark.skipif(
    not Path("/dev/full").is_char_device(), reason="no device that is full"
)
def test_output_that_cannot_be_written_is_one_line():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "jnumerics", "info"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert re.fullmatch("jnumerics: error: the output cannot be .*\n", done.stderr)
