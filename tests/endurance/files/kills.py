"""Runs that are killed at random moments, and must end as one that was not."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.endurance.files.victim import result
from tests.endurance.outcome import Outcome, Work

LONGEST = 1.5  # seconds that a process may live, once it has begun
EACH = 8  # kills of one run, after which it may end
FILES = ("metrics.csv", "metrics.jsonl")
REST = 60  # seconds that the last run may take to its end
PATIENCE = 120  # seconds, after which a process hangs


class Ended(NamedTuple):
    """How a process ended: what it printed, and where it was when it was killed."""

    printed: str
    was_killed: bool
    was_writing: bool


def kills(work: Work) -> Outcome:
    """Kill runs until enough were killed; each goes on, and is compared at its end."""
    draw, home = random.Random(work.seed), Path(tempfile.mkdtemp())
    victim = Victim(120 if work.is_short else 600, home / "compiled")
    if work.is_short:  # by this process, which has imported everything
        whole = result(str(home / "whole"), victim.steps)
    else:
        whole = victim.run(home / "whole", None).printed
    wrong = [] if whole.startswith(f"{victim.steps} ") else [f"the whole run: {whole}"]
    killed = writing = finished = 0
    enough = lambda: killed >= work.count or time.monotonic() > work.end - REST
    while not wrong and not enough():
        folder, ended, limit = home / f"run{finished}", None, killed + EACH
        while ended is None or ended.was_killed:
            waits = work.is_short or draw.random() < 0.5  # for a write
            delay = draw.uniform(0, 0.2 if work.is_short else LONGEST)
            may_end = killed >= limit or enough()
            stop = None if may_end else (delay, LONGEST if waits else 0)
            ended = victim.run(folder, stop)
            killed += ended.was_killed
            writing += ended.was_writing
        finished += 1
        wrong += _differences(folder, ended.printed, home / "whole", whole)
        shutil.rmtree(folder)
    shutil.rmtree(home)
    figures = (
        f"{killed} kills, {writing} of them in the write of a checkpoint, "
        f"{finished} runs resumed to their end, bit-identical"
    )
    return Outcome(figures, wrong)


def _differences(folder: Path, printed: str, whole: Path, expected: str) -> list[str]:
    wrong = []
    if printed != expected:
        wrong.append(f"a resumed run ended with {printed!r}, the whole with {expected}")
    different = [n for n in FILES if _bytes(folder, n) != _bytes(whole, n)]
    return wrong + [f"{name} of a resumed run differs" for name in different]


def _bytes(folder: Path, name: str) -> bytes:
    path = folder / name
    return path.read_bytes() if path.exists() else b""


class Victim(NamedTuple):
    """A run of so many steps, and where its compiled programs are kept."""

    steps: int
    cache: Path

    def run(self, folder: Path, stop: tuple[float, float] | None) -> Ended:
        """Run to the end, or kill it after a delay, or while it writes after that."""
        before = _aside(folder)
        process = self._started(folder)
        if stop is not None:
            end = time.monotonic() + stop[0]
            while time.monotonic() < end and process.poll() is None:
                time.sleep(0.001)
            _await_writing(process, folder, before, end + stop[1])
            process.send_signal(signal.SIGKILL)
        try:
            printed, told = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            return Ended(f"it hung for {PATIENCE} s", False, False)
        was_killed = process.returncode == -signal.SIGKILL
        failed = process.returncode != 0 and not was_killed
        was_writing = was_killed and bool(_aside(folder) - before)
        text = told[-500:] if failed else printed.strip()
        return Ended(text, was_killed, was_writing)

    def _started(self, folder: Path) -> subprocess.Popen:
        cached = {
            "JAX_COMPILATION_CACHE_DIR": str(self.cache),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
        module = "tests.endurance.files.victim"
        process = subprocess.Popen(
            [sys.executable, "-m", module, folder, str(self.steps)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=Path(__file__).parents[3], env=os.environ | cached,
        )  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()  # "go"
        return process


def _aside(folder: Path) -> set[str]:
    """What is being written, or was when its process was killed."""
    if not folder.is_dir():
        return set()
    return {name for name in os.listdir(folder) if name.startswith(".step-")}


def _await_writing(
    process: subprocess.Popen, folder: Path, before: set[str], end: float
) -> None:
    while time.monotonic() < end and process.poll() is None:
        if _aside(folder) - before:
            return
