"""Other libraries, as far as they are installed and run on this JAX."""

import importlib
from typing import Any


def torch() -> Any:
    """Return PyTorch, or None."""
    return _import("torch")


def asdex() -> Any:
    """Return asdex, or None; it does not import with every JAX."""
    return _import("asdex")


def folx() -> Any:
    """Return folx, or None; it does not import with every JAX."""
    return _import("folx")


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
