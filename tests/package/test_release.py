"""What a release states of itself, in several places, is the same in all of them."""

import re
import tomllib
from pathlib import Path

import pytest

import jnumerics
from jnumerics.workbench import cli

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
CITATION = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
RELEASE = re.compile(r"^## (\d+\.\d+\.\d+), (\d{4}-\d\d-\d\d)$", re.MULTILINE)


def cited(field):
    match = re.search(rf"^{field}: (.+)$", CITATION, re.MULTILINE)
    assert match is not None
    return match[1]


def test_newest_section_of_the_changelog_is_this_version():
    version, date = RELEASE.findall(CHANGELOG)[0]
    assert version == PROJECT["version"] == jnumerics.__version__ == cited("version")
    assert date == cited("date-released")
    assert cited("license") == PROJECT["license"]


def test_changelog_has_releases_in_order_and_the_usual_kinds_of_change():
    versions = [version for version, _ in RELEASE.findall(CHANGELOG)]
    by_number = sorted(versions, key=lambda v: [*map(int, v.split("."))], reverse=True)
    assert versions == by_number
    kinds = re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE)
    known = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(kinds) <= known | {"Known limits"}
    assert "Added" in kinds


def test_pythons_of_the_classifiers_are_those_that_are_required():
    named = [
        c.rpartition(" ")[2]
        for c in PROJECT["classifiers"]
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", c)
    ]
    assert f">={named[0]}" == PROJECT["requires-python"]


def test_extras_name_extras_that_exist():
    extras = PROJECT["optional-dependencies"]
    for name, needs in extras.items():
        for inner in re.findall(r"jnumerics\[([\w,]+)\]", " ".join(needs)):
            assert set(inner.split(",")) <= set(extras) - {name}


@pytest.mark.parametrize("name", ["README.md", "LICENSE", "SECURITY.md"])
def test_files_that_a_release_needs_are_there(name):
    assert len((ROOT / name).read_text(encoding="utf-8")) > 500


def test_commands_of_the_readme_are_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    typed = "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    named = set(re.findall(r"^jnumerics (\w+)", typed, re.MULTILINE))
    assert {"plan", "check", "compare", "crossover"} <= named <= set(cli.COMMANDS)
