"""Settings of a script: a pydantic model, filled from a TOML file and from flags.

A setting is declared once, as a field with its type and, in a string below it, its
meaning. The file gives its value; a flag of the same name overrides that
(`learning_rate`, `--learning-rate 0.5`). Validation is strict: 2.7 and true are no
integers.

What is wrong with a file or a flag is a `UsageError`: one line that names the file, the
line and the key, or the flag, and says what was expected.
"""

import argparse
import contextlib
import difflib
import json
import re
import reprlib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from jnumerics._check import MOST_COUNTED
from jnumerics.workbench._usage import UsageError, output_folder

__all__ = [
    "Count",
    "Field",
    "MatmulPrecision",
    "Settings",
    "UsageError",
    "add_flags",
    "condition",
    "given_file",
    "given_flags",
    "load",
    "output_folder",
    "to_toml",
]

MatmulPrecision = Literal["default", "high", "highest"]
Count = Annotated[int, Field(ge=1, le=MOST_COUNTED)]


class Settings(BaseModel):
    """The settings that every script has."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", allow_inf_nan=False,
        use_attribute_docstrings=True,
    )  # fmt: skip

    platform: str | None = None
    """where to compute: cpu, cuda or tpu; JAX chooses if none is given"""
    precision: Literal["float32", "float64"] = "float64"
    """precision of the numbers"""
    matmul_precision: MatmulPrecision = "highest"
    """precision of matrix products and convolutions, on TPU and GPU"""
    out: str = "out"
    """folder of the figures"""


S = TypeVar("S", bound=Settings)


def condition(holds: Callable[[Any], bool], words: str) -> AfterValidator:
    """Return what a setting must fulfill beside its type, as a test and in words.

    Example:
        >>> Even = Annotated[int, condition(lambda n: n % 2 == 0, "an even number")]
    """

    def check(value: Any) -> Any:
        if holds(value):
            return value
        msg = f"must be {words}"
        raise ValueError(msg)

    return AfterValidator(check)


def load(cls: type[S], file: Path, flags: Mapping[str, str] | None = None) -> S:
    """Fill the model `cls` from a TOML file, and from flags, which win.

    Args:
        cls: The model.
        file: The TOML file; settings that have a default may be missing there.
        flags: Texts given on the command line, by the setting's name.

    Returns:
        The settings.

    Raises:
        UsageError: If the file cannot be read, has an unknown key or a value of the
            wrong type, or lacks a setting; or if a flag's text does not fit.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "settings.toml")
        ...     _ = file.write_text("out = 'figures'")
        ...     load(Settings, file, {"precision": "float32"}).precision
        'float32'
    """
    text, flags = _text(file), flags or {}
    forms = _forms(cls)
    values = _values(file, text)
    values |= {key: _from_flag(forms[key], flag) for key, flag in flags.items()}
    try:
        # as JSON, where a strict tuple may be written as a list: TOML has no other
        return cls.model_validate_json(json.dumps(values, default=str))
    except ValidationError as e:
        # the first, but what is missing comes last: a misspelled key is missing too
        error = min(e.errors(), key=lambda k: _RANKS.get(k["type"], 1))
    except RecursionError:
        error = None
    if error is None or not error["loc"]:  # too deep for json, or for pydantic's parser
        msg = f"{file}: its lists or tables are nested too deeply"
        raise UsageError(msg)
    key = str(error["loc"][0])
    if key in flags:
        msg = f"{_flag(key)} {_expectation(error)}, got {flags[key]!r}"
    else:
        msg = f"{_place(file, text, key)}: {_complaint(error, key, forms)}"
    raise UsageError(msg)


def given_file(argv: Sequence[str] | None, default: Path) -> Path:
    """Return the file that `--config` names, or else the default one."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config", nargs="?", type=Path, default=default)
    return parser.parse_known_args(argv)[0].config or default


def add_flags(parser: argparse.ArgumentParser, cls: type[Settings], file: Path) -> None:
    """Add a flag for every setting of `cls`, `--config` and `--print-config`.

    Args:
        parser: What they are added to.
        cls: The model.
        file: The TOML file, whose values are shown as the defaults.

    Raises:
        UsageError: If the file cannot be read.
    """
    parser.add_argument(
        "--config",
        metavar="FILE",
        help=f"TOML file with the settings (default: {file})",
    )
    parser.add_argument(
        "--print-config", action="store_true", help="print the settings, and end"
    )
    values = _values(file, _text(file))
    for key, form in _forms(cls).items():
        meaning = cls.model_fields[key].description or ""
        default = values.get(key, form.get("default"))
        shown = "" if default is None else f" (default: {_shown(default)})"
        parser.add_argument(
            _flag(key),
            metavar=_metavar(form),
            **_ALONE.get(form.get("type"), {}),
            help=f"{meaning}{shown}".replace("%", "%%"),
        )


