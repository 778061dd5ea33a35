"""Programs in processes of their own, alone or several that join."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
VIRTUAL = "--xla_force_host_platform_device_count={}"


class Ended(NamedTuple):
    status: int
    out: str
    err: str
    seconds: float  # after it was started


def start(*argv, devices=1, cwd=ROOT, variables=()):
    return subprocess.Popen(
        [sys.executable, *argv],
        cwd=cwd,
        env=os.environ
        | {"XLA_FLAGS": VIRTUAL.format(devices), "PYTHONPATH": str(ROOT)}
        | dict(variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process, since, *, limit=120):
    try:
        out, err = process.communicate(timeout=limit)
    finally:
        process.kill()
    return Ended(process.returncode, out, err, time.monotonic() - since)


def run(*argv, devices=1, **options):
    return ended(start(*argv, devices=devices, **options), time.monotonic())


def run_together(count, *argv, devices=1, **options):
    """Run a program in several processes that join; return how each ended."""
    since, address = time.monotonic(), f"127.0.0.1:{free_port()}"
    flags = "--coordinator", address, "--processes", str(count), "--process-id"
    processes = [
        start(*argv, *flags, str(k), devices=devices, **options) for k in range(count)
    ]
    return [ended(process, since) for process in processes]


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]
