"""Programs compiled for functions of the user, kept while all of these live.

Static arguments of one `jax.jit` would outlive their use: the functions, the data they
close over and, inside a trace, its tracers.
"""

import inspect
import weakref
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Live = Callable[[], Sequence[Any]]
Made = TypeVar("Made")


def kept(make: Callable[[Live], Made]) -> Callable[..., Made]:
    """Return a function of functions that makes something for them, once.

    `make` is given what returns these functions while they live: it must not hold them
    itself. They are told apart by identity. What was made for an object that takes no
    weak references is made again at each call.
    """
    made: dict[tuple[int, ...], tuple[Made, list[weakref.ref]]] = {}

    def of(*functions: Any) -> Made:
        parts = [part for function in functions for part in _parts(function)]
        key = tuple(map(id, parts))
        if key in made:
            return made[key][0]

        def forget(_: weakref.ref) -> None:
            made.pop(key, None)

        try:
            alive = [weakref.ref(part, forget) for part in parts]
        except TypeError:
            return make(lambda: functions)
        refs = [_weak(function) for function in functions]
        result = make(lambda: [ref() for ref in refs])
        made[key] = result, alive
        return result

    return of


def _parts(function: Any) -> tuple[Any, ...]:
    # a bound method is a new object at each access: its parts identify it
    is_method = inspect.ismethod(function)
    return (function.__self__, function.__func__) if is_method else (function,)


def _weak(function: Any) -> Callable[[], Any]:
    is_method = inspect.ismethod(function)
    return weakref.WeakMethod(function) if is_method else weakref.ref(function)
