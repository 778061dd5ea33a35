import math
import re
from html.parser import HTMLParser

import jax
import numpy as np
import pytest

from jnumerics.workbench import lesson, plots, report
from jnumerics.workbench.lesson import Answer, Lesson, Performance, Picture, Race


def answer(obtained, expected=(1.0, 2.0), *, ours=0.5, original=1.0, rival="NumPy"):
    obtained, expected = np.asarray(obtained), np.asarray(expected)
    race = Race(3.0, ours, original, rival)
    return Answer("two <numbers>", obtained, expected, race)


def performance(*answers, failure="", name="system"):
    return Performance(
        name,
        "A title.\n\nA & B, `f(x)`.",
        Lesson([*answers], ["a `note`"]),
        code="f(x) < 2",
        failure=failure,
    )


RIGHT = answer([1.0, 2.0])
WRONG = answer([1.0, 2.5])


class Tags(HTMLParser):
    """Collects tags and attributes, and that every tag is closed in order."""

    void = ("meta", "br", "path", "use", "image", "rect")

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.addresses = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.addresses += [v for k, v in attrs if k in ("src", "href", "xlink:href")]
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.void:
            assert self.open.pop() == tag


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


@pytest.mark.parametrize("obtained", [[math.nan, 2.0], [1.0], [[1.0, 2.0]]])
def test_not_a_number_and_another_shape_are_wrong(obtained):
    assert not answer(obtained).is_right


def test_row_of_a_right_system_shows_its_first_answer():
    row = report.row(performance(RIGHT, answer([3.0], [3.0])))
    assert row == ("system", "two <numbers>", "1, 2", "1, 2", "0", "500 ms", "2")


def test_row_of_a_wrong_system_says_so():
    row = report.row(performance(RIGHT, WRONG))
    assert row[3:5] == ("1, 2.5", "WRONG 0.25")


def test_row_of_a_failed_system_says_why():
    row = report.row(performance(failure="ValueError: no"))
    assert row[3:5] == ("ValueError: no", "FAILED")


def test_table_keeps_names_whole_within_100_columns():
    long = performance(RIGHT, name="linear_regression")
    lines = report.table([long, performance(WRONG)]).splitlines()
    assert max(map(len, lines)) <= 100
    assert any(line.startswith("linear_regression ") for line in lines)


def test_text_tells_code_expected_obtained_and_times():
    text = report.text(performance(RIGHT), "cpu, float64")
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
    told = performance(RIGHT)._replace(lesson=Lesson([RIGHT], notes))
    text = report.text(told, "cpu")
    assert text.endswith("\n\n  a word\n\nmode  passes\nforward    16")


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


def test_page_is_complete_in_itself_and_escaped():
    figure = plots.images({"one": np.zeros((4, 4))})
    drawn = Lesson([RIGHT], ["a `note`"], [Picture("one", "a < b", figure)])
    told = performance()._replace(lesson=drawn)
    page = report.page([told], [("JAX", "1 & 2")])
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert {"table", "svg", "figcaption"} <= set(tags.seen)
    assert "nav" not in tags.seen  # the table's names are the links
    assert '<td data-label="system"><a href="#system">system</a></td>' in page
    assert '<svg role="img" aria-label="Figure: one."' in page
    assert "<dt>precision</dt><dd>float64</dd>" in page
    assert "Error is the largest absolute difference" in page
    assert not {"script", "link", "iframe"} & set(tags.seen)
    assert all(a.startswith(("#", "data:")) for a in tags.addresses)
    assert not re.search(r"url\((?!#)|@import", page)
    assert "prefers-color-scheme: dark" in page
    for text in (
        "two &lt;numbers&gt;",
        "<pre><code>f(x) &lt; 2</code></pre>",
        "A &amp; B, <code>f(x)</code>.",
        "a <code>note</code>",
        "a &lt; b",
        "1 &amp; 2",
    ):
        assert text in page


def test_page_names_what_is_wrong():
    pages = [
        report.page(p, [])
        for p in (
            [performance(RIGHT)],
            [performance(RIGHT), performance(WRONG, name="other")],
            [performance(failure="ValueError: no")],
        )
    ]
    verdicts = [re.search('verdict (good|bad)">(.*?)<', p) for p in pages]
    assert [v and v.groups() for v in verdicts] == [
        ("good", "All answers are right."),
        ("bad", "Wrong: other."),
        ("bad", "Wrong: system."),
    ]


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
    told = performance(RIGHT._replace(race=None))
    assert report.row(told)[-2:] == ("-", "-")
    assert "time  " not in report.text(told, "cpu")
    assert 'class="bars"' not in report.page([told], [])


def test_picture_is_drawn_only_with_matplotlib(monkeypatch):
    told = Lesson()
    monkeypatch.setattr(lesson, "has_matplotlib", lambda: False)
    told.picture("one", "a caption", lambda: pytest.fail("drawn"))
    assert told.pictures == []


def test_first_call_of_a_race_compiles_again():
    traced = []

    @jax.jit
    def compiled(x):
        traced.append(x)
        return x + 1

    compiled(1.0)
    lesson.measure(lambda: compiled(1.0), lambda: None, seconds=0.0)
    assert len(traced) == 2


def test_measure_takes_turns():
    calls = []
    race = lesson.measure(
        lambda: calls.append("ours"), lambda: calls.append("theirs"), seconds=1e-9
    )
    assert calls == ["ours", "theirs"] * 2
    assert min(race.first_s, race.run_s, race.original_s) > 0


class Durations:
    """A clock for calls that take known times, one after another."""

    def __init__(self, *seconds):
        self.left, self.now, self.is_running = list(seconds), 0.0, False

    def perf_counter(self):
        if self.is_running:
            self.now += self.left.pop(0)
        self.is_running = not self.is_running
        return self.now


def test_measure_tells_the_first_call_and_the_medians_of_the_others(monkeypatch):
    ours, theirs = (100.0, 1.0, 2.0, 9.0), (200.0, 30.0, 40.0, 90.0)
    clock = Durations(*(t for pair in zip(ours, theirs, strict=True) for t in pair))
    monkeypatch.setattr(lesson, "time", clock)
    race = lesson.measure(lambda: "ours", lambda: "theirs", seconds=74.0)
    assert race == (100.0, 2.0, 40.0, "the NumPy original")
    assert clock.left == []


def test_median_is_of_the_calls_after_the_one_that_compiles(monkeypatch):
    clock = Durations(100.0, 1.0, 2.0, 9.0)
    monkeypatch.setattr(lesson, "time", clock)
    assert lesson.median_s(lambda: None, seconds=4.0) == 2.0
    assert clock.left == []


def test_a_note_of_several_lines_keeps_them_on_the_page():
    told = performance(RIGHT)._replace(lesson=Lesson([RIGHT], ["a < b\nforward    16"]))
    page = report.page([told], [])
    assert '<pre class="note">a &lt; b\nforward    16</pre>' in page


def test_page_says_why_a_system_failed():
    page = report.page([performance(RIGHT, failure="no <luck>")], [])
    assert '<p class="bad">no &lt;luck&gt;</p>' in page
