"""The map of where forward and reverse mode change places."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics.derivatives._compare.timing import Interrupted
from jnumerics.workbench import plots
from jnumerics.workbench.commands import crossover
from jnumerics.workbench.commands.crossover import Cell, Crossover
from tests._schema import CROSSOVER, VERSIONS, faults


def cell(n, m, forward, reverse, predicted, tie=False):
    fastest = None if tie else "forward" if forward < reverse else "reverse"
    return Cell(n, m, forward, reverse, predicted, fastest, tie)


MADE_UP = Crossover(
    device="abacus",
    versions=dict.fromkeys(VERSIONS, "1.0"),
    inputs=(1, 4),
    outputs=(1, 2),
    cells=(
        cell(1, 1, 1.01, 1.0, "reverse", tie=True),
        cell(1, 2, 1.0, 130.0, "forward"),
        cell(4, 1, 3.3, 1.0, "reverse"),
        cell(4, 2, 1.0, 1.25, "reverse"),
    ),
)


@pytest.fixture(scope="module")
def run():
    seen = []
    return crossover.measure([1, 300], [1, 300], repeats=3, progress=seen.append), seen


@pytest.mark.slow
def test_extremes_are_measured_and_predicted_right(run):
    measured, _ = run
    assert measured.cell(1, 300).predicted == "forward"
    assert measured.cell(300, 1).predicted == "reverse"
    assert measured.cell(1, 300).ratio < 1 < measured.cell(300, 1).ratio


def test_progress_tells_each_cell_as_it_is_measured(run):
    measured, seen = run
    assert tuple(seen) == measured.cells
    pairs = [(c.inputs, c.outputs) for c in seen]
    assert pairs == [(1, 1), (1, 300), (300, 1), (300, 300)]


@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 5), (5, 2)])
def test_functions_have_no_structure(n, m):
    fun = crossover.unstructured(n, m)
    jacobian = jax.jacfwd(fun)(jnp.ones(n))
    assert jacobian.shape == (m, n)
    assert np.all(jacobian != 0)
    assert np.linalg.matrix_rank(jacobian) == min(n, m)


def test_map_counts_what_was_decided_and_predicted():
    assert [(c.inputs, c.outputs) for c in MADE_UP.decided] == [(1, 2), (4, 1), (4, 2)]
    assert [(c.inputs, c.outputs) for c in MADE_UP.correct] == [(1, 2), (4, 1)]
    assert MADE_UP.worst == MADE_UP.cell(4, 2)
    assert MADE_UP.worst.slowdown == 1.25


def test_table_names_winners_ties_and_wrong_predictions():
    assert str(MADE_UP).splitlines()[:4] == [
        "outputs \\ inputs  1      4",
        "────────────────  ─────  ──────",
        "               2  F 130  F 1.2*",
        "               1  =      R 3.3",
    ]
    assert "2 of 3 cells whose margin exceeds the spread (67 %)" in str(MADE_UP)
    assert "at most 1.25 times slower" in str(MADE_UP)


def test_table_of_ties_alone_has_no_share():
    ties = dataclasses.replace(
        MADE_UP, inputs=(1,), outputs=(1,), cells=MADE_UP.cells[:1]
    )
    assert "Predicted: 0 of 0 cells whose margin exceeds the spread." in str(ties)


def test_table_keeps_to_100_columns_and_names_the_margin(run):
    assert max(map(len, str(run[0]).splitlines())) <= 100


def test_json_has_its_schema(run):
    value = json.loads(run[0].to_json())
    assert faults(value, CROSSOVER) == []
    assert len(value["cells"]) == 4
    assert faults({**value, "right": None}, CROSSOVER)


def test_figure_shows_margins_ties_border_and_wrong_predictions(tmp_path):
    figure = plots.crossover(MADE_UP, tmp_path / "a.png")
    axes, bar = figure.axes
    assert [t.get_text() for t in axes.texts] == ["tie", "F 130", "R 3.3", "F 1.2"]
    np.testing.assert_allclose(
        np.asarray(axes.images[0].get_array()), np.log2([[1.0, 3.3], [1 / 130, 0.8]])
    )
    legend = [t.get_text() for t in figure.legends[0].get_texts()]
    assert legend == [
        "predicted: forward above, reverse below",
        "the other one is faster",
    ]
    assert np.asarray(axes.collections[0].get_offsets()).tolist() == [[1.0, 1.0]]
    # below the one cell for which forward mode is predicted, and to its right
    edges = np.asarray(axes.lines[0].get_xydata()).reshape(-1, 3, 2)[:, :2]
    assert edges.tolist() == [[[-0.5, 0.5], [0.5, 0.5]], [[0.5, 0.5], [0.5, 1.5]]]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["1", "4"]
    assert bar.get_ylabel() == "reverse  ←  times faster  →  forward"
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_figure_without_a_border_says_what_is_predicted():
    cells = tuple(c._replace(predicted="reverse") for c in MADE_UP.cells)
    figure = plots.crossover(dataclasses.replace(MADE_UP, cells=cells))
    names = [t.get_text() for t in figure.legends[0].get_texts()]
    assert names[0] == "predicted: reverse everywhere"


def test_map_of_which_cells_are_missing_says_so():
    part = dataclasses.replace(MADE_UP, cells=MADE_UP.cells[:3])
    assert str(part).splitlines()[2:4] == [
        "               2  F 130  -",
        "               1  =      R 3.3",
    ]
    assert "1 of 2 cells" not in str(part)
    assert "2 of 2 cells whose margin exceeds the spread (100 %)" in str(part)
    figure = plots.crossover(part)
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.texts] == ["tie", "F 130", "R 3.3"]
    assert np.ma.getmaskarray(axes.images[0].get_array())[1, 1]
    edges = np.asarray(axes.lines[0].get_xydata()).reshape(-1, 3, 2)[:, :2]
    assert edges.tolist() == [[[-0.5, 0.5], [0.5, 0.5]]]


def interrupt(cells):
    """Ctrl-C once so many cells are measured."""
    left = iter(range(cells - 1))

    def progress(_):
        if next(left, None) is None:
            raise KeyboardInterrupt

    return progress


def test_ctrl_c_keeps_the_cells_until_then():
    with pytest.raises(Interrupted) as caught:
        crossover.measure([1, 2], [1, 3], repeats=1, progress=interrupt(2))
    assert [(c.inputs, c.outputs) for c in caught.value.found.cells] == [(1, 1), (1, 3)]


def test_ctrl_c_within_the_first_cell_keeps_nothing(monkeypatch):
    def compare_modes(*_, **__):
        raise Interrupted(None)  # with some runs of that cell

    monkeypatch.setattr(crossover, "compare_modes", compare_modes)
    with pytest.raises(KeyboardInterrupt) as caught:
        crossover.measure([1, 2], [1, 3], repeats=1)
    assert not isinstance(caught.value, Interrupted)


def test_a_small_margin_has_three_figures():
    assert cell(1, 1, 1.04, 1.0, "reverse").margin == "1.04"
    assert cell(1, 1, 1.0, 3.27, "reverse").margin == "3.3"


def test_figure_has_forward_mode_above_and_rings_where_predictions_are_wrong_alone():
    cells = tuple(c._replace(predicted=c.fastest or "forward") for c in MADE_UP.cells)
    figure = plots.crossover(dataclasses.replace(MADE_UP, cells=cells))
    axes, bar = figure.axes
    assert bar.yaxis_inverted()
    assert len(figure.legends[0].get_texts()) == 1
    assert not axes.collections
