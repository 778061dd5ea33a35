"""The modes that take part in a comparison: which program each runs, compiled ahead."""

import functools
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jnumerics import _table
from jnumerics.derivatives._batch import batch_jacobian
from jnumerics.derivatives._cheapest import planned
from jnumerics.derivatives._hessian import hessian
from jnumerics.derivatives._jacobian import jacobian
from jnumerics.derivatives._laplacian import laplacian
from jnumerics.derivatives._plan import candidates
from jnumerics.derivatives._plan import plan as _plan
from jnumerics.derivatives._plan.result import Candidate, Plan
from jnumerics.derivatives._plan.second import choose as _second
from jnumerics.derivatives._program import trace
from jnumerics.derivatives._program.arguments import ArgNums, opening
from jnumerics.derivatives._program.layout import common_dtype
from jnumerics.derivatives._program.trace import Target

FULL = "full"  # the full Jacobian of a batch, and its diagonal blocks
FULL_BYTES = 1 << 30  # of a full Jacobian that is worth comparing, unless bounded
MODES = {  # of each target
    "jacobian": candidates.MODES,
    "batch": (*candidates.MODES, FULL),
    "hessian": candidates.MODES_OF_HESSIANS,
    "laplacian": _second.MODES,
}
_FUNCTIONS = {
    "jacobian": jacobian,
    "batch": batch_jacobian,
    "hessian": hessian,
    "laplacian": laplacian,
}


class Entry(NamedTuple):
    """A mode that takes part: its program, the plan's count, seconds to compile."""

    program: Any
    candidate: Candidate | None
    compile_s: float


@dataclass(frozen=True)
class Task:
    """What is compared: a function at closed arguments (see `arguments`)."""

    fun: Callable
    args: tuple
    kwargs: dict
    argnums: ArgNums
    kind: str
    bound: int | None

    @functools.cached_property
    def target(self) -> Target:
        return trace.trace(self.fun, self.args, self.kwargs, argnums=self.argnums)

    @functools.cached_property
    def plan(self) -> Plan:
        return self._build(None)

    def _build(self, bound: int | None) -> Plan:
        return planned(
            self.fun,
            self.args,
            self.kwargs,
            argnums=self.argnums,
            target=self.kind,
            max_bytes=bound,
        )

    def candidate(self, mode: str) -> Candidate | None:
        return next((c for c in self.plan.candidates if c.mode == mode), None)

    def names(self, chosen: Sequence[str]) -> dict[str, str]:
        """Return for each mode the first of the chosen ones that runs its program.

        The original comes before those that come down to it.
        """
        groups: dict[str, list[str]] = {}
        for mode in chosen:
            groups.setdefault(self._program(mode), []).append(mode)
        heads = {p: p if p in group else group[0] for p, group in groups.items()}
        return {mode: heads[self._program(mode)] for mode in chosen}

    def _program(self, mode: str) -> str:
        candidate = self.candidate(mode)
        return (candidate and candidate.same_as) or mode

    def predicted(self, named: Mapping[str, str]) -> str:
        """Return the plan's choice, by the name that its program has among `names`."""
        try:
            choice = self._build(self.bound).mode
        except ValueError:  # no mode keeps to the bound: the rows say so
            choice = self.plan.mode
        program = self._program(choice)
        same = (head for m, head in named.items() if self._program(m) == program)
        return next(same, program)

    def best(self) -> Callable:
        """Return the derivative as the plan takes it."""
        return _FUNCTIONS[self.kind](self.fun, self.argnums)

    def derivative(self, mode: str) -> Callable:
        """Return the derivative by one mode."""
        make = _FUNCTIONS[self.kind]
        return make(self.fun, self.argnums, mode=mode, max_bytes=self.bound)

    def full(self) -> tuple[Callable, Candidate]:
        """Return the full Jacobian's blocks, by the mode that is predicted for it."""
        needed = sum(
            o.size * i.size * common_dtype(o.dtype, i.dtype).itemsize
            for o in self.target.out_avals
            for i in self.target.in_avals
        )
        _require_below(self.bound or FULL_BYTES, needed, "the full Jacobian")
        choice = _plan.choose(self.target).choice
        full = jacobian(self.fun, self.argnums, mode=choice.mode)
        shapes = jax.eval_shape(opening(self.fun), *self.args, **self.kwargs)
        outputs, tree = jax.tree.flatten(shapes)

        def blocks(*args: Any, **kwargs: Any) -> Any:
            rows = tree.flatten_up_to(full(*args, **kwargs))
            pairs = zip(rows, outputs, strict=True)
            return tree.unflatten([_diagonal_blocks(r, o.ndim) for r, o in pairs])

        return blocks, choice


def _diagonal_blocks(row: Any, rank: int) -> Any:
    """Keep the blocks (n, *out, *in) of full Jacobians (n, *out, n, *in)."""
    return jax.tree.map(
        lambda full: jnp.moveaxis(jnp.diagonal(full, axis1=0, axis2=rank), -1, 0), row
    )


def _require_below(bound: int, needed: int, what: str) -> None:
    if needed > bound:
        size, limit = _table.memory(needed), _table.memory(bound)
        msg = f"{what} takes {size}, more than {limit}"
        raise ValueError(msg)


def compile_mode(task: Task, mode: str) -> Entry | str:
    """Compile a mode ahead and run it once; one that fails gives the reason."""
    candidate = None if mode == FULL else task.candidate(mode)
    if candidate is not None and candidate.strategy is None:
        return candidate.note
    start = time.perf_counter()
    try:
        run, candidate = (
            task.full() if mode == FULL else (task.derivative(mode), candidate)
        )
        program = jax.jit(run).lower(*task.args, **task.kwargs).compile()
        seconds = time.perf_counter() - start
        if mode == FULL and task.bound is not None:
            used = getattr(program.memory_analysis(), "temp_size_in_bytes", 0)
            _require_below(task.bound, used, "the temporary memory")
        jax.block_until_ready(program(*task.args, **task.kwargs))
    except Exception as error:  # whatever it is, it is this mode's row
        text = str(error) or type(error).__name__
        return text.split("\n", maxsplit=1)[0]
    return Entry(program, candidate, seconds)


def counter(programs: Sequence[Any]) -> str:
    """Say who counts: the compiler, unless it counts the body of a loop once."""
    can = all(compilers_count(p) and not _has_loop(p) for p in programs)
    return "compiler" if can else "jnumerics"


def compilers_count(program: Any) -> tuple[float, float] | None:
    analysis = program.cost_analysis()
    if not analysis or analysis.get("flops", 0.0) < 0:
        return None
    return analysis.get("flops", 0.0), analysis.get("bytes accessed", 0.0)


def _has_loop(program: Any) -> bool:
    return bool(re.search(r"\bwhile\(", program.as_text()))
