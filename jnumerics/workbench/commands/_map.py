"""The map of `jnumerics crossover`: its cells, as a table and as JSON."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from jnumerics import _table


class Cell(NamedTuple):
    """Both modes for one number of inputs and of outputs; times are medians.

    Attributes:
        inputs: Number of inputs.
        outputs: Number of outputs.
        forward_s: Seconds of forward mode.
        reverse_s: Seconds of reverse mode.
        predicted: The mode that the plan takes.
        fastest: The faster one; None where the spread hides it.
        tie: Whether it does.
    """

    inputs: int
    outputs: int
    forward_s: float
    reverse_s: float
    predicted: str
    fastest: str | None
    tie: bool

    @property
    def ratio(self) -> float:
        """Time of forward mode over that of reverse mode."""
        return self.forward_s / self.reverse_s

    @property
    def margin(self) -> str:
        """How many times faster the better mode is, in writing."""
        times = max(self.ratio, 1 / self.ratio)
        return _table.times(times, 3 if times < 1.1 else 2)

    @property
    def slowdown(self) -> float:
        """Time of the predicted mode over that of the better one."""
        times = {"forward": self.forward_s, "reverse": self.reverse_s}
        return times[self.predicted] / min(times.values())


@dataclass(frozen=True)
class Crossover:
    """A map of cells.

    Attributes:
        device: The device's name.
        versions: Of jax, jaxlib and numpy.
        inputs: Numbers of inputs.
        outputs: Numbers of outputs.
        cells: One for each pair of them, in this order: fewer where Ctrl-C ended it.
    """

    device: str
    versions: dict[str, str]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    cells: tuple[Cell, ...]

    @cached_property
    def measured(self) -> dict[tuple[int, int], Cell]:
        """The cells by their inputs and outputs."""
        return {(c.inputs, c.outputs): c for c in self.cells}

    def cell(self, inputs: int, outputs: int) -> Cell:
        """Return the cell of a pair."""
        return self.measured[inputs, outputs]

    @property
    def decided(self) -> list[Cell]:
        """The cells whose margin exceeds the spread."""
        return [c for c in self.cells if c.fastest is not None]

    @property
    def correct(self) -> list[Cell]:
        """Those of them that were predicted."""
        return [c for c in self.decided if c.fastest == c.predicted]

    @property
    def worst(self) -> Cell:
        """The cell in which the predicted mode is the slowest beside the better one."""
        return max(self.cells, key=lambda c: c.slowdown)

    def __str__(self) -> str:
        """Return a table, a row for each number of outputs, and what it shows."""
        header = ["outputs \\ inputs", *map(str, self.inputs)]
        rows = [
            [str(m), *(_cell_text(self.measured.get((n, m))) for n in self.inputs)]
            for m in reversed(self.outputs)
        ]
        decided, correct, worst = len(self.decided), len(self.correct), self.worst
        share = f" ({100 * correct / decided:.0f} %)" if decided else ""
        return (
            f"{_table.text(header, rows)}\n\n"
            f"F: forward mode is faster, so many times; R: reverse mode; =: a tie;\n"
            f"*: the other one was predicted. {self.device}.\n"
            f"Predicted: {correct} of {decided} cells whose margin exceeds the "
            f"spread{share}.\n"
            f"The predicted mode is at most {worst.slowdown:.2f} times slower than the "
            f"better one, at {worst.inputs} inputs, {worst.outputs} outputs."
        )

    def to_json(self) -> str:
        """Return all figures as JSON."""
        return _table.to_json(
            {
                "device": self.device,
                "versions": self.versions,
                "inputs": self.inputs,
                "outputs": self.outputs,
                "cells": [c._asdict() | {"slowdown": c.slowdown} for c in self.cells],
                "decided": len(self.decided),
                "right": len(self.correct),
                "worst_slowdown": self.worst.slowdown,
            }
        )


def _cell_text(cell: Cell | None) -> str:
    if cell is None:
        return "-"
    if cell.tie:
        return "="
    wrong = "" if cell.fastest == cell.predicted else "*"
    return f"{'F' if cell.ratio < 1 else 'R'} {cell.margin}{wrong}"
