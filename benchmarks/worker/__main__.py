"""Serve one library's contenders over standard input and output.

A request is a method of `Desk` with its arguments; an answer is `{"value": ...}`, or
`{"missing": reason}` where the library cannot run here, or `{"error": text}`.
"""

import importlib
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.worker import _frames

Arrays = list[np.ndarray]
SIDES = {"torch": "with_torch", "asdex": "with_jax", "folx": "with_jax"}


class Desk:
    """What a worker holds: a library's side, contenders, results to be compared."""

    def __init__(self, library: str, threads: int) -> None:
        """Import the library, which may fail."""
        self.side: Any = importlib.import_module(f"benchmarks.worker.{SIDES[library]}")
        self.versions = self.side.start(library, threads)
        self.contenders: list[Callable[[], Any]] = []
        self.values: dict[int, Any] = {}

    def make(self, name: str, options: dict, arrays: Arrays) -> int:
        """Make a contender; return its number."""
        self.contenders.append(getattr(self.side, name)(*arrays, **options))
        return len(self.contenders) - 1

    def first(self, number: int) -> tuple[float, float]:
        """Call it for the first time; return the seconds, and those of compiling."""
        seconds, compiling, value = self.side.first(self.contenders[number])
        self.values[number] = value
        return seconds, compiling

    def result(self, number: int) -> Arrays:
        """Return what its first call gave, for the only time."""
        return self.side.arrays(self.values.pop(number))

    def times(self, number: int, calls: int) -> list[float]:
        """Call it so often; return the seconds of each."""
        run, seconds = self.contenders[number], []
        for _ in range(calls):
            start = time.perf_counter()
            self.side.wait(run())
            seconds.append(time.perf_counter() - start)
        return seconds


def main(library: str, threads: int) -> None:
    """Serve requests until the other side goes."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not come between the answers
    requests = sys.stdin.buffer
    try:
        desk = Desk(library, threads)
    except Exception as error:  # an import may raise anything
        _frames.send(answers, {"missing": str(error).partition("\n")[0]})
        return
    _frames.send(answers, {"value": desk.versions})
    while True:
        try:
            request, arrays = _frames.receive(requests)
        except EOFError:
            return
        message, results = _answer(desk, request, arrays)
        _frames.send(answers, message, results)


def _answer(
    desk: Desk, request: Any, arrays: list[np.ndarray]
) -> tuple[dict, list[np.ndarray]]:
    kind, *args = request
    try:
        if kind == "make":
            name, options = args
            return {"value": desk.make(name, options, arrays)}, []
        if kind == "result":
            return {"value": None}, desk.result(*args)
        return {"value": {"first": desk.first, "times": desk.times}[kind](*args)}, []
    except Exception:  # whatever a library raises is told to the other side
        return {"error": traceback.format_exc()}, []


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
