"""Typed settings of a script: a dataclass, filled from a TOML file and from flags.

A setting is declared once, as a field with its type. The file gives its value, and a
flag of the same name overrides that (`learning_rate`, `--learning-rate 0.5`). Types are
those that TOML has (bool, int, float, str), and `pathlib.Path`, `Literal`, `tuple[T, ...]`,
`T | None`, all of them optionally narrowed by `Annotated[T, Condition(...)]`.

What is wrong with a file or a flag is a `UsageError`: one line that names the file and
the key, and what was expected.
"""

import argparse
import contextlib
import dataclasses
import math
import re
import reprlib
import tempfile
import tomllib
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from jnumerics._check import MOST_COUNTED

__all__ = [
    "Condition",
    "Count",
    "Settings",
    "UsageError",
    "add_flags",
    "between",
    "given_flags",
    "load",
    "output_folder",
]


class UsageError(Exception):
    """What the person who started the program can mend, said in one line."""


@dataclasses.dataclass(frozen=True)
class Condition:
    """What a setting must fulfill beside its type, as a test and in words.

    Example:
        >>> Even = Annotated[int, Condition(lambda n: n % 2 == 0, "that is even")]
    """

    holds: Callable[[Any], bool]
    words: str


def between(least: int, most: int) -> Condition:
    """Return the condition of a number from `least` to `most`."""
    return Condition(lambda n: least <= n <= most, f"from {least} to {most}")


