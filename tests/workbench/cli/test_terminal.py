"""What the terminal can show."""

import re
import sys

import pytest

from jnumerics.workbench.commands import _terminal
from tests.workbench.cli._run import run_process, with_environment


@pytest.mark.process
def test_table_in_ascii_has_plain_lines():
    done = run_process("info", env=with_environment(PYTHONIOENCODING="ascii"))
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch("-+  -+", done.stdout.splitlines()[1])


@pytest.mark.parametrize(
    ("text", "plain"), [("─ 1.5 µs … é", b"- 1.5 us ... e"), ("\udcff 漢", b"? ?")]
)
def test_characters_that_the_encoding_lacks_are_written_in_ascii(
    monkeypatch, tmp_path, text, plain
):
    with (tmp_path / "out").open("w", encoding="ascii") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with _terminal.plain_where_needed():
            sys.stdout.write(text)
        assert stream.errors == "strict"
    assert (tmp_path / "out").read_bytes() == plain


def test_way_of_writing_that_was_asked_for_is_kept(monkeypatch, tmp_path):
    file = tmp_path / "out"
    with file.open("w", encoding="ascii", errors="xmlcharrefreplace") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with _terminal.plain_where_needed():
            sys.stdout.write("µ")
    assert file.read_bytes() == b"&#181;"
