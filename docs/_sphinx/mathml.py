"""Formulas as MathML, which every browser draws: no script, no font, no network."""

from typing import Any

from docutils import nodes
from latex2mathml.converter import convert


def mathml(formula: str, display: str) -> str:
    """Return a formula of LaTeX as MathML.

    Raises:
        ValueError: If a command in it is unknown, which would be shown as it stands.
    """
    markup = convert(formula, display=display)
    if "\\" in markup:
        msg = f"`formula` must have commands that latex2mathml knows, got {formula!r}"
        raise ValueError(msg)
    return markup


def _inline(self: Any, node: nodes.math) -> None:
    self.body.append(mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def _block(self: Any, node: nodes.math_block) -> None:
    self.body.append(f'<div class="math">{mathml(node.astext(), "block")}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Offer the renderer `mathml`."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
