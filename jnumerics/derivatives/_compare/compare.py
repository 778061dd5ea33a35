"""The modes side by side: predicted, measured, and compared with a reference."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jaxlib
import numpy as np

from jnumerics import _check
from jnumerics.derivatives._compare import reference as _reference
from jnumerics.derivatives._compare.contenders import (
    MODES,
    Entry,
    Task,
    compile_mode,
    compilers_count,
    counter,
)
from jnumerics.derivatives._compare.result import ModeComparison, ModeResult
from jnumerics.derivatives._compare.timing import (
    Interrupted,
    Timing,
    interleave,
    verdict,
)
from jnumerics.derivatives._program import arguments
from jnumerics.derivatives._program.arguments import ArgNums, check_bound

__all__ = ["ModeComparison", "ModeResult", "compare_modes"]

CALLS = 5  # in a run of a short program


@jax.disable_jit(False)  # what is measured are compiled programs
def compare_modes(
    fun: Callable,
    *args: Any,
    argnums: ArgNums = 0,
    target: str = "jacobian",
    modes: Sequence[str] | None = None,
    batch: bool = False,
    repeats: int = 20,
    max_bytes: int | None = None,
    reference: str | None = "float64",
    **kwargs: Any,
) -> ModeComparison:
    r"""Measure the derivative modes of a function side by side.

    Every mode is compiled ahead, warmed up, and run `repeats` times, interleaved with
    the others in random order, each result waited for. A run of a short program is the
    shortest of five calls, because other work on the machine only ever adds. The
    fastest is named only where its margin to every other mode, the difference of
    medians, exceeds the spread, half of both interquartile ranges (larger in proportion
    where there are fewer than 20 runs). Cost: compiling each mode, and `repeats` runs
    of it.

    Args:
        fun: A traceable function of arrays or pytrees.
        *args: Its arguments.
        argnums: Which of them to differentiate with respect to.
        target: "jacobian"; "batch": blocks for each sample along axis 0; "hessian"; or
            "laplacian".
        modes: Which modes; by default "forward", "reverse", "cut" and "compressed", for
            "batch" "forward", "reverse", "cut" and "full": the full Jacobian and its
            diagonal blocks; for "hessian" also "star"; for "laplacian" "nested",
            "collapsed" and "narrow".
        batch: True means `target` "batch".
        repeats: Runs of each mode, at least 1; a single run names no winner.
        max_bytes: Bound of each mode's temporary memory, as in `jacobian`. A full
            Jacobian larger than that (or than 1 GiB) is not tried.
        reference: "float64" compares with the derivative in float64; where `fun` itself
            keeps float32, the first mode that runs in the given dtype serves. None
            compares nothing.
        **kwargs: Its named arguments; the names above are ours.

    Returns:
        The comparison, with figures for each mode; a mode that fails or is not served
        is a row that says why.

    Raises:
        KeyboardInterrupt: By Ctrl-C; once every mode has run, its attribute `found` is
            the comparison of the runs until then, with nothing to compare results with.
        SampleMixingError: For "batch", a ValueError, if samples may mix.
        TypeError: As `jacobian`, if an option has another type, and if an argument has
            no values, as under `jit`.
        ValueError: If an option is unknown, or the shapes do not fit.

    Example:
        >>> import jax.numpy as jnp
        >>> comparison = compare_modes(lambda x: x.sum() ** 2, jnp.ones(9), repeats=2)
        >>> [(m.mode, m.passes) for m in comparison.modes][:2]
        [('forward', 9), ('reverse', 1)]
    """
    _check.function("fun", fun)
    _check.boolean("batch", batch)
    bound = check_bound(max_bytes)
    repeats = _check.integer("repeats", repeats, least=1)
    _check.option("reference", reference, ("float64", None))
    kind = _kind(target, batch)
    chosen = _chosen(modes, kind)
    args, kwargs = _with_values(*arguments.closed(args, kwargs))
    task = Task(fun, args, kwargs, argnums, kind, bound)
    named = task.names(chosen)
    measured = dict.fromkeys(named.values())
    entries = {mode: compile_mode(task, mode) for mode in measured}
    evaluation = jax.jit(arguments.opening(fun)).lower(*args, **kwargs).compile()
    ran = {mode: e for mode, e in entries.items() if isinstance(e, Entry)}
    calls = {m: functools.partial(e.program, *args, **kwargs) for m, e in ran.items()}
    evaluate = functools.partial(evaluation, *args, **kwargs)
    timings, interrupt = _timed({**calls, "": evaluate}, repeats)
    counted_by = counter([e.program for e in ran.values()])
    try:
        truth, standard = _truth(task, None if interrupt else reference)
    except KeyboardInterrupt as late:
        truth, standard, interrupt = None, "nothing", late
    rows = _rows(task, entries, timings, counted_by, truth)
    judged = verdict({mode: timings[mode] for mode in ran})
    comparison = ModeComparison(
        **_circumstances(fun, args, kwargs),
        modes=tuple(_named(rows[named[mode]], mode) for mode in chosen),
        evaluation=timings[""],
        predicted=task.predicted(named),
        fastest=judged.fastest,
        tie=judged.tie,
        counted_by=counted_by,
        reference=standard,
        target=kind,
    )
    if interrupt:
        raise Interrupted(comparison) from None
    return comparison


def _rows(
    task: Task,
    entries: Mapping[str, Entry | str],
    timings: Mapping[str, Timing],
    counted_by: str,
    truth: Any,
) -> dict[str, ModeResult]:
    """Return each mode's figures, or why it has none."""
    return {
        mode: _figures(
            mode, entry, timings, counted_by, _difference(task, entry, truth)
        )
        if isinstance(entry, Entry)
        else ModeResult(mode, error=entry)
        for mode, entry in entries.items()
    }


