"""How a person's function is found: in a module, or in a file."""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from jnumerics.workbench._usage import UsageError


def load(name: str) -> Callable:
    """Import `MODULE:FUNCTION`, where MODULE is importable or a file.

    Raises:
        UsageError: If the module or the function is missing.

    Example:
        >>> load("jax.numpy:sin").__name__
        'sin'
    """
    place, colon, attribute = name.rpartition(":")
    if not (colon and place and attribute):
        msg = f"a function is written MODULE:FUNCTION, got {name!r}"
        raise UsageError(msg)
    value: Any = _module(place)
    for part in attribute.split("."):
        if not hasattr(value, part):
            names = [k for k, v in vars(value).items() if callable(v) and k[0] != "_"]
            there = f": it has {', '.join(names)}" if names else ""
            msg = f"{place} has no function {attribute!r}{there}"
            raise UsageError(msg)
        value = getattr(value, part)
    if not callable(value):
        msg = f"{name} must be a function, got {type(value).__name__}"
        raise UsageError(msg)
    return value


def _module(place: str) -> ModuleType:
    file = Path(place)
    is_name = all(part.isidentifier() for part in place.split("."))
    if file.suffix == ".py" or not is_name:
        return _from_file(file)
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as e:
        if e.name is None or not f"{place}.".startswith(f"{e.name}."):
            raise  # the module is there; what it imports is not
        msg = f"no module {place!r} here, expected one that can be imported, or a file"
        raise UsageError(msg) from None


def _from_file(file: Path) -> ModuleType:
    if not file.is_file():
        msg = f"no file {str(file)!r}, expected a Python file, or a module's name"
        raise UsageError(msg)
    spec = importlib.util.spec_from_file_location(file.stem, file.resolve())
    if spec is None or spec.loader is None:
        msg = f"{file} must be a Python file"
        raise UsageError(msg)
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(file.stem, module)
    sys.path.insert(0, str(file.resolve().parent))  # as when Python runs the file
    spec.loader.exec_module(module)
    return module
