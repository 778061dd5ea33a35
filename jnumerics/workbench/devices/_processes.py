"""Processes that compute together, by JAX's own distributed runtime.

A collective operation needs every process. So a process that cannot go on must end at
once, that the others see it and end too: an ordinary end of Python waits for them to
arrive at theirs, and they wait for it. Three things tell of a death:

- The next collective operation fails. `joined` turns that into one line and an exit.
- No collective is under way: the coordinator misses heartbeats, and JAX ends every
  process with a message of its own.
- The coordinator never came, or not all the others did: JAX ends a process that has
  waited for `initialization_timeout`.
"""

import contextlib
import errno
import os
import re
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
from jax.experimental import multihost_utils

from jnumerics.workbench._usage import UsageError

ADDRESS = re.compile(r"(\[[\da-fA-F:.]+\]|[^\s:\[\]]+):(\d{1,5})")
AUTO = "auto"
FAILED, WRONG_USE, INTERRUPTED = 1, 2, 130
# how JAX says, in errors of several types, that a peer does not answer
LOST = re.compile(
    r"[A-Z_]+: (?is:.*(gloo|[nr]ccl|collective|peer|connection|heartbeat|barrier))"
)
SECONDS_BEHIND = 1.0  # that the first process ends after the others
SECONDS_TOGETHER = 10.0  # to wait for what ends all of them


@contextlib.contextmanager
def joined(
    coordinator: str | None,
    processes: int | None = None,
    process_id: int | None = None,
    *,
    initialization_timeout: int = 300,
    heartbeat_timeout_seconds: int = 100,
) -> Iterator[None]:
    """Join the processes of one program; what ends this one then ends it at once.

    It has to come before the first computation. An error in the body ends the process
    by `os._exit`, after the line or the traceback that tells of it, and after the
    output is flushed: it does not pass on, and nothing behind it is done. Where no
    coordinator is named, there is one process, and nothing of this is so.

    Args:
        coordinator: "HOST:PORT" of the first process, which opens that port; "auto"
            where JAX can find it out, and the other numbers with it: on TPU pods, under
            Slurm and Open MPI, and on Kubernetes. None is for a single process.
        processes: How many processes there are.
        process_id: Which of them this is, from 0.
        initialization_timeout: Seconds to wait for the others at the beginning.
        heartbeat_timeout_seconds: Seconds without a sign of life after which a process
            counts as dead.

    Yields:
        None, when all processes are there.

    Raises:
        UsageError: If the numbers do not fit each other, or the port is taken.

    Example:
        >>> with joined(None):
        ...     is_first()
        True
    """
    if coordinator is None:
        _require_none(processes, process_id)
        yield
        return
    _require_numbers(coordinator, processes, process_id)
    if process_id == 0:
        _require_free(coordinator)
    is_auto = coordinator == AUTO
    try:
        jax.distributed.initialize(
            None if is_auto else coordinator,
            processes,
            process_id,
            initialization_timeout=initialization_timeout,
            heartbeat_timeout_seconds=heartbeat_timeout_seconds,
        )
    except (ValueError, jax.errors.JaxRuntimeError) as e:
        msg = f"--coordinator {coordinator}: the processes cannot be joined: {_line(e)}"
        raise UsageError(msg) from None
    try:
        yield
    except BaseException as e:
        if processes == 1:
            raise
        _end(e, process_id)


def is_first() -> bool:
    """Whether this is the process that writes: the only one, or the one of number 0.

    Example:
        >>> is_first()
        True
    """
    return jax.process_index() == 0


def any_process(flag: bool) -> bool:
    """Return whether any process says so: every one has to ask, at the same place.

    What only one process sees, a signal for instance, all have to act on alike.

    Example:
        >>> any_process(False)
        False
    """
    if jax.process_count() == 1:
        return bool(flag)
    return bool(np.any(multihost_utils.process_allgather(np.asarray(flag))))


def _require_none(processes: int | None, process_id: int | None) -> None:
    for flag, number in (("processes", processes), ("process-id", process_id)):
        if number is not None:
            msg = f"--{flag} {number} needs --coordinator HOST:PORT"
            raise UsageError(msg)


def _require_numbers(
    coordinator: str, processes: int | None, process_id: int | None
) -> None:
    numbers = processes, process_id
    address = ADDRESS.fullmatch(coordinator)
    if coordinator != AUTO and not (address and 0 < int(address[2]) < 1 << 16):
        msg = f"--coordinator must be HOST:PORT or auto, got {coordinator!r}"
        raise UsageError(msg)
    if coordinator == AUTO and numbers == (None, None):
        return
    if processes is None or process_id is None:
        missing = "--processes" if processes is None else "--process-id"
        msg = f"--coordinator {coordinator} needs {missing} too"
        raise UsageError(msg)
    if processes < 1:
        msg = f"--processes must be at least 1, got {processes}"
        raise UsageError(msg)
    if not 0 <= process_id < processes:
        msg = f"--process-id must be from 0 to {processes - 1}, got {process_id}"
        raise UsageError(msg)


def _require_free(coordinator: str) -> None:
    """Require the port to be free: where it is not, the runtime's server crashes."""
    port = int(coordinator.rpartition(":")[2])
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        socket.create_server(("", port), family=family, dualstack_ipv6=both).close()
    except OSError as e:
        why = os.strerror(e.errno or errno.EADDRINUSE)
        msg = f"--coordinator must name a port that is free, got {coordinator}: {why}"
        raise UsageError(msg) from None


def _end(error: BaseException, process_id: int | None) -> None:
    """Say what happened, and end this process without waiting for the others."""
    text, status = _told(error)
    with contextlib.suppress(OSError, ValueError):  # nobody may read it
        sys.stdout.flush()
        print(text, end="", file=sys.stderr, flush=True)
    # Where the coordinator goes, JAX aborts the others in mid-sentence: it goes last.
    if isinstance(error, UsageError | SystemExit | KeyboardInterrupt):  # as all have it
        leaving = threading.Thread(target=_leave, daemon=True)
        leaving.start()
        leaving.join(SECONDS_TOGETHER)
    # Asking JAX who is the first starts the backend: it may have been too early for it.
    elif process_id == 0 or (process_id is None and is_first()):
        time.sleep(SECONDS_BEHIND)
    os._exit(status)


def _leave() -> None:
    """Leave the others in order, when they do too."""
    with contextlib.suppress(Exception):  # of a runtime that is lost: it ends anyway
        jax.distributed.shutdown()


def _told(error: BaseException) -> tuple[str, int]:
    """Return what to write of an error, and the status to end with."""
    begins = f"{Path(sys.argv[0]).name}: "
    match error:
        case SystemExit(code=str(code)):
            return f"{code}\n", FAILED
        case SystemExit(code=code):
            return "", int(code or 0)
        case KeyboardInterrupt():
            return f"{begins}{f'interrupted {_line(error)}'.rstrip()}\n", INTERRUPTED
        case UsageError():
            return f"{begins}error: {_line(error)}\n", WRONG_USE
        case ValueError() | RuntimeError() if LOST.match(str(error)):
            lost = "another process has ended or is out of reach, so this one ends too"
            return f"{begins}error: {lost}: {_line(error)}\n", FAILED
    return "".join(traceback.format_exception(error)), FAILED


def _line(error: BaseException) -> str:
    return " ".join(str(error).split("\n\n")[0].split())
