"""Errors, rows and texts of a report."""

import math
import re

import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics.workbench import lesson, report
from jnumerics.workbench.lesson import Lesson
from tests.workbench.report._answers import CORRECT, WRONG, answer, performance


def test_error_is_relative_to_the_largest_expected_number():
    assert WRONG.error == 0.25
    assert answer([0.0, 0.5], [0.0, 0.0]).error == 0.5
    assert answer(np.zeros(0), np.zeros(0)).error == 0.0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_half_the_digits_must_agree(dtype):
    eps = float(np.finfo(dtype).eps)
    expected = np.array([1.0, 2.0])
    within, beyond = expected + 1.8 * math.sqrt(eps), expected + 2.2 * math.sqrt(eps)
    assert answer(within.astype(dtype), expected).is_right
    assert not answer(beyond.astype(dtype), expected).is_right


def test_what_is_learned_may_be_off_by_what_is_admitted():
    told = Lesson()
    told.compare("a rate", [1.0, 2.2], [1.0, 2.0], within=0.1 + 1e-12)
    told.compare("a rate", [1.0, 2.2], [1.0, 2.0], within=0.09)
    told.compare("a rate", [1.0, math.nan], [1.0, 2.0], within=0.1)
    assert [a.is_right for a in told.answers] == [True, False, False]
    lines = report.text(performance(*told.answers), "cpu").splitlines()
    assert "    error     0.1, at most 0.1" in lines
    assert "    error     WRONG 0.1, at most 0.09" in lines


@pytest.mark.parametrize("obtained", [[math.nan, 2.0], [1.0], [[1.0, 2.0]]])
def test_not_a_number_and_another_shape_are_wrong(obtained):
    assert not answer(obtained).is_right


def test_row_of_a_right_system_shows_its_first_answer():
    row = report.row(performance(CORRECT, answer([3.0], [3.0])))
    assert row == ("system", "two <numbers>", "1, 2", "1, 2", "0", "500 ms", "2")


def test_row_of_a_wrong_system_says_so():
    row = report.row(performance(CORRECT, WRONG))
    assert row[3:5] == ("1, 2.5", "WRONG 0.25")


def test_row_of_a_failed_system_says_why():
    row = report.row(performance(failure="ValueError: no"))
    assert row[3:5] == ("ValueError: no", "FAILED")


def test_table_keeps_names_whole_within_100_columns():
    long = performance(CORRECT, name="linear_regression")
    lines = report.table([long, performance(WRONG)]).splitlines()
    assert max(map(len, lines)) <= 100
    assert any(line.startswith("linear_regression ") for line in lines)


def test_text_tells_code_expected_obtained_and_times():
    text = report.text(performance(CORRECT), "cpu, float64")
    assert text.splitlines() == [
        "system on cpu, float64",
        "",
        "    f(x) < 2",
        "",
        "  two <numbers>",
        "    expected  1, 2",
        "    obtained  1, 2",
        "    error     0",
        "    time      500 ms, 2 times faster than NumPy (1.00 s); first call, "
        "compilation included, took 3.00 s",
        "",
        "  a `note`",
    ]


def test_text_leaves_a_table_the_whole_width():
    notes = ["a word", "mode  passes\nforward    16"]
    told = performance(CORRECT)._replace(lesson=Lesson([CORRECT], notes))
    text = report.text(told, "cpu")
    assert text.endswith("\n\n  a word\n\nmode  passes\nforward    16")


def test_complex_numbers_show_both_parts():
    z = np.array([1 - 2.5j, 3j])
    assert lesson.numbers(z, 3) == "1-2.5j, 0+3j"
    assert lesson.numbers(jnp.asarray(z), 3) == "1-2.5j, 0+3j"


def test_text_of_a_slower_way_says_so():
    slow = answer([1.0, 2.0], ours=4.0)
    text = report.text(performance(slow), "cpu")
    assert "4.00 s, 4 times slower than NumPy (1.00 s)" in text


def test_first_call_of_a_program_compiled_before_claims_no_compilation():
    again = answer([1.0, 2.0], ours=2.5)  # its first call took 3.00 s
    for text in (
        report.text(performance(again), "cpu"),
        report.page([performance(again)], []),
    ):
        assert "first call took 3.00 s" in text
        assert "compilation included" not in text


@pytest.mark.parametrize("ours", [1 / 1.049, 0.97, 1.0, 1.03, 1.049])
def test_text_of_ways_of_one_speed_names_no_winner(ours):
    text = report.text(performance(answer([1.0, 2.0], ours=ours)), "cpu")
    assert ", as fast as NumPy (1.00 s);" in text


@pytest.mark.parametrize(
    ("ours", "claim"),
    [
        (1 / 1.06, "1.1 times faster than NumPy (1.00 s)"),
        (1.06, "1.1 times slower than NumPy (1.00 s)"),
    ],
)
def test_ways_a_twentieth_apart_are_not_of_one_speed(ours, claim):
    text = report.text(performance(answer([1.0, 2.0], ours=ours)), "cpu")
    assert f", {claim};" in text
    assert "as fast as" not in text


@pytest.mark.parametrize(
    ("ours", "original", "widths"),
    [
        (0.5, 2.0, ["25.00", "100.00"]),
        (2.0, 0.5, ["100.00", "25.00"]),
        (1.0, 1.0, ["100.00", "100.00"]),
    ],
)
def test_bars_are_as_long_as_the_times_the_longest_filling_the_width(
    ours, original, widths
):
    told = performance(answer([1.0, 2.0], ours=ours, original=original))
    page = report.page([told], [])
    assert re.findall(r'<i style="width:([\d.]+)%">', page) == widths
    named = re.findall(r'<span>([^<]+)</span><span class="bar (\w*)">', page)
    assert named == [("jnumerics", "ours"), ("NumPy", "")]


def example(config, lesson):
    x = np.add(
        config,
        2.0,
    )

    lesson.note("x")
    lesson.compare("one and two", x, 3.0)


def test_code_of_a_lesson_is_what_stands_above_its_first_line():
    assert lesson.opening(example) == "x = np.add(\n    config,\n    2.0,\n)"


def test_lesson_that_begins_at_once_shows_no_code():
    def begins(_, lesson):
        lesson.note("x")

    assert lesson.opening(begins) == ""


def test_race_is_told_of_the_comparison_above_it():
    told = Lesson()
    told.compare("one", 1.0, 1.0)
    told.compare("two", 2.0, 2.0)
    told.race(lambda: 1, lambda: 1, rival="another")
    one, two = told.answers
    assert one.race is None
    assert two.race is not None
    assert two.race.rival == "another"


def test_answer_that_was_not_timed_has_no_times():
    told = performance(CORRECT._replace(race=None))
    assert report.row(told)[-2:] == ("-", "-")
    assert "time  " not in report.text(told, "cpu")
    assert 'class="bars"' not in report.page([told], [])
