"""The entry of every derivative: compiled once, and again where it must be.

`Entry` compiles a program once for each tree of arguments, for the shapes, and for the
arrays that the user's function holds: in the cells of its closure, the globals that it
names, its attributes and defaults, those of its object and of that object's class.
"""

import contextlib
import functools
import itertools
import operator
import sysconfig
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from jnumerics.derivatives._program.arguments import closed
from jnumerics.derivatives._program.jaxpr import is_user_file
from jnumerics.derivatives._program.layout import note_explicit_axes


class Entry:
    """A program of (args, kwargs), compiled when it must be.

    Args:
        fun: The user's function, or several. What they read besides their arguments is
            compiled in, and again where an array that one holds is replaced.
        program: Maps (args, kwargs), in which static arguments are nodes, to arrays.
    """

    __slots__ = ("_fun", "_held", "_program", "_run", "_statics")

    def __init__(
        self,
        fun: Callable | tuple[Callable, ...],
        program: Callable[[tuple, dict], Any],
    ) -> None:
        self._fun, self._program = fun, program
        self._run: Callable | None = None
        self._held = Held()
        self._statics: dict[int, tuple[Any, Held]] = {}  # alive, as identity is the key

    def __call__(self, args: tuple, kwargs: dict) -> Any:
        """Run the program."""
        if self._run is None or not is_unchanged(self._held):
            program = self._program
            self._held = held(self._fun)
            # new, as JAX keeps traces by identity; `args` may be a name of the user's
            self._run = jax.jit(lambda *_args, **kwargs: program(_args, kwargs))
        args, kwargs = closed(args, kwargs, holds=self._held_by)
        try:
            return self._run(*args, **kwargs)  # trees of them take longer to call
        except Exception as error:
            note_explicit_axes(error, (args, kwargs))
            raise

    def _held_by(self, static: Any) -> tuple[Any, ...]:
        """Return what is on the way to the arrays that a static argument holds."""
        _, places = self._statics.get(id(static), (None, None))
        if places is None or not is_unchanged(places):
            if len(self._statics) == LIMIT:
                self._statics.clear()
            places = held(static)
            self._statics[id(static)] = static, places
        return places.values


LIMIT = 400  # objects that are looked into


class Held(NamedTuple):
    """Places that hold something: `reads[k](keys[k]) is values[k]`."""

    reads: tuple[Callable[[Any], Any], ...] = ()
    keys: tuple[Any, ...] = ()
    values: tuple[Any, ...] = ()


class _Step(NamedTuple):
    """A step from an object to one that it holds.

    Attributes:
        place: (read, key, value) where it can change, else None.
        owner: Identity of the object that holds.
        before: The step that led there.
    """

    place: tuple[Callable[[Any], Any], Any, Any] | None
    owner: int
    before: "_Step | None"


_INSTALLED = tuple(map(sysconfig.get_path, ("stdlib", "purelib", "platlib")))
_OPAQUE = (
    int, float, complex, str, bytes, type(None), type, np.generic, np.dtype, jax.Ref,
    types.ModuleType, types.BuiltinFunctionType, type(jax.jit(len)),
)  # fmt: skip


def is_unchanged(places: Held) -> bool:
    """Whether every place still holds what it held."""
    if not places.reads:
        return True
    try:
        call: Any = operator.call
        current = map(call, places.reads, places.keys)
        return all(map(operator.is_, current, places.values))
    except (LookupError, AttributeError, ValueError):  # the place is empty, or gone
        return False


def held(fun: Callable | tuple[Callable, ...]) -> Held:
    """Return the places on the way from a function to the arrays that it holds.

    Objects are looked into in the order of their distance, their classes afterwards.
    """
    waiting: deque[tuple[Any, _Step | None]] = deque([(fun, None)])
    classes: deque[tuple[Any, _Step | None]] = deque()
    visited: dict[int, Any] = {}  # keeps them alive, as their identity is the key
    arrays, again = [], []
    while waiting or classes:
        value, step = (waiting or classes).popleft()
        if isinstance(value, jax.Array | np.ndarray):
            arrays.append(step)
        elif id(value) in visited:
            again.append((id(value), step))
        elif not isinstance(value, _OPAQUE) and len(visited) < LIMIT:
            visited[id(value)] = value
            for place, child in itertools.islice(_children(value), LIMIT):
                waiting.append((child, _Step(place, id(value), step)))
            for place, child in itertools.islice(_of_class(type(value)), LIMIT):
                classes.append((child, _Step(place, id(value), step)))
    steps = _on_the_way(arrays, again)
    places = [step.place for step in steps if step.place is not None]
    return Held(*zip(*places, strict=True)) if places else Held()


def _on_the_way(
    arrays: list[_Step | None], again: list[tuple[int, _Step | None]]
) -> list[_Step]:
    """Return the steps to arrays, and to objects on the way that are met again."""
    steps: dict[int, _Step] = {}
    owners: set[int] = set()
    ends = list(arrays)
    while ends:
        for step in ends:
            while step is not None and id(step) not in steps:
                steps[id(step)] = step
                owners.add(step.owner)
                step = step.before
        ends = [s for owner, s in again if owner in owners and id(s) not in steps]
    return list(steps.values())


