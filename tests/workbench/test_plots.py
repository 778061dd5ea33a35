import pickle
import re
import xml.etree.ElementTree as ET
from typing import Any

import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
import pytest

from jnumerics import derivatives
from jnumerics.workbench import plots


@pytest.fixture
def curves():
    x = np.arange(1, 5)
    return plots.lines(
        {"ours": (x, x), "ours, rounded": (x, x + 1.0), "theirs": (x, x**2.0)},
        x_label="nodes",
        y_label="error",
        scales=("log", "log"),
        paired=True,
        levels={"limit": 2.0},
    )


def test_lines_draw_each_series_and_level_with_its_name(curves):
    (axes,) = curves.axes
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["ours", "ours, rounded", "theirs", "limit"]
    np.testing.assert_array_equal(axes.lines[2].get_ydata(), [1, 4, 9, 16])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("nodes", "error")
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")


def test_paired_lines_share_a_color_and_the_second_is_dashed(curves):
    first, second, third = curves.axes[0].lines[:3]
    assert first.get_color() == second.get_color() != third.get_color()
    assert (first.get_linestyle(), second.get_linestyle()) == ("-", "--")


def test_curve_without_a_finite_point_leaves_an_empty_figure(tmp_path):
    series = {"diverged": ([1, 2], [np.inf, np.nan])}
    figure = plots.lines(series, x_label="x", y_label="y", scales=("log", "log"))
    plots.save(figure, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 0


def test_single_line_needs_no_legend_and_starts_at_zero():
    figure = plots.lines({"cost": ([0, 1], [3.0, 2.0])}, x_label="x", y_label="y")
    assert figure.axes[0].get_legend() is None
    assert figure.axes[0].get_ylim()[0] == 0


def test_dots_have_the_color_of_their_curve_and_one_name_with_it():
    t = np.arange(3.0)
    fit = plots.Panel(
        {"E": (t, t), "I": (t, 2 * t)},
        "days",
        "share",
        points={"I": (t, 2 * t + 0.1), "R": (t, t + 0.5)},
        dashed={"exact": (t, t), "_": (t, 2 * t)},
        levels={"all": 1.0},
    )
    falls = plots.Panel({"cost": (t, 3 - t)}, "step", "cost", ("linear", "log"))
    left, right = plots.panels(fit, falls).axes
    _, names = left.get_legend_handles_labels()
    assert left.get_legend() is not None
    assert sorted(names) == ["E", "I", "R", "all", "exact"]
    dots, others, _, curve = left.lines[:4]
    assert dots.get_color() == curve.get_color() != others.get_color()
    assert curve.get_label() == "I"
    assert right.get_legend() is None
    assert right.get_yscale() == "log"


@pytest.mark.parametrize(("height", "contours"), [(1.0, 1), (0.4, 0)])
def test_surface_draws_the_line_of_one_half_where_there_is_one(height, contours):
    figure = plots.surface(
        np.linspace(0, height, 12).reshape(3, 4),
        x=(0.0, 1.0),
        y=(0.0, 2.0),
        labels=("a", "b", "output"),
        points=np.array([[0.0, 0], [1, 1], [1, 2]]),
        classes=np.array([0, 1, 1]),
    )
    axes = figure.axes[0]
    drawn = [type(artist).__name__ for artist in axes.collections]
    assert drawn.count("QuadContourSet") == contours
    points = [a.get_offsets() for a in axes.collections if "Path" in type(a).__name__]
    assert [np.shape(p) for p in points] == [(1, 2), (2, 2)]


def test_images_stand_side_by_side_under_their_names():
    figure = plots.images({"one": np.zeros((3, 4)), "two": np.ones((3, 4))})
    assert [axes.get_title() for axes in figure.axes] == ["one", "two"]


def test_photograph_is_gray_and_between_0_and_1():
    image = plots.photograph()
    assert image.shape == (600, 512)
    assert 0 <= image.min() < 0.1 < 0.9 < image.max() <= 1


def test_save_writes_the_format_that_the_name_ends_with(curves, tmp_path):
    plots.save(curves, tmp_path / "a.png")
    plots.save(curves, tmp_path / "a.svg")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "a.svg").read_text()


def test_inline_svg_takes_ink_from_the_page_and_ids_of_its_own(curves):
    text = plots.inline_svg(curves, "errors")
    root = ET.fromstring(text)
    ids = {e.attrib["id"] for e in root.iter() if "id" in e.attrib}
    assert ids
    assert all(i.startswith("errors-") for i in ids)
    assert {r[1:] for r in re.findall(r'href="(#[^"]+)', text)} <= ids
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= ids
    assert "var(--ink)" in text
    assert "var(--faint)" in text
    assert plots.INK not in text
    assert plots.FAINT not in text


def test_figures_leave_matplotlibs_settings_alone():
    before = dict(mpl.rcParams)
    plots.inline_svg(plots.images({"one": np.zeros((2, 2))}), "one")
    assert dict(mpl.rcParams) == before


