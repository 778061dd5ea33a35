"""What a comparison of derivative modes found, as a table, HTML and JSON."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from jnumerics import _table
from jnumerics.derivatives._compare.timing import Timing, level_with_best

WIDTH = 100  # columns of text
HEADER = (
    "mode", "passes", "flops", "bytes", "memory", "compile", "plan", "median",
    "quartiles", "evals", "diff",
)  # fmt: skip


class ModeResult(NamedTuple):
    """One mode: what it costs, and how far it is from the reference.

    Attributes:
        mode: Its name.
        passes: Forward or reverse passes.
        flops: Operations.
        bytes: Bytes moved.
        temp_bytes: Temporary memory, by the compiled program's own analysis.
        compile_s: Seconds to trace, plan and compile.
        predicted_s: Seconds of a run, as the plan predicts them.
        run_s: Run times.
        times_evaluation: Median, as a multiple of one evaluation of the function.
        max_relative_difference: The largest difference to the reference, relative to
            the reference's largest entry, of any leaf of the result.
        same_as: The mode whose program this one comes down to; its figures are
            repeated.
        error: Why there are no figures.
    """

    mode: str
    passes: int | None = None
    flops: float | None = None
    bytes: float | None = None
    temp_bytes: int | None = None
    compile_s: float | None = None
    predicted_s: float | None = None
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
        shapes: Shapes of its arguments' leaves.
        dtypes: Their dtypes.
        device: The device's name.
        versions: Of jax, jaxlib and numpy.
        modes: A row for each mode.
        evaluation: Run times of the function itself.
        predicted: The plan's choice.
        fastest: The fastest by measurement; None where the spread hides it.
        tie: Whether several modes ran and none is named.
        counted_by: Who counted operations and bytes: "compiler" or "jnumerics", which
            serves where the compiler does not count, or counts a loop's body once.
        reference: What the differences refer to.
        target: Which derivative: "jacobian", "batch", "hessian" or "laplacian".
    """

    function: str
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[str, ...]
    device: str
    versions: dict[str, str]
    modes: tuple[ModeResult, ...]
    evaluation: Timing
    predicted: str
    fastest: str | None
    tie: bool
    counted_by: str
    reference: str
    target: str = "jacobian"

    def __repr__(self) -> str:
        """Return the verdict in one line."""
        verdict = f"fastest {self._measured()}; predicted {self.predicted}"
        return f"<ModeComparison of {self.function}: {verdict}>"

    def __str__(self) -> str:
        """Return a table in 100 columns, and the verdict."""
        rows = [_row(m) for m in self.modes]
        parts = [_wrapped(self._title()), _table.text(HEADER, rows, width=WIDTH)]
        remarks = [_wrapped(remark) for remark in self._remarks()]
        return "\n\n".join([*parts, "\n".join(remarks)])

    def _repr_html_(self) -> str:
        table = _table.html(HEADER, [_row(m) for m in self.modes])
        title, remarks = self._title(), self._remarks()
        return f"{_table.html_lines(title)}{table}{_table.html_lines(*remarks)}"

    def to_json(self) -> str:
        """Return all figures as JSON; what is not known is null."""
        modes = [
            m._asdict() | {"run_s": m.run_s._asdict() if m.run_s else None}
            for m in self.modes
        ]
        return _table.to_json(
            {
                "device": self.device,
                "versions": self.versions,
                "function": self.function,
                "shapes": self.shapes,
                "dtypes": self.dtypes,
                "evaluation_s": self.evaluation._asdict(),
                "modes": modes,
                "predicted": self.predicted,
                "fastest": self.fastest,
                "tie": self.tie,
                "counted_by": self.counted_by,
                "reference": self.reference,
                "target": self.target,
            }
        )

    def _title(self) -> str:
        leaves = [
            f"{dtype}{list(shape)}"
            for dtype, shape in zip(self.dtypes, self.shapes, strict=True)
        ]
        is_plain = self.target in ("jacobian", "batch")
        what = self.function if is_plain else f"{self.target} of {self.function}"
        return f"{what}({', '.join(leaves)}) on {self.device}"

    def _remarks(self) -> list[str]:
        """The verdict, what the columns mean, and modes that need a word."""
        remarks = [f"Fastest: {self._measured()}. Predicted: {self.predicted}."]
        for original in dict.fromkeys(m.same_as for m in self.modes if m.same_as):
            same = [m.mode for m in self.modes if m.same_as == original]
            remarks.append(f"The program of {_listed(same)} is that of {original}.")
        remarks += [
            f"{m.mode} has no figures: {m.error}"
            for m in self.modes
            if m.error is not None and m.same_as is None
        ]
        remarks.append(
            f"One evaluation takes {_table.seconds(self.evaluation.median)}; evals is "
            f"a median as a multiple of it, plan the predicted time. Operations and "
            f"bytes are counted by {self._counter()}, memory is temporary. "
            f"{self._compared()}"
        )
        return remarks

    def _measured(self) -> str:
        ran = {
            m.mode: m.run_s
            for m in self.modes
            if m.run_s is not None and m.same_as is None
        }
        if self.tie:
            return f"a tie of {_listed(level_with_best(ran))}, {self._why_a_tie()}"
        if self.fastest is None:
            return "none, no mode ran"
        if len(ran) == 1:
            return f"{self.fastest}, as nothing else ran"
        second = sorted(ran, key=lambda mode: ran[mode].median)[1]
        margin = ran[second].median / ran[self.fastest].median
        return f"{self.fastest}, {_table.times(margin, 3)} times faster than {second}"

    def _why_a_tie(self) -> str:
        if len(self.evaluation.runs) == 1:
            return "as a single run has no spread"
        return "as the margin is within the spread"

    def _compared(self) -> str:
        if all(m.max_relative_difference is None for m in self.modes):
            return f"Results were compared with {self.reference}."
        return (
            f"diff is the largest difference to {self.reference}, relative to its "
            f"largest entry."
        )

    def _counter(self) -> str:
        return f"the {self.counted_by}".replace("the jnumerics", "jnumerics")


def _row(m: ModeResult) -> list[str]:
    if m.run_s is None:
        return [m.mode, *["-"] * (len(HEADER) - 1)]
    return [
        m.mode,
        _or_dash(m.passes, str),
        _or_dash(m.flops, _table.count),
        _or_dash(m.bytes, _table.memory),
        _or_dash(m.temp_bytes, _table.memory),
        _or_dash(m.compile_s, _table.seconds),
        _or_dash(m.predicted_s, _table.seconds),
        _table.seconds(m.run_s.median),
        _quartiles(m.run_s),
        _or_dash(m.times_evaluation, lambda x: _table.times(x, 3)),
        _or_dash(m.max_relative_difference, lambda x: f"{x:.1e}"),
    ]


def _quartiles(t: Timing) -> str:
    """Write both quartiles in the median's unit."""
    return "-".join(_table.seconds_in_unit_of(q, t.median) for q in (t.q1, t.q3))


def _listed(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _or_dash(value: Any, write: Callable[[Any], str]) -> str:
    return "-" if value is None else write(value)


def _wrapped(line: str) -> str:
    return textwrap.fill(line, WIDTH)
