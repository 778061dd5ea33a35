"""Is the border between forward and reverse mode where the plan puts it?

The map of `jnumerics crossover`, over numbers of inputs and outputs up to 1024.
"""

import json
from collections.abc import Callable, Mapping

from benchmarks._measure import Bench, at_least, at_most
from jnumerics.workbench import plots
from jnumerics.workbench.commands.crossover import measure

NUMBERS = (1, 4, 16, 64, 256, 1024)
QUICK = (1, 256)


def crossover(bench: Bench) -> None:
    """The cells that are predicted right, and what the worst prediction costs."""
    numbers = QUICK if bench.is_quick else NUMBERS
    found = measure(numbers, numbers, repeats=5 if bench.is_quick else 20)
    bench.shown["text"] = str(found)
    bench.shown["result"] = json.loads(found.to_json())
    bench.draw("modes_crossover.png", lambda file: plots.crossover(found, file))
    decided, right, worst = found.decided, found.correct, found.worst
    wrong = [
        f"{c.inputs} to {c.outputs} ({c.margin})" for c in decided if c not in right
    ]
    bench.report(
        f"crossover map, 1 to {numbers[-1]} inputs and outputs: cells whose margin "
        "exceeds the spread that are predicted",
        at_least(90, "%"),
        100 * len(right) / len(decided) if decided else None,
        f"{len(decided)} of {len(found.cells)} cells; not predicted, inputs to "
        f"outputs: {', '.join(wrong) or 'none'}",
    )
    bench.report(
        "the same: time of the predicted mode over that of the better one, at most",
        at_most(1.3),
        worst.slowdown,
        f"{worst.inputs} inputs, {worst.outputs} outputs",
    )


BENCHMARKS: Mapping[str, Callable[[Bench], None]] = {"crossover": crossover}
