"""What benchmarks measure with.

| module     | holds                                                        |
| ---------- | ------------------------------------------------------------ |
| `_targets` | figures, and bounds that they keep or not                    |
| `_turns`   | contenders, here or elsewhere, and whether they do the same  |
| `_race`    | interleaved rounds of them, and the ratios of their times    |
"""

from benchmarks._measure._race import Bench, Clock, Race, programs, usual_s
from benchmarks._measure._targets import Line, Spread, Target, at_least, at_most
from benchmarks._measure._turns import Contender, Here, Missing, first_call

__all__ = [
    "Bench",
    "Clock",
    "Contender",
    "Here",
    "Line",
    "Missing",
    "Race",
    "Spread",
    "Target",
    "at_least",
    "at_most",
    "first_call",
    "programs",
    "usual_s",
]
