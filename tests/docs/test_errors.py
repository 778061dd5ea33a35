"""The page of errors: it explains every message, and no other."""

import ast
import importlib
import re
from pathlib import Path

import pytest

import jnumerics
from tests._public import FILES
from tests.package.test_promised_errors import PROMISES

pytestmark = pytest.mark.whole

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
ERRORS = PAGE.read_text(encoding="utf-8")
ENTRIES = re.findall(r"^ *- \*\*(must .+?)\*\*", ERRORS, flags=re.MULTILINE)
VERB = r"(?:be|divide|end|have|hold|keep|name|not|return|select|stay)"


def is_like(entry, text):
    """Whether a message, from its "must" on, is of an entry's family."""
    return re.match(".*".join(map(re.escape, entry.split("…"))), text, re.S) is not None


def raised():
    """What the promised errors say, from "must" on."""
    for phrases in PROMISES.values():
        for call in (call for calls in phrases.values() for call in calls):
            try:
                call()
            except Exception as e:
                yield str(e).partition("` ")[2]


def literals(tree):
    """Every text in the code of a module that is no docstring, … for what it shows."""
    inner = {
        id(value)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr | ast.Expr)
        for value in (node.values if isinstance(node, ast.JoinedStr) else [node.value])
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (
                v.value if isinstance(v, ast.Constant) else "…" for v in node.values
            )
            yield "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and id(node) not in inner:
            yield str(node.value)


def written():
    """The messages in the program whose words after "must" stand there."""
    for name, path in FILES.items():
        for text in literals(ast.parse(path.read_text(encoding="utf-8"))):
            match = re.search(rf"(?:^|[ …])(must {VERB} .+)", text, re.S)
            if match and not match[1].startswith(("must be …", "must have ……")):
                yield name, match[1]


@pytest.mark.boundary
def test_every_promised_message_is_explained():
    missing = {t for t in raised() if not any(is_like(e, t) for e in ENTRIES)}
    assert missing == set()


def test_every_message_of_the_program_is_explained():
    missing = [x for x in written() if not any(is_like(e, x[1]) for e in ENTRIES)]
    assert missing == []


@pytest.mark.boundary
def test_every_explanation_is_of_a_message():
    said = [*raised(), *(text for _, text in written())]
    general = {
        e for e in ENTRIES if re.match("must (be|have) …, ", e)
    }  # built of parts
    assert [
        e for e in ENTRIES if e not in general and not any(is_like(e, t) for t in said)
    ] == []


def test_every_public_class_of_errors_is_explained():
    for name, path in FILES.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.name.endswith("Error"):
                package = importlib.import_module(
                    f"jnumerics.{'.'.join(Path(name).parts[:2])}".removesuffix(".py")
                )
                public = node.name in getattr(package, "__all__", [])
                public |= node.name in jnumerics.derivatives.__all__
                assert (f"{node.name}`" in ERRORS) == public or not public, node.name
