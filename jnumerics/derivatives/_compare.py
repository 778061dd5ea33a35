"""The modes side by side: predicted, measured, and compared with a reference."""

import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jaxlib
import numpy as np

from jnumerics import _check, _table
from jnumerics.derivatives import _plan, _samples, _target
from jnumerics.derivatives._batch import batch_jacobian
from jnumerics.derivatives._jacobian import check_bound, jacobian
from jnumerics.derivatives._plan import Candidate, Plan
from jnumerics.derivatives._target import ArgNums, Target
from jnumerics.derivatives._timing import Timing, interleave, verdict

FULL = "full"  # the full Jacobian, and its diagonal blocks
FULL_BYTES = 1 << 30  # of a full Jacobian that is worth comparing, unless bounded


class ModeResult(NamedTuple):
    """One mode: what it costs, and how far it is from the reference.

    Attributes:
        mode: Its name.
        passes: Forward or reverse passes.
        flops: Operations.
        bytes: Bytes moved.
        temp_bytes: Temporary memory, by the compiled program's own analysis.
        compile_s: Seconds to trace, plan and compile.
        run_s: Run times.
        times_evaluation: Median, as a multiple of one evaluation of the function.
        max_relative_difference: The largest difference to the reference, relative to
            the reference's largest entry, of any leaf of the result.
        same_as: The mode whose program this one comes down to; its figures are repeated.
        error: Why there are no figures.
    """

    mode: str
    passes: int | None = None
    flops: float | None = None
    bytes: float | None = None
    temp_bytes: int | None = None
    compile_s: float | None = None
    run_s: Timing | None = None
    times_evaluation: float | None = None
    max_relative_difference: float | None = None
    same_as: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class ModeComparison:
    """Derivative modes of one function, side by side; `print` it.

    Attributes:
        function: Its name.
        shapes: Shapes of its arguments' leaves, with dtypes.
        device: The device's name.
        versions: Of jax, jaxlib, numpy and jnumerics' Python.
        modes: A row for each mode.
        evaluation: Run times of the function itself.
        predicted: The plan's choice.
        fastest: The fastest by measurement; None where the spread hides it.
        tie: Whether several modes ran and none is named.
        counted_by: Who counted operations and bytes: "compiler" or "jnumerics".
        reference: What the differences refer to.
    """

    function: str
    shapes: tuple[str, ...]
    device: str
    versions: dict[str, str]
    modes: tuple[ModeResult, ...]
    evaluation: Timing
    predicted: str
    fastest: str | None
    tie: bool
    counted_by: str
    reference: str

    def __str__(self) -> str:
        """Return a table in 100 columns, and the verdict."""
        title = f"{self.function}({', '.join(self.shapes)}) on {self.device}"
        return f"{title}\n\n{_table.text(*self._table())}\n\n{self._verdict()}"

    def _repr_html_(self) -> str:
        return f"{_table.html(*self._table())}<p>{self._verdict()}</p>"

    def to_json(self) -> str:
        """Return all figures as JSON; what is not known is null."""
        modes = [
            m._asdict() | {"run_s": m.run_s._asdict() if m.run_s else None}
            for m in self.modes
        ]
        return _table.to_json(
            {
                "function": self.function,
                "shapes": self.shapes,
                "device": self.device,
                "versions": self.versions,
                "evaluation_s": self.evaluation._asdict(),
                "modes": modes,
                "predicted": self.predicted,
                "fastest": self.fastest,
                "tie": self.tie,
                "counted_by": self.counted_by,
                "reference": self.reference,
            }
        )

    def _verdict(self) -> str:
        measured = (
            "a tie: the margin is within the spread" if self.tie else self.fastest
        )
        text = (
            f"predicted: {self.predicted}; fastest: {measured or 'none ran'}. "
            f"One evaluation takes {_table.seconds(self.evaluation.median)}; operations "
            f"and bytes by {self.counted_by}; errors against {self.reference}."
        )
        return textwrap.fill(text, 100)

    def _table(self) -> tuple[list[str], list[list[str]]]:
        header = ["mode", "passes", "flops", "bytes", "memory", "compile", "median", "quartiles", "x eval", "error"]  # fmt: skip
        return header, [_row(m) for m in self.modes]


