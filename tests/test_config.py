import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest

from jnumerics.workbench import config
from jnumerics.workbench.config import Condition, Count, Settings, UsageError


@dataclass(frozen=True, kw_only=True)
class Example(Settings):
    steps: Count
    learning_rate: float
    sizes: tuple[Count, ...] = (1,)
    shuffle: bool = False
    name: str = "none"
    momentum: Annotated[float, Condition(lambda x: x >= 0, "of at least 0")] | None = (
        None
    )
    even: Annotated[int, Condition(lambda n: n % 2 == 0, "that is even")] = 0
    solver: Literal["qr", "svd"] = "qr"


@pytest.fixture
def load(tmp_path):
    def load(text, **flags):
        file = tmp_path / "example.toml"
        file.write_text(text)
        return config.load(Example, file, flags)

    return load


def test_file_fills_the_settings_and_defaults_the_rest(load):
    settings = load("steps = 3\nlearning_rate = 0.5\nsizes = [4, 5]\nshuffle = true")
    assert settings == Example(
        steps=3, learning_rate=0.5, sizes=(4, 5), shuffle=True, out=Path("out")
    )


def test_flags_win_over_the_file(load):
    settings = load(
        "steps = 3\nlearning_rate = 0.5",
        steps="7",
        learning_rate="1",
        sizes="[2, 3]",
        shuffle="true",
        name="7",
        out="elsewhere",
        momentum="0.9",
    )
    assert settings == Example(
        steps=7,
        learning_rate=1.0,
        sizes=(2, 3),
        shuffle=True,
        name="7",
        out=Path("elsewhere"),
        momentum=0.9,
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (".5", 0.5),
        ("-.5", -0.5),
        ("+.5e1", 5.0),
        ("5.", 5.0),
        ("2.e-1", 0.2),
        ("1", 1.0),
    ],
)
def test_numbers_are_read_as_people_write_them(load, text, value):
    settings = load("steps = 3\nlearning_rate = 0.1", learning_rate=text)
    assert settings.learning_rate == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,8,3", (1, 8, 3)),
        ("1, 8, 3,", (1, 8, 3)),
        ("[1,8,3]", (1, 8, 3)),
        ("8", (8,)),
    ],
)
def test_lists_are_read_as_people_write_them(load, text, value):
    assert load("steps = 3\nlearning_rate = 0.1", sizes=text).sizes == value


@pytest.mark.parametrize(
    "text",
    ["", ",", "1,,8", "1;8", "1,a", "1,.5", "(1,8)", "1\nx=2", "1]", "[[1],[2,3]]"],
)
def test_other_lists_are_refused(load, text):
    with pytest.raises(
        UsageError, match="--sizes must be a list, each an integer from"
    ):
        load("steps = 3\nlearning_rate = 0.1", sizes=text)


def test_text_stays_a_text_although_it_looks_like_a_number(load):
    assert load("steps = 3\nlearning_rate = 0.1", name=".5").name == ".5"


def test_flag_nested_deeply_is_refused(load):
    with pytest.raises(UsageError, match="--sizes must be a list"):
        load("steps = 3\nlearning_rate = 0.1", sizes="[" * 9999 + "]" * 9999)