def _children(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield what an object holds, each with its place, None where it cannot change."""
    if isinstance(value, types.FunctionType):
        yield from _of_function(value)
    elif isinstance(value, types.MethodType):
        yield from _fixed(value.__self__, value.__func__)
    elif isinstance(value, functools.partial):
        yield from _fixed(value.func, value.args, value.keywords)
    elif isinstance(value, tuple):
        yield from _fixed(*value)
    elif isinstance(value, list):
        yield from _entries(value.__getitem__, enumerate(value))
    elif isinstance(value, dict):
        yield from _entries(value.get, value.items())
    attributes = getattr(value, "__dict__", None)
    if isinstance(attributes, dict) and not isinstance(value, types.FunctionType):
        yield from _entries(attributes.get, attributes.items())
    for name in _slots(type(value)):
        if hasattr(value, name):
            yield from _entries(
                functools.partial(getattr, value), [(name, getattr(value, name))]
            )


def _fixed(*values: Any) -> Iterator[tuple[None, Any]]:
    return ((None, value) for value in values)


def _entries(
    read: Callable[[Any], Any], items: Iterable[tuple[Any, Any]]
) -> Iterator[tuple[Any, Any]]:
    return (((read, key, value), value) for key, value in items)


def _of_function(fun: types.FunctionType) -> Iterator[tuple[Any, Any]]:
    """Yield what a function holds; of a library's wrapper, what it wraps."""
    is_users = _is_users(fun.__code__)
    wrapped = fun.__dict__.get("__wrapped__")
    if wrapped is not None:
        yield None, wrapped
        if not is_users:
            return
    yield from _fixed(fun.__defaults__, fun.__kwdefaults__)
    for cell in fun.__closure__ or ():
        with contextlib.suppress(ValueError):  # not yet filled
            items = [("cell_contents", cell.cell_contents)]
            yield from _entries(functools.partial(getattr, cell), items)
    if is_users:
        own = (item for item in fun.__dict__.items() if item[0] != "__wrapped__")
        yield from _entries(fun.__dict__.get, own)
        names = fun.__globals__
        read = [(name, names[name]) for name in _names(fun.__code__) if name in names]
        yield from _entries(
            names.get, (item for item in read if _is_near(item[1], names))
        )
        modules = (x for _, x in read if isinstance(x, types.ModuleType))
        for module in modules:
            yield from _named_in(vars(module), _names(fun.__code__))


def _named_in(
    attributes: dict[str, Any], names: Iterable[str]
) -> Iterator[tuple[Any, Any]]:
    """Yield the arrays and own functions of a module that a function may read."""
    named = ((name, attributes.get(name)) for name in names)
    return _entries(
        attributes.get,
        (
            (name, value)
            for name, value in named
            if isinstance(value, jax.Array | np.ndarray) or _is_own(value)
        ),
    )


def _of_class(cls: type) -> Iterator[tuple[Any, Any]]:
    """Yield the functions and arrays of an object's class, and of its bases.

    What a property or a class method calls is looked into, while the place is that of
    the property.
    """
    for owner in cls.__mro__:
        for name, value in vars(owner).items():
            inner = _called(value)
            is_users = isinstance(inner, types.FunctionType) and _is_users(
                inner.__code__
            )
            if is_users or isinstance(value, jax.Array | np.ndarray):
                yield from _entries(vars(owner).get, [(name, value)])
            if is_users and inner is not value:
                yield None, inner


def _called(value: Any) -> Any:
    """Return the function of a property, a class method or a static one."""
    match value:
        case property():
            return value.fget
        case functools.cached_property():
            return value.func
        case classmethod() | staticmethod():
            return value.__func__
    return value


def _is_near(value: Any, names: dict[str, Any]) -> bool:
    """Whether a global is to be looked into: functions of libraries are not."""
    return (
        not isinstance(value, types.FunctionType)
        or value.__globals__ is names
        or _is_own(value)
    )


def _is_users(code: types.CodeType) -> bool:
    """Whether code is neither JAX's nor ours; typed at a prompt or executed, it is."""
    name = code.co_filename
    is_typed = name.startswith("<") and not name.startswith("<frozen")
    return is_typed or is_user_file(name)


def _is_own(value: Any) -> bool:
    """Whether a value is a function of the user's own code, not an installed one."""
    return (
        isinstance(value, types.FunctionType)
        and _is_users(value.__code__)
        and not value.__code__.co_filename.startswith(_INSTALLED)
    )


@functools.lru_cache(maxsize=1024)
def _names(code: types.CodeType) -> tuple[str, ...]:
    """Return the names in a function's code, and in the functions that it makes."""
    inner = (c for c in code.co_consts if isinstance(c, types.CodeType))
    return (*code.co_names, *itertools.chain.from_iterable(map(_names, inner)))


@functools.lru_cache(maxsize=1024)
def _slots(cls: type) -> tuple[str, ...]:
    declared = [c.__dict__.get("__slots__", ()) for c in cls.__mro__]
    names = [(s,) if isinstance(s, str) else tuple(s) for s in declared]
    return tuple(n for n in itertools.chain(*names) if not n.startswith("__"))