Count = Annotated[int, between(1, MOST_COUNTED)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings that every script has."""

    platform: str | None = None
    precision: Literal["float32", "float64"] = "float64"
    out: Path = Path("out")


C = typing.TypeVar("C", bound=Settings)


class _MismatchError(Exception):
    """A value of another type."""


def load(cls: type[C], file: Path, flags: Mapping[str, str] | None = None) -> C:
    """Fill the dataclass `cls` from a TOML file, and from flags, which win.

    Args:
        cls: The dataclass.
        file: The TOML file; fields that have a default may be missing there.
        flags: Texts given on the command line, by the field's name.

    Returns:
        The settings.

    Raises:
        UsageError: If the file cannot be read, has an unknown key or a value of the
            wrong type, or lacks a field; or if a flag's text does not fit.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "settings.toml")
        ...     _ = file.write_text('precision = "float64"')
        ...     load(Settings, file, {"precision": "float32"}).precision
        'float32'
    """
    kinds = _kinds(cls)
    values = {}
    for key, value in _read(file).items():
        if key not in kinds:
            msg = f"{file}: unknown key {_key(key)}, expected one of {', '.join(kinds)}"
            raise UsageError(msg)
        try:
            values[key] = _convert(kinds[key], value)
        except _MismatchError:
            expected = _describe(kinds[key])
            msg = f"{file}: `{key}` must be {expected}, got {_shown(value)}"
            raise UsageError(msg) from None
    for key, text in (flags or {}).items():
        try:
            values[key] = _from_text(kinds[key], text)
        except _MismatchError:
            msg = f"{_flag(key)} must be {_describe(kinds[key])}, got {text!r}"
            raise UsageError(msg) from None
    for field in dataclasses.fields(cls):
        if field.name not in values and field.default is dataclasses.MISSING:
            expected = _describe(kinds[field.name])
            msg = f"{file}: missing key `{field.name}`, expected {expected}"
            raise UsageError(msg)
    return cls(**values)


def add_flags(parser: argparse.ArgumentParser, cls: type[Settings]) -> None:
    """Add a flag for every field of the dataclass `cls`, and `--config`."""
    parser.add_argument("--config", metavar="FILE", help="TOML file with the settings")
    for key, kind in _kinds(cls).items():
        parser.add_argument(_flag(key), metavar=_metavar(key), help=_describe(kind))


def given_flags(cls: type[Settings], arguments: argparse.Namespace) -> dict[str, str]:
    """Return the texts of the flags that were given, by the field's name."""
    texts = {key: getattr(arguments, key) for key in _kinds(cls)}
    return {key: text for key, text in texts.items() if text is not None}


def output_folder(path: Path | str, name: str = "--out") -> Path:
    """Make a folder for results, and make sure that files can be written there.

    Args:
        path: The folder; a text that is empty is none.
        name: What gave it: a flag, or a file and its key.

    Returns:
        The folder.

    Raises:
        UsageError: If it cannot be made or written to.
    """
    if not path:
        msg = f"{name} must be a folder, got ''"
        raise UsageError(msg)
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except (OSError, ValueError) as e:  # of values, a path with a null character
        reason = e.strerror if isinstance(e, OSError) else e
        msg = f"{name} {path}: must be a folder that can be written to: {reason}"
        raise UsageError(msg) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as e:
        reason = e.strerror
    except ValueError as e:  # of TOML or of UTF-8
        reason = e
    except RecursionError:
        reason = "its lists or tables are nested too deeply"
    msg = f"{file}: must be a TOML file with the settings: {reason}"
    raise UsageError(msg)


def _key(key: str) -> str:
    return f"`{key}`" if key.isprintable() else repr(key)


def _shown(value: Any) -> str:
    """Write a value, shortened where it is long or deep."""
    short = reprlib.Repr()
    short.maxlevel = 4
    short.maxstring = short.maxother = 60
    return short.repr(value)


def _kinds(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls, include_extras=True)


def _flag(key: str) -> str:
    return "--" + key.replace("_", "-")


def _metavar(key: str) -> str:
    named = {"steps": "N", "out": "DIR", "platform": "cpu|cuda|tpu"}
    return named.get(key, key.upper())


def _from_text(kind: Any, text: str) -> Any:
    """Return a flag's text as one of `kind`: a string, TOML, or near to TOML."""
    for value in (text, *_readings(text)):
        with contextlib.suppress(_MismatchError):
            return _convert(kind, value)
    raise _MismatchError


def _readings(text: str) -> Iterator[Any]:
    """Read a text as TOML; `.5` and `5.` are numbers too, and `1,8,3` is a list."""
    if "\n" in text:  # TOML would go on with the next setting
        return
    written_out = re.sub(r"(?<![\w.])\.(?=\d)", "0.", text)
    written_out = re.sub(r"(?<=\d)\.(?!\d)", ".0", written_out)
    lists = (f"[{t}]" for t in (text, written_out) if text.strip())
    for line in dict.fromkeys((text, written_out, *lists)):
        # no TOML, nested deeply, or thousands of digits, which Python refuses to read
        with contextlib.suppress(ValueError, RecursionError):
            yield tomllib.loads(f"value = {line}")["value"]


def _convert(kind: Any, value: Any) -> Any:
    """Return the TOML `value` as one of `kind`; a bool is no int, an int is a float."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        plain, condition = arguments
        converted = _convert(plain, value)
        if condition.holds(converted):
            return converted
    elif origin is Literal:
        if any(type(value) is type(a) and value == a for a in arguments):
            return value
    elif origin in (types.UnionType, typing.Union):
        for alternative in arguments:
            with contextlib.suppress(_MismatchError):
                return _convert(alternative, value)
    elif origin is tuple:
        if isinstance(value, list):
            with contextlib.suppress(_MismatchError):
                return tuple(_convert(arguments[0], v) for v in value)
    elif kind is float and type(value) in (int, float):
        with contextlib.suppress(OverflowError):  # of an integer
            if math.isfinite(value):
                return float(value)
    elif kind is Path and isinstance(value, str) and value:
        return Path(value)
    elif type(value) is kind:
        return value
    raise _MismatchError


def _describe(kind: Any) -> str:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return f"{_describe(arguments[0])} {arguments[1].words}"
    if origin is Literal:
        return "one of " + ", ".join(map(repr, arguments))
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_describe(a) for a in arguments if a is not type(None))
    if origin is tuple:
        return f"a list, each {_describe(arguments[0])}"
    names = {bool: "true or false", int: "an integer", float: "a finite number"}
    return {**names, str: "a string", Path: "a path"}[kind]