def _row(m: ModeResult) -> list[str]:
    name = m.mode if m.same_as is None else f"{m.mode} = {m.same_as}"
    if m.run_s is None:
        return [name, *["-"] * 6, m.error or "-", "-", "-"]
    return [
        name,
        _or_dash(m.passes, str),
        _or_dash(m.flops, _table.count),
        _or_dash(m.bytes, _table.memory),
        _or_dash(m.temp_bytes, _table.memory),
        _or_dash(m.compile_s, _table.seconds),
        _table.seconds(m.run_s.median),
        _table.seconds_range(m.run_s.q1, m.run_s.q3),
        _or_dash(m.times_evaluation, _table.number),
        _or_dash(m.max_relative_difference, lambda x: f"{x:.1e}"),
    ]


def _or_dash(value: Any, write: Callable[[Any], str]) -> str:
    return "-" if value is None else write(value)


def compare_modes(
    fun: Callable,
    *args: Any,
    argnums: ArgNums = 0,
    modes: Sequence[str] | None = None,
    batch: bool = False,
    repeats: int = 20,
    max_bytes: int | None = None,
    reference: str | None = "float64",
) -> ModeComparison:
    r"""Measure the derivative modes of a function side by side.

    Every mode is compiled ahead, warmed up, and run `repeats` times, interleaved with the
    others in random order, each result waited for. The fastest is named only where the
    margin exceeds the spread. Cost: compiling each mode, and `repeats` runs of it.

    Args:
        fun: A traceable function of arrays or pytrees.
        *args: Its arguments.
        argnums: Which of them to differentiate with respect to.
        modes: Which modes; by default "forward", "reverse", "cut" and "compressed", with
            `batch` "forward", "reverse", "cut" and "full": the full Jacobian and its
            diagonal blocks.
        batch: Whether to compare ways to per-sample blocks along axis 0.
        repeats: Runs of each mode, at least 1; a single run names no winner.
        max_bytes: Bound of each mode's temporary memory, as in `jacobian`. A full
            Jacobian larger than that (or than 1 GiB) is not tried.
        reference: "float64" compares with the derivative in float64; where `fun` itself
            keeps float32, forward mode in the given dtype serves. None compares nothing.

    Returns:
        The comparison, with figures for each mode; a mode that fails or is not served
        is a row that says why.

    Raises:
        SampleMixingError: With `batch`, a ValueError, if samples may mix.
        TypeError: As `jacobian`.
        ValueError: If an option is unknown, or the shapes do not fit.

    Example:
        >>> import jax.numpy as jnp
        >>> found = compare_modes(lambda x: x.sum() ** 2, jnp.ones(9), repeats=2)
        >>> [(m.mode, m.passes) for m in found.modes][:2]
        [('forward', 9), ('reverse', 1)]
    """
    _check.function("fun", fun)
    bound = check_bound(max_bytes)
    repeats = _check.integer("repeats", repeats, least=1)
    _check.option("reference", reference, ("float64", None))
    chosen = _chosen(modes, batch)
    args = _target.as_arrays(args, {})[0]
    target = _target.make(fun, args, argnums=argnums)
    plan = _plan_all(target, batch)
    runners = {
        mode: _runner(fun, argnums, mode, batch, bound)
        for mode in _measured(plan, chosen)
    }
    compiled, rows = _compile_all(runners, target, args, bound)
    evaluation = jax.jit(fun).lower(*args).compile()
    programs = {mode: _call(program, args) for mode, (program, _) in compiled.items()}
    timings = interleave({**programs, "": _call(evaluation, args)}, repeats)
    truth, kind = _reference(fun, args, argnums, batch, reference)
    for mode, (program, seconds) in compiled.items():
        rows[mode] = _figures(mode, program, seconds, plan, timings)._replace(
            max_relative_difference=_difference(program(*args), truth)
        )
    judged = verdict({mode: timings[mode] for mode in compiled})
    return ModeComparison(
        function=getattr(fun, "__name__", type(fun).__name__),
        shapes=tuple(_aval(x) for x in jax.tree.leaves(args)),
        device=jax.devices()[0].device_kind,
        versions=_versions(),
        modes=tuple(_result(plan, mode, rows) for mode in chosen),
        evaluation=timings[""],
        predicted=plan.choice.same_as or plan.mode,
        fastest=judged.fastest,
        tie=judged.tie,
        counted_by="compiler" if _has_costs(compiled) else "jnumerics",
        reference=kind,
    )


