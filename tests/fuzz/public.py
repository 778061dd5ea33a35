"""The compiled public functions, as a user calls them, against JAX's."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from jnumerics import derivatives
from tests.fuzz.compare import (
    REFUSALS,
    diagonals,
    differs,
    mixes,
    outside,
    own_blocks,
    tolerance_of,
)
from tests.fuzz.program import Program

MODES = ("auto", "forward", "reverse", "cut", "compressed")
Answer = tuple[str, str]  # what was compared, and how it differs: "" if it does not


def chosen(program: Program) -> list[str]:
    """Choose what to compile for a program: by its seed, as few as time allows."""
    mode = MODES[program.seed % len(MODES)]
    names = [f"jacobian {mode} {['dense', 'bcoo'][program.seed // 5 % 2]}"]
    if program.seed % 3 == 0:
        names.append("batch auto" if program.batch else "diagonal auto")
    return names


def compared(program: Program, check: str, args: Any) -> Answer:
    """Compare what a check is about with JAX, all of it compiled."""
    fun = program.function()
    kind, *rest = check.split()
    expected = list(_truths(fun, args))
    tolerance = tolerance_of(program)
    try:
        if kind == "dependence":
            return check, _box(fun, args, expected, tolerance)
        if kind == "batch":
            return check, _batch(program, fun, args, expected)
        of: Callable[[Any], Sequence[Any]] = _flat
        if kind == "jacobian":
            found = derivatives.jacobian(fun, mode=rest[0], format=rest[1])(*args)
        elif kind == "diagonal":
            found, of = derivatives.jacobian_diagonal(fun)(*args), diagonals
        else:
            return check, ""
    except REFUSALS:
        return check, ""
    return check, _any_of(_arrays(found), [of(e) for e in expected], tolerance)


def _any_of(found: Sequence[Any], expected: Sequence[Any], tolerance: float) -> str:
    differences = [differs(found, e, tolerance) for e in expected]
    return "" if "" in differences or not differences else differences[0]


def _arrays(tree: Any) -> list[Any]:
    leaves = jax.tree.leaves(tree, is_leaf=lambda b: hasattr(b, "todense"))
    return [np.asarray(b.todense() if hasattr(b, "todense") else b) for b in leaves]


def _flat(blocks: Any) -> list[Any]:
    return [b for row in blocks for b in row]


def _truths(fun: Callable[..., Any], args: Any) -> Iterator[Any]:
    """Yield rows of blocks by each mode of JAX that serves, where they are finite."""
    width = len(jax.tree.leaves(args[0]))
    for by in (jax.jacfwd, jax.jacrev):
        try:
            found = [np.asarray(b) for b in jax.tree.leaves(jax.jit(by(fun))(*args))]
        except Exception:
            continue
        if all(np.isfinite(b).all() for b in found):
            yield [found[k : k + width] for k in range(0, len(found), width)]


def _box(fun: Callable[..., Any], args: Any, expected: Any, tolerance: float) -> str:
    found = derivatives.dependence(fun, *args)
    trees = zip(
        *map(jax.tree.leaves, (found.lower, found.upper, found.depends)), strict=True
    )
    boxes = list(trees)
    for blocks in expected:
        for block, box in zip(_flat(blocks), boxes, strict=True):
            lower, upper, depends = box
            entry = outside(block, lower, upper, depends, 1e-3 * tolerance)
            if entry is not None:
                return f"output {entry[0]} reads input {entry[1]}"
    return ""


def _batch(program: Program, fun: Callable[..., Any], args: Any, expected: Any) -> str:
    axes = program.batch or (0, 0)
    tolerance = tolerance_of(program)
    found = derivatives.batch_jacobian(fun, in_axis=axes[0], out_axis=axes[1])(*args)
    ranks = [len(y.shape) for y in jax.tree.leaves(jax.eval_shape(fun, *args))]
    for blocks in expected:
        pairs = zip(blocks, ranks, strict=True)
        if any(
            mixes(b, axes, rank, 1e-3 * tolerance) for row, rank in pairs for b in row
        ):
            return f"accepts samples that mix, axes {axes}"
    own = [own_blocks(blocks, axes, ranks) for blocks in expected]
    return _any_of(_arrays(found), own, tolerance)
