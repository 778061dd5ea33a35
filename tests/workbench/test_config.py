import argparse
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import pytest

from jnumerics.workbench import config
from jnumerics.workbench.config import Count, Field, Settings, UsageError, condition


class Example(Settings):
    steps: Count
    """how often"""
    learning_rate: float
    """100 % of it"""
    sizes: tuple[Count, ...] = (1,)
    names: tuple[str, ...] = ()
    shuffle: bool = False
    name: str = "none"
    momentum: Annotated[float, Field(ge=0)] | None = None
    even: Annotated[int, condition(lambda n: n % 2 == 0, "an even number")] = 0
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
        steps=3, learning_rate=0.5, sizes=(4, 5), shuffle=True, out="out"
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
        out="elsewhere",
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
        ("[]", ()),
    ],
)
def test_lists_are_read_as_people_write_them(load, text, value):
    assert load("steps = 3\nlearning_rate = 0.1", sizes=text).sizes == value


@pytest.mark.parametrize(
    "text", ["a,b c", " a , b c", "['a', \"b c\"]", '["a","b c",]']
)
def test_texts_of_a_list_may_stand_in_quotes(load, text):
    assert load("steps = 3\nlearning_rate = 0.1", names=text).names == ("a", "b c")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "1,,8",
        "1;8",
        "1,a",
        "1,.5",
        "1,2.7",
        "true",
        "(1,8)",
        "1\nx=2",
        "1]",
        "[[1],[2,3]]",
    ],
)
def test_other_lists_are_refused(load, text):
    with pytest.raises(UsageError, match="--sizes must be a valid integer, got"):
        load("steps = 3\nlearning_rate = 0.1", sizes=text)


def test_text_stays_a_text_although_it_looks_like_a_number(load):
    assert load("steps = 3\nlearning_rate = 0.1", name=".5").name == ".5"


def test_flag_nested_deeply_is_refused(load):
    with pytest.raises(UsageError, match="--sizes must be a valid integer, got"):
        load("steps = 3\nlearning_rate = 0.1", sizes="[" * 9999 + "]" * 9999)


def test_integer_serves_as_a_float(load):
    rate = load("steps = 3\nlearning_rate = 1").learning_rate
    assert (rate, type(rate)) == (1.0, float)


@pytest.mark.whole
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps = 'ten'", ":1: `steps` must be a valid integer, got 'ten'"),
        ("steps = true", ":1: `steps` must be a valid integer, got True"),
        ("steps = 2.0", ":1: `steps` must be a valid integer, got 2.0"),
        ("\nsteps = 2.7", ":2: `steps` must be a valid integer, got 2.7"),
        ("steps = 2147483648", "must be less than or equal to 2147483647, got 21474"),
        ("steps = 0", ":1: `steps` must be greater than or equal to 1, got 0"),
        (f"steps = 1{'0' * 5000}", "must be a TOML file with the settings: Exceeds"),
        ("learning_rate = inf", "`learning_rate` must be a finite number, got inf"),
        ("learning_rate = nan", "`learning_rate` must be a finite number, got nan"),
        (f"learning_rate = 1{'0' * 400}", "`learning_rate` must be a finite number, "),
        ("learning_rate = true", "`learning_rate` must be a valid number, got True"),
        ("even = 3", "`even` must be an even number, got 3"),
        ("sizes = 3", "`sizes` must be a valid array, got 3"),
        ("sizes = [\n3, 'x']", ":1: `sizes[1]` must be a valid integer, got 'x'"),
        ("shuffle = 1", "`shuffle` must be a valid boolean, got 1"),
        ("name = 1", "`name` must be a valid string, got 1"),
        ("out = 1", "`out` must be a valid string, got 1"),
        ("sizes = [[1, 2], [3]]", ":1: `sizes[0]` must be a valid integer, got [1, 2]"),
        ("[sizes]\na.b.c = 1", ":1: `sizes` must be a valid array, got {'a': "),
        ("sizes = " + "[" * 9999 + "]" * 9999, "lists or tables are nested too deeply"),
        ("sizes" + ".a" * 9999 + " = 1", "lists or tables are nested too deeply"),
        ("sizes = " + "[" * 300 + "]" * 300, "lists or tables are nested too deeply"),
        ("sizes" + ".a" * 300 + " = 1", "lists or tables are nested too deeply"),
        (
            "sizes = " + "[" * 99 + "]" * 99,
            "must be a valid integer, got [[[[[...]]]]]",
        ),
        ('"two\\nlines" = 1', r"unknown key 'two\nlines', known are platform, "),
        ("momentum = -1", "`momentum` must be greater than or equal to 0, got -1"),
        ("solver = 'lu'", "`solver` must be 'qr' or 'svd', got 'lu'"),
        ("precision = 64", "`precision` must be 'float32' or 'float64', got 64"),
        ("# a\nstepz = 1", ":2: unknown key `stepz`, did you mean `steps`?"),
        ("qqq = 1", ":1: unknown key `qqq`, known are platform, precision, matmul_"),
        ("steps = 1", "missing key `learning_rate`"),
        (
            "a = 1\nsteps = ",
            "must be a TOML file with the settings: Invalid value (at ",
        ),
        ("steps = 1979-05-27", "`steps` must be a valid integer, got '1979-05-27'"),
    ],
)
def test_wrong_file_is_one_line_with_file_key_and_expectation(load, text, message):
    with pytest.raises(UsageError) as caught:
        load(text)
    line = str(caught.value)
    file = Path(re.split(r":\d+: |: ", line)[0])
    assert file.name == "example.toml"
    assert message in line
    assert "\n" not in line