def given_flags(cls: type[Settings], arguments: argparse.Namespace) -> dict[str, str]:
    """Return the texts of the flags that were given, by the setting's name."""
    texts = {key: getattr(arguments, key) for key in cls.model_fields}
    return {key: text for key, text in texts.items() if text is not None}


def to_toml(settings: Settings) -> str:
    """Write settings as a TOML file, with their meanings.

    Example:
        >>> print(to_toml(Settings(out="figures")))  # doctest: +ELLIPSIS
        precision = "float64"  # precision of the numbers
        matmul_precision = "highest"  # precision of matrix products and ...
        out = "figures"  # folder of the figures
    """
    lines = []
    for key, field in type(settings).model_fields.items():
        value = getattr(settings, key)
        if value is not None:
            meaning = f"  # {field.description}" if field.description else ""
            lines.append(f"{key} = {json.dumps(value, ensure_ascii=False)}{meaning}")
    return "\n".join(lines)


# the file


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as e:
        reason = e.strerror
    except ValueError as e:  # of UTF-8
        reason = e
    msg = f"{file}: must be a TOML file with the settings: {reason}"
    raise UsageError(msg)


def _values(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as e:
        reason = e
    except RecursionError:
        reason = "its lists or tables are nested too deeply"
    msg = f"{file}: must be a TOML file with the settings: {reason}"
    raise UsageError(msg)


def _place(file: Path, text: str, key: str) -> str:
    """Return the file, and the line in it where the value of a key begins."""
    begins = re.compile(rf"""\s*\[*\s*["']?{re.escape(key)}["']?\s*[\].=]""")
    for number, line in enumerate(text.splitlines(), start=1):
        if begins.match(line):
            return f"{file}:{number}"
    return str(file)


# the flags

_READERS: Mapping[str, Callable[[str], Any]] = {
    "integer": int, "number": float, "boolean": json.loads, "string": str,
}  # fmt: skip
_ALONE: Mapping[str, Any] = {"boolean": {"nargs": "?", "const": "true"}}  # `--resume`
_METAVARS = {"integer": "INT", "number": "FLOAT", "boolean": "BOOL", "string": "TEXT"}


def _forms(cls: type[Settings]) -> dict[str, Any]:
    """Return the JSON schema of every setting; where there are two, of the first."""
    properties = cls.model_json_schema()["properties"]
    return {k: {**p, **p.get("anyOf", [{}])[0]} for k, p in properties.items()}


def _from_flag(form: Mapping[str, Any], text: str) -> Any:
    """Read a text in the form of a setting; if it has another, it stays a text."""
    with contextlib.suppress(ValueError, RecursionError):
        if form["type"] != "array":
            return _READERS[form["type"]](text)
        inner = re.sub(r"^\s*\[(.*)\]\s*$", r"\1", text).strip()
        is_empty = text and not inner  # `[]`, and not the empty text
        parts = [] if is_empty else inner.removesuffix(",").split(",")
        if form["items"]["type"] == "string":  # in quotes, as in TOML, or without
            parts = [re.sub(r"^\s*([\"']?)(.*?)\1\s*$", r"\2", p) for p in parts]
        return [_from_flag(form["items"], part) for part in parts]
    return text


def _flag(key: str) -> str:
    return "--" + key.replace("_", "-")


def _metavar(form: Mapping[str, Any]) -> str:
    if "enum" in form:
        return "|".join(map(str, form["enum"]))
    if form["type"] == "array":
        return f"{_metavar(form['items'])},..."
    return _METAVARS[form["type"]]


# words

_RANKS = {"extra_forbidden": 0, "missing": 2}


def _expectation(error: Any) -> str:
    """Say what pydantic expected, in the grammar of our messages."""
    text = error["msg"].removeprefix("Value error, ")
    return re.sub(r"^\w+ should ", "must ", text)


def _complaint(error: Any, key: str, names: Mapping[str, Any]) -> str:
    """Say what is wrong with a key of a file."""
    if error["type"] == "missing":
        return f"missing key `{key}`"
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, names, n=1)
        hint = f"did you mean `{near[0]}`?" if near else "known are " + ", ".join(names)
        return f"unknown key {_quoted(key)}, {hint}"
    at = "".join(f"[{k}]" for k in error["loc"][1:])
    return f"`{key}{at}` {_expectation(error)}, got {_shown(error['input'])}"


def _quoted(key: str) -> str:
    return f"`{key}`" if key.isprintable() else repr(key)


def _shown(value: Any) -> str:
    """Write a value, shortened where it is long or deep."""
    short = reprlib.Repr()
    short.maxlevel = 4
    short.maxstring = short.maxother = 60
    return short.repr(value)
