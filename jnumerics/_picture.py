"""Small pictures of results: cells as text and as SVG, a curve as SVG.

An SVG takes its ink from the page around it (`currentColor`), so that it is legible on
white and on black, and shrinks with a narrow page. Figures for print are drawn by
`workbench.plots`.
"""

import html
import itertools
import math
from collections.abc import Sequence

import numpy as np

NONE, SOME, ALL = "·", "▒", "█"  # of a cell; in ASCII . + #
SIDE = 8  # of a cell, in units of the picture
FEW = 12  # cells up to which they are drawn three times as large
WIDE, HIGH = 480, 120  # of a curve
POINTS = WIDE // 2  # of a curve, at most: of more, the extremes are kept


def cells_text(
    shares: np.ndarray, breaks: tuple[Sequence[int], Sequence[int]] = ((), ())
) -> str:
    """Draw cells as signs, a row a line: `·` for 0, `█` for 1, `▒` between them.

    Args:
        shares: How much of each cell is filled, shape (rows, columns).
        breaks: Numbers of rows and of columns before which to draw a line.

    Returns:
        The lines.

    Example:
        >>> print(cells_text(np.array([[1.0, 0.0], [0.5, 1.0]])))
        █·
        ▒█
    """
    lines = [_with_bars([sign(s) for s in row], breaks[1], "│") for row in shares]
    rule = _with_bars(["─"] * shares.shape[1], breaks[1], "┼")
    for k in sorted(breaks[0], reverse=True):
        lines.insert(k, rule)
    return "\n".join(lines)


def sign(share: float) -> str:
    """Return the sign of a cell."""
    return NONE if share <= 0 else ALL if share >= 1 else SOME


def _with_bars(signs: list[str], breaks: Sequence[int], bar: str) -> str:
    return "".join(bar * (k in breaks) + s for k, s in enumerate(signs))


def cells_svg(
    shares: np.ndarray,
    label: str,
    breaks: tuple[Sequence[int], Sequence[int]] = ((), ()),
) -> str:
    """Draw cells as an `<svg>` element, the fuller the darker.

    Args:
        shares: How much of each cell is filled, shape (rows, columns).
        label: What it shows, for those who cannot see it.
        breaks: Numbers of rows and of columns before which to draw a line.

    Returns:
        The element.
    """
    side = SIDE * (3 if max(shares.shape) <= FEW else 1)
    rows, columns = shares.shape
    parts = [
        f'<rect x="{start * side}" y="{row * side}" width="{(stop - start) * side}"'
        f' height="{side}" opacity="{0.25 + 0.6 * share:.2f}"/>'
        for row in range(rows)
        for start, stop, share in _runs(shares[row])
        if share > 0
    ]
    lines = [f"M0 {k * side}H{columns * side}" for k in breaks[0]]
    lines += [f"M{k * side} 0V{rows * side}" for k in breaks[1]]
    lines.append(f"M0 0H{columns * side}V{rows * side}H0Z")
    parts.append(
        f'<path d="{"".join(lines)}" fill="none" stroke="currentColor" opacity="0.5"/>'
    )
    return _svg(columns * side, rows * side, label, parts)


def _runs(row: np.ndarray) -> list[tuple[int, int, float]]:
    """Return start, stop and share of neighbors that are alike."""
    ends = [0, *(np.flatnonzero(np.diff(row)) + 1).tolist(), len(row)]
    return [(a, b, float(row[a])) for a, b in itertools.pairwise(ends) if a < b]


def curve_svg(values: np.ndarray, label: str) -> str:
    """Draw a curve over its positions as an `<svg>` element, logarithmic if it can be.

    Args:
        values: Heights, shape (n,); what is not finite leaves a gap.
        label: What it shows, for those who cannot see it.

    Returns:
        The element; empty where fewer than two values are finite.
    """
    y = np.asarray(values, np.float64)
    finite = y[np.isfinite(y)]
    if finite.size < 2:
        return ""
    if np.all(finite > 0):
        y, finite = np.log(y, where=y > 0, out=np.full_like(y, np.nan)), np.log(finite)
    low, high = float(finite.min()), float(finite.max())
    heights = (HIGH - 2) * (high - y) / (high - low or 1.0) + 1
    at = _extremes(y)
    scale = (WIDE - 2) / (len(y) - 1)
    moves, is_pen_down = [], False
    for k in at.tolist():
        if math.isfinite(heights[k]):
            letter = "L" if is_pen_down else "M"
            moves.append(f"{letter}{1 + k * scale:.1f} {heights[k]:.1f}")
        is_pen_down = math.isfinite(heights[k])
    parts = [
        f'<path d="{"".join(moves)}" fill="none" stroke="currentColor" opacity="0.8"/>',
        f'<path d="M0 0V{HIGH}H{WIDE}" fill="none" stroke="currentColor"'
        ' opacity="0.35"/>',
    ]
    return _svg(WIDE, HIGH, label, parts)


def _extremes(y: np.ndarray) -> np.ndarray:
    """Return the positions to draw: of many, the lowest and the highest of each few."""
    if len(y) <= 2 * POINTS:
        return np.arange(len(y))
    positions = [0, len(y) - 1]
    for few in np.array_split(np.arange(len(y)), POINTS):
        if np.isfinite(y[few]).all():
            positions += [few[y[few].argmin()], few[y[few].argmax()]]
        else:
            positions += [*few[~np.isfinite(y[few])][:1], *few[np.isfinite(y[few])][:1]]
    return np.unique(positions)


def _svg(width: int, height: int, label: str, parts: Sequence[str]) -> str:
    name = html.escape(label)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1 -1 {width + 2}'
        f' {height + 2}" width="{width + 2}" style="max-width: 100%; height: auto"'
        f' fill="currentColor" role="img" aria-label="{name}">{"".join(parts)}</svg>'
    )
