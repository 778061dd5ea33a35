"""`jnumerics plan MODULE:FUNCTION`: the cheapest mode, and what depends on what."""

import argparse
import itertools
import math
from collections.abc import Callable
from typing import Any

import jax

from jnumerics import _table
from jnumerics.derivatives import Dependence, Plan, dependence
from jnumerics.derivatives import plan as make_plan
from jnumerics.derivatives._cheapest import TARGETS
from jnumerics.derivatives._jacobian import gradient
from jnumerics.derivatives._program.arguments import as_tuple
from jnumerics.workbench import devices, plots
from jnumerics.workbench.commands import _functions, flags
from jnumerics.workbench.commands._functions import Asked

__all__ = ["configure", "run"]

INTEGER = 8  # bytes of an end of a box
SECOND = ("hessian", "hessian_diagonal", "laplacian")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jnumerics plan`."""
    _functions.configure(parser)
    parser.add_argument(
        "--target", default="jacobian", help=f"{', '.join(TARGETS)} (jacobian)"
    )
    parser.add_argument(
        "--batch", action="store_true", help="the same as --target batch"
    )
    flags.add_flags(parser, figure="out")


@_functions.shows_own_errors
def run(arguments: argparse.Namespace) -> int:
    """Plan the cheapest mode for a function's derivative, and draw what it rests on."""
    asked = _functions.read(arguments)
    target = _functions.target(arguments, TARGETS)
    flags.require_writable(arguments)
    devices.select(arguments.platform)
    with asked.loaded(draws=False) as (fun, shapes):
        taken = _bytes_of_boxes(fun, shapes, asked, target)
        _functions.require_small("the boxes of what depends on what", taken)
        plan = make_plan(fun, *shapes, argnums=asked.argnums, target=target)
        boxes = _dependence(fun, shapes, asked, target)
    try:
        print(f"{asked.described()}, {plan}\n\n{_drawn(boxes, target)}")
    finally:  # though nobody may read the table
        flags.write(
            arguments,
            lambda: _to_json(asked, plan, boxes),
            lambda file: plots.plan(plan, boxes, file),
        )
    return 0


def _dependence(
    fun: Callable, shapes: list[Any], asked: Asked, target: str
) -> Dependence:
    """Return what depends on what: of second order, the gradient on the inputs."""
    if target in SECOND:
        fun = gradient(fun, asked.argnums)
    return dependence(fun, *shapes, argnums=asked.argnums)


def _bytes_of_boxes(fun: Callable, shapes: list[Any], asked: Asked, target: str) -> int:
    """Return the memory of all boxes: two integers for each axis of an argument."""
    inputs = outputs = [shapes[k] for k in as_tuple(asked.argnums)]
    if target not in SECOND:
        try:
            outputs = jax.tree.leaves(jax.eval_shape(lambda *xs: fun(*xs), *shapes))
        except Exception:  # the plan says what is wrong with it
            return 0
    pairs = itertools.product(outputs, inputs)
    return sum(2 * INTEGER * math.prod(o.shape) * len(i.shape) for o, i in pairs)


def _drawn(boxes: Dependence, target: str) -> str:
    whose = "Of the gradient:\n\n" if target in SECOND else ""
    return f"{whose}{boxes}\n\n{boxes.pattern()}"


def _to_json(asked: Asked, plan: Plan, boxes: Dependence) -> str:
    """Write the plan's figures, and how much may be nonzero."""
    candidates = [
        {
            "mode": c.mode,
            "passes": c.passes,
            "operations": None if c.strategy is None else c.cost.operations,
            "bytes": None if c.strategy is None else c.cost.bytes,
            "predicted_s": None if c.strategy is None else c.cost.seconds,
            "same_as": c.same_as,
            "note": c.note,
        }
        for c in plan.candidates
    ]
    pattern = boxes.pattern()
    return _table.to_json(
        {
            **asked.as_dict(),
            "target": plan.target,
            "samples": plan.samples,
            "outputs": plan.n_outputs,
            "inputs": plan.n_inputs,
            "mode": plan.mode,
            "passes": plan.passes,
            "reason": plan.reason,
            "candidates": candidates,
            "joined": [list(pair) for pair in plan.joined],
            "dependence": {
                "is_elementwise": boxes.is_elementwise,
                "entries": pattern.size,
                "may_be_nonzero": pattern.nonzeros,
            },
        }
    )
