"""The page of a report."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from jnumerics.workbench import lesson, plots, report
from jnumerics.workbench.lesson import Lesson, Picture
from tests.workbench.report._answers import CORRECT, WRONG, performance


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


def test_page_is_complete_in_itself_and_escaped():
    figure = plots.images({"one": np.zeros((4, 4))})
    drawn = Lesson([CORRECT], ["a `note`"], [Picture("one", "a < b", figure)])
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
            [performance(CORRECT)],
            [performance(CORRECT), performance(WRONG, name="other")],
            [performance(failure="ValueError: no")],
        )
    ]
    verdicts = [re.search('verdict (good|bad)">(.*?)<', p) for p in pages]
    assert [v and v.groups() for v in verdicts] == [
        ("good", "All answers are right."),
        ("bad", "Wrong: other."),
        ("bad", "Wrong: system."),
    ]


def test_picture_is_drawn_only_with_matplotlib(monkeypatch):
    told = Lesson()
    monkeypatch.setattr(lesson, "has_matplotlib", lambda: False)
    told.picture("one", "a caption", lambda: pytest.fail("drawn"))
    assert told.pictures == []


def test_a_note_of_several_lines_keeps_them_on_the_page():
    told = performance(CORRECT)._replace(
        lesson=Lesson([CORRECT], ["a < b\nforward    16"])
    )
    page = report.page([told], [])
    assert '<pre class="note">a &lt; b\nforward    16</pre>' in page


def test_page_says_why_a_system_failed():
    page = report.page([performance(CORRECT, failure="no <luck>")], [])
    assert '<p class="bad">no &lt;luck&gt;</p>' in page
