r"""Perceptron: one layer of sigmoids without bias, trained by gradient descent.

With weights $w$ and one input in each row of $X$, the outputs are
$o = \sigma(X w)$, $\sigma(z) = 1 / (1 + e^{-z})$, and the loss is half the sum of
squared errors, whose gradient is

$\nabla_w \tfrac12 \lVert o - y \rVert^2 = X^\top ((o - y) \odot o \odot (1 - o))$.

A bias is a column of ones in `X`. Real numbers only. Not offered: more layers
(`jnumerics.mlp`), other losses and optimizers (`jnumerics.descent.minimize`).
"""

from functools import partial
from typing import Any, SupportsIndex

import jax
import jax.numpy as jnp
import optax
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jnumerics import _check, descent
from jnumerics._check import ArrayLike, Operand
from jnumerics._programs import checked

__all__ = ["apply", "fit", "init", "loss"]

# Measured on CPUs: of so few numbers the product with the transposed is the faster, as
# its gradient is computed in one piece; of more, it is several times slower.
_FEW = 64


def init(
    key: ArrayLike, n_in: SupportsIndex, *, dtype: DTypeLike | None = None
) -> Float[Array, " n_in"]:
    r"""Draw weights uniformly from $[-1, 1)$.

    Args:
        key: JAX random key, from `jax.random.key` or `jax.random.PRNGKey`.
        n_in: Number of inputs, from 0 to $2^{31} - 1$.
        dtype: Real floating-point type; None is JAX's default, float32 or with x64
            float64.

    Returns:
        The weights, shape `(n_in,)`.

    Raises:
        TypeError: If `key` is not a random key, `n_in` not an integer, or `dtype` not a
            real floating-point type.
        ValueError: If `key` is not one key, `n_in` is out of its range, or `dtype` is
            double without x64.

    Example:
        >>> import jax
        >>> init(jax.random.key(0), 3).shape
        (3,)
    """
    # A setting of JAX without which programs are kept says what a key is.
    return _init(_check.key("key", key), n_in, dtype)


def apply(weights: ArrayLike, X: ArrayLike) -> Float[Array, "*batch"]:
    r"""Evaluate $o = \sigma(X w)$.

    One product and one sigmoid for each input. bfloat16 and float16 are computed in
    float32 and rounded once.

    Args:
        weights: Shape `(n,)`.
        X: Inputs, shape `(..., n)`; integers become floats.

    Returns:
        The outputs, from 0 to 1, shape `(...)`, in the common dtype of the arguments.

    Raises:
        TypeError: If an argument is not an array of real numbers.
        ValueError: If `weights` does not have rank 1 or the last axis of `X` has
            another size.

    Example:
        >>> import numpy as np
        >>> apply(np.array([0.0, 2.0]), np.array([[1.0, 0.0], [0.0, 1.0]])).round(2)
        Array([0.5 , 0.88], dtype=float32)
    """
    return _apply(weights, X)


def loss(weights: ArrayLike, X: ArrayLike, y: ArrayLike) -> Float[Array, ""]:
    r"""Compute half the sum of squared errors, $\tfrac12 \sum_i (o_i - y_i)^2$.

    Of no inputs it is 0. bfloat16 and float16 are computed in float32 and rounded once.

    Args:
        weights: Shape `(n,)`.
        X: Inputs, shape `(m, n)`; integers become floats.
        y: Targets, shape `(m,)`, or `(m, 1)`, which means the same.

    Returns:
        A scalar in the common dtype of the arguments.

    Raises:
        TypeError: If an argument is not an array of real numbers.
        ValueError: If a rank is wrong, `X` does not match `weights`, or `y` has another
            shape, which would broadcast.

    Example:
        >>> import numpy as np
        >>> loss(np.zeros(2), np.ones((4, 2)), np.array([0, 1, 1, 0]))
        Array(0.5, dtype=float32)
    """
    return _loss(weights, X, y)


