"""What one row of the table of scenarios holds, and the oracles for its Jacobian."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

FLOAT = ("float32", "float64")
REAL = (*FLOAT, "bfloat16")
COMPLEX = ("complex64", "complex128")


@dataclass(frozen=True, eq=False)
class Scenario:
    """A function with its true Jacobian and the places where that may be nonzero.

    `make_args(key, dtype)` draws arguments of which the differentiated ones have the
    given dtype (call it under `jax.enable_x64` for the wide ones). `jacobian(args)`
    and `pattern` are nested as `jax.jacobian(fun, argnums)(*args)` nests: the output's
    tree of the input's trees, leaves of shape (*out, *in), in NumPy float64 or
    complex128, and boolean.
    """

    name: str
    fun: Callable[..., Any]
    make_args: Callable[[jax.Array, str], tuple]
    jacobian: Callable[[tuple], Any]
    pattern: Any
    tags: frozenset[str] = frozenset()
    argnums: int | tuple[int, ...] = 0
    dtypes: tuple[str, ...] = REAL

    @property
    def has_exact_pattern(self) -> bool:
        """Whether every entry of the pattern is nonzero at almost every point."""
        return "data_dependent" not in self.tags

    @property
    def modes(self) -> tuple[str, ...]:
        """The modes in which JAX itself can differentiate the function."""
        if "forward_only" in self.tags:
            return ("forward",)
        if "reverse_only" in self.tags:
            return ("reverse",)
        return ("forward", "reverse")


def tags(words: str) -> frozenset[str]:
    return frozenset(words.split())


DENSE, MOVED, BATCH = tags("dense twice"), tags("twice"), tags("batch twice")


def generator(key: jax.Array) -> np.random.Generator:
    """NumPy's, seeded by the key: JAX's would be compiled for each shape and dtype."""
    return np.random.default_rng(np.asarray(jax.random.key_data(key)))


def normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> jax.Array:
    x = rng.normal(size=shape)
    if dtype in COMPLEX:
        x = (x + 1j * rng.normal(size=shape)) / np.sqrt(2)
    return jnp.asarray(x, dtype)


def drawn(*shapes: tuple[int, ...]) -> Callable[[jax.Array, str], tuple]:
    """Arguments of the given shapes, normally distributed."""

    def make_args(key, dtype):
        rng = generator(key)
        return tuple(normal(rng, shape, dtype) for shape in shapes)

    return make_args


def drawn_with(shape: tuple[int, ...], *others) -> Callable[[jax.Array, str], tuple]:
    """One normally distributed argument, followed by the given integer ones."""
    return lambda key, dtype: (
        normal(generator(key), shape, dtype),
        *(jnp.asarray(other, "int32") for other in others),
    )


def positive(*shape: int) -> Callable[[jax.Array, str], tuple]:
    """One argument in [1, 3)."""
    return lambda key, dtype: (
        jnp.asarray(generator(key).uniform(1.0, 3.0, shape), dtype),
    )


def weights(seed: int, *shape: int, scale: float = 1.0) -> np.ndarray:
    """Fixed numbers, none of them zero, that every dtype holds exactly."""
    w = scale * np.random.default_rng(seed).normal(size=shape)
    return np.where(w < 0, np.floor(16 * w), np.ceil(16 * w)) / 16


def like(w: np.ndarray, x) -> Any:
    """The fixed numbers as an array to compute with x."""
    return w if isinstance(x, np.ndarray) else jnp.asarray(w, x.dtype)


def wide(x) -> np.ndarray:
    """The same numbers in NumPy float64 or complex128; integers stay."""
    x = np.asarray(x)
    if np.issubdtype(x.dtype, np.integer):
        return x
    return x.astype(np.complex128 if np.iscomplexobj(x) else np.float64)


def complex_step(fun: Callable[..., Any], argnums: int | tuple[int, ...] = 0):
    """The Jacobian of fun(*args, xp=np) by complex steps, exact to round-off.

    For f analytic and real on the real line, f'(x) is the imaginary part of
    f(x + ih) / h up to h^2, without a difference; h = 1e-30 makes h^2 vanish.
    Squire & Trapp (1998), SIAM Review 40(1).
    """

    def jacobian(args):
        args = jax.tree.map(wide, args)
        leaves, tree = jax.tree.flatten(_selected(args, argnums))
        leaves = [leaf.astype(complex) for leaf in leaves]

        def column(leaf, index):
            leaf[index] += 1e-30j
            out = fun(*_placed(args, argnums, tree.unflatten(leaves)), xp=np)
            leaf[index] -= 1e-30j
            return jax.tree.map(lambda y: np.imag(y) / 1e-30, out)

        base = fun(*_placed(args, argnums, tree.unflatten(leaves)), xp=np)
        blocks = []  # for each input leaf: the output's tree, leaves (*out, *in)
        for leaf in leaves:
            columns = [column(leaf, index) for index in np.ndindex(leaf.shape)]
            block = jax.tree.map(
                lambda y, *c, s=leaf.shape: np.reshape(
                    np.stack(c, -1) if c else np.zeros((*np.shape(y), 0)),
                    (*np.shape(y), *s),
                ),
                base,
                *columns,
            )
            blocks.append(block)
        return jax.tree.map(lambda *b: tree.unflatten(b), *blocks)

    return jacobian


def _selected(args, argnums):
    if isinstance(argnums, int):
        return args[argnums]
    return tuple(args[k] for k in argnums)


def _placed(args, argnums, chosen):
    args = list(args)
    if isinstance(argnums, int):
        args[argnums] = chosen
    else:
        for k, value in zip(argnums, chosen, strict=True):
            args[k] = value
    return args


def elementwise(derivative: Callable[[np.ndarray], np.ndarray]):
    """The Jacobian of a function that acts on each number by itself."""

    def jacobian(args):
        x = wide(args[0])
        return np.reshape(np.diag(derivative(x).ravel()), 2 * x.shape)

    return jacobian


def linear(matrix: np.ndarray):
    """The Jacobian of a linear map: its matrix, shape (*out, *in)."""
    return lambda _: matrix


def eye(*shape: int) -> np.ndarray:
    """The pattern of a function that acts on each number by itself."""
    return np.reshape(np.eye(int(np.prod(shape)), dtype=bool), 2 * shape)


def full(*shape: int) -> np.ndarray:
    return np.ones(shape, bool)


def offsets(n_out: int, n_in: int, *steps: int, stride: int = 1) -> np.ndarray:
    """The pattern in which output i reads inputs stride i + step."""
    distance = np.arange(n_in) - stride * np.arange(n_out)[:, None]
    return np.isin(distance, steps)


def outer(*patterns: np.ndarray) -> np.ndarray:
    """The pattern (o1, o2, ..., i1, i2, ...) of patterns (o1, i1), (o2, i2), ..."""
    result = patterns[0]
    for k, p in enumerate(patterns[1:], 1):
        result = np.multiply.outer(result, p)
        result = np.moveaxis(result, -2, k)
    return result


def per_sample(n: int, block: np.ndarray, rank_out: int) -> np.ndarray:
    """The pattern (n, *out, n, *in) of samples that share the pattern (*out, *in)."""
    both = np.multiply.outer(np.eye(n, dtype=bool), block)
    return np.moveaxis(both, 1, 1 + rank_out)
