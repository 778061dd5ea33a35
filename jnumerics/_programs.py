"""Programs: compiled with the checks of their arguments, or for users' functions.

`checked` joins a check to a program. `stored` keeps a compiler from computing a value
anew. `cached` keeps what is compiled for functions of the user while all of these live.
Static arguments of one `jax.jit` would outlive their use: the functions, the data they
close over and, inside a trace, its tracers.
"""

import functools
import inspect
import weakref
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import jax.core
from jax.experimental.xla_metadata import set_xla_metadata

Live = Callable[[], Sequence[Any]]
Made = TypeVar("Made")


def checked(
    check: Callable[..., tuple], *, options: int = 0
) -> Callable[[Callable[..., Made]], Callable[..., Made]]:
    """Compile a function together with the check of its arguments.

    `check` takes the same arguments and returns them as the function computes with
    them, or refuses them, by nothing but structure, types, shapes and dtypes. What it
    returns it must take and leave as it is. JAX's arrays go straight into the program:
    the check is a part of it, and runs when JAX traces, once for each signature and
    each setting of JAX that a program depends on. All else is checked first at each
    call: NumPy's arrays, which must be copied, integers, tracers.

    Args:
        check: The check.
        options: How many of the last arguments are static.
    """

    def decorate(fun: Callable[..., Made]) -> Callable[..., Made]:
        n = len(inspect.signature(fun).parameters)
        n_arrays = n - options
        static = tuple(range(n_arrays, n))
        once = jax.jit(fun, static_argnums=static)  # however arguments are written

        @functools.wraps(fun)
        def whole(*args: Any) -> Made:
            return once(*check(*args))

        program = jax.jit(whole, static_argnums=static)

        @functools.wraps(fun)
        def call(*args: Any) -> Made:
            if _are_arrays(args[:n_arrays]) and _are_plain(args[n_arrays:]):
                try:
                    return program(*args)
                except (TypeError, ValueError):
                    pass  # refused in a trace: refused again, outside of JAX's frames
            return program(*check(*args))

        return call

    return decorate


# Types whose instances go straight into a program. Those of JAX's arrays have no public
# name: each joins when the first of its instances comes. Tracers, of which only some
# are arrays, never do.
_arrays: set[type] = {float}
_PLAIN = {int, str, type(None)}


def _are_arrays(trees: tuple) -> bool:
    """Whether all leaves are arrays of JAX, none of them traced, or Python floats."""
    if _arrays.issuperset(map(type, trees)):  # a tenth of the time of what follows
        return True
    return all(type(x) in _arrays or _is_new_array(x) for x in jax.tree.leaves(trees))


def _is_new_array(x: Any) -> bool:
    is_one = isinstance(x, jax.Array) and not isinstance(x, jax.core.Tracer)
    if is_one:
        _arrays.add(type(x))
    return is_one


def _are_plain(options: tuple) -> bool:
    """Whether equal options are of equal types: 1, 1.0 and True are one key to JAX."""
    for x in options:
        if type(x) in _PLAIN:
            continue
        if not (_are_plain(x) if type(x) is tuple else callable(x)):
            return False
    return True


def stored(x: Made) -> Made:
    """Hold a value in memory for all that read it.

    XLA neither fuses a call nor what is around it into it; JAX 0.10's CPU compiler
    drops a barrier alone before it fuses. Without the barrier, the call is empty.
    """
    with set_xla_metadata(inlineable="false"):
        return _barrier(x)


_barrier = jax.jit(jax.lax.optimization_barrier)


def cached(make: Callable[[Live], Made]) -> Callable[..., Made]:
    """Return a function of functions that makes something for them, once.

    `make` is given what returns these functions while they live: it must not hold them
    itself. They are told apart by identity. What was made for an object that takes no
    weak references is made again at each call.
    """
    made: dict[tuple[int, ...], tuple[Made, list[weakref.ref]]] = {}

    def lookup(*functions: Any) -> Made:
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

    return lookup


def _parts(function: Any) -> tuple[Any, ...]:
    # a bound method is a new object at each access: its parts identify it
    is_method = inspect.ismethod(function)
    return (function.__self__, function.__func__) if is_method else (function,)


def _weak(function: Any) -> Callable[[], Any]:
    is_method = inspect.ismethod(function)
    return weakref.WeakMethod(function) if is_method else weakref.ref(function)