def test_integer_serves_as_a_float(load):
    rate = load("steps = 3\nlearning_rate = 1").learning_rate
    assert (rate, type(rate)) == (1.0, float)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps = 'ten'", "`steps` must be an integer from 1 to 2147483647, got 'ten'"),
        ("steps = true", "`steps` must be an integer from 1 to 2147483647, got True"),
        ("steps = 2.0", "`steps` must be an integer from 1 to 2147483647, got 2.0"),
        (
            "steps = 2147483648",
            "`steps` must be an integer from 1 to 2147483647, got 2",
        ),
        ("learning_rate = inf", "`learning_rate` must be a finite number, got inf"),
        (
            f"learning_rate = 1{'0' * 400}",
            "`learning_rate` must be a finite number, got 1",
        ),
        (
            f"steps = 1{'0' * 5000}",
            "must be a TOML file with the settings: Exceeds the",
        ),
        ("even = 3", "`even` must be an integer that is even, got 3"),
        ("steps = 0", "`steps` must be an integer from 1 to 2147483647, got 0"),
        ("learning_rate = nan", "`learning_rate` must be a finite number, got nan"),
        ("learning_rate = true", "`learning_rate` must be a finite number, got True"),
        (
            "sizes = 3",
            "`sizes` must be a list, each an integer from 1 to 2147483647, got 3",
        ),
        (
            "sizes = [3, 'x']",
            "`sizes` must be a list, each an integer from 1 to 2147483647",
        ),
        ("shuffle = 1", "`shuffle` must be true or false, got 1"),
        ("name = 1", "`name` must be a string, got 1"),
        ("out = 1", "`out` must be a path, got 1"),
        ("out = ''", "`out` must be a path, got ''"),
        ("sizes = [[1, 2], [3]]", "`sizes` must be a list, each an integer from 1 to"),
        ("[sizes]\na.b.c = 1", "`sizes` must be a list, each an integer from 1 to "),
        ("sizes = " + "[" * 9999 + "]" * 9999, "lists or tables are nested too deeply"),
        ("sizes" + ".a" * 9999 + " = 1", "`sizes` must be a list, each an integer "),
        ("sizes = " + "[" * 99 + "]" * 99, "got [[[[[...]]]]]"),
        ('"two\\nlines" = 1', r"unknown key 'two\nlines', expected one of platform, "),
        ("momentum = -1", "`momentum` must be a finite number of at least 0, got -1"),
        ("solver = 'lu'", "`solver` must be one of 'qr', 'svd', got 'lu'"),
        ("precision = 64", "`precision` must be one of 'float32', 'float64', got 64"),
        ("stepz = 1", "unknown key `stepz`, expected one of platform, precision, "),
        ("steps = 1", "missing key `learning_rate`, expected a finite number"),
        ("steps = ", "must be a TOML file with the settings: "),
    ],
)
def test_wrong_file_is_one_line_with_file_key_and_expectation(load, text, message):
    with pytest.raises(UsageError) as caught:
        load(text)
    line = str(caught.value)
    assert Path(line.split(": ")[0]).name == "example.toml"
    assert message in line
    assert "\n" not in line


@pytest.mark.parametrize(
    "text",
    [
        "fast",
        "nan",
        "-inf",
        "1e400",
        ".5e400",
        f"1{'0' * 5000}",
        ".",
        "1.2.3",
        "a.5",
        "",
    ],
)
def test_wrong_flag_is_one_line_with_flag_and_expectation(load, text):
    with pytest.raises(UsageError) as caught:
        load("steps = 3\nlearning_rate = 0.5", learning_rate=text)
    assert str(caught.value) == f"--learning-rate must be a finite number, got {text!r}"


def test_missing_file_is_named(tmp_path):
    file = tmp_path / "nowhere.toml"
    with pytest.raises(
        UsageError, match=f"{file}: must be a TOML file .*: No such file"
    ):
        config.load(Example, file)


def test_mark_of_utf8_at_the_start_is_no_setting(tmp_path):
    file = tmp_path / "marked.toml"
    file.write_bytes(b"\xef\xbb\xbfsteps = 3\nlearning_rate = 0.5")
    assert config.load(Example, file).steps == 3


def test_file_in_another_encoding_is_named(tmp_path):
    file = tmp_path / "latin.toml"
    file.write_bytes(b"name = '\xe9'")
    with pytest.raises(UsageError, match=r"latin\.toml: must be a TOML file .*utf-8"):
        config.load(Example, file)


def test_every_field_has_a_flag():
    parser = argparse.ArgumentParser()
    config.add_flags(parser, Example)
    arguments = parser.parse_args(["--steps", "4", "--learning-rate", "0.1"])
    assert config.given_flags(Example, arguments) == {
        "steps": "4",
        "learning_rate": "0.1",
    }


def test_output_folder_is_made_with_its_parents(tmp_path):
    assert config.output_folder(tmp_path / "a" / "b").is_dir()


def test_output_folder_without_a_name_is_refused():
    with pytest.raises(UsageError, match="--out must be a folder, got ''"):
        config.output_folder("")


@pytest.mark.parametrize("name", ["file", "file/below", "null\0character"])
def test_output_folder_that_cannot_be_made_is_named(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(
        UsageError, match=f"{name}: must be a folder that can be written"
    ):
        config.output_folder(tmp_path / name)
