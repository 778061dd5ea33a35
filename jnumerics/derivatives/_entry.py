"""The entry of every derivative: what is an array, what is static, what is compiled.

Arrays and Python numbers are traced. Booleans, strings and callables among the arguments'
leaves are static: they become nodes without leaves (`Static`), part of the tree that
JAX compiles for, so that another one compiles again. `Entry` compiles a program once for
each such tree, for the shapes, and for the arrays that the user's function holds.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax

from jnumerics import _check
from jnumerics.derivatives import _closure


@jax.tree_util.register_pytree_node_class
class Static:
    """A static argument as a tree without leaves; equal values are the same tree."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

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
        if mine is its:
            return True
        return type(mine) is type(its) and hash(self) == hash(other) and mine == its


class Entry:
    """A program of (args, kwargs), compiled when it must be.

    Args:
        fun: The user's function. What it reads besides its arguments is compiled in;
            where an array that it holds is replaced by another, it compiles again.
        program: Maps (args, kwargs), in which static arguments are nodes, to arrays.
    """

    __slots__ = ("_fun", "_held", "_program", "_run")

    def __init__(self, fun: Callable, program: Callable[[tuple, dict], Any]) -> None:
        self._fun, self._program = fun, program
        self._run: Callable | None = None
        self._held = _closure.Held()

    def __call__(self, args: tuple, kwargs: dict) -> Any:
        """Run the program."""
        if self._run is None or not _closure.is_unchanged(self._held):
            program = self._program
            self._held = _closure.held(self._fun)
            # a new function: JAX keeps what it traced by the function's identity
            self._run = jax.jit(lambda args, kwargs: program(args, kwargs))
        return self._run(*closed(args, kwargs))


def closed(
    args: Sequence[Any], kwargs: dict[str, Any], *, shapes: bool = False
) -> tuple[tuple, dict]:
    """Make the leaves of the arguments JAX arrays, or static nodes.

    Args:
        args: Positional arguments, trees of leaves.
        kwargs: Named ones.
        shapes: Whether a leaf may be a `jax.ShapeDtypeStruct`, as only shapes are read.

    Raises:
        TypeError: If a leaf is neither an array, a number nor static.
        ValueError: If a number is out of the range of JAX's.
    """
    if all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves((args, kwargs))):
        return tuple(args), kwargs

    def tree_closed(name: str, tree: Any) -> Any:
        def convert(path: Any, leaf: Any) -> Any:
            if isinstance(leaf, bool | str) or callable(leaf):
                return Static(leaf)
            if shapes and isinstance(leaf, jax.ShapeDtypeStruct):
                return leaf
            return _check.array(f"{name}{jax.tree_util.keystr(path)}", leaf)

        return jax.tree_util.tree_map_with_path(convert, tree)

    return (
        tuple(tree_closed(f"args[{k}]", arg) for k, arg in enumerate(args)),
        {key: tree_closed(key, arg) for key, arg in kwargs.items()},
    )


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
    is_static = lambda node: isinstance(node, Static)  # noqa: E731
    return jax.tree.map(
        lambda node: function(node) if is_static(node) else node,
        tree,
        is_leaf=is_static,
    )
