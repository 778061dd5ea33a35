import json
import re
import xml.etree.ElementTree as ET

import pytest

from jnumerics import _table


def test_text_wraps_but_never_shortens():
    rows = [["linear_regression", "a long question " * 20, "1.5"]]
    lines = _table.text(["system", "asked", "error"], rows).splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[2].startswith("linear_regression")
    assert sum(line.split().count("question") for line in lines) == 20


def test_text_aligns_numbers_to_the_right():
    lines = _table.text(["name", "n"], [["a", "1"], ["b", "100"]]).splitlines()
    assert lines[2:] == ["a       1", "b     100"]


@pytest.mark.parametrize(
    "cell",
    [
        "1.20 k",
        "512 B",
        "1.20-3.40 ms",
        "9.96-10.1",
        "1.0e-05",
        "1,090",
        "3 x 4",
        "50 %",
    ],
)
def test_text_aligns_figures_with_units_ranges_and_products_to_the_right(cell):
    lines = _table.text(["a", "figure of a mode"], [["b", cell]]).splitlines()
    assert lines[2] == f"b  {cell:>16}"


def test_text_and_html_align_notes_that_begin_with_a_digit_to_the_left():
    rows = [["a", "2 colors of inputs"], ["b", "8 at a time"]]
    assert _table.text(["name", "note"], rows).splitlines()[-1] == "b     8 at a time"
    cells = [*ET.fromstring(_table.html(["name", "note"], rows)).iter("td")]
    assert all("text-align: left" in cell.attrib["style"] for cell in cells)


def test_html_escapes_cells():
    assert re.search("<td[^>]*>&lt;b&gt;</td>", _table.html(["x"], [["<b>"]]))
    assert "&lt;i&gt;" in _table.html_lines("<i>")


def test_html_is_well_formed_aligns_numbers_and_has_no_color():
    page = _table.html(["name", "n"], [["a", "1"], ["b", "-"]])
    cells = [*ET.fromstring(page).iter("td")]
    aligned = [re.findall(r"text-align: (\w+)", c.attrib["style"]) for c in cells]
    assert aligned == [["left"], ["right"]] * 2
    assert "color" not in page.replace("border-collapse", "")


def test_html_lines_leaves_out_empty_ones():
    assert _table.html_lines("", "a").count("<p") == 1


def test_json_has_null_for_what_is_not_finite():
    value = {"a": [float("nan"), 1.0], "b": (float("inf"),)}
    assert json.loads(_table.to_json(value)) == {"a": [None, 1.0], "b": [None]}


@pytest.mark.parametrize(
    ("value", "expected"),
    [(2.0, "2.00 s"), (1.5e-3, "1.50 ms"), (25e-6, "25.0 µs"), (3e-9, "3.00 ns")],
)
def test_seconds_choose_their_unit(value, expected):
    assert _table.seconds(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(950, "950"), (1200, "1.20 k"), (3.4e6, "3.40 M")]
)
def test_count_chooses_its_unit(value, expected):
    assert _table.count(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(512, "512 B"), (1.5 * 2**20, "1.50 MiB"), (2**61, "2048 PiB")],
)
def test_memory_chooses_its_unit(value, expected):
    assert _table.memory(value) == expected


@pytest.mark.parametrize(
    ("ratio", "digits", "expected"),
    [(1.04, 2, "1"), (1.04, 3, "1.04"), (33.3, 2, "33"), (99.7, 2, "100"),
     (130.2, 2, "130"), (1090.4, 3, "1,090")],
)  # fmt: skip
def test_times_have_no_exponent(ratio, digits, expected):
    assert _table.times(ratio, digits) == expected


@pytest.mark.parametrize(
    ("n", "expected"), [(0, "0 passes"), (1, "1 pass"), (2, "2 passes")]
)
def test_plural_agrees_with_its_number(n, expected):
    assert _table.plural(n, "pass", "passes") == expected


def test_text_keeps_a_number_with_its_unit():
    cells = ["a", "1.50 ms", "2.50 ms or 3.50 ms " * 9]
    lines = _table.text(["name", "time", "note"], [cells], width=40).splitlines()
    assert sum(line.count(" ms") for line in lines) == 19


def test_seconds_range_has_one_unit():
    assert _table.seconds_range(5e-4, 1.5e-3) == "0.50-1.50 ms"


def test_a_number_leaves_its_unit_below_where_there_is_no_room():
    header = tuple(f"c{k}" for k in range(11))
    row = ("compressed", *(["123.4 MiB"] * 9), "1.5e-07")
    lines = _table.text(header, [row], width=90).splitlines()
    assert max(map(len, lines)) <= 90
    assert [word for line in lines[-2:] for word in line.split()].count("MiB") == 9
    wide = _table.text(header, [row], width=140)
    assert len(wide.splitlines()) == 3  # and not before
