"""The compiled public functions, as a user calls them, against JAX's."""

from collections.abc import Callable, Sequence
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
from tests.fuzz.programs.program import Program

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
    expected = _truths(fun, args)
    tolerance = tolerance_of(program)
    try:
        if kind == "dependence":
            return check, _box(fun, args, expected, tolerance)
        if kind == "batch":
            return check, _batch(program, fun, args, expected)
        select: Callable[[Any], Sequence[Any]] = _flat
        if kind == "jacobian":
            actual = derivatives.jacobian(fun, mode=rest[0], format=rest[1])(*args)
        elif kind == "diagonal":
            actual, select = derivatives.jacobian_diagonal(fun)(*args), diagonals
        else:
            return check, ""
    except REFUSALS:
        return check, ""
    return check, _any_of(_arrays(actual), [select(e) for e in expected], tolerance)


def _any_of(actual: Sequence[Any], expected: Sequence[Any], tolerance: float) -> str:
    differences = [differs(actual, e, tolerance) for e in expected]
    return "" if "" in differences or not differences else differences[0]


def _arrays(tree: Any) -> list[Any]:
    leaves = jax.tree.leaves(tree, is_leaf=lambda b: hasattr(b, "todense"))
    return [np.asarray(b.todense() if hasattr(b, "todense") else b) for b in leaves]


def _flat(blocks: Any) -> list[Any]:
    return [b for row in blocks for b in row]


def _truths(fun: Callable[..., Any], args: Any) -> list[Any]:
    """Return rows of blocks by each of JAX's modes that serves.

    None of them where one is not finite: zero tangents times an infinite factor are
    left out by some modes, and NaN in others.
    """
    width, truths = len(jax.tree.leaves(args[0])), []
    for by in (jax.jacfwd, jax.jacrev):
        try:
            blocks = [np.asarray(b) for b in jax.tree.leaves(jax.jit(by(fun))(*args))]
        except Exception:
            continue
        if not all(np.isfinite(b).all() for b in blocks):
            return []
        truths.append([blocks[k : k + width] for k in range(0, len(blocks), width)])
    return truths


def _box(fun: Callable[..., Any], args: Any, expected: Any, tolerance: float) -> str:
    proven = derivatives.dependence(fun, *args)
    trees = zip(
        *map(jax.tree.leaves, (proven.lower, proven.upper, proven.depends)), strict=True
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
    actual = derivatives.batch_jacobian(fun, in_axis=axes[0], out_axis=axes[1])(*args)
    ranks = [len(y.shape) for y in jax.tree.leaves(jax.eval_shape(fun, *args))]
    for blocks in expected:
        pairs = zip(blocks, ranks, strict=True)
        if any(
            mixes(b, axes, rank, 1e-3 * tolerance) for row, rank in pairs for b in row
        ):
            return f"accepts samples that mix, axes {axes}"
    own = [own_blocks(blocks, axes, ranks) for blocks in expected]
    return _any_of(_arrays(actual), own, tolerance)
