"""The map of where forward and reverse mode change places."""

import dataclasses
import json
import re
import signal
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics.derivatives._compare.timing import Interrupted
from jnumerics.workbench import cli, plots
from jnumerics.workbench.commands import crossover
from jnumerics.workbench.commands.crossover import Cell, Crossover
from jnumerics.workbench.config import UsageError
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
def found():
    seen = []
    return crossover.measure([1, 300], [1, 300], repeats=3, progress=seen.append), seen


@pytest.mark.slow
def test_extremes_are_measured_and_predicted_right(found):
    measured, _ = found
    assert measured.cell(1, 300).predicted == "forward"
    assert measured.cell(300, 1).predicted == "reverse"
    assert measured.cell(1, 300).ratio < 1 < measured.cell(300, 1).ratio


def test_progress_tells_each_cell_as_it_is_measured(found):
    measured, seen = found
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


def test_table_keeps_to_100_columns_and_names_the_margin(found):
    assert max(map(len, str(found[0]).splitlines())) <= 100


def test_json_has_its_schema(found):
    value = json.loads(found[0].to_json())
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


@pytest.mark.parametrize(
    ("text", "factor", "expected"),
    [("1:100", 4, [1, 4, 16, 64]), ("3:24", 2, [3, 6, 12, 24]), ("7", 4, [7])],
)
def test_numbers_grow_by_a_factor(text, factor, expected):
    assert crossover.numbers("--inputs", text, factor) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "0:4",
        "8:2",
        "1:2:3",
        "-1",
        "1.5:3",
        ":",
        "nan",
        "1:1000001",
        "9" * 5000,
    ],
)
def test_other_numbers_are_refused(text):
    with pytest.raises(UsageError, match="--inputs must be LOW:HIGH with 1 <= LOW <="):
        crossover.numbers("--inputs", text, 4)


def test_command_prints_the_map_and_progress_and_writes_files(tmp_path, capsys):
    files = [str(tmp_path / name) for name in ("a.json", "a.svg")]
    flags = ["--factor", "8", "--repeats", "2", "--json", files[0], "--plot", files[1]]
    status = cli.main(["crossover", "--inputs", "1:8", "--outputs", "2", *flags])
    out, err = capsys.readouterr()
    assert status == 0
    assert out.startswith("outputs \\ inputs  1 ")
    assert [line.partition(":")[0] for line in err.splitlines()] == ["1 of 2", "2 of 2"]
    assert faults(json.loads((tmp_path / "a.json").read_text()), CROSSOVER) == []
    assert "<svg" in (tmp_path / "a.svg").read_text()


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


@pytest.mark.process
def test_ctrl_c_prints_and_writes_the_cells_until_then(tmp_path):
    # a process that a shell starts in the background ignores Ctrl-C: not this one
    code = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from jnumerics.__main__ import main
sys.exit(main())
"""
    argv = ["crossover", "--factor", "2", "--repeats", "1", "--json", "a.json"]
    with subprocess.Popen(
        [sys.executable, "-c", code, *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    ) as process:
        assert process.stderr is not None
        lines = [process.stderr.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130
    cells = len(lines) + err.count("\n") - 1
    assert err.splitlines()[-1] == f"jnumerics: interrupted after {cells} of 121 cells"
    assert out.startswith("outputs \\ inputs  1 ")
    value = json.loads((tmp_path / "a.json").read_text())
    assert faults(value, CROSSOVER) == []
    assert len(value["cells"]) == cells


def test_json_to_the_standard_output_stands_there_alone(capsys):
    argv = ["--inputs", "1", "--outputs", "2", "--repeats", "1", "--json", "-"]
    assert cli.main(["crossover", *argv]) == 0
    out, err = capsys.readouterr()
    assert faults(json.loads(out), CROSSOVER) == []
    assert "outputs \\ inputs" in err


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (
            ["--inputs", "8:1"],
            "--inputs must be LOW:HIGH with 1 <= LOW <= HIGH <= 1000000, got '8",
        ),
        (
            ["--outputs", "x"],
            "--outputs must be LOW:HIGH with 1 <= LOW <= HIGH <= 1000000, got 'x",
        ),
        (
            ["--factor", "1"],
            "--factor must be an integer from 2 to 2147483647, got '1'",
        ),
        (
            ["--repeats", "no"],
            "--repeats must be an integer from 1 to 2147483647, got 'no'",
        ),
        (["--plot", "a.txt"], "--plot a.txt: must end in one of .png, .svg, .pdf"),
        (["--json", "no/a"], "--json no/a: must be a file that can be written: No suc"),
        (["--platform", "abacus"], "platform 'abacus' is not here, expected one that "),
    ],
)
def test_what_the_user_can_mend_is_one_line_and_status_2(argv, line, capsys):
    assert cli.main(["crossover", *argv]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"jnumerics: error: {line}")
    assert err.count("\n") == 1


@pytest.mark.process
def test_process_prints_the_map(tmp_path):
    argv = ["--inputs", "1", "--outputs", "4", "--repeats", "2"]
    done = subprocess.run(
        [sys.executable, "-m", "jnumerics", "crossover", *argv],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0
    assert re.search(r"Predicted: [01] of [01] cells", done.stdout)
    assert done.stderr.startswith("1 of 1: 1 inputs, 4 outputs: ")


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