def test_marked_curves_are_named_at_their_ends_apart_from_one_another():
    figure = plots.lines(
        {"one": ([1, 2], [1e-3, 2e-3]), "other": ([1, 2], [1e-3, 2.001e-3])},
        x_label="samples",
        y_label="time",
        scales=("log", "log"),
        markers=True,
        seconds=True,
    )
    (axes,) = figure.axes
    names = {text.get_text(): text for text in axes.texts}
    assert [*names] == ["one", "other"]
    assert names["one"].get_color() == axes.lines[0].get_color()
    below, above = (text.get_position()[1] for text in axes.texts)
    assert above - below > 0.06
    assert axes.get_legend() is None
    assert axes.yaxis.get_major_formatter()(1e-3) == "1 ms"


def test_figure_is_described_by_its_axes_and_names(curves):
    names = "ours; ours, rounded; theirs; limit"
    assert plots.describe(curves) == f"Figure: error, over nodes ({names})."
    root = ET.fromstring(plots.inline_svg(curves, "errors"))
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == plots.describe(curves)


def test_training_draws_each_batch_and_the_running_mean():
    (axes,) = plots.training(np.array([4.0, 2.0, 1.0])).axes
    each, mean = axes.lines
    np.testing.assert_array_equal(each.get_ydata(), [4, 2, 1])
    np.testing.assert_array_equal(mean.get_ydata(), [4, 2, 1])
    assert axes.get_yscale() == "log"


def test_training_of_one_update_is_seen():
    (axes,) = plots.training(np.array([4.0])).axes
    assert axes.lines[-1].get_marker() == "o"
    np.testing.assert_array_equal(axes.lines[-1].get_ydata(), [4])


def test_long_training_draws_the_range_and_a_mean_of_neighbors():
    losses = np.tile([1.0, 3.0], 5000)
    (axes,) = plots.training({"one": losses, "other": -losses}).axes
    assert len(axes.collections) == 2
    np.testing.assert_allclose(np.asarray(axes.lines[0].get_ydata()), 2.0, atol=1e-12)
    assert axes.get_yscale() == "linear"
    assert axes.get_legend_handles_labels()[1] == ["one", "other"]


def test_loss_that_is_not_finite_leaves_a_gap(tmp_path):
    losses = np.array([3.0, np.nan, np.inf, 1.0])
    figure = plots.training(losses, tmp_path / "a.png")
    mean = figure.axes[0].lines[1].get_ydata()
    np.testing.assert_array_equal(mean, [3, np.nan, np.nan, 1])
    plots.training(np.full(3, np.nan), tmp_path / "b.png")
    plots.training(np.zeros(0), tmp_path / "c.png")


def test_more_runs_than_colors_are_refused():
    with pytest.raises(ValueError, match="`runs` must be at most 5, got 6"):
        plots.training({str(k): np.ones(2) for k in range(6)})


def test_dependence_draws_boxes_and_the_nonzeros_on_them(tmp_path):
    boxes = derivatives.dependence(jnp.diff, jnp.ones(5))
    J = derivatives.jacobian(jnp.diff, format="bcoo")(jnp.ones(5))
    (axes,) = plots.dependence(boxes, J, tmp_path / "a.png").axes
    mesh, dots = axes.collections
    assert np.isfinite(np.ma.filled(mesh.get_array(), np.nan)).sum() == 8
    assert sorted(map(tuple, np.asarray(dots.get_offsets()) - 0.5)) == sorted(
        (j, i) for i in range(4) for j in (i, i + 1)
    )
    with pytest.raises(ValueError, match=r"must have 4 x 5 entries, got shape \(3,\)"):
        plots.dependence(boxes, np.ones(3))


@pytest.mark.boundary
def test_what_is_no_dependence_is_named():
    nothing: Any = None
    with pytest.raises(TypeError, match=r"`boxes` must be what .* returns, got NoneT"):
        plots.dependence(nothing)


def test_cut_of_a_pickled_plan_says_that_it_was_pickled():
    plan = derivatives.plan(lambda x: jnp.sin(x) * x.sum(), jnp.ones(9))
    with pytest.raises(ValueError, match="must be made where it is drawn, got one th"):
        plots.cut(pickle.loads(pickle.dumps(plan)))


def test_cut_is_marked_where_it_lies():
    made = derivatives.plan(lambda x: jnp.sin(x) * x.sum(), jnp.ones(9))
    narrow = derivatives.plan(lambda x: jnp.outer(x, x).sum() * jnp.sin(x), jnp.ones(9))
    for plan in (made, narrow):
        (axes,) = plots.cut(plan).axes
        (note,) = [c.note for c in plan.candidates if c.mode == "cut"]
        assert axes.get_title(loc="left") == note
        marked = [line for line in axes.lines if line.get_linestyle() == "--"]
        assert len(marked) == ("wide at" in note)


def test_plan_of_second_order_draws_the_dependence_alone():
    at = jnp.ones(4)
    plan = derivatives.plan(lambda x: (x**3).sum(), at, target="laplacian")
    boxes = derivatives.dependence(lambda x: x**2, at)
    assert len(plots.plan(plan, boxes).axes) == 1
    with pytest.raises(ValueError, match="`plan` must have a program of first order"):
        plots.plan(plan)
