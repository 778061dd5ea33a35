"""Laplacians, and second derivatives along directions, of scalars and of fields."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jnumerics import _check
from jnumerics.derivatives._plan.result import Answer
from jnumerics.derivatives._plan.second.choose import MODES, choose
from jnumerics.derivatives._plan.second.request import Request, require_real
from jnumerics.derivatives._program import arguments
from jnumerics.derivatives._program.arguments import (
    ArgNums,
    check_bound,
    opened,
    wraps,
)
from jnumerics.derivatives._program.entry import Entry
from jnumerics.derivatives._program.trace import EACH_SAMPLE, Target, trace


class ValueGradLaplacian(NamedTuple):
    """What `value_grad_and_laplacian` returns.

    Attributes:
        value: The value, a scalar.
        gradient: The gradient, of the argument's tree and shapes.
        laplacian: The Laplacian, or the sum along the directions: a scalar.
    """

    value: Any
    gradient: Any
    laplacian: Any


def laplacian(
    fun: Callable,
    argnums: ArgNums = 0,
    *,
    directions: Any = None,
    mode: str = "auto",
    max_bytes: int | None = None,
    check: str | None = "proof",
) -> Callable:
    r"""Return a function that computes $\sum_i \partial^2 f / \partial x_i^2$.

    "collapsed" pushes a value, its derivatives along c directions and the one sum of
    second ones through the program of `fun` (collapsed Taylor mode, or forward
    Laplacian): about c + 2 evaluations, in few large products, and no reverse pass.
    Inputs without an entry of the Hessian between them, as is proven, share a
    direction: two suffice for a line or a grid, one for each input always. "narrow"
    does so in two sweeps, where all goes through a place of d numbers (a bottleneck,
    with what goes around it): behind it d directions suffice. "nested" takes passes
    over the gradient, as few as the structure of its Jacobian allows, and each of them
    costs more. "auto" takes the one that is predicted to be the fastest. Up to 8
    directions go in one sweep: to count the other modes as well would slow the first
    call. Nor is "nested" counted for a result of several entries. `plan` counts all.

    Both sweeps need rules that are proven linear, as in `jacobian`; where they are
    not, or `fun` holds a `custom_vjp` function, the mode is nested. The derivatives of
    a `custom_jvp` function are those of its rule; where the rule makes the value by
    other means than the function itself, JAX takes the derivative of these, and the
    mode is nested too. At a kink they are those of JAX's rules (of `abs` at 0: 0; of
    `max` at a tie: half of each), and nothing is added for the jump of a slope.

    One number for the whole argument: for one a sample, take `jax.vmap` of it, for a
    function of one sample. For the Laplacian of each entry of a vector field, let `fun`
    return the vector.

    Args:
        fun: A traceable function of arrays or pytrees, twice differentiable, with real
            results. What it holds besides its arguments is compiled in, as in
            `jacobian`.
        argnums: Which arguments to differentiate with respect to.
        directions: The second derivatives along these are summed, in place of those
            along all basis vectors: the argument's tree (a tuple for a tuple of
            `argnums`), each leaf `(k, *leaf.shape)`; or a function of the arguments of
            `fun` that returns that, and is not differentiated.
        mode: "auto", "nested", "collapsed" or "narrow".
        max_bytes: Bound of the temporary memory, in bytes, as in `jacobian`: directions
            then go in chunks.
        check: "proof", or None to vouch for rules and solvers, as in `jacobian`.

    Returns:
        A function of the same arguments, compiled once for each shape, whose result has
        the tree and the shapes of that of `fun`.

    Raises:
        TypeError: At the call, as `jacobian`; if the result of `fun` is complex, or
            `directions` are not real.
        ValueError: If an option is unknown; at the call, if `directions` do not fit the
            argument, the mode does not serve `fun`, or `max_bytes` is too small for one
            direction.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> laplacian(lambda x: jnp.sum(x**3))(jnp.array([1.0, 2.0]))
        Array(18., dtype=float32)

        With k random signs for each input, over sqrt(k), it is Hutchinson's estimate,
        which is exact where the Hessian is diagonal:

        >>> signs = jax.random.rademacher(jax.random.key(0), (4, 2), float) / 2
        >>> laplacian(lambda x: jnp.sum(x**3), directions=signs)(jnp.array([1.0, 2.0]))
        Array(18., dtype=float32)

    Reference:
        Li et al. (2023), "Forward Laplacian: A New Computational Framework for Neural
        Network-based Variational Monte Carlo", arXiv 2307.08214.
    """
    run = _compiled(
        fun,
        argnums,
        directions=directions,
        mode=mode,
        max_bytes=max_bytes,
        check=check,
        wants_first=False,
    )

    @wraps(fun)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        return run(args, kwargs).laplacian

    return derivative


def value_grad_and_laplacian(
    fun: Callable,
    argnums: ArgNums = 0,
    *,
    directions: Any = None,
    mode: str = "auto",
    max_bytes: int | None = None,
    check: str | None = "proof",
) -> Callable:
    r"""Return a function that computes $f$, $\nabla f$ and $\Delta f$.

    What one sweep of collapsed mode makes; with `directions`, or where inputs share
    directions, the gradient takes one reverse pass more.

    Args:
        fun: As in `laplacian`, with a scalar as result. What it holds besides its
            arguments is compiled in, as in `jacobian`.
        argnums: As in `laplacian`.
        directions: As in `laplacian`.
        mode: As in `laplacian`.
        max_bytes: As in `laplacian`.
        check: As in `laplacian`.

    Returns:
        A function of the same arguments that returns a NamedTuple (value, gradient,
        laplacian); the gradient has the tree and the shapes of the argument.

    Raises:
        TypeError: As in `laplacian`.
        ValueError: As in `laplacian`; at the call, if the result is not a scalar.

    Example:
        >>> import jax.numpy as jnp
        >>> value_grad_and_laplacian(lambda x: jnp.sum(x**3))(jnp.array([1.0, 2.0]))[1:]
        (Array([ 3., 12.], dtype=float32), Array(18., dtype=float32))
    """
    run = _compiled(
        fun,
        argnums,
        directions=directions,
        mode=mode,
        max_bytes=max_bytes,
        check=check,
        wants_first=True,
    )

    @wraps(fun)
    def derivative(*args: Any, **kwargs: Any) -> ValueGradLaplacian:
        return run(args, kwargs)

    return derivative


def _compiled(
    fun: Callable,
    argnums: ArgNums,
    *,
    directions: Any,
    mode: str,
    max_bytes: int | None,
    check: str | None,
    wants_first: bool,
) -> Callable[[tuple, dict], ValueGradLaplacian]:
    _check.function("fun", fun)
    arguments.check_argnums(argnums)
    _check.option("mode", mode, ("auto", *MODES))
    _check.option("check", check, ("proof", None))
    bound, vouched = check_bound(max_bytes), check is None
    is_function = callable(directions)
    constant = None if is_function else _arrays(directions)

    def program(args: tuple, kwargs: dict) -> ValueGradLaplacian:
        own, along = (args, None) if constant is None else (args[:-1], args[-1])
        target = trace(fun, own, kwargs, argnums=argnums, vouched=vouched)
        require_real(target)
        if wants_first:
            _require_scalar(target)
        if is_function:
            along = _arrays(directions(*opened(own), **opened(kwargs)))
        is_basis = along is None and not is_function
        stacks = None if is_basis else _fitted(target, along)
        request = Request(target, stacks, vouched, bound, wants_first)
        return _nest(target, choose(request, mode).run_second(), wants_first)

    entry = Entry((fun, directions) if is_function else fun, program)
    if constant is None:
        return entry
    return lambda args, kwargs: entry((*args, constant), kwargs)


def _nest(target: Target, answer: Answer, wants_first: bool) -> ValueGradLaplacian:
    laplacian = target.outputs.unflatten(answer.laplacians)
    if not wants_first:
        return ValueGradLaplacian(None, None, laplacian)
    pairs = zip(answer.gradient, target.in_avals, strict=True)
    gradient = target.inputs.unflatten([g.astype(a.dtype) for g, a in pairs])
    return ValueGradLaplacian(answer.values[0], gradient, laplacian)


def _require_scalar(target: Target) -> None:
    if target.outputs != jax.tree.structure(0):
        msg = f"`fun` must return a scalar, got a tree {target.outputs}"
        raise ValueError(msg)
    (aval,) = target.out_avals
    if aval.shape:
        msg = f"`fun` must return a scalar, got shape {aval.shape}: {EACH_SAMPLE}"
        raise ValueError(msg)


def _arrays(directions: Any) -> Any:
    """Return the directions as arrays of real numbers."""

    def convert(path: Any, leaf: Any) -> Array:
        name = f"directions{jax.tree_util.keystr(path)}"
        stack = _check.array(name, leaf)
        if not jnp.issubdtype(stack.dtype, jnp.floating):
            msg = (
                f"`{name}` must hold real numbers, got dtype {stack.dtype}: use a float"
            )
            raise TypeError(msg)
        return stack

    return jax.tree_util.tree_map_with_path(convert, directions)


def _fitted(target: Target, directions: Any) -> list[Array]:
    """Require stacks of the differentiated leaves' shapes, one length for all."""
    leaves, tree = jax.tree.flatten(directions)
    if tree != target.inputs:
        msg = f"`directions` must have the argument's tree {target.inputs}, got {tree}"
        raise ValueError(msg)
    shapes = [aval.shape for aval in target.in_avals]
    k = leaves[0].shape[0] if leaves[0].ndim else 0
    expected, actual = [(k, *s) for s in shapes], [leaf.shape for leaf in leaves]
    if actual != expected:
        msg = (
            "`directions` must have leaves of shapes (k, *shape) for the argument's "
            f"{shapes}, got {actual}"
        )
        raise ValueError(msg)
    pairs = zip(leaves, target.in_avals, strict=True)
    return [leaf.astype(aval.dtype) for leaf, aval in pairs]
