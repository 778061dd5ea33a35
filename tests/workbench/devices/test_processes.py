"""Processes that join on this machine's loopback interface, and how they end."""

import re
import shutil
import socket
import sys
import time

import jax
import numpy as np
import pytest

from jnumerics.workbench import config, devices
from jnumerics.workbench.config import UsageError
from tests.workbench.devices import _peer, _problem
from tests.workbench.devices._run import ended, free_port, run, run_together, start

PEER = "-m", "tests.workbench.devices._peer"
LOST = "_peer.py: error: another process has ended or is out of reach, so this one ends"


@pytest.fixture(scope="module")
def alone():
    return _problem.train(devices.mesh(1), _problem.STEPS)


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    """The folder that four processes have left after half of the steps."""
    folder, steps = tmp_path_factory.mktemp("four"), _problem.STEPS // 2
    flags = "--steps", str(steps), "--out", str(folder)
    for process in run_together(4, *PEER, "trains", *flags):
        assert process.status == 0, process.err
        assert process.out.endswith("done\n")
    return folder


@pytest.mark.process
@pytest.mark.slow
def test_four_processes_share_a_run_and_lose_nothing(half, alone):
    losses = np.load(half / "trained.npz")["losses"]
    np.testing.assert_allclose(losses, alone.losses[: len(losses)], rtol=1e-6)
    assert len(losses) == _problem.STEPS // 2


@pytest.mark.process
@pytest.mark.slow
def test_a_run_goes_on_with_other_processes_and_devices(half, alone, tmp_path):
    folder = shutil.copytree(half, tmp_path / "two")
    flags = "--steps", str(_problem.STEPS), "--out", str(folder)
    first, second = run_together(2, *PEER, "trains", *flags, devices=4)
    assert (first.status, second.status) == (0, 0), first.err + second.err
    assert "resumed at step 3" in first.err
    saved = np.load(folder / "trained.npz")
    np.testing.assert_allclose(saved["losses"], alone.losses, rtol=1e-6)
    for k, leaf in enumerate(jax.tree.leaves(alone.params)):
        np.testing.assert_allclose(saved[str(k)], leaf, rtol=1e-5, atol=1e-7)


@pytest.mark.process
@pytest.mark.slow
def test_a_peer_that_is_killed_is_one_line_and_an_exit_at_once():
    *others, last = run_together(2, *PEER, "dies")
    assert last.status == -9
    for process in others:
        assert process.status == 1
        assert process.err.startswith(LOST)
        assert process.err.count("\n") == 1
        assert "done" not in process.out
        assert process.seconds < last.seconds + 5


@pytest.mark.process
@pytest.mark.slow
def test_an_error_of_one_process_is_told_there_and_ends_the_others():
    other, last = run_together(2, *PEER, "fails")
    assert (other.status, last.status) == (1, 1)
    assert last.err.startswith("Traceback")
    assert last.err.endswith(f"OSError: {_peer.LAST}\n")
    assert other.err.startswith(LOST)


@pytest.mark.process
@pytest.mark.slow
def test_a_refusal_is_one_line_in_each_process():
    for process in run_together(2, *PEER, "refuses"):
        assert process.status == 2
        assert process.err == "_peer.py: error: --steps must be even\n"


@pytest.mark.process
@pytest.mark.slow
def test_a_death_that_no_collective_meets_ends_within_the_heartbeats_limit():
    limit = 5
    flags = "--heartbeat-timeout-seconds", str(limit)
    other, last = run_together(2, *PEER, "idle", *flags)
    assert last.status == -9
    assert "stopped sending heartbeats" in other.err
    assert other.status not in (0, None)
    assert other.seconds - last.seconds < limit + 5


@pytest.mark.process
@pytest.mark.slow
def test_a_coordinator_that_never_comes_is_waited_for_so_long():
    address = f"127.0.0.1:{free_port()}"
    flags = "--coordinator", address, "--processes", "2", "--process-id", "1"
    done = run(*PEER, "nothing", *flags, "--initialization-timeout", "2")
    assert done.status != 0
    assert "DEADLINE_EXCEEDED" in done.err
    assert done.seconds < 90  # a slow machine's start included; the default is 300


@pytest.mark.process
@pytest.mark.slow
def test_processes_find_each_other_by_what_slurm_says():
    job = {"SLURM_JOB_ID": str(free_port()), "SLURM_STEP_NODELIST": "localhost"}
    info, since = ("-m", "jnumerics", "info", "--coordinator", "auto"), time.monotonic()
    started = [
        start(
            *info,
            devices=3,
            variables=job
            | {"SLURM_NTASKS": "2", "SLURM_PROCID": str(k), "SLURM_LOCALID": str(k)},
        )
        for k in range(2)
    ]
    first, second = (ended(process, since) for process in started)
    assert (first.status, second.status) == (0, 0), first.err + second.err
    assert re.search(r"\ndevices +6, 3 of them here\n", first.out)
    assert re.search(r"\nprocesses +2, of which this is 0\n", first.out)
    assert "processes" not in second.out