def _chosen(modes: Sequence[str] | None, batch: bool) -> list[str]:
    allowed = [*_plan.MODES[:3], FULL] if batch else list(_plan.MODES)
    if modes is None:
        return allowed
    if isinstance(modes, str) or not modes:
        msg = f"`modes` must be a sequence of at least one mode, got {modes!r}"
        raise ValueError(msg)
    for mode in modes:
        _check.option("modes", mode, allowed)
    return list(dict.fromkeys(modes))


def _plan_all(target: Target, batch: bool) -> Plan:
    if not batch:
        return _plan.build(target)
    axes = _samples.sample_axes(target, 0, 0)
    _samples.require_independent(target, axes)
    return _plan.build(target, "batch", axes=axes)


def _candidate(plan: Plan, mode: str) -> Candidate | None:
    return next((c for c in plan.candidates if c.mode == mode), None)


def _original(plan: Plan, mode: str, chosen: Sequence[str]) -> str:
    """Return the mode whose program this one runs, if that is among the chosen."""
    candidate = _candidate(plan, mode)
    same = candidate.same_as if candidate else None
    return same if same in chosen else mode


def _measured(plan: Plan, chosen: Sequence[str]) -> list[str]:
    return [mode for mode in chosen if _original(plan, mode, chosen) == mode]


def _runner(
    fun: Callable, argnums: ArgNums, mode: str, batch: bool, bound: int | None
) -> Callable:
    if mode == FULL:
        full = jacobian(fun, argnums)
        return lambda *args: _diagonal_blocks(full(*args), fun, args, argnums)
    if batch:
        return batch_jacobian(fun, argnums, mode=mode, max_bytes=bound, check=None)
    return jacobian(fun, argnums, mode=mode, max_bytes=bound)


def _diagonal_blocks(full: Any, fun: Callable, args: Any, argnums: ArgNums) -> Any:
    """Keep the blocks (n, *out, *in) of a full Jacobian (n, *out, n, *in)."""
    results = jax.eval_shape(fun, *args)
    outputs, tree = jax.tree.flatten(results)
    del argnums

    def blocks(row: Any, out: Any) -> Any:
        axis = len(out.shape)
        return jax.tree.map(
            lambda block: jnp.moveaxis(jnp.diagonal(block, axis1=0, axis2=axis), -1, 0),
            row,
        )

    rows = tree.flatten_up_to(full)
    pairs = zip(rows, outputs, strict=True)
    return tree.unflatten([blocks(row, out) for row, out in pairs])


def _compile_all(
    runners: dict[str, Callable], target: Target, args: Any, bound: int | None
) -> tuple[dict[str, tuple[Any, float]], dict[str, ModeResult]]:
    """Compile each mode ahead; one that fails becomes a row with the reason."""
    compiled, rows = {}, {}
    for mode, run in runners.items():
        start = time.perf_counter()
        try:
            if mode == FULL:
                _require_full_fits(target, bound)
            program = jax.jit(run).lower(*args).compile()
        except (ValueError, TypeError, NotImplementedError, RuntimeError) as error:
            reason = str(error).split("\n", maxsplit=1)[0]
            rows[mode] = ModeResult(mode, error=reason)
            continue
        compiled[mode] = (program, time.perf_counter() - start)
    return compiled, rows


