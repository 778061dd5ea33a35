"""The arguments of every derivative: which are arrays, static, or differentiated.

Arrays and Python numbers are traced. Booleans, strings and callables among the
arguments' leaves are static: they become nodes without leaves (`Static`), part of the
tree that JAX compiles for, so that another one compiles again.
"""

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jnumerics import _check


@jax.tree_util.register_pytree_node_class
class Static:
    """A static argument as a tree without leaves; equal values are the same tree.

    Args:
        value: The argument.
        held: Arrays that it holds: with others it is another tree.
    """

    __slots__ = ("held", "value")

    def __init__(self, value: Any, held: Sequence[Any] = ()) -> None:
        self.value, self.held = value, held

    def tree_flatten(self) -> tuple[tuple[()], "Static"]:
        """Return no leaves, and the value."""
        return (), self

    @classmethod
    def tree_unflatten(cls, aux: "Static", _: Any) -> "Static":
        """Return the same again."""
        return aux

    def __hash__(self) -> int:
        try:
            return hash(self.value)
        except TypeError:
            return id(self.value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Static):
            return False
        mine, its = self.value, other.value
        is_same_length = len(self.held) == len(other.held)
        if not (is_same_length and all(map(operator.is_, self.held, other.held))):
            return False
        if mine is its:
            return True
        return type(mine) is type(its) and hash(self) == hash(other) and mine == its


def closed(
    args: Sequence[Any],
    kwargs: dict[str, Any],
    *,
    shapes: bool = False,
    holds: Callable[[Any], Sequence[Any]] | None = None,
) -> tuple[tuple, dict]:
    """Make the leaves of the arguments JAX arrays, or static nodes.

    Args:
        args: Positional arguments, trees of leaves.
        kwargs: Named ones.
        shapes: Whether a leaf may be a `jax.ShapeDtypeStruct`, as only shapes are read.
        holds: What a static callable holds, where the program is kept for it.

    Raises:
        TypeError: If a leaf is neither an array, a number nor static.
        ValueError: If a number is out of the range of JAX's.
    """
    if not kwargs and all(map(_is_array, args)):  # a tree's walk takes longer
        return tuple(args), kwargs
    if all(map(_is_array, jax.tree.leaves((args, kwargs)))):
        return tuple(args), kwargs

    def tree_closed(name: str, tree: Any) -> Any:
        def convert(path: Any, leaf: Any) -> Any:
            if isinstance(leaf, bool | str) or callable(leaf):
                return Static(leaf, holds(leaf) if holds and callable(leaf) else ())
            if shapes and isinstance(leaf, jax.ShapeDtypeStruct):
                return leaf
            return _check.array(f"{name}{jax.tree_util.keystr(path)}", leaf)

        return jax.tree_util.tree_map_with_path(convert, tree)

    return (
        tuple(tree_closed(f"args[{k}]", arg) for k, arg in enumerate(args)),
        {key: tree_closed(key, arg) for key, arg in kwargs.items()},
    )


def _is_array(x: Any) -> bool:
    return isinstance(x, jax.Array)


def require_arrays(args: Sequence[Any], positions: Sequence[int]) -> None:
    """Refuse to differentiate with respect to a closed argument that is static."""
    for k in positions:
        if isinstance(args[k], Static):
            kind = type(args[k].value).__name__
            msg = f"`args[{k}]` must be an array, got {kind}, which has no derivative"
            raise TypeError(msg)


def opened(tree: Any) -> Any:
    """Return the arguments as the user gave them, with arrays in place of numbers."""
    return _each_static(tree, lambda static: static.value)


def without_static(tree: Any) -> Any:
    """Return the arrays alone: None in place of what is static."""
    return _each_static(tree, lambda _: None)


def opening(fun: Callable) -> Callable:
    """Return a function of closed arguments; it can be hashed whatever `fun` is."""
    return lambda *args, **kwargs: fun(*opened(args), **opened(kwargs))


def _each_static(tree: Any, function: Callable[[Static], Any]) -> Any:
    return jax.tree.map(
        lambda node: function(node) if isinstance(node, Static) else node,
        tree,
        is_leaf=lambda node: isinstance(node, Static),
    )


ArgNums = int | tuple[int, ...]


def select(args: Sequence[Any], argnums: ArgNums) -> Any:
    """Return the differentiated arguments: one, or a tuple when `argnums` is one."""
    if isinstance(argnums, tuple):
        return tuple(args[k] for k in argnums)
    return args[argnums]


def check_argnums(argnums: ArgNums) -> ArgNums:
    """Require an int or a tuple of different ints."""
    try:
        numbers = [operator.index(k) for k in as_tuple(argnums)]
    except TypeError:
        numbers = []
    if not numbers or any(isinstance(k, bool) for k in as_tuple(argnums)):
        msg = f"`argnums` must be an int or a tuple of ints, got {argnums!r}"
        raise TypeError(msg)
    if len(set(numbers)) < len(numbers):
        msg = f"`argnums` must be different from each other, got {argnums!r}"
        raise ValueError(msg)
    return tuple(numbers) if isinstance(argnums, tuple) else numbers[0]


def as_tuple(argnums: Any) -> tuple:
    return argnums if isinstance(argnums, tuple) else (argnums,)


def positions(args: Sequence[Any], argnums: ArgNums) -> list[int]:
    """Return the differentiated leaves' positions among the leaves of all arguments."""
    chosen = selected(argnums, len(args))
    require_arrays(args, chosen)
    starts = np.cumsum([0, *(len(jax.tree.leaves(arg)) for arg in args)])
    return [p for k in chosen for p in range(starts[k], starts[k + 1])]


def selected(argnums: ArgNums, n: int) -> list[int]:
    """Return which of n arguments are differentiated, counted from the first."""
    argnums = check_argnums(argnums)
    for k in as_tuple(argnums):
        if not -n <= k < n:
            msg = f"`argnums` must be below the number of arguments, {n}, got {k}"
            raise ValueError(msg)
    chosen = [k % n for k in as_tuple(argnums)]
    if len(set(chosen)) < len(chosen):
        msg = f"`argnums` must be different from each other, got {argnums!r}"
        raise ValueError(msg)
    return chosen


def check_bound(max_bytes: int | None) -> int | None:
    """Require a number of bytes, or None."""
    if max_bytes is None:
        return None
    return _check.integer("max_bytes", max_bytes, least=1, greatest=None)


def wraps(fun: Callable) -> Callable[[Callable], Callable]:
    """Keep the function's name and signature, where it has them."""
    return functools.wraps(fun, updated=())


def check_axis(name: str, axis: int) -> int:
    """Require an int; negative counts from the end."""
    return _check.integer(name, axis, least=-64)


def widened(x: Any) -> Any:
    """Return floats and complex numbers in double precision, all else as it is."""
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        return x
    wide = jnp.complex128 if jnp.iscomplexobj(x) else jnp.float64
    return jnp.asarray(np.asarray(x), wide)