# flags


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            {"coordinator": "nowhere"},
            "--coordinator must be HOST:PORT or auto, got 'no",
        ),
        ({"coordinator": "a:0"}, "--coordinator must be HOST:PORT or auto, got 'a:0'"),
        ({"coordinator": "a:65536"}, "--coordinator must be HOST:PORT or auto, got "),
        ({"coordinator": "::1:80"}, "--coordinator must be HOST:PORT or auto, got "),
        ({"coordinator": "a:80"}, "--coordinator a:80 needs --processes too"),
        (
            {"coordinator": "a:80", "processes": 2},
            "--coordinator a:80 needs --process-id too",
        ),
        (
            {"coordinator": "auto", "processes": 2},
            "--coordinator auto needs --process-",
        ),
        (
            {"coordinator": "[::1]:80", "processes": 2, "process_id": 2},
            "--process-id must be from 0 to 1, got 2",
        ),
        (
            {"coordinator": "a:80", "processes": 0, "process_id": 0},
            "--processes must be at least 1, got 0",
        ),
        ({"processes": 2}, "--processes 2 needs --coordinator HOST:PORT"),
        ({"process_id": 0}, "--process-id 0 needs --coordinator HOST:PORT"),
    ],
)
def test_flags_of_processes_that_do_not_fit_are_refused(flags, message):
    with (
        pytest.raises(UsageError, match=f"^{message.replace('[', '.')}"),
        devices.joined(**{"coordinator": None} | flags),
    ):
        pass


def test_a_process_alone_is_the_first_and_lets_errors_pass():
    with devices.joined(None):
        assert devices.is_first()
        assert devices.any_process(True)
    with pytest.raises(ZeroDivisionError), devices.joined(None):
        _ = 1 / 0


def test_settings_without_processes_join_none():
    with devices.joined_as(config.Settings()), devices.joined_as(devices.Settings()):
        assert devices.is_first()


# what is said


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (SystemExit(3), 3, ""),
        (SystemExit(), 0, ""),
        (SystemExit("no"), 1, "no\n"),
        (
            KeyboardInterrupt("after 3 steps"),
            130,
            "run.py: interrupted after 3 steps\n",
        ),
        (KeyboardInterrupt(), 130, "run.py: interrupted\n"),
        (UsageError("two\nlines"), 2, "run.py: error: two lines\n"),
        (ValueError("my peer"), 1, "ValueError: my peer\n"),
        (
            jax.errors.JaxRuntimeError("INTERNAL: NCCL operation failed\n\ntrace"),
            1,
            "run.py: error: another process has ended or is out of reach, so this one "
            "ends too: INTERNAL: NCCL operation failed\n",
        ),
        (
            jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory"),
            1,
            "jax.errors.JaxRuntimeError: RESOURCE_EXHAUSTED: Out of memory\n",
        ),
    ],
    ids=repr,
)
def test_what_ends_a_process_among_others_is_said_and_has_its_status(
    error, status, said, monkeypatch, capsys
):
    class Exit(BaseException):
        pass

    def leave(status):
        raise Exit(status)

    monkeypatch.setattr(sys, "argv", ["folder/run.py"])
    monkeypatch.setattr(jax.distributed, "initialize", lambda *_, **__: None)
    monkeypatch.setattr(jax.distributed, "shutdown", lambda: None)
    monkeypatch.setattr("os._exit", leave)
    with (
        pytest.raises(Exit) as caught,
        devices.joined("host:1", processes=2, process_id=1),
    ):
        raise error
    assert caught.value.args == (status,)
    assert capsys.readouterr().err.endswith(said)


def test_processes_that_cannot_be_joined_are_a_line(monkeypatch):
    def fails(*_, **__):
        msg = "UNKNOWN: no server\n\nRPC: trace"
        raise jax.errors.JaxRuntimeError(msg)

    monkeypatch.setattr(jax.distributed, "initialize", fails)
    with (
        pytest.raises(UsageError, match=r"^--coordinator auto: .* no server$"),
        devices.joined("auto"),
    ):
        pass


def test_port_that_is_taken_is_a_line():
    with socket.create_server(("", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        message = f"^--coordinator must name a port that is free, got {address}: Addr"
        with (
            pytest.raises(UsageError, match=message),
            devices.joined(address, processes=2, process_id=0),
        ):
            pass