@pytest.mark.parametrize("text", ["nan", "-inf", "1e400", ".5e400", f"1{'0' * 5000}"])
def test_flag_of_a_number_that_is_not_finite_is_refused(load, text):
    with pytest.raises(UsageError) as caught:
        load("steps = 3\nlearning_rate = 0.5", learning_rate=text)
    assert str(caught.value) == f"--learning-rate must be a finite number, got {text!r}"


@pytest.mark.parametrize("text", ["fast", ".", "1.2.3", "a.5", ""])
def test_wrong_flag_is_one_line_with_flag_and_expectation(load, text):
    with pytest.raises(UsageError) as caught:
        load("steps = 3\nlearning_rate = 0.5", learning_rate=text)
    assert str(caught.value) == f"--learning-rate must be a valid number, got {text!r}"


@pytest.mark.parametrize("text", ["2.7", "7.0", "true", "1e3", "²", "9" * 5000])
def test_flag_that_is_no_integer_is_refused(load, text):
    with pytest.raises(UsageError, match="--steps must be a valid integer, got"):
        load("steps = 3\nlearning_rate = 0.5", steps=text)


def test_missing_file_is_named(tmp_path):
    file = tmp_path / "nowhere.toml"
    with pytest.raises(
        UsageError, match=f"{re.escape(str(file))}: must be a TOML file .*: No such"
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


@pytest.fixture
def parser(tmp_path):
    """A parser of the flags, with the defaults of a file."""
    file = tmp_path / "example.toml"
    file.write_text("steps = 30\nsizes = [4, 5]")
    parser = argparse.ArgumentParser("example", allow_abbrev=False)
    config.add_flags(parser, Example, file)
    return parser


def test_every_setting_has_a_flag(parser):
    arguments = parser.parse_args(["--steps", "4", "--learning-rate", "0.1"])
    assert config.given_flags(Example, arguments) == {
        "steps": "4",
        "learning_rate": "0.1",
    }


@pytest.mark.parametrize(
    "line",
    [
        "--steps INT how often (default: 30)",  # as in the file
        "--learning-rate FLOAT 100 % of it",  # the file has none
        "--sizes INT,... (default: [4, 5])",
        "--shuffle [BOOL] (default: False)",
        "--momentum FLOAT",
        "--solver qr|svd (default: 'qr')",
    ],
)
def test_help_shows_meaning_type_and_the_default_of_the_file(parser, line):
    assert line in " ".join(parser.format_help().split())


@pytest.mark.parametrize(
    ("argv", "expected"),
    [(["--shuffle"], True), (["--shuffle", "false"], False), ([], False)],
)
def test_switch_alone_is_true(load, parser, argv, expected):
    arguments = parser.parse_args(argv)
    flags = config.given_flags(Example, arguments)
    assert (
        load("steps = 3\nlearning_rate = 2.0\nname = ''", **flags).shuffle is expected
    )


@pytest.mark.parametrize(
    "argv", [["--config", "b"], ["--config=b"], ["-h", "--config", "b"]]
)
def test_file_that_is_given_is_found_among_other_flags(argv):
    assert config.given_file(["--steps", "3", *argv], Path("a")) == Path("b")


@pytest.mark.parametrize("argv", [[], ["--config"], ["--confi", "b"]])
def test_file_is_the_default_one_where_none_is_given(argv):
    assert config.given_file(argv, Path("a")) == Path("a")


def test_settings_that_are_printed_are_a_file_with_their_meanings(load):
    texts = {"name": 'ä "b"', "momentum": "1e-7", "sizes": "7,8", "learning_rate": "2"}
    settings = load("steps = 3", **texts)
    text = config.to_toml(settings)
    assert "steps = 3  # how often\nlearning_rate = 2.0  # 100 % of it\n" in text
    assert load(text) == settings
    assert "platform" not in tomllib.loads(text)  # there is no null
