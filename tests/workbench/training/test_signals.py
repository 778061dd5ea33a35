"""Ctrl-C and SIGTERM during a run."""

import signal
import subprocess
import sys
import threading
import time

import pytest

from jnumerics.workbench import checkpoint
from jnumerics.workbench.training import _signals
from tests.workbench.training._problem import same_bits, train


@pytest.fixture(autouse=True)
def _heard():
    """Let Ctrl-C be Python's own, also where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def ended_by(number):
    """A callback that sends this process a signal after 20 updates."""
    return lambda step, *_: step == 20 and signal.raise_signal(number)


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path):
    with pytest.raises(KeyboardInterrupt, match=r"at step 20 of 40, saved in .*resume"):
        train(
            40, report_every=10, checkpoint=tmp_path, callback=ended_by(signal.SIGINT)
        )
    assert checkpoint.read(tmp_path).step == 20
    assert same_bits(train(40, checkpoint=tmp_path, resume=True), train(40))


def test_sigterm_saves_says_how_to_go_on_and_is_status_143(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        train(
            40, report_every=10, checkpoint=tmp_path, callback=ended_by(signal.SIGTERM)
        )
    assert caught.value.code == 143
    *_, answer, last = capsys.readouterr().err.splitlines()
    assert answer.startswith("SIGTERM: saving at the end of this chunk; a second one")
    assert last.startswith(f"SIGTERM at step 20 of 40, saved in {tmp_path}: resume")
    assert checkpoint.read(tmp_path).step == 20


def test_first_signal_is_answered_before_it_is_acted_upon():
    said = []

    def slow(name):
        time.sleep(0.05)
        said.append(name)

    with _signals.noted(slow, close=lambda: None) as noted:
        signal.raise_signal(signal.SIGTERM)
        noted.answer()
        assert said == ["SIGTERM"]


def test_signal_that_comes_with_the_end_is_not_lost(tmp_path):
    def callback(step, *_):
        if step == 40:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(40, report_every=10, checkpoint=tmp_path, callback=callback)
    assert checkpoint.read(tmp_path).step == 40


def test_handlers_are_what_they_were(tmp_path):
    before = [signal.getsignal(number) for number in _signals.SIGNALS]
    train(3, checkpoint=tmp_path)
    assert [signal.getsignal(number) for number in _signals.SIGNALS] == before
    assert signal.set_wakeup_fd(-1) == -1


def test_without_a_folder_ctrl_c_is_that_of_python():
    with pytest.raises(KeyboardInterrupt) as caught:
        train(40, report_every=10, callback=ended_by(signal.SIGINT))
    assert caught.value.args == ()


def test_signal_that_the_process_ignores_stays_ignored(tmp_path):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        run = train(
            40, report_every=10, checkpoint=tmp_path, callback=ended_by(signal.SIGINT)
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert run.step == 40


def test_run_in_another_thread_leaves_signals_alone(tmp_path):
    runs = []
    thread = threading.Thread(target=lambda: runs.append(train(3, checkpoint=tmp_path)))
    thread.start()
    thread.join()
    assert same_bits(runs[0], train(3))


@pytest.mark.process
def test_second_ctrl_c_ends_at_once(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.workbench.training._alone",
            "twice",
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 130
    assert "Ctrl-C: saving at the end of this chunk" in done.stderr
    assert done.stdout == "one\n"  # two at once were one
