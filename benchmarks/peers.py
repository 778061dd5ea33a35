"""Other libraries, each in a process of a Python that has it, taking turns with ours.

A peer may need another Python or another JAX than the one that is measured. So each
library runs in a worker: of this Python where it imports, else of the first one of
`pythons()` where it does. Both sides talk over a pipe, in frames of JSON and bytes of
arrays. The worker takes its own times, so that the pipe costs nothing; it has as many
threads as this process, and waits while others have their turns.
"""

import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._measure import Missing
from benchmarks.worker import _frames
from jnumerics.workbench import devices

ROOT = Path(__file__).parents[1]
POOLS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE"}  # who waits sleeps: the cores are others' then


def pythons() -> list[str]:
    """Name this Python and those of the environments beside it, `.venv-*`."""
    beside = sorted(map(str, ROOT.glob(".venv-*/bin/python")))
    return [sys.executable, *(p for p in beside if Path(p) != Path(sys.executable))]


class Worker:
    """A process that holds a library's contenders."""

    def __init__(self, python: str, library: str) -> None:
        """Start it.

        Raises:
            ImportError: If the library cannot run in that Python; says why.
        """
        threads = str(devices.cores())
        self.process = subprocess.Popen(
            [python, "-m", "benchmarks.worker", library, threads],
            cwd=ROOT,
            env=os.environ | dict.fromkeys(POOLS, threads) | PASSIVE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        answer, _ = self._receive()
        if "missing" in answer:
            self.close()
            raise ImportError(answer["missing"])
        self.versions: dict[str, str] = answer["value"]

    def ask(self, *request: Any, arrays: Any = ()) -> tuple[Any, list[np.ndarray]]:
        """Send a request, and return the answer.

        Raises:
            RuntimeError: If the library raised; holds the traceback of the other side.
        """
        assert self.process.stdin is not None
        _frames.send(self.process.stdin, request, arrays)
        answer, arrays = self._receive()
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["value"], arrays

    def _receive(self) -> tuple[Any, list[np.ndarray]]:
        assert self.process.stdout is not None
        try:
            return _frames.receive(self.process.stdout)
        except EOFError:
            self.close()
            msg = f"the worker ended with status {self.process.returncode}, see above"
            raise RuntimeError(msg) from None

    def close(self) -> None:
        """Let the process end."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self.process.wait()


@dataclass(frozen=True)
class Elsewhere:
    """A contender in a worker, by its number there."""

    worker: Worker
    number: int

    def first(self) -> tuple[float, float]:
        """Call it for the first time; the worker keeps the result."""
        (seconds, compiling), _ = self.worker.ask("first", self.number)
        return seconds, compiling

    def result(self) -> list[np.ndarray]:
        """Fetch the kept result."""
        return self.worker.ask("result", self.number)[1]

    def times(self, calls: int) -> list[float]:
        """Let the worker call it so often, by its own clock."""
        return self.worker.ask("times", self.number, calls)[0]


def contender(library: str, name: str, /, *arrays: Any, **options: Any) -> Any:
    """Make a contender of another library, or say that the library is missing.

    Args:
        library: "torch", "asdex" or "folx".
        name: Of the function in the library's side that makes it.
        arrays: Its arguments.
        options: Its options, plain data.
    """
    worker = _worker(library)
    if isinstance(worker, Missing):
        return worker
    inputs = [np.asarray(a) for a in arrays]
    number, _ = worker.ask("make", name, options, arrays=inputs)
    return Elsewhere(worker, number)


def _worker(library: str) -> Worker | Missing:
    if library not in _started:
        _started[library] = _start(library)
    return _started[library]


_started: dict[str, Worker | Missing] = {}


def _start(library: str) -> Worker | Missing:
    """Start a library's worker in the first Python that can run it."""
    reasons = []
    for python in pythons():
        try:
            return Worker(python, library)
        except (ImportError, OSError, RuntimeError) as error:
            reasons.append(str(error))
    return Missing(f"{library} runs in no Python here: {'; '.join(reasons)}")


def versions() -> dict[str, str]:
    """Tell the version of each peer that has run, its Python's and its JAX's."""
    return {
        library: ", ".join(f"{n} {v}" for n, v in worker.versions.items())
        for library, worker in sorted(_started.items())
        if isinstance(worker, Worker)
    }


def close() -> None:
    """End all workers."""
    while _started:
        _, worker = _started.popitem()
        if isinstance(worker, Worker):
            worker.close()
