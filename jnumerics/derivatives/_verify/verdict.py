"""What a check of derivatives found, and how it is shown."""

import textwrap
from dataclasses import dataclass, field

from jnumerics import _table

HEADER = ("check", "found", "limit", "verdict", "meaning")
FAILING = ("FAILED", "not decidable")


@dataclass(frozen=True)
class Finding:
    """One line of a check: a figure, the limit it is held to, and what it says."""

    name: str
    figure: float | None
    limit: float | None
    verdict: str
    meaning: str

    @property
    def is_failed(self) -> bool:
        """Whether this line stands against the derivatives."""
        return self.verdict in FAILING

    @property
    def row(self) -> tuple[str, str, str, str, str]:
        """The line as strings."""
        figure, limit = (
            "-" if v is None else _table.number(v, 2) for v in (self.figure, self.limit)
        )
        return (self.name, figure, limit, self.verdict, self.meaning)


@dataclass(frozen=True)
class DerivativeCheck:
    """What `check_derivatives` found. All figures are relative; None: not served.

    Attributes:
        passed: Whether every check that could run found the derivatives right. A kink
            at the point alone does not fail.
        order: The Taylor remainder's order: 2 for a right derivative, 1 for a wrong one
            or a kink; infinite where the function is linear to round-off.
        error: Largest error of J u against the function's own change, beyond round-off.
        adjoint: Largest difference of <v, J u> and <J^T v, u>.
        forward_reverse: Largest difference of an entry of J between the two modes.
        precision: Largest difference of the derivative between the arguments' own dtype
            and float64.
        kink: Largest difference of one-sided slopes at the point, zero for none.
        modes: The modes that serve this function.
        dtype: The dtype in which the function was compared with its derivative.
        findings: The lines of the table.
    """

    passed: bool
    order: float | None = None
    error: float | None = None
    adjoint: float | None = None
    forward_reverse: float | None = None
    precision: float | None = None
    kink: float = 0.0
    modes: tuple[str, ...] = ()
    dtype: str = ""
    findings: tuple[Finding, ...] = field(default=(), repr=False)

    @property
    def reason(self) -> str:
        """What failed and what that means, empty when nothing did."""
        failed = [f"{f.name}: {f.meaning}" for f in self.findings if f.is_failed]
        return "; ".join(failed)

    def __repr__(self) -> str:
        """Return in one line whether it passed, and else which checks did not."""
        failed = ", ".join(f.name for f in self.findings if f.is_failed)
        verdict = "passed" if self.passed else f"NOT PASSED, {failed}"
        return f"<DerivativeCheck: {verdict}>"

    def __str__(self) -> str:
        """Lay the check out as a table in 100 columns."""
        table = _table.text(HEADER, [f.row for f in self.findings])
        return "\n".join([table, "", *textwrap.wrap(self._verdict, 100)])

    def _repr_html_(self) -> str:
        table = _table.html(HEADER, [f.row for f in self.findings])
        return f"{table}{_table.html_lines(self._verdict)}"

    @property
    def _verdict(self) -> str:
        return "derivatives passed" if self.passed else f"NOT PASSED: {self.reason}"
