"""Does a comparison name the true winner? Is the border where the plan puts it?

Twenty functions, compared again and again: each has a winner by a margin that its sizes
leave no doubt about; the margin is measured as well. A comparison that names another
mode, or a tie, is wrong. The border between forward and reverse mode is that of the map
of `jnumerics crossover`, over numbers of inputs and outputs up to 1024.
"""

import json
import statistics
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from benchmarks._measure import Bench, at_least, at_most, programs
from jnumerics import derivatives, mlp
from jnumerics.derivatives import ModeComparison
from jnumerics.workbench import plots
from jnumerics.workbench.commands.crossover import measure

COMPARISONS = 20  # of each function
MARGIN = 1.5  # of the true winner, at least
QUICK = ("dense 16 to 512", "stencil 2000")
NUMBERS = (1, 4, 16, 64, 256, 1024)  # of inputs and of outputs
FEW_NUMBERS = (1, 256)


class Compared(NamedTuple):
    """A function's comparisons: whom each names, and the true winner's margin."""

    named: Counter[str | None]
    margin: float


def verdicts(bench: Bench) -> None:
    """The share of functions whose winner is named in 19 of 20 comparisons."""
    names = QUICK if bench.is_quick else tuple(CASES)
    comparisons = 3 if bench.is_quick else COMPARISONS
    with programs(cached=True):  # they are compiled again for each comparison
        outcomes = {name: compared(name, comparisons) for name in names}
    correct = {name: outcomes[name].named[CASES[name][0]] for name in names}
    enough = [name for name in names if correct[name] >= 0.95 * comparisons]
    missed = [
        f"{n} {dict(outcomes[n].named)}" for n in names if correct[n] < comparisons
    ]
    bench.report(
        f"functions whose true winner is named in 19 of {COMPARISONS} comparisons",
        at_least(100, "%"),
        100 * len(enough) / len(names),
        f"{len(names)} functions; once or more not named: "
        f"{', '.join(missed) or 'none'}",
    )
    least = min(names, key=lambda name: outcomes[name].margin)
    bench.report(
        "the same: time of the next mode over that of the true winner, the least of "
        "all functions",
        at_least(MARGIN),
        outcomes[least].margin,
        least,
    )


def compared(name: str, comparisons: int) -> Compared:
    """Compare a function's modes again and again."""
    winner, fun, x, modes = case(name)
    outcomes = [
        derivatives.compare_modes(fun, x, modes=modes, reference=None)
        for _ in range(comparisons)
    ]
    margins = [margin(comparison, winner) for comparison in outcomes]
    return Compared(Counter(c.fastest for c in outcomes), statistics.median(margins))


def margin(comparison: ModeComparison, winner: str) -> float:
    """Return the median of the next mode's program over that of the winner's."""
    medians = {
        m.mode: m.run_s.median
        for m in comparison.modes
        if m.run_s is not None and m.same_as is None
    }
    best = medians.pop(winner)
    return min(medians.values()) / best


def case(name: str) -> tuple[str, Callable, Any, tuple[str, ...]]:
    """Return the winner, the function, its argument and the modes that compete."""
    winner, make, size = CASES[name]
    fun = make(*size)
    x = jax.random.normal(jax.random.key(1), (size[0],))
    return winner, fun, x, ("forward", "reverse", "cut", "compressed")


def dense(n: int, m: int) -> Callable:
    """Two dense maps, nowhere narrower than at an end."""
    params = mlp.init(jax.random.key(0), [n, max(n, m), m])
    return lambda x: mlp.apply(params, x)


def bottleneck(n: int, d: int) -> Callable:
    """A map of n numbers to n through d."""
    params = mlp.init(jax.random.key(0), [n, d, n])
    return lambda x: jnp.tanh(mlp.apply(params, x))


def chain(n: int) -> Callable:
    """Each number with its two neighbors, as in a rod that conducts heat."""
    del n
    return lambda x: x[1:-1] * (x[2:] - 2 * x[1:-1] + x[:-2]) + jnp.sin(x[1:-1])


def energy(n: int) -> Callable:
    """One number of many."""
    del n
    return lambda x: jnp.sum(jnp.cos(x[1:] - x[:-1])) + jnp.sum(x**2)


def features(n: int, m: int) -> Callable:
    """Many numbers of few, without a product."""
    frequencies = jnp.arange(m, dtype=float)
    return lambda x: jnp.sum(jnp.sin(frequencies[:, None] * x), axis=-1) + 0.0 * n


CASES: Mapping[str, tuple[str, Callable, tuple[int, ...]]] = {
    "dense 1 to 1024": ("forward", dense, (1, 1024)),
    "dense 4 to 512": ("forward", dense, (4, 512)),
    "dense 16 to 512": ("forward", dense, (16, 512)),
    "dense 16 to 1024": ("forward", dense, (16, 1024)),
    "dense 64 to 1024": ("forward", dense, (64, 1024)),
    "dense 1024 to 1": ("reverse", dense, (1024, 1)),
    "dense 512 to 4": ("reverse", dense, (512, 4)),
    "dense 512 to 16": ("reverse", dense, (512, 16)),
    "dense 1024 to 16": ("reverse", dense, (1024, 16)),
    "dense 1024 to 64": ("reverse", dense, (1024, 64)),
    "bottleneck 1024-4-1024": ("cut", bottleneck, (1024, 4)),
    "bottleneck 1024-8-1024": ("cut", bottleneck, (1024, 8)),
    "bottleneck 784-8-784": ("cut", bottleneck, (784, 8)),
    "bottleneck 784-16-784": ("cut", bottleneck, (784, 16)),
    "stencil 1500": ("compressed", chain, (1500,)),
    "stencil 1000": ("compressed", chain, (1000,)),
    "stencil 2000": ("compressed", chain, (2000,)),
    "energy of 1000": ("reverse", energy, (1000,)),
    "energy of 500": ("reverse", energy, (500,)),
    "300 features of 2": ("forward", features, (2, 300)),
}


def crossover(bench: Bench) -> None:
    """The cells that are predicted right, and what the worst prediction costs."""
    numbers = FEW_NUMBERS if bench.is_quick else NUMBERS
    measured = measure(numbers, numbers, repeats=5 if bench.is_quick else 20)
    bench.shown["text"] = str(measured)
    bench.shown["result"] = json.loads(measured.to_json())
    bench.draw("modes_crossover.png", lambda file: plots.crossover(measured, file))
    decided, correct, worst = measured.decided, measured.correct, measured.worst
    wrong = [
        f"{c.inputs} to {c.outputs} ({c.margin})" for c in decided if c not in correct
    ]
    bench.report(
        f"crossover map, 1 to {numbers[-1]} inputs and outputs: cells whose margin "
        "exceeds the spread that are predicted",
        at_least(90, "%"),
        100 * len(correct) / len(decided) if decided else None,
        f"{len(decided)} of {len(measured.cells)} cells; not predicted, inputs to "
        f"outputs: {', '.join(wrong) or 'none'}",
    )
    bench.report(
        "the same: time of the predicted mode over that of the better one, at most",
        at_most(1.3),
        worst.slowdown,
        f"{worst.inputs} inputs, {worst.outputs} outputs",
    )


BENCHMARKS: Mapping[str, Callable[[Bench], None]] = {
    "verdicts": verdicts,
    "crossover": crossover,
}
