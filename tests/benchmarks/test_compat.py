"""Which versions of JAX pass is read from runs, and told as it was."""

import json
import re
import sys
from pathlib import Path

import jax
import pytest

from benchmarks import compat

ROOT = Path(__file__).parents[2]
RUN = {"jax": "0.10.1", "python": "3.13.1", "date": "2026-01-02"}


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "compat.json"
    monkeypatch.setattr(compat, "FILE", path)
    return path


@pytest.mark.parametrize(
    ("changes", "outcome", "is_right"),
    [
        ({"passed": 3000, "skipped": 2}, "all 3,000 pass", True),
        ({"passed": 30, "failed": 2}, "2 fail, 30 pass", False),
        ({"passed": 30, "error": 1}, "1 fail, 30 pass", False),
        ({"error": 1}, "1 fail, 0 pass", False),
        ({}, "0 fail, 0 pass", False),
        ({"not_installed": "no"}, "does not install", False),
    ],
)
def test_outcome_is_told_as_it_was(file, changes, outcome, is_right):
    compat.keep({**RUN, **changes})
    assert f"| {outcome} |" in re.sub(" +", " ", compat.text())
    assert compat.passed(changes) is is_right


def test_later_run_of_a_version_replaces_the_earlier_one(file):
    for passed in (1, 2):
        compat.keep({**RUN, "passed": passed})
    compat.keep({**RUN, "jax": "0.9.12", "passed": 3})
    assert [(r["jax"], r["passed"]) for r in compat.load()] == [
        ("0.9.12", 3),
        ("0.10.1", 2),
    ]


def test_closing_line_is_read():
    line = "= 1 failed, 12 passed, 3 skipped, 2 errors in 600.10s (0:10:00) ="
    expected = {"failed": 1, "passed": 12, "skipped": 3, "error": 2}
    assert compat.closing(line) == expected


def test_status_is_1_where_a_version_fails(file, monkeypatch, capsys):
    pages = file.with_name("pages")
    write = f"open({str(pages)!r}, 'w').close()"
    monkeypatch.setattr(compat, "PAGES", (sys.executable, "-c", write))
    failed = {**RUN, "passed": 1, "failed": 1, "failures": ["FAILED tests/a.py::b"]}
    monkeypatch.setattr(compat, "try_version", lambda _: failed)
    assert compat.main(["0.10.1"]) == 1
    assert "FAILED tests/a.py::b" in capsys.readouterr().out
    assert json.loads(file.read_text()) == [failed]
    assert pages.exists()


def test_versions_begin_with_the_oldest_that_is_served_and_hold_todays():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    oldest = re.search(r'"jax>=([\d.]+)"', project)
    assert oldest is not None
    assert compat.VERSIONS[0].startswith(oldest[1])
    assert jax.__version__ in compat.VERSIONS
    assert {r["jax"] for r in compat.load()} <= set(compat.VERSIONS)
