"""Is the chosen mode the fastest? Measured over the tables of cases, mode by mode."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from benchmarks._measure import Bench, at_least
from benchmarks.cases import CASES, SECOND, Case
from jnumerics import derivatives
from jnumerics.derivatives import Plan

WORTH_CHOOSING = 100e-6  # seconds of the fastest mode; below, calling is the cost
CLOSE = 1.15
QUICK = ("autoencoder 784-256-64", "batch 64 of 60-20-60")
QUICK_SECOND = ("laplacian of 200-32-256-256-1", "hessian of heat 30 x 30")
TAKES: Mapping[str, Callable[..., Callable]] = {
    "jacobian": derivatives.jacobian,
    "batch": derivatives.batch_jacobian,
    "hessian": derivatives.hessian,
    "laplacian": derivatives.laplacian,
}


def choice(bench: Bench) -> None:
    """The chosen mode beside the fastest one."""
    names = QUICK if bench.is_quick else tuple(CASES)
    _report(bench, "the chosen mode", {name: CASES[name] for name in names})


def choice_of_second_order(bench: Bench) -> None:
    """The chosen mode of Laplacians and Hessians beside the fastest one."""
    names = QUICK_SECOND if bench.is_quick else tuple(SECOND)
    what = "the chosen mode of Laplacians and Hessians"
    _report(bench, what, {name: SECOND[name] for name in names})


def _report(bench: Bench, what: str, cases: Mapping[str, Callable[[], Case]]) -> None:
    measured = {name: beside_fastest(bench, make()) for name, make in cases.items()}
    regrets = {name: r for name, (r, best) in measured.items() if best > WORTH_CHOOSING}
    near = np.mean([r <= CLOSE for r in regrets.values()])
    wrong = [f"{name} {r:.2f}" for name, r in regrets.items() if r > CLOSE]
    bench.report(
        f"{what} within {CLOSE} of the fastest, of functions that take more than "
        "100 µs",
        at_least(95, "%"),
        100 * float(near),
        f"{len(regrets)} functions; not within: {', '.join(wrong) or 'none'}",
    )


def beside_fastest(bench: Bench, case: Case) -> tuple[float, float]:
    """Return the chosen mode's median over the fastest's, and the fastest's median."""
    plan = derivatives.plan(case.fun, case.x, target=case.target)
    race = bench.race(programs(case, plan), seconds=1.0, keep=False)
    medians = {mode: float(np.median(race.runs(mode))) for mode in race.clocks}
    best = min(medians.values())
    chosen = plan.choice.same_as or plan.mode
    return medians[chosen] / best, best


def programs(case: Case, plan: Plan) -> dict[str, Callable[[], Any]]:
    """Compile each mode that is a program of its own."""
    take = TAKES[case.target]
    modes = [
        c.mode for c in plan.candidates if c.strategy is not None and not c.same_as
    ]
    compiled = {
        mode: jax.jit(take(case.fun, mode=mode)).lower(case.x).compile()
        for mode in modes
    }
    return {mode: lambda run=run: run(case.x) for mode, run in compiled.items()}


BENCHMARKS: Mapping[str, Callable[[Bench], None]] = {
    "choice": choice,
    "choice_of_second_order": choice_of_second_order,
}
