"""The command line, in this process and, where that matters, in one of its own."""

import datetime
import errno
import os
import re
import runpy
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

import jnumerics
from jnumerics import __main__, workbench
from jnumerics.workbench import cli, demo, lesson
from jnumerics.workbench.commands import _terminal, info
from jnumerics.workbench.lesson import Answer, Lesson, Performance, Race

KNOWN = (  # of the perceptron, the linear regression, the product with softmax
    "9.67299,", "-0.207843,", "5.21475,", "-0.573346", "0.384094,", "-0.603176,",
)  # fmt: skip


def perform(name, *, off=0.0):
    one = Answer("one", np.array(1.0 + off), np.array(1.0), Race(3.0, 0.5, 1.0))
    return Performance(name, "Title.", Lesson([one]))


@pytest.fixture
def run(capsys, monkeypatch):
    monkeypatch.setattr(demo, "CHAPTERS", ())

    def run(*argv):
        status = cli.main(argv)
        return status, *capsys.readouterr()

    return run


def run_process(*argv, **options):
    return subprocess.run(
        [sys.executable, "-m", "jnumerics", *argv],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def with_environment(**variables):
    return {**os.environ, **variables}


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


def test_info_names_versions_platform_devices_and_precision(run):
    status, out, err = run("info")
    facts = dict(re.split(r"  +", line, maxsplit=1) for line in out.splitlines()[2:])
    assert (status, err) == (0, "")
    assert facts["jax"] == jax.__version__
    assert facts["devices"] == str(jax.device_count())
    assert int(facts["cores"]) > 0
    assert facts["CPU"]
    assert jax.default_backend() in facts["device"]
    assert facts["default float"] == "float32"
    assert facts["matrix products"].startswith("highest in jnumerics")
    assert re.match(r"\d", facts["matplotlib"])


def test_info_says_what_is_not_installed(run, monkeypatch):
    monkeypatch.setattr(info, "OPTIONAL", ("no-such-package",))
    assert re.search("no-such-package +not installed", run("info")[1])


def test_demo_prints_one_row_for_each_and_writes_the_report(run, monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "performances", lambda: map(perform, demo.SYSTEMS))
    status, out, err = run("demo", "--out", str(tmp_path / "new"))
    assert status == 0
    names = [line.split()[0] for line in out.splitlines()[2:8]]
    assert names == list(demo.SYSTEMS)
    assert err.splitlines()[-1] == "6 of 6: softmax"
    page = (tmp_path / "new" / "report.html").read_text()
    assert "All answers are right." in page
    assert f"<dt>date</dt><dd>{datetime.date.today()}" in page
    assert "<dt>precision of the answers</dt><dd>float64</dd>" in page
    assert "Error is the largest absolute difference" in out


def test_demo_with_a_wrong_answer_says_so_and_returns_1(run, monkeypatch, tmp_path):
    wrong = [perform("conv2d", off=1e-3), perform("softmax")]
    monkeypatch.setattr(demo, "performances", lambda: wrong)
    status, out, _ = run("demo", "--out", str(tmp_path))
    assert status == 1
    assert re.search("conv2d .* WRONG 0.001 ", out)
    assert "Wrong: conv2d." in (tmp_path / "report.html").read_text()


@pytest.mark.process
def test_demo_goes_on_after_an_example_that_fails(run, monkeypatch, tmp_path):
    found = list(demo.performances(("no_example", "conv2d")))
    monkeypatch.setattr(demo, "performances", lambda: found)
    status, out, err = run("demo", "--out", str(tmp_path))
    assert status == 1
    assert re.search("^no_example .* FAILED ", out, flags=re.MULTILINE)
    assert [p.is_right for p in found] == [False, True]
    assert "FileNotFoundError" in out
    assert "Traceback" in err


def test_figures_without_matplotlib_are_one_line(run, monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "performances", lambda: [perform("conv2d")])
    monkeypatch.setattr(lesson, "has_matplotlib", lambda: False)
    status, out, _ = run("demo", "--out", str(tmp_path))
    assert status == 0
    assert "No figures without matplotlib: pip install 'jnumerics[workbench]'" in out


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["info", "--platform", "abacus"], "platform 'abacus' is not here, expected"),
        (["demo", "--platform", "abacus"], "platform 'abacus' is not here, expected"),
        (["demo", "--out", __file__], f"--out {__file__}: must be a folder that can"),
        (["demo", "--out", ""], "--out must be a folder, got ''"),
    ],
)
def test_what_the_user_can_mend_is_one_line_and_status_2(run, argv, line):
    status, out, err = run(*argv)
    assert (status, out) == (2, "")
    assert err.startswith(f"jnumerics: error: {line}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 160. GiB"),
        jax.errors.JaxRuntimeError(
            "INTERNAL: Out of memory allocating 160 bytes.\nmore"
        ),
    ],
)
def test_too_little_memory_is_one_line_and_status_2(run, monkeypatch, error):
    def fails(_):
        raise error

    monkeypatch.setattr(info, "facts", fails)
    status, out, err = run("info")
    assert (status, out) == (2, "")
    first = str(error).splitlines()[0]
    assert err == f"jnumerics: error: too little memory: {first}\n"


