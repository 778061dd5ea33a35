"""How a comparison is shown: table, JSON, figure."""

import dataclasses
import json
import pickle
import re

import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics.derivatives._compare import compare as _compare
from jnumerics.workbench import plots
from tests._schema import COMPARE, faults
from tests.derivatives.compare._compare import (
    compared,
    loop,
    measured_as,
    without_figures,
)

# how it is shown


def test_table_keeps_to_100_columns(comparison, of_batch):
    for each in (comparison, of_batch):
        assert max(map(len, str(each).splitlines())) <= 100


def test_comparison_is_pickled_and_shown_in_one_line(comparison):
    assert pickle.loads(pickle.dumps(comparison)) == comparison
    verdict = "fastest abacus, as nothing else ran; predicted cut"
    alone = [m._replace(mode="abacus") for m in comparison.modes[:1]]
    shown = dataclasses.replace(
        comparison, modes=(*alone,), fastest="abacus", tie=False
    )
    assert repr(shown) == f"<ModeComparison of bottleneck: {verdict}>"


def test_html_holds_the_table_and_escapes():
    measured = compared(lambda x: x.sum(), jnp.ones(3))
    page = measured._repr_html_()  # pyright: ignore[reportPrivateUsage]
    assert re.match(r"<p[^>]*>&lt;lambda&gt;\(float32\[3\]\) on ", page)
    assert "<table" in page
    assert "Predicted: reverse." in page


def test_json_has_its_schema(comparison):
    value = json.loads(comparison.to_json())
    assert faults(value, COMPARE) == []
    assert value["modes"][0]["run_s"]["runs"] == list(comparison.modes[0].run_s.runs)
    assert value["shapes"] == [[40]]


def test_json_of_a_mode_without_figures_has_nulls():
    value = json.loads(compared(loop, jnp.ones(3)).to_json())
    assert faults(value, COMPARE) == []
    assert value["modes"][1]["error"].startswith("not through while")
    assert without_figures(_compare.ModeResult(**value["modes"][1])) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"fastest": 1},
        {"tie": 1},
        {"modes": {}},
        {"device": None},
        {"shapes": [["3"]]},
        {"more": 1},
    ],
)
def test_schema_notices_what_is_wrong(comparison, wrong):
    assert faults({**json.loads(comparison.to_json()), **wrong}, COMPARE)


def test_figure_draws_each_program_once_with_its_quartiles(comparison):
    figure = plots.mode_comparison(comparison)
    times, memory = figure.axes
    labels = [t.get_text() for t in times.get_yticklabels()]
    assert labels == ["forward", "reverse, compressed", "cut"]
    assert len(memory.patches) == 3
    names = [t.get_text() for t in figure.legends[0].get_texts()]
    assert sorted(names) == ["measured, quartiles", "one evaluation", "predicted"]
    assert f"predicted {comparison.predicted}" in figure.get_suptitle()


def test_figure_of_modes_without_figures_says_so(tmp_path):
    measured = compared(loop, jnp.ones(3))
    figure = plots.mode_comparison(measured, tmp_path / "a.png")
    assert "no figures" in [t.get_text() for t in figure.axes[0].texts]
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_short_axis_of_times_has_at_least_two_ticks(monkeypatch):
    times = {mode: [3.1e-6, 3.2e-6] for mode in ("forward", "reverse", "cut", "")}
    judged, _ = measured_as(monkeypatch, times)
    modes = tuple(m._replace(predicted_s=None) for m in judged.modes)
    judged = dataclasses.replace(judged, modes=modes)
    axes = plots.mode_comparison(judged).axes[0]
    low, high = axes.get_xlim()
    assert len([t for t in axes.get_xticks() if low <= t <= high]) >= 2


def test_figure_of_several_names_winners_ties_and_predictions(monkeypatch, tmp_path):
    times = {"forward": [9.0, 9.0], "reverse": [2.0, 2.0], "cut": [5.0, 5.0]}
    won, _ = measured_as(monkeypatch, times)
    tied = dataclasses.replace(won, function="tied", fastest=None, tie=True)
    other = dataclasses.replace(won, fastest="cut")
    figure = plots.mode_comparisons([won, tied, other], tmp_path / "a.png")
    (axes,) = figure.axes
    names = [t.get_text() for t in axes.get_yticklabels()]
    assert names == [won.function, "tied", won.function]
    texts = [t.get_text() for t in axes.texts]
    assert texts[:3] == ["forward, 40 passes", "reverse, 30 passes", "cut, 4 passes"]
    verdicts = ["reverse,\npredicted cut", "a tie", "cut,\nas predicted"]
    assert texts[3::4] == verdicts
    markers = [line for line in axes.lines if line.get_marker() == "o"]
    filled = [m.get_markerfacecolor() == m.get_color() for m in markers]
    assert filled == [0, 1, 0, 0, 0, 0, 0, 0, 1]
    multiples = [m.times_evaluation for m in won.modes if m.same_as is None]
    assert [np.asarray(m.get_xdata())[0] for m in markers[:3]] == pytest.approx(
        multiples
    )
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_figure_of_several_leaves_out_modes_that_did_not_run():
    figure = plots.mode_comparisons([compared(loop, jnp.ones(3))])
    texts = [t.get_text() for t in figure.axes[0].texts]
    assert texts[0].startswith("forward")
    assert len(texts) == 2


# the command


def test_names_in_the_figure_of_several_stand_on_the_roomier_side(monkeypatch):
    times = {"forward": [9.0, 9.0], "reverse": [2.0, 2.0], "cut": [5.0, 5.0]}
    won, _ = measured_as(monkeypatch, times)
    (axes,) = plots.mode_comparisons([won]).axes
    assert [t.get_horizontalalignment() for t in axes.texts[:3]] == [
        "right",
        "left",
        "right",
    ]


def test_axis_of_equal_times_spans_a_little_more_than_them(monkeypatch):
    times = {mode: [3.1e-6, 3.2e-6] for mode in ("forward", "reverse", "cut", "")}
    judged, _ = measured_as(monkeypatch, times)
    modes = tuple(m._replace(predicted_s=None) for m in judged.modes)
    judged = dataclasses.replace(judged, modes=modes)
    low, high = plots.mode_comparison(judged).axes[0].get_xlim()
    assert high / low == pytest.approx(8)
