"""Flags that commands share."""

import argparse
import sys

import pytest

from jnumerics.workbench import lesson
from jnumerics.workbench.commands import flags
from jnumerics.workbench.config import UsageError


def parsed(*argv):
    parser = argparse.ArgumentParser()
    flags.add_flags(parser)
    return parser.parse_args(argv)


def test_files_that_can_be_written_are_left_as_they_were(tmp_path):
    old, new = tmp_path / "old.json", tmp_path / "new.PNG"
    old.write_text("old")
    flags.require_writable(parsed("--json", str(old), "--plot", str(new)))
    assert old.read_text() == "old"
    assert not new.exists()


def test_nothing_is_required_of_files_that_are_not_asked_for():
    flags.require_writable(parsed())


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (
            ["--json", "no/folder/a.json"],
            "--json no/folder/a.json: must be a file that",
        ),
        (["--plot", "no/folder/a.svg"], "--plot no/folder/a.svg: must be a file that "),
        (
            ["--json", "."],
            "--json .: must be a file that can be written: Is a directory",
        ),
        (["--plot", "a.jpg"], "--plot a.jpg: must end in one of .png, .svg, .pdf"),
        (["--plot", "png"], "--plot png: must end in one of .png, .svg, .pdf"),
        (["--plot", "-"], "--plot -: must end in one of .png, .svg, .pdf"),
        (["--plot", ""], "--plot '': must end in one of .png, .svg, .pdf"),
        (
            ["--json", ""],
            "--json '': must be a file that can be written: it has no name",
        ),
    ],
)
def test_files_that_cannot_be_written_are_refused(argv, message):
    with pytest.raises(UsageError) as caught:
        flags.require_writable(parsed(*argv))
    assert str(caught.value).startswith(message)


def test_figure_needs_matplotlib(monkeypatch):
    monkeypatch.setattr(lesson, "has_matplotlib", lambda: False)
    flags.require_writable(parsed("--json", "a.json"))
    with pytest.raises(UsageError, match="--plot needs matplotlib: pip install"):
        flags.require_writable(parsed("--plot", "a.png"))


def test_only_files_that_are_asked_for_are_written(tmp_path):
    file, drawn = tmp_path / "a.json", []
    flags.write(parsed("--json", str(file)), lambda: "{}", drawn.append)
    assert (file.read_text(), drawn) == ("{}\n", [])
    flags.write(parsed("--plot", "b.png"), lambda: "", drawn.append)
    assert [path.name for path in drawn] == ["b.png"]


def test_json_to_the_standard_output_stands_there_alone(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = parsed("--json", "-")
    flags.require_writable(arguments)
    with flags.json_alone(arguments):
        sys.stdout.write("a table\n")
        flags.write(arguments, lambda: "{}", lambda _: None)
    sys.stdout.write("after\n")
    assert capsys.readouterr() == ("{}\nafter\n", "a table\n")
    assert not [*tmp_path.iterdir()]


def test_other_output_stays_where_json_goes_to_a_file(capsys, tmp_path):
    with flags.json_alone(parsed("--json", str(tmp_path / "a.json"))):
        sys.stdout.write("a table\n")
    assert capsys.readouterr() == ("a table\n", "")


@pytest.mark.parametrize("flag", ["json", "plot"])
def test_file_that_cannot_be_written_in_the_end_is_named(flag):
    def draw(file):
        file.write_text("figure")

    with pytest.raises(UsageError, match=f"--{flag} no/a.png: must be a file that can"):
        flags.write(parsed(f"--{flag}", "no/a.png"), lambda: "{}", draw)


@pytest.mark.parametrize("text", ["1", "20"])
def test_integers_are_read(text):
    assert flags.integer("--n", text, least=1) == int(text)


@pytest.mark.parametrize(
    "text",
    ["0", "-3", "2.0", "many", "", "²", "1e3", "nan", "inf", "2147483648", "9" * 5000],
)
def test_other_integers_are_refused(text):
    with pytest.raises(
        UsageError, match="--n must be an integer from 1 to 2147483647, got "
    ):
        flags.integer("--n", text, least=1)


def test_an_integer_may_have_a_larger_bound():
    largest = 2**63 - 1
    assert flags.integer("--n", str(largest), least=1, greatest=largest) == largest
    with pytest.raises(
        UsageError, match=f"--n must be an integer from 1 to {largest}, got"
    ):
        flags.integer("--n", str(largest + 1), least=1, greatest=largest)
