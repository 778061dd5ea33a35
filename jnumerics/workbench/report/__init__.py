"""Lessons as text for a terminal, as rows of a table, and as one page of HTML.

The page needs nothing beside itself: figures are inline SVG, and its colors follow the
reader's light or dark scheme.
"""

from jnumerics.workbench.report._page import page, save_figures
from jnumerics.workbench.report._text import ERROR, row, table, text

__all__ = ["ERROR", "page", "row", "save_figures", "table", "text"]