def _timed(
    calls: Mapping[str, Callable], repeats: int
) -> tuple[dict[str, Timing], KeyboardInterrupt | None]:
    """Time programs; by Ctrl-C, keep the rounds that are done."""
    try:
        return interleave(calls, repeats, calls=CALLS), None
    except Interrupted as interrupt:
        return interrupt.found, interrupt


def _kind(target: str, batch: bool) -> str:
    _check.option("target", target, tuple(MODES))
    if batch and target not in ("jacobian", "batch"):
        msg = f"`target` must be 'batch' where `batch` is True, got {target!r}"
        raise ValueError(msg)
    return "batch" if batch else target


def _chosen(modes: Sequence[str] | None, kind: str) -> list[str]:
    if modes is None:
        return [mode for mode in MODES[kind] if (kind, mode) != ("batch", "compressed")]
    if not isinstance(modes, Sequence):  # a generator would be used up, a set shuffled
        msg = f"`modes` must be a sequence of modes, got {type(modes).__name__}"
        raise TypeError(msg)
    if isinstance(modes, str) or not modes:
        msg = f"`modes` must be a sequence of at least one mode, got {modes!r}"
        raise ValueError(msg)
    for mode in modes:
        _check.option("modes", mode, MODES[kind])
    return list(dict.fromkeys(modes))


def _with_values(args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    if not _check.is_concrete(*jax.tree.leaves((args, kwargs))):
        msg = (
            "`args` must have values, got a tracer: compare modes outside jit, vmap "
            "and grad"
        )
        raise TypeError(msg)
    return args, kwargs


def _figures(
    mode: str,
    entry: Entry,
    timings: Mapping[str, Timing],
    counted_by: str,
    off: float | None,
) -> ModeResult:
    candidate = entry.candidate
    cost = candidate.cost if candidate else None
    if counted_by == "compiler":
        flops, moved = compilers_count(entry.program) or (None, None)
    else:
        flops, moved = (cost.operations, cost.bytes) if cost else (None, None)
    return ModeResult(
        mode=mode,
        passes=candidate.passes if candidate else None,
        flops=flops,
        bytes=moved,
        temp_bytes=getattr(entry.program.memory_analysis(), "temp_size_in_bytes", None),
        compile_s=entry.compile_s,
        predicted_s=cost.seconds if cost else None,
        run_s=timings[mode],
        times_evaluation=timings[mode].median / timings[""].median,
        max_relative_difference=off,
    )


def _named(row: ModeResult, mode: str) -> ModeResult:
    return row if row.mode == mode else row._replace(mode=mode, same_as=row.mode)


def _truth(task: Task, reference: str | None) -> tuple[Any, str]:
    if reference is None:
        return None, "nothing"
    ends = {mode: task.derivative(mode) for mode in MODES[task.kind][:2]}
    return _reference.find(task.best(), ends, task.args, **task.kwargs)


def _difference(task: Task, entry: Entry, truth: Any) -> float | None:
    if truth is None:
        return None
    result = entry.program(*task.args, **task.kwargs)
    rows = (task.target.outputs.flatten_up_to(tree) for tree in (result, truth))
    return _reference.difference(*rows)


def _circumstances(fun: Callable, args: tuple, kwargs: dict) -> dict[str, Any]:
    leaves = jax.tree.leaves((args, kwargs))
    inner = fun.func if isinstance(fun, functools.partial) else fun
    versions = {"jax": jax.__version__, "jaxlib": jaxlib.__version__}
    return {
        "function": getattr(inner, "__name__", type(inner).__name__),
        "shapes": tuple(x.shape for x in leaves),
        "dtypes": tuple(str(x.dtype) for x in leaves),
        "device": next(iter(leaves[0].devices())).device_kind,
        "versions": versions | {"numpy": np.__version__},
    }