def _require_full_fits(target: Target, bound: int | None) -> None:
    needed = sum(
        o.size * i.size * jnp.promote_types(o.dtype, i.dtype).itemsize
        for o in target.out_avals
        for i in target.in_avals
    )
    if needed > (bound or FULL_BYTES):
        msg = (
            f"the full Jacobian takes {_table.memory(needed)}, "
            f"more than {_table.memory(bound or FULL_BYTES)}"
        )
        raise ValueError(msg)


def _call(program: Callable, args: Any) -> Callable[[], Any]:
    return lambda: program(*args)


def _figures(
    mode: str,
    program: Any,
    seconds: float,
    plan: Plan,
    timings: dict[str, Timing],
) -> ModeResult:
    candidate = _candidate(plan, mode)
    flops, moved = _costs(program)
    if candidate is not None and flops is None:
        flops, moved = candidate.cost.operations, candidate.cost.bytes
    memory = program.memory_analysis()
    return ModeResult(
        mode=mode,
        passes=candidate.passes if candidate else None,
        flops=flops,
        bytes=moved,
        temp_bytes=getattr(memory, "temp_size_in_bytes", None),
        compile_s=seconds,
        run_s=timings[mode],
        times_evaluation=timings[mode].median / timings[""].median,
    )


def _costs(program: Any) -> tuple[float | None, float | None]:
    found = program.cost_analysis() or {}
    return found.get("flops"), found.get("bytes accessed")


def _has_costs(compiled: dict[str, tuple[Any, float]]) -> bool:
    return any(_costs(program)[0] is not None for program, _ in compiled.values())


def _result(plan: Plan, mode: str, rows: dict[str, ModeResult]) -> ModeResult:
    if mode in rows:
        return rows[mode]
    original = _original(plan, mode, list(rows))
    return rows[original]._replace(mode=mode, same_as=original)


def _reference(
    fun: Callable, args: Any, argnums: ArgNums, batch: bool, reference: str | None
) -> tuple[Any, str]:
    """Return the derivative to compare with, and what it is."""
    if reference is None:
        return None, "nothing"
    run = batch_jacobian(fun, argnums) if batch else jacobian(fun, argnums)
    with jax.enable_x64(True):
        wide = jax.tree.map(_widen, args)
        results = jax.tree.leaves(jax.eval_shape(fun, *wide))
        if all(jnp.finfo(r.dtype).bits == 64 for r in results):
            return jax.tree.map(np.asarray, run(*wide)), "the derivative in float64"
    run = _runner(fun, argnums, "forward", batch, None)
    kind = (
        "forward mode in the given dtype, as the function does not compute in float64"
    )
    return jax.tree.map(np.asarray, run(*args)), kind


def _widen(x: Any) -> Any:
    if jnp.issubdtype(x.dtype, jnp.inexact):
        wide = jnp.complex128 if jnp.iscomplexobj(x) else jnp.float64
        return jnp.asarray(np.asarray(x), wide)
    return jnp.asarray(x)


def _difference(found: Any, truth: Any) -> float | None:
    """Return the largest difference, relative to the largest entry of each output."""
    if truth is None:
        return None
    worst = 0.0
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(truth), strict=True):
        difference = np.abs(np.asarray(a, b.dtype) - b).max(initial=0.0)
        worst = max(worst, float(difference / (np.abs(b).max(initial=0.0) or 1.0)))
    return worst


def _aval(x: Any) -> str:
    return f"{x.dtype}{list(x.shape)}"


def _versions() -> dict[str, str]:
    return {
        "jax": jax.__version__,
        "jaxlib": jaxlib.__version__,
        "numpy": np.__version__,
    }
