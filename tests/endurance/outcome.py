"""What a part of the endurance run found, and how long it may go on."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Outcome(NamedTuple):
    """Figures in words, and everything that was wrong."""

    figures: str
    wrong: list[str]


@dataclass(frozen=True)
class Work:
    """How much a part is to do: its seed, how many cases, and when it must end."""

    seed: int
    count: int
    end: float
    is_short: bool = False  # of a test in the suite

    def within(self, cases: Iterable[T]) -> Iterator[T]:
        """Yield cases until time is over; what is not reached is in no figure."""
        for case in cases:
            if time.monotonic() > self.end:
                return
            yield case
