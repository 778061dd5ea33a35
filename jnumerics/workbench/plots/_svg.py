"""Figures as elements of a page."""

import html
import io
import re
from typing import TYPE_CHECKING

from jnumerics.workbench.plots._style import FAINT, INK, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def inline_svg(figure: "Figure", prefix: str) -> str:
    """Write a figure as an `<svg>` element that takes its ink from the page around it.

    Args:
        figure: The figure; its background becomes transparent.
        prefix: Made part of every id, so that several figures can share a page. The
            page's style sheet gives `--ink` and `--faint`.

    Returns:
        The element.

    Example:
        >>> from jnumerics.workbench.plots import lines
        >>> cost = lines({"cost": ([0, 1], [2.0, 1.0])}, x_label="step", y_label="cost")
        >>> inline_svg(cost, "one").startswith("<svg")
        True
    """
    file = io.StringIO()
    with styled():
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = text[text.index("<svg") :].strip()
    label = html.escape(describe(figure))
    text = text.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", text)
    return text.replace(INK, "var(--ink)").replace(FAINT, "var(--faint)")


def describe(figure: "Figure") -> str:
    """Say in words what the panels of a figure show, for those who cannot see it.

    Example:
        >>> from jnumerics.workbench.plots import lines
        >>> curves = {"ours": ([0, 1], [2.0, 1.0]), "theirs": ([0, 1], [2.0, 1.5])}
        >>> describe(lines(curves, x_label="step", y_label="cost"))
        'Figure: cost, over step (ours; theirs).'
    """
    panels = [_panel(axes) for axes in figure.axes]
    return f"Figure: {'; '.join(filter(None, panels))}."


def _panel(axes: "Axes") -> str:
    labels = filter(None, (axes.get_ylabel(), axes.get_xlabel()))
    words = axes.get_title() or ", over ".join(labels)
    names = [name for name in axes.get_legend_handles_labels()[1] if name]
    return f"{words} ({'; '.join(names)})" if len(names) > 1 else words
