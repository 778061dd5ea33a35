"""What the passes from one end cost: counted on one of them, not on all.

To trace all passes of both modes takes longer than all else that a plan does, and only
one of them is run. So one pass is read, as `jax.vmap` would make it for all directions
(`cost.count`). Beside it stand the directions that are made and the results that are
stacked, or of which an entry is kept.

What a batching rule adds is not counted, as where it turns the operands of a product:
against the program of all passes that is 0.73 to 0.92 for convolutions, attention and
solves, alike for both modes, up to a fifth more for one mode than for the other in
loops, and within 3 % elsewhere. `test_passes` compares both.
"""

import math

import numpy as np

from jnumerics.derivatives._modes.ends import Forward, Problem, Reverse
from jnumerics.derivatives._modes.rewrite import started_at
from jnumerics.derivatives._plan.cost import Cost, count, elementwise
from jnumerics.derivatives._program.jaxpr import open_jaxpr
from jnumerics.derivatives._program.layout import Layout


def of_end(problem: Problem, kind: str, strategy: Forward | Reverse) -> Cost:
    """Count all passes of forward or reverse mode.

    Raises:
        Exception: Whatever JAX raises where a part has no transpose.
    """
    if kind == "diagonal":
        own = _forward_own if strategy.mode == "forward" else _reverse_own
        return sum((own(problem, k) for k in range(len(problem.inputs))), Cost())
    ends = _forward if strategy.mode == "forward" else _reverse
    return ends(problem)


def _forward(problem: Problem) -> Cost:
    linear, total = problem.linear, Cost()
    for var, start in zip(linear.inputs, problem.inputs, strict=True):
        only, reached = linear, list(range(len(problem.outputs)))
        if len(linear.inputs) > 1:
            only, reached = started_at(linear, var)
        total += count(only.jaxpr, batched=[var], size=start.count) + _made(start)
        for k in reached:  # stacked as columns, behind the entries of the result
            end = problem.outputs[k]
            is_turned = end.samples * end.count > 1
            total += _stacked(end, start.count, is_turned=is_turned)
    return total


def _reverse(problem: Problem) -> Cost:
    linear, total = problem.linear, Cost()
    for var, start in zip(linear.outputs, problem.outputs, strict=True):
        back = linear.towards(var).transpose
        (cotangent,) = open_jaxpr(back).invars[-1:]
        total += count(back, batched=[cotangent], size=start.count) + _made(start)
        for end in problem.inputs:  # stacked as rows, behind the samples alone
            total += _stacked(end, start.count, is_turned=end.samples > 1)
    return total


def _forward_own(problem: Problem, position: int) -> Cost:
    linear, start = problem.linear, problem.inputs[position]
    only = linear.towards(linear.outputs[position])
    passed = count(only.jaxpr, batched=only.inputs, size=start.count)
    entries = sum(math.prod(i.shape) for i in problem.inputs) * start.count
    barrier = elementwise(entries, 2 * entries * start.dtype.itemsize)  # `basis_vector`
    own = _own_entry(problem.outputs[position], start.count)
    return passed + _made(start) + barrier + own


def _reverse_own(problem: Problem, position: int) -> Cost:
    linear, start = problem.linear, problem.outputs[position]
    back = linear.towards(linear.outputs[position]).transpose
    (cotangent,) = open_jaxpr(back).invars[-1:]
    passed = count(back, batched=[cotangent], size=start.count)
    return passed + _made(start) + _own_entry(problem.inputs[position], start.count)


def _made(start: Layout) -> Cost:
    """Count the directions of an end: two ranges compared, as numbers."""
    n = start.count
    if n == 1:
        return Cost()
    compared = elementwise(n * n, n * n + 2 * n * np.dtype(np.int32).itemsize)
    return compared + elementwise(n * n, n * n * (1 + start.dtype.itemsize))


def _stacked(end: Layout, passes: int, *, is_turned: bool) -> Cost:
    """Count what brings the results of all passes in order."""
    size = passes * math.prod(end.shape)
    # of a transpose its bytes alone count, as in `cost`
    once = elementwise(size, 2 * size * end.dtype.itemsize, fixed=0.0)
    is_inside = end.axis is not None and math.prod(end.shape[: end.axis]) > 1
    transposes = int(is_inside) + int(is_turned and passes > 1)
    return once.times(transposes)


def _own_entry(end: Layout, passes: int) -> Cost:
    """Count what takes one entry of each pass."""
    size = passes * math.prod(end.shape)
    return elementwise(size, size * end.dtype.itemsize)
