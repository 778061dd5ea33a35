"""Is the chosen mode the fastest? Measured over `cases.CASES`, mode by mode."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from benchmarks._measure import Bench, at_least
from benchmarks.cases import CASES, Case
from jnumerics import derivatives
from jnumerics.derivatives import Plan

WORTH_CHOOSING = 100e-6  # seconds of the fastest mode; below, calling is the cost
CLOSE = 1.15
QUICK = ("autoencoder 784-256-64", "batch 64 of 60-20-60")


def choice(bench: Bench) -> None:
    """The chosen mode beside the fastest one."""
    names = QUICK if bench.is_quick else tuple(CASES)
    found = {name: beside_fastest(bench, CASES[name]()) for name in names}
    regrets = {name: r for name, (r, best) in found.items() if best > WORTH_CHOOSING}
    near = np.mean([r <= CLOSE for r in regrets.values()])
    wrong = [f"{name} {r:.2f}" for name, r in regrets.items() if r > CLOSE]
    bench.report(
        f"the chosen mode within {CLOSE} of the fastest, of functions that take more "
        "than 100 µs",
        at_least(95, "%"),
        100 * float(near),
        f"{len(regrets)} functions; not within: {', '.join(wrong) or 'none'}",
    )


def beside_fastest(bench: Bench, case: Case) -> tuple[float, float]:
    """Return the chosen mode's median over the fastest's, and the fastest's median."""
    plan = derivatives.plan(case.fun, case.x, target=target(case))
    race = bench.race(programs(case, plan), seconds=1.5, keep=False)
    medians = {mode: float(np.median(race.runs(mode))) for mode in race.clocks}
    best = min(medians.values())
    chosen = plan.choice.same_as or plan.mode
    return medians[chosen] / best, best


def target(case: Case) -> str:
    """Return the plan's word for what is asked of a case."""
    return "batch" if case.is_batch else "jacobian"


def programs(case: Case, plan: Plan) -> dict[str, Callable[[], Any]]:
    """Compile each mode that is a program of its own."""
    take = derivatives.batch_jacobian if case.is_batch else derivatives.jacobian
    modes = [
        c.mode for c in plan.candidates if c.strategy is not None and not c.same_as
    ]
    compiled = {
        mode: jax.jit(take(case.fun, mode=mode)).lower(case.x).compile()
        for mode in modes
    }
    return {mode: lambda run=run: run(case.x) for mode, run in compiled.items()}


BENCHMARKS: Mapping[str, Callable[[Bench], None]] = {"choice": choice}
