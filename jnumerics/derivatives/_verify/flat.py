"""A function at its arguments, as a map between vectors of real numbers.

All differentiated leaves become one vector in NumPy float64, real parts before
imaginary parts, and so do all leaves of the result. In these vectors the derivative is
an ordinary matrix J, whatever the dtypes: JAX pairs a cotangent v with a tangent w as
the real part of the sum of v w, which is the inner product of conj(v) and w.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jnumerics import _check
from jnumerics.derivatives._program import arguments
from jnumerics.derivatives._program.jaxpr import WIDE, narrow_dtypes
from jnumerics.derivatives._program.trace import require_results


@dataclass(frozen=True)
class Leaf:
    """Where one array lies in a vector, and what it is there."""

    start: int
    shape: tuple[int, ...]
    dtype: np.dtype
    is_weak: bool = False

    @property
    def is_complex(self) -> bool:
        """Whether the array takes two numbers for each element."""
        return jnp.issubdtype(self.dtype, jnp.complexfloating)

    @property
    def size(self) -> int:
        """How many real numbers the array takes."""
        return int(np.prod(self.shape)) * (2 if self.is_complex else 1)

    @property
    def part(self) -> slice:
        """Where these numbers lie."""
        return slice(self.start, self.start + self.size)

    def read(self, vector: np.ndarray) -> Any:
        """Make the array that the vector holds."""
        numbers = vector[self.part]
        if self.is_complex:
            real, imaginary = np.split(numbers, 2)
            numbers = real + 1j * imaginary
        if self.is_weak:
            return numbers.item()
        return jnp.asarray(numbers.reshape(self.shape).astype(self.dtype))

    def magnitudes(self, vector: np.ndarray) -> np.ndarray:
        """Make |x| for each number; of a complex element, for both of its parts."""
        numbers = vector[self.part]
        if not self.is_complex:
            return np.abs(numbers)
        return np.tile(np.hypot(*np.split(numbers, 2)), 2)


def layout(arrays: Sequence[Any]) -> list[Leaf]:
    """Place arrays, or their shapes and dtypes, one after another."""
    leaves, start = [], 0
    for a in arrays:
        is_weak = a.shape == () and getattr(a, "weak_type", False)
        leaf = Leaf(start, a.shape, np.dtype(a.dtype), is_weak)
        leaves.append(leaf)
        start += leaf.size
    return leaves


def vector(arrays: Sequence[Any]) -> np.ndarray:
    """Write arrays one after another."""
    parts = [np.zeros(0)]
    for a in map(np.asarray, arrays):
        if np.iscomplexobj(a):
            parts += [a.real.ravel(), a.imag.ravel()]
        else:
            parts.append(a.ravel())
    return np.concatenate([p.astype(np.float64) for p in parts])


def rounded(numbers: np.ndarray, leaves: Sequence[Leaf]) -> np.ndarray:
    """Return the vector that the arrays hold after they were given these numbers."""
    if all(leaf.dtype.name in WIDE for leaf in leaves):
        return numbers
    return vector([leaf.read(numbers) for leaf in leaves])


def largest(values: np.ndarray, leaves: Sequence[Leaf]) -> np.ndarray:
    """Return the largest finite magnitude in each array, at all of its places."""
    result = np.zeros_like(values)
    for leaf in leaves:
        part = np.abs(values[leaf.part])
        result[leaf.part] = np.max(part, initial=0, where=np.isfinite(part))
    return result


@dataclass(frozen=True)
class FlatFunction:
    """A function at its arguments, with products by J and by its transpose.

    Attributes:
        fun: Maps the leaves of what is differentiated, and the other arrays, to the
            leaves of the result.
        inputs: Leaves of what is differentiated.
        others: All other arrays among the arguments.
        is_wide: Evaluate in double precision whatever the dtypes.
    """

    fun: Callable[[list[Any], list[Any]], list[Any]]
    inputs: list[Any]
    others: list[Any]
    is_wide: bool = False

    def widened(self) -> "FlatFunction":
        """Return the same function at the same point, evaluated in double precision."""
        with jax.enable_x64(True):
            inputs, others = (
                [_widened(a) for a in arrays] for arrays in (self.inputs, self.others)
            )
        return FlatFunction(self.fun, inputs, others, is_wide=True)

    @cached_property
    def x(self) -> np.ndarray:
        """The point."""
        return vector(self.inputs)

    @cached_property
    def in_leaves(self) -> list[Leaf]:
        """Where the arrays that are differentiated lie in x."""
        return layout(self.inputs)

    @cached_property
    def out_leaves(self) -> list[Leaf]:
        """Where the arrays of the result lie in f(x)."""
        return layout(self._call(jax.eval_shape, self.fun, self.inputs, self.others))

    @cached_property
    def eps(self) -> float:
        """The unit round-off of the least precise array."""
        leaves = self.in_leaves + self.out_leaves
        return max((float(jnp.finfo(a.dtype).eps) for a in leaves), default=1e-16)

    def rounded(self, x: np.ndarray) -> np.ndarray:
        """Return the vector that f sees when it is given x."""
        return rounded(x, self.in_leaves)

    def value(self, x: np.ndarray) -> np.ndarray:
        """Evaluate f(x)."""
        return vector(self._call(self._value, self._read(x), self.others))

    def forward(self, x: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Evaluate J(x) u by forward mode."""
        x_leaves, u_leaves = self._read(x), self._read(u)
        return vector(self._call(self._forward, x_leaves, u_leaves, self.others))

    def reverse(self, x: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Evaluate J(x)^T v by reverse mode."""
        v_leaves = self._call(
            lambda: [np.conj(leaf.read(v)) for leaf in self.out_leaves]
        )
        gradient = self._call(self._reverse, self._read(x), v_leaves, self.others)
        return vector([np.conj(g) for g in gradient])

    def narrow_steps(self, mode: str) -> list[str]:
        """The dtypes below double precision through which the derivative passes."""
        if mode == "forward":
            arguments = (self._read(self.x), self._read(0 * self.x), self.others)
            program = self._call(jax.make_jaxpr(self._forward), *arguments)
        else:
            v = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in self.out_leaves]
            arguments = (self._read(self.x), v, self.others)
            program = self._call(jax.make_jaxpr(self._reverse), *arguments)
        return sorted(narrow_dtypes(program.jaxpr, program.jaxpr.invars))

    def _read(self, numbers: np.ndarray) -> list[Any]:
        return self._call(lambda: [leaf.read(numbers) for leaf in self.in_leaves])

    def _call(self, function: Callable, *args: Any) -> Any:
        if not self.is_wide:
            return function(*args)
        # constants in single precision that `fun` closes over are promoted, as they
        # are by JAX's own default
        with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
            return function(*args)

    @cached_property
    def _value(self) -> Callable:
        return jax.jit(self.fun)

    @cached_property
    def _forward(self) -> Callable:
        def forward(x: list, u: list, others: list) -> list:
            return jax.jvp(lambda *y: self.fun(list(y), others), tuple(x), tuple(u))[1]

        return jax.jit(forward)

    @cached_property
    def _reverse(self) -> Callable:
        def reverse(x: list, v: list, others: list) -> list:
            _, pullback = jax.vjp(lambda y: self.fun(y, others), x)
            return pullback(v)[0]

        return jax.jit(reverse)


def make(
    fun: Callable,
    args: Sequence[Any],
    kwargs: dict[str, Any],
    positions: Sequence[int],
) -> FlatFunction:
    """Flatten a function; static arguments stay."""
    args, kwargs = arguments.closed(args, kwargs)
    arguments.require_arrays(args, positions)
    chosen = [
        jax.tree_util.tree_map_with_path(_differentiable(k), args[k]) for k in positions
    ]
    inputs, tree = jax.tree.flatten(chosen)
    remaining = [a for k, a in enumerate(args) if k not in positions]
    others, others_tree = jax.tree.flatten((remaining, kwargs))
    if not _check.is_concrete(*inputs, *others):
        msg = (
            "`args` must have values, got a tracer: check derivatives outside jit, "
            "vmap and grad"
        )
        raise TypeError(msg)

    def flat(inputs: list[Any], others: list[Any]) -> list[Any]:
        remaining, kwargs = others_tree.unflatten(others)
        rest = iter(remaining)
        moved = dict(zip(positions, tree.unflatten(inputs), strict=True))
        full = [moved[k] if k in moved else next(rest) for k in range(len(args))]
        return require_results(jax.tree.leaves(arguments.opening(fun)(*full, **kwargs)))

    return FlatFunction(flat, inputs, others)


def _differentiable(k: int) -> Callable[[Any, Any], jax.Array]:
    def check(path: Any, leaf: Any) -> jax.Array:
        name = f"args[{k}]{jax.tree_util.keystr(path)}"
        x = _check.array(name, leaf)
        if not jnp.issubdtype(x.dtype, jnp.inexact):
            msg = (
                f"`{name}` must be real or complex to be differentiated, "
                f"got dtype {x.dtype}: use a float"
            )
            raise TypeError(msg)
        return x

    return check


def _widened(a: Any) -> Any:
    is_number = a.weak_type and a.ndim == 0 and jnp.issubdtype(a.dtype, jnp.inexact)
    return jnp.asarray(a.item()) if is_number else arguments.widened(a)
