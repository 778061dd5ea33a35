"""Pictures of dependence and cuts, drawn from results, in the colors of the page."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from IPython.display import HTML

from jnumerics.derivatives import Dependence, Plan

CELL = 22  # pixels
BLUE, ORANGE = "#4a7fd6", "#e07b39"
PASSES = ("#4a7fd6", "#e07b39", "#3a9d6e", "#b65fb0", "#b59a2b", "#5fa8b6", "#999999")
Bounds = tuple[np.ndarray, np.ndarray, int]


def boxes(proven: Dependence, title: str) -> HTML:
    """Draw the boxes of a function of one axis."""
    return _page(_panel(title, _bounds(proven)))


def gallery(subjects: Mapping[str, Dependence | Bounds]) -> HTML:
    """Draw the boxes of several functions side by side."""
    panels = (
        _panel(title, each if isinstance(each, tuple) else _bounds(each))
        for title, each in subjects.items()
    )
    return _page(*panels)


def samples(proven: Dependence) -> Bounds:
    """Return, for each sample, which samples stand behind any of its outputs."""
    axes = tuple(range(1, proven.depends.ndim))
    lower, upper = proven.lower[..., 0].min(axes), proven.upper[..., 0].max(axes)
    return lower, upper, len(lower)


def colored(plan: Plan, shape: Sequence[int]) -> HTML:
    """Draw which inputs share a pass, by a plan that colors the columns of a grid."""
    assert plan.mode == "compressed"
    (colors,) = plan.strategy.compression.colors
    marks = [
        _square(j, i, PASSES[c], 0.75) + _text(j + 0.5, i + 0.5, str(c + 1))
        for (i, j), c in np.ndenumerate(np.reshape(colors, shape))
    ]
    title = f"the {plan.passes} passes: which inputs share one"
    return _page(_svg(shape[1] * CELL, shape[0] * CELL, marks, title))


def cut(sizes: Sequence[int], plan: Plan) -> HTML:
    """Draw a network's layers as bars as wide as they are, and the cut of its plan."""
    width = plan.passes // 2
    assert plan.mode == "cut"
    assert width in sizes
    tall, step, high = max(sizes), 92, 190
    scale = (high - 50) / tall
    middle = high / 2 - 8
    marks = []
    for k, size in enumerate(sizes):
        x, half = 30 + k * step, size * scale / 2
        if k + 1 < len(sizes):
            after = sizes[k + 1] * scale / 2
            corners = (
                f"{x + 14},{middle - half} {x + step},{middle - after} "
                f"{x + step},{middle + after} {x + 14},{middle + half}"
            )
            marks.append(
                f'<polygon points="{corners}" fill="currentColor" fill-opacity="0.08"/>'
            )
        color = ORANGE if size == width else BLUE
        marks.append(
            f'<rect x="{x}" y="{middle - half}" width="14" height="{2 * half}" '
            f'fill="{color}"/>'
        )
        marks.append(_label(x + 7, high - 4, str(size), "middle"))
    at = 30 + sizes.index(width) * step + 7
    marks.append(
        f'<line x1="{at}" x2="{at}" y1="4" y2="{high - 20}" stroke="{ORANGE}" '
        'stroke-width="2" stroke-dasharray="5 4"/>'
    )
    for start, end in (at - 12, 44), (at + 12, 16 + (len(sizes) - 1) * step):
        marks.append(_arrow(start, end, 14))
    marks.append(_label((at + 30) / 2, 9, f"{width} reverse", "middle"))
    marks.append(
        _label((at + 20 + len(sizes) * step) / 2 - 20, 9, f"{width} forward", "middle")
    )
    title = f"layers of {', '.join(map(str, sizes))}, cut where they are {width} wide"
    return _page(_svg(60 + (len(sizes) - 1) * step, high, marks, title))


def _bounds(proven: Dependence) -> Bounds:
    return proven.lower[..., 0], proven.upper[..., 0], int(proven.upper.max()) + 1


def _panel(title: str, bounds: Bounds) -> str:
    lower, upper, n = bounds
    marks = [
        _square(
            j,
            i,
            BLUE if low <= j <= high else "currentColor",
            0.55 if low <= j <= high else 0.07,
        )
        for i, (low, high) in enumerate(zip(lower, upper, strict=True))
        for j in range(n)
    ]
    marks += [
        f'<rect x="{low * CELL + 1}" y="{i * CELL + 1}" '
        f'width="{(high - low + 1) * CELL - 2}" height="{CELL - 2}" fill="none" '
        f'stroke="{ORANGE}" stroke-width="2"/>'
        for i, (low, high) in enumerate(zip(lower, upper, strict=True))
        if low <= high
    ]
    return _svg(n * CELL, len(lower) * CELL, marks, title)


def _square(column: float, row: float, color: str, strength: float) -> str:
    return (
        f'<rect x="{column * CELL + 1}" y="{row * CELL + 1}" width="{CELL - 2}" '
        f'height="{CELL - 2}" fill="{color}" fill-opacity="{strength}"/>'
    )


def _text(column: float, row: float, text: str) -> str:
    return _label(column * CELL, row * CELL + 5, text, "middle")


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="13">{text}</text>'


def _arrow(start: float, end: float, y: float) -> str:
    tip = -6 if end > start else 6
    return (
        f'<path d="M{start} {y} L{end} {y} M{end + tip} {y - 4} L{end} {y} '
        f'L{end + tip} {y + 4}" stroke="currentColor" fill="none"/>'
    )


def _svg(width: float, height: float, marks: Iterable[str], title: str) -> str:
    return (
        '<figure style="margin: 0"><svg class="drawn" role="img" '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{title}</title>'
        f"{''.join(marks)}</svg><figcaption>{title}</figcaption></figure>"
    )


def _page(*panels: str) -> HTML:
    style = "display: flex; flex-wrap: wrap; gap: 1.5rem"
    return HTML(f'<div style="{style}">{"".join(panels)}</div>')


__all__ = ["boxes", "colored", "cut", "gallery", "samples"]
