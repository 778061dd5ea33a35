"""The public functions of the subjects and of `derivatives`."""

import importlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import jnumerics


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
