import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from jnumerics import _picture

SHARES = np.array([[1.0, 0.0, 0.5], [0.0, 0.25, 0.25]])


def parse(svg):
    root = ET.fromstring(svg)
    return root, [e for e in root.iter() if e.tag.endswith("rect")]


def test_text_has_a_sign_for_each_cell_and_lines_between_leaves():
    text = _picture.cells_text(SHARES, ([1], [2]))
    assert text.splitlines() == ["█·│▒", "──┼─", "·▒│▒"]


def test_svg_draws_what_is_filled_and_joins_neighbors_that_are_alike():
    _, rects = parse(_picture.cells_svg(SHARES, "a <b>"))
    places = [tuple(int(r.attrib[k]) // 24 for k in ("x", "y", "width")) for r in rects]
    assert places == [(0, 0, 1), (2, 0, 1), (1, 1, 2)]
    opacities = [float(r.attrib["opacity"]) for r in rects]
    assert opacities[0] > opacities[1] > opacities[2] > 0.2


def test_svg_takes_its_ink_from_the_page_and_shrinks_with_it():
    for svg in (
        _picture.cells_svg(SHARES, 'a "<b>"'),
        _picture.curve_svg(np.arange(5.0), 'a "<b>"'),
    ):
        root, _ = parse(svg)
        assert root.attrib["aria-label"] == 'a "<b>"'
        assert "max-width: 100%" in root.attrib["style"]
        colors = set(re.findall(r'(?:fill|stroke)="(\w+)"', svg))
        assert colors == {"currentColor", "none"}


def points(svg):
    path = re.search(r'd="(M[^"]*)"', svg)
    assert path is not None
    return re.findall(r"([ML])([\d.]+) ([\d.]+)", path[1])


def test_curve_falls_from_left_above_to_right_below():
    drawn = points(_picture.curve_svg(np.array([100.0, 10.0, 1.0]), "loss"))
    x, y = ([float(p[k]) for p in drawn] for k in (1, 2))
    assert x == sorted(x)
    assert y == sorted(y)
    assert y[1] - y[0] == pytest.approx(y[2] - y[1])  # logarithmic


def test_curve_leaves_a_gap_where_values_are_not_finite():
    drawn = points(_picture.curve_svg(np.array([3.0, 2, np.nan, 1, 0]), "loss"))
    assert [letter for letter, *_ in drawn] == ["M", "L", "M", "L"]


def test_long_curve_keeps_its_extremes():
    values = np.ones(100_000)
    values[12_345], values[54_321] = 50.0, 0.01
    drawn = points(_picture.curve_svg(values, "loss"))
    heights = [float(p[2]) for p in drawn]
    assert len(drawn) < 2000
    assert (min(heights), max(heights)) == (1.0, _picture.HIGH - 1.0)


@pytest.mark.parametrize("values", [[], [1.0], [np.nan, np.inf], [np.nan, 2.0]])
def test_curve_of_fewer_than_two_points_is_nothing(values):
    assert _picture.curve_svg(np.array(values), "loss") == ""


def test_curve_of_one_height_is_drawn():
    assert len(points(_picture.curve_svg(np.full(4, -2.0), "loss"))) == 4
