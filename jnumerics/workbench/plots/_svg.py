"""Figures as elements of a page."""

import io
import re
from typing import TYPE_CHECKING

from jnumerics.workbench.plots._style import FAINT, INK, styled

if TYPE_CHECKING:
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
        >>> inline_svg(images({"one": np.zeros((4, 4))}), "one").startswith("<svg")
        True
    """
    file = io.StringIO()
    with styled():
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = text[text.index("<svg") :].strip()
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", text)
    return text.replace(INK, "var(--ink)").replace(FAINT, "var(--faint)")