def fit(
    weights: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    *,
    steps: SupportsIndex,
    learning_rate: ArrayLike = 1.0,
) -> descent.Descent:
    r"""Descend $w \leftarrow w - \eta X^\top ((o - y) \odot o \odot (1 - o))$.

    Every update sees all inputs: two products with `X` each, in one compiled loop.
    Compiled once for each number of steps and each shape, whatever the rate. With a
    small rate the loss falls at each update; rates may be traced, and the result is
    differentiable in all arguments in both modes. bfloat16 and float16 are computed in
    float32 and rounded once, after the last update.

    Args:
        weights: Where to start, shape `(n,)`, for instance from `init`.
        X: Inputs, shape `(m, n)`; integers become floats.
        y: Targets from 0 to 1, shape `(m,)`, or `(m, 1)`, which means the same.
        steps: Number of updates, from 0 to $2^{31} - 1$.
        learning_rate: The rate $\eta$, a real scalar.

    Returns:
        The `Descent`: `params`, the weights, in the common dtype of `weights`, `X` and
        `y`; `losses`, shape `(steps,)`, the loss before each update; `state`, that of
        `optax.sgd`.

    Raises:
        TypeError: If an argument is not an array of real numbers, or `steps` not an
            integer.
        ValueError: If a rank is wrong, `X` does not match `weights`, `y` has another
            shape, which would broadcast, or `steps` is out of its range.

    Example:
        >>> import numpy as np
        >>> X = np.array([[0, 0, 1], [1, 1, 1], [1, 0, 1], [0, 1, 1]])
        >>> y = np.array([0, 1, 1, 0])
        >>> weights = fit(np.zeros(3), X, y, steps=10_000).params
        >>> apply(weights, X).round(1)
        Array([0., 1., 1., 0.], dtype=float32)
    """
    return _fit(weights, X, y, learning_rate, steps)


def _sized(key: Operand, n_in: SupportsIndex, dtype: DTypeLike | None) -> tuple:
    n_in = _check.integer("n_in", n_in, least=0)
    return key, n_in, _check.float_dtype("dtype", dtype)


def _inputs(weights: ArrayLike, X: ArrayLike) -> tuple[Operand, ...]:
    weights, X = _check.real("weights", weights, rank=1), _check.real("X", X)
    _check.axis_size("X", X, -1, weights.shape[0])
    return _check.promote(weights, X)


def _examples(weights: ArrayLike, X: ArrayLike, y: ArrayLike) -> tuple[Operand, ...]:
    weights = _check.real("weights", weights, rank=1)
    X = _check.real("X", X, rank=2)
    _check.axis_size("X", X, -1, weights.shape[0])
    return _check.promote(weights, X, _check.targets("y", y, X.shape[0]))


def _descended(
    weights: ArrayLike, X: ArrayLike, y: ArrayLike, rate: ArrayLike, steps: Any
) -> tuple:
    examples = _examples(weights, X, y)
    steps = _check.integer("steps", steps, least=0)
    dtype = _check.wide(examples[0].dtype)
    return *examples, _check.real_scalar("learning_rate", rate, dtype), steps


@checked(_sized, options=2)
def _init(key: Array, n_in: int, dtype: jnp.dtype) -> Array:
    return jax.random.uniform(key, (n_in,), dtype, -1, 1)


@checked(_inputs)
def _apply(weights: Array, X: Array) -> Array:
    o = _outputs(*map(_check.at_least_float32, (weights, X)))
    return o.astype(weights.dtype)


@checked(_examples)
def _loss(weights: Array, X: Array, y: Array) -> Array:
    wide = map(_check.at_least_float32, (weights, X, y))
    return _half_square(*wide).astype(weights.dtype)


@checked(_descended, options=1)
def _fit(
    weights: Array, X: Array, y: Array, rate: Array, steps: int
) -> descent.Descent:
    dtype = weights.dtype
    weights, X, y = map(_check.at_least_float32, (weights, X, y))
    loss = partial(_half_square, X=X, y=y)
    fitted = descent.minimize(loss, weights, optimizer=optax.sgd(rate), steps=steps)
    return fitted._replace(
        params=fitted.params.astype(dtype), losses=fitted.losses.astype(dtype)
    )


def _outputs(weights: Array, X: Array) -> Array:
    is_small = X.ndim == 2 and isinstance(X.size, int) and X.size <= _FEW
    pair = (weights, X.T) if is_small else (X, weights)
    return jax.nn.sigmoid(jnp.matmul(*pair, precision="highest"))


def _half_square(weights: Array, X: Array, y: Array) -> Array:
    return jnp.sum((_outputs(weights, X) - y) ** 2) / 2