def test_other_errors_of_the_runtime_keep_their_traceback(run, monkeypatch):
    def fails(_):
        msg = "INTERNAL: broken"
        raise jax.errors.JaxRuntimeError(msg)

    monkeypatch.setattr(info, "facts", fails)
    with pytest.raises(jax.errors.JaxRuntimeError, match="broken"):
        run("info")


@pytest.mark.parametrize("argv", [[], ["frobnicate"], ["info", "--plat", "cpu"]])
def test_wrong_arguments_are_one_line_and_status_2(argv, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(argv)
    assert caught.value.code == 2
    assert re.fullmatch("jnumerics.*: error: .*\n", capsys.readouterr().err)


def test_version_is_the_packages(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr() == (f"jnumerics {jnumerics.__version__}\n", "")


# what ends a command early


def test_ctrl_c_is_one_line_and_status_130(one_line):
    assert one_line(KeyboardInterrupt()) == (130, "", "jnumerics: interrupted\n")


@pytest.mark.parametrize("count", [1, 6])
def test_ctrl_c_in_the_demo_keeps_the_systems_that_are_done(
    run, monkeypatch, tmp_path, count
):
    done = [perform(name) for name in demo.SYSTEMS[:count]]
    monkeypatch.setattr(demo, "performances", lambda: interrupted(done))
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
    monkeypatch.setattr(demo, "performances", lambda: done)
    monkeypatch.setattr(demo, "chapters", lambda: interrupted([]))
    status, _, err = run("demo", "--out", str(tmp_path))
    assert status == 130
    assert err.splitlines()[-1] == "jnumerics: interrupted after 6 of 6 systems"
    assert "softmax" in (tmp_path / "report.html").read_text()


def test_ctrl_c_before_anything_is_done_writes_nothing(run, monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "performances", lambda: interrupted([]))
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
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is full")
def test_output_that_cannot_be_written_is_one_line():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "jnumerics", "info"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert re.fullmatch("jnumerics: error: the output cannot be .*\n", done.stderr)


# what the terminal can show


@pytest.mark.process
def test_table_in_ascii_has_plain_lines():
    done = run_process("info", env=with_environment(PYTHONIOENCODING="ascii"))
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch("-+  -+", done.stdout.splitlines()[1])


@pytest.mark.parametrize(
    ("text", "plain"), [("─ 1.5 µs … é", b"- 1.5 us ... e"), ("\udcff 漢", b"? ?")]
)
def test_characters_that_the_encoding_lacks_are_written_in_ascii(
    monkeypatch, tmp_path, text, plain
):
    with (tmp_path / "out").open("w", encoding="ascii") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with _terminal.plain_where_needed():
            sys.stdout.write(text)
        assert stream.errors == "strict"
    assert (tmp_path / "out").read_bytes() == plain


def test_way_of_writing_that_was_asked_for_is_kept(monkeypatch, tmp_path):
    file = tmp_path / "out"
    with file.open("w", encoding="ascii", errors="xmlcharrefreplace") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with _terminal.plain_where_needed():
            sys.stdout.write("µ")
    assert file.read_bytes() == b"&#181;"


def test_module_passes_the_process_arguments_on(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["jnumerics", "info", "--platform", "abacus"])
    assert __main__.main() == 2
    assert "abacus" in capsys.readouterr().err


@pytest.mark.process
@pytest.mark.slow
def test_demo_runs_all_six_systems_within_a_minute(tmp_path):
    start = time.perf_counter()
    done = run_process("demo", cwd=tmp_path)
    elapsed = time.perf_counter() - start
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    names = [line.split()[0] for line in lines[2:] if line[:1].isalpha()]
    assert names[:6] == list(demo.SYSTEMS)
    page = (tmp_path / "out" / "report.html").read_text()
    assert all(f'<section id="{name}">' in page for name in demo.CHAPTERS)
    assert max(map(len, lines[: lines.index("")])) <= 100
    assert "WRONG" not in done.stdout
    assert {*KNOWN} <= {*done.stdout.split()}
    assert (tmp_path / "out" / "report.html").read_text().count("<svg") >= 6
    assert len(list((tmp_path / "out").glob("*.png"))) >= 6
    assert elapsed < 180  # a minute on a machine that does nothing else


@pytest.mark.process
@pytest.mark.parametrize("package", __main__.EXTRA)
def test_command_without_its_extra_is_one_line_that_names_it(package):
    code = f"""
import sys
sys.modules["{package}"] = None
from jnumerics.__main__ import main
sys.exit(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", code, "info"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"jnumerics: error: {package} is missing: pip install 'jnumerics[workbench]'\n"
    )


@pytest.mark.process
def test_missing_platform_leaves_no_traceback():
    done = run_process("info", "--platform", "abacus")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"jnumerics: error: .*\n", done.stderr)


def test_module_ends_with_the_status(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["jnumerics", "info", "--platform", "abacus"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(__main__.__file__, run_name="__main__")
    assert caught.value.code == 2
