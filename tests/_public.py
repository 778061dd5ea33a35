"""The modules of the package, and the public functions of its subjects."""

import ast
import importlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import jnumerics

ROOT = Path(jnumerics.__path__[0])
FILES = {p.relative_to(ROOT).as_posix(): p for p in sorted(ROOT.rglob("*.py"))}
each_file = pytest.mark.parametrize("path", [*FILES.values()], ids=[*FILES])


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that a file imports, whether by `import` or by `from`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def load(name: str) -> Any:
    """Return what a name such as `softmax.vjp` stands for."""
    module, attribute = name.rsplit(".", 1)
    return getattr(importlib.import_module(f"jnumerics.{module}"), attribute)


def public_functions() -> Iterator[tuple[str, Callable]]:
    """Yield each public function, as it was written, by qualified name."""
    for name in jnumerics.__all__:
        module = importlib.import_module(f"jnumerics.{name}")
        for attribute in getattr(module, "__all__", vars(module)):
            fun = inspect.unwrap(getattr(module, attribute))
            is_ours = getattr(fun, "__module__", "").startswith(module.__name__)
            if inspect.isfunction(fun) and is_ours and not attribute.startswith("_"):
                yield f"{name}.{attribute}", fun
