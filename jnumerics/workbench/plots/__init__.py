"""Figures in one restrained style, legible in print, on white and on black.

Functions take plain arrays and return a `matplotlib.figure.Figure`; no window opens
and no global state of matplotlib changes. Colors come from `INK`, `FAINT` and `SERIES`,
so that `inline_svg` can hand the first two over to the page around the figure.
"""

from jnumerics.workbench.plots._classes import confusion, gallery, learning
from jnumerics.workbench.plots._derivatives.crossover import crossover
from jnumerics.workbench.plots._derivatives.modes import (
    mode_comparison,
    mode_comparisons,
)
from jnumerics.workbench.plots._derivatives.pattern import cut, dependence, plan
from jnumerics.workbench.plots._images import images, photograph, surface
from jnumerics.workbench.plots._lines import Panel, lines, panels
from jnumerics.workbench.plots._style import FAINT, INK, SERIES, save
from jnumerics.workbench.plots._svg import describe, inline_svg
from jnumerics.workbench.plots._training import training

__all__ = [
    "FAINT",
    "INK",
    "SERIES",
    "Panel",
    "confusion",
    "crossover",
    "cut",
    "dependence",
    "describe",
    "gallery",
    "images",
    "inline_svg",
    "learning",
    "lines",
    "mode_comparison",
    "mode_comparisons",
    "panels",
    "photograph",
    "plan",
    "save",
    "surface",
    "training",
]
