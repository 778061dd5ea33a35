"""The one style of all figures: colors, canvas, legend, and how they are written."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jnumerics import _table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#24292f"
FAINT = "#d0d7de"
SERIES = ("#2f6fb3", "#d9772b", "#8c959f", "#3f8f5f", "#a0529c")
COLORS: dict[str, str] = dict(
    zip(("forward", "reverse", "full", "cut", "compressed"), SERIES, strict=True)
) | {
    "star": SERIES[2],
    "nested": SERIES[1],
    "collapsed": SERIES[0],
    "narrow": SERIES[2],
}

_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10.0,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10.0,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.minor.visible": False,
    "ytick.minor.visible": False,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.08,
    "svg.hashsalt": "jnumerics",
}


def save(figure: "Figure", path: Path) -> None:
    """Write a figure to a file, in the format that its name ends with, on white.

    Example:
        >>> import tempfile
        >>> figure, _ = canvas(1, (2.0, 2.0))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(figure, Path(folder, "one.png"))
        ...     [file.name for file in Path(folder).iterdir()]
        ['one.png']
    """
    with styled():
        figure.savefig(path, dpi=200, facecolor="white")


def canvas(
    panels: int, size: tuple[float, float], widths: Sequence[float] | None = None
) -> "tuple[Figure, Sequence[Axes]]":
    """Return an empty figure of some inches, and its panels side by side."""
    from matplotlib.figure import Figure

    with styled():
        figure = Figure(size, layout="constrained")
        return figure, figure.subplots(1, panels, squeeze=False, width_ratios=widths)[0]


def legend_above(axes: "Axes", columns: int = 2) -> None:
    """Name what was drawn, above the panel."""
    handles, _ = axes.get_legend_handles_labels()
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=min(len(handles), columns),
        borderaxespad=0.3, handlelength=1.6, columnspacing=1.6,
    )  # fmt: skip


def styled() -> Any:
    """Return a context in which matplotlib draws in this style."""
    import matplotlib as mpl

    return mpl.rc_context(_STYLE)


def short_seconds(t: float) -> str:
    """Write a time for an axis: `1 ms`, without the figures that `1.00 ms` has.

    Example:
        >>> short_seconds(1e-3).split()
        ['1', 'ms']
    """
    figure, _, unit = _table.seconds(t).partition(" ")
    return f"{float(figure):g} {unit}"
