"""The command line, in this process and, where that matters, in one of its own."""

import datetime
import re
import runpy
import subprocess
import sys
import time

import jax
import pytest

import jnumerics
from jnumerics import __main__
from jnumerics.workbench import cli, demo, lesson
from jnumerics.workbench.commands import info
from tests.workbench.cli._run import perform, run_process

KNOWN = (  # of the perceptron, the linear regression, the product with softmax
    "9.67299,", "-0.207843,", "5.21475,", "-0.573346", "0.384094,", "-0.603176,",
)  # fmt: skip


def test_info_names_versions_platform_devices_and_precision(run):
    status, out, err = run("info")
    facts = dict(re.split(r"  +", line, maxsplit=1) for line in out.splitlines()[2:])
    assert (status, err) == (0, "")
    assert facts["jax"] == jax.__version__
    assert facts["devices"] == str(jax.device_count())
    assert facts["processes"] == "1"
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
    monkeypatch.setattr(demo, "performances", lambda **_: map(perform, demo.SYSTEMS))
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
    monkeypatch.setattr(demo, "performances", lambda **_: wrong)
    status, out, _ = run("demo", "--out", str(tmp_path))
    assert status == 1
    assert re.search("conv2d .* WRONG 0.001 ", out)
    assert "Wrong: conv2d." in (tmp_path / "report.html").read_text()


@pytest.mark.process
def test_demo_goes_on_after_an_example_that_fails(run, monkeypatch, tmp_path):
    performed = list(demo.performances(("no_example", "conv2d")))
    monkeypatch.setattr(demo, "performances", lambda **_: performed)
    status, out, err = run("demo", "--out", str(tmp_path))
    assert status == 1
    assert re.search("^no_example .* FAILED ", out, flags=re.MULTILINE)
    assert [p.is_right for p in performed] == [False, True]
    assert "FileNotFoundError" in out
    assert "Traceback" in err


def test_figures_without_matplotlib_are_one_line(run, monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "performances", lambda **_: [perform("conv2d")])
    monkeypatch.setattr(lesson, "has_matplotlib", lambda: False)
    status, out, _ = run("demo", "--out", str(tmp_path))
    assert status == 0
    assert "No figures without matplotlib: pip install 'jnumerics[workbench]'" in out


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["info", "--platform", "abacus"], "platform 'abacus' is not here, expected"),
        (["info", "--processes", "2"], "--processes 2 needs --coordinator HOST:PORT"),
        (["info", "--process-id", "a"], "--process-id must be an integer from 0 to 2"),
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
def test_training_without_its_extra_names_it():
    code = "import sys; sys.modules['safetensors'] = None; import {}"
    done = subprocess.run(
        [sys.executable, "-c", code.format("jnumerics.workbench.training")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: safetensors is missing: pip install "
        "'jnumerics[workbench]'"
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
