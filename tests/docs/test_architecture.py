"""The page on architecture: its picture is the tree, its walk is what happens."""

import doctest
import re
from pathlib import Path

import jnumerics

PACKAGE = Path(jnumerics.__path__[0]) / "derivatives"
PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"


def test_the_picture_names_what_is_there():
    (picture,) = re.findall(r"```\n(fun, arguments.*?)```", PAGE.read_text(), re.DOTALL)
    named = set(re.findall(r"\b_[a-z]+(?:\.py)?", picture))
    present = {
        p.name for p in PACKAGE.iterdir() if p.name[0] == "_" and p.name[1] != "_"
    }
    assert named == present


def test_the_walk_gives_what_it_says():
    failures, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert tried >= 6
    assert failures == 0


def test_every_file_that_is_named_exists():
    root = PAGE.parents[1]
    text = PAGE.read_text() + (root / "CONTRIBUTING.md").read_text()
    paths = re.findall(r"`((?:tests|docs|_\w+)/[\w/]+\.(?:py|md)|_\w+/\w*/?)`", text)
    assert paths
    for path in paths:
        assert (root / path).exists() or (PACKAGE / path).exists(), path


def test_the_glossary_is_short():
    assert len(re.findall(r"^\| ", PAGE.read_text(), re.MULTILINE)) <= 30
