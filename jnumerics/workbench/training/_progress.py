"""How far a run is: a bar on a terminal, plain lines elsewhere; on standard error."""

import collections
import contextlib
import sys
import time
from typing import Any

import jax

from jnumerics import _table
from jnumerics.workbench.training._metrics import Row

_SHOWN = 4  # columns of a row, after step and loss


class Progress:
    """Lines for a reader who may look much later; the first process alone writes."""

    def __init__(self, steps: int, first: int):
        """Begin at a step; `steps` is where the run ends."""
        self._steps, self._is_first = steps, jax.process_index() == 0
        self._recent = collections.deque([(time.monotonic(), first)], maxlen=20)
        self._is_under_way = False

    def say(self, line: str) -> None:
        """Write a line."""
        with contextlib.suppress(OSError, ValueError):  # nobody may read it
            if self._is_first and sys.stderr is not None:
                sys.stderr.write(f"{line}\n")
                sys.stderr.flush()

    def at(self, step: int, loss: float) -> None:
        """Note where the run is."""
        del loss
        if not self._is_under_way:  # the first chunk is compiled before
            self._recent.clear()
            self._is_under_way = True
        self._recent.append((time.monotonic(), step))

    def report(self, row: Row) -> None:
        """Tell of a row of the metrics."""
        self.say(f"step {int(row['step']):,} of {self._steps:,}: {self._told(row)}")

    def close(self) -> None:
        """Leave the terminal as it was."""

    def _told(self, row: Row) -> str:
        numbers = [(name, x) for name, x in row.items() if x.ndim == 0][1:]
        shown = [
            f"{name} {_table.number(float(x), 4)}"
            for name, x in numbers[: 1 + _SHOWN]
            if x.dtype.kind not in "cU"
        ]
        return ", ".join([*shown, *self._pace()])

    def _pace(self) -> list[str]:
        """Say how fast the last chunks were, and how long the rest takes at that."""
        (start, first), (end, last) = self._recent[0], self._recent[-1]
        if last == first or end == start:
            return []
        rate = (last - first) / (end - start)
        left = (self._steps - last) / rate
        speed = f"{_table.times(rate, 3)} steps/s"
        return [speed] if last >= self._steps else [speed, f"{duration(left)} left"]


class Bar(Progress):
    """A bar in the last line of a terminal, with the latest report beside."""

    def __init__(self, steps: int, first: int):
        """Draw it."""
        super().__init__(steps, first)
        from rich import progress
        from rich.console import Console

        self._bar: Any = progress.Progress(
            progress.TextColumn("step"),
            progress.MofNCompleteColumn(),
            progress.BarColumn(),
            progress.TextColumn("{task.fields[told]}"),
            console=Console(stderr=True),
            auto_refresh=False,  # no thread beside the run
        )
        self._task = self._bar.add_task("", total=steps, completed=first, told="")
        self._reported = ""
        self._bar.start()

    def say(self, line: str) -> None:
        """Write a line above the bar."""
        with contextlib.suppress(OSError, ValueError):
            self._bar.console.print(line, markup=False, highlight=False)

    def at(self, step: int, loss: float) -> None:
        """Move the bar."""
        super().at(step, loss)
        told = [f"loss {_table.number(loss, 4)}", *self._pace(), self._reported]
        self._show(step, ", ".join(part for part in told if part))

    def report(self, row: Row) -> None:
        """Show what a row holds besides the loss."""
        shown = [
            f"{name} {_table.number(float(x), 4)}"
            for name, x in list(row.items())[2 : 2 + _SHOWN]
            if x.ndim == 0 and x.dtype.kind not in "cU"
        ]
        self._reported = ", ".join(shown)
        self.at(int(row["step"]), float(row["loss"]))

    def close(self) -> None:
        """Leave the bar as it is."""
        with contextlib.suppress(OSError, ValueError):
            self._bar.stop()

    def _show(self, step: int, told: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._bar.update(self._task, completed=step, told=told, refresh=True)


def begin(steps: int, first: int) -> Progress:
    """Return a bar where there is a terminal and rich, else lines."""
    is_first = jax.process_index() == 0
    if is_first and sys.stderr is not None and sys.stderr.isatty():
        with contextlib.suppress(ImportError):
            return Bar(steps, first)
    return Progress(steps, first)


def duration(seconds: float) -> str:
    """Write a time to wait: `41 s`, `5 min`, `3 h 20 min`, `6 d 4 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return "{} d {} h".format(*divmod(hours, 24))
