"""Diagonals of Jacobians, and what is summed from them."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from jnumerics import _check
from jnumerics.derivatives._jacobian import gradient
from jnumerics.derivatives._modes.jacobian import diagonals
from jnumerics.derivatives._plan.plan import choose
from jnumerics.derivatives._program import arguments
from jnumerics.derivatives._program.arguments import ArgNums, wraps
from jnumerics.derivatives._program.entry import Entry
from jnumerics.derivatives._program.layout import common_dtype
from jnumerics.derivatives._program.trace import (
    EACH_SAMPLE,
    Target,
    require_square,
    trace,
)


def jacobian_diagonal(
    fun: Callable, argnums: ArgNums = 0, *, check: str | None = "proof"
) -> Callable:
    r"""Return a function that computes $\partial f_i / \partial x_i$.

    An elementwise function takes one pass; others as many as colors keep neighbors in
    the graph of the Jacobian's entries apart, two for a line or a grid; a function with
    a narrow place d + d passes and n d operations, without forming the Jacobian. A
    function without such structure costs as much as its Jacobian: n passes.

    Args:
        fun: A traceable function whose result has its argument's tree and shapes. What
            it holds besides its arguments is compiled in, as in `jacobian`.
        argnums: Which argument (or arguments) to differentiate with respect to.
        check: "proof", or None to vouch for rules and solvers, as in `jacobian`.

    Returns:
        A function of the same arguments, compiled once for each shape, whose result has
        the argument's tree and shapes. `jax.vmap` of it is per sample.

    Raises:
        TypeError: At the call, as `jacobian`.
        ValueError: At the call, if the result has another tree or other shapes.

    Example:
        >>> import jax.numpy as jnp
        >>> jacobian_diagonal(lambda x: x**2)(jnp.array([1.0, 2.0]))
        Array([2., 4.], dtype=float32)
    """

    def finish(target: Target, diagonals: list[Array]) -> Any:
        return target.inputs.unflatten(diagonals)

    return _compiled(fun, argnums, check, finish)


def divergence(
    fun: Callable, argnums: ArgNums = 0, *, check: str | None = "proof"
) -> Callable:
    r"""Return a function that computes $\sum_i \partial f_i / \partial x_i$.

    The sum of `jacobian_diagonal`, at its cost: one number for the whole argument. For
    one a sample, take `jax.vmap` of it, for a function of one sample.

    Args:
        fun: As in `jacobian_diagonal`. What it holds besides its arguments is compiled
            in, as in `jacobian`.
        argnums: As in `jacobian_diagonal`.
        check: As in `jacobian_diagonal`.

    Returns:
        A function of the same arguments whose result is a scalar.

    Raises:
        TypeError: As in `jacobian_diagonal`.
        ValueError: As in `jacobian_diagonal`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> divergence(lambda x: x**2)(jnp.array([1.0, 2.0]))
        Array(6., dtype=float32)
        >>> jax.vmap(divergence(lambda x: x**2))(jnp.array([[1.0, 2.0], [3.0, 4.0]]))
        Array([ 6., 14.], dtype=float32)
    """
    return _compiled(fun, argnums, check, lambda _, diagonals: _sum(diagonals))


def hessian_diagonal(
    fun: Callable, argnums: ArgNums = 0, *, check: str | None = "proof"
) -> Callable:
    r"""Return a function that computes $\partial^2 f / \partial x_i^2$.

    The diagonal of the gradient's Jacobian: forward passes over one reverse pass, as
    few as the structure of the Hessian allows. The gradient is taken as in `hessian`.
    Their sum alone costs less: `laplacian`.

    Args:
        fun: A traceable function with a real scalar as result, twice differentiable.
            What it holds besides its arguments is compiled in, as in `jacobian`.
        argnums: Which arguments to differentiate with respect to.
        check: As in `jacobian_diagonal`.

    Returns:
        A function of the same arguments whose result has the argument's tree and
        shapes. `jax.vmap` of it is per sample.

    Raises:
        TypeError: At the call, as `jacobian`.
        ValueError: At the call, if the result is not a scalar.

    Example:
        >>> import jax.numpy as jnp
        >>> hessian_diagonal(lambda x: jnp.sum(x**3))(jnp.array([1.0, 2.0]))
        Array([ 6., 12.], dtype=float32)
    """
    slopes = gradient_of_scalar(fun, argnums, check=check)
    return jacobian_diagonal(slopes, argnums, check=check)


def gradient_of_scalar(
    fun: Callable, argnums: ArgNums, *, check: str | None = "proof"
) -> Callable:
    """Return the gradient of a function that has to return a real scalar."""
    _check.function("fun", fun)
    arguments.check_argnums(argnums)

    @wraps(fun)
    def scalar(*args: Any, **kwargs: Any) -> Array:
        value = _check.array("fun's result", fun(*args, **kwargs))
        if not jnp.issubdtype(value.dtype, jnp.floating):
            msg = f"`fun` must return a real number, got dtype {value.dtype}"
            raise TypeError(msg)
        if value.shape:
            msg = f"`fun` must return a scalar, got shape {value.shape}: {EACH_SAMPLE}"
            raise ValueError(msg)
        return value

    return gradient(scalar, argnums, check=check)


def _compiled(
    fun: Callable,
    argnums: ArgNums,
    check: str | None,
    finish: Callable[[Target, list[Array]], Any],
) -> Callable:
    """Return a function that takes the diagonal of each leaf, and finishes."""
    _check.function("fun", fun)
    arguments.check_argnums(argnums)
    _check.option("check", check, ("proof", None))

    def program(args: tuple, kwargs: dict) -> Any:
        vouched = check is None
        target = trace(fun, args, kwargs, argnums=argnums, vouched=vouched)
        require_square(target)
        choice = choose(target, "diagonal")
        _, _, env = target.evaluate(choice.problem.program)
        return finish(target, diagonals(target, choice.run(env)))

    run = Entry(fun, program)

    @wraps(fun)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        return run(args, kwargs)

    return derivative


def _sum(leaves: list[Array]) -> Array:
    dtype = common_dtype(*(leaf.dtype for leaf in leaves))
    return sum((jnp.sum(leaf).astype(dtype) for leaf in leaves), jnp.zeros((), dtype))
