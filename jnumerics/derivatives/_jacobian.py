"""Jacobians in every mode, dense or sparse."""

from collections.abc import Callable
from typing import Any

from jnumerics import _check
from jnumerics.derivatives._modes import sparse
from jnumerics.derivatives._modes.jacobian import filled
from jnumerics.derivatives._plan.candidates import MODES, MODES_OF_HESSIANS
from jnumerics.derivatives._plan.plan import choose
from jnumerics.derivatives._plan.result import Plan
from jnumerics.derivatives._program import arguments
from jnumerics.derivatives._program.arguments import ArgNums, check_bound, wraps
from jnumerics.derivatives._program.entry import Entry
from jnumerics.derivatives._program.layout import Env
from jnumerics.derivatives._program.linearity.symmetry import asymmetry_of
from jnumerics.derivatives._program.trace import Target, trace


def jacobian(
    fun: Callable,
    argnums: ArgNums = 0,
    *,
    mode: str = "auto",
    max_bytes: int | None = None,
    format: str = "dense",
    has_aux: bool = False,
    holomorphic: bool = False,
    check: str | None = "proof",
) -> Callable:
    r"""Return a function that computes $J_{ij} = \partial f_i / \partial x_j$.

    "forward" takes a pass for each input, "reverse" one for each output; "cut" takes
    passes from the narrowest place between them to both ends and multiplies; in
    "compressed" inputs (or outputs) that never meet share a pass. Every mode serves
    every function: without structure, the last two come down to the better end. "auto"
    takes the one predicted to be the cheapest (see `plan`).

    All this rests on a derivative that is linear in its tangents, which is proven of
    the program, not assumed: JAX's own operations are; your `custom_jvp` and
    `custom_vjp` rules, and solvers that stop on a tolerance, need not be. What is not
    proven runs as in `jax.jacfwd` or `jax.jacrev`, a basis vector a pass: "auto" is
    forward where JAX serves it, else reverse, and "cut" and "compressed" are refused
    with the line in question, until `check=None` vouches for it.

    Modes may differ where a partial derivative inside `fun` is infinite, as for
    `where(x > 0, sqrt(x), 0)` at 0: forward mode is finite there and reverse mode NaN.
    So they do where `x[i]` reads out of bounds, which it promises not to: forward mode
    is that of the element read in its place, reverse mode zero; `x.at[i].get(mode=...)`
    says what is meant.
    They differ too where a rule's two parts disagree: those of `linear_call`, the
    `transpose_solve` of `custom_linear_solve`, or a `custom_jvp` that is not linear;
    and where the Jacobian is taken inside of `jax.shard_map` and devices communicate:
    forward mode gives what this device's outputs read, reverse mode what its inputs do.
    Naming the mode is the way out. Sharded arguments work as everywhere in JAX; on a
    mesh with explicit axes, wrap the result in `jax.sharding.auto_axes`, which asks how
    the answer is to be sharded. Effects of `fun` (`jax.debug.print`, callbacks) come in
    order, once a call; where derivatives pass (the body of a `while` loop, a rule for
    tangents) they are refused.

    What is compiled in: booleans, strings and callables among the arguments' leaves,
    which are static (another one compiles again; Python numbers do not), and what `fun`
    reads besides its arguments. Where an array that these hold (a variable of a
    closure, an attribute of an object, a global of your modules) is replaced by
    another, the next call compiles again. Other changes go unseen: of numbers, of an
    array of NumPy in place, of None or an empty container that gets an array, of what
    libraries, deques or functions compiled by `jax.jit` hold. What changes often is
    best an argument: a module's arrays, or its state by `flax.nnx.split`.

    Args:
        fun: A traceable function of arrays or pytrees of arrays.
        argnums: Which arguments to differentiate with respect to: an int or a tuple.
            Static leaves among these have None in the result.
        mode: "auto", "forward", "reverse", "cut" or "compressed".
        max_bytes: Bound of the temporary memory, in bytes: not of the answer, nor of
            what `fun` closes over. Passes then run in chunks, and "auto" takes another
            mode where its choice needs more.
        format: "dense", or "bcoo" for `jax.experimental.sparse.BCOO`, in which entries
            of one place add, and indices beyond the shape are padding. SciPy takes it
            after `sum_duplicates()`, which leaves neither (see the example).
        has_aux: Whether `fun` returns a pair, of which the second is not
            differentiated.
        holomorphic: Whether `fun` is a holomorphic function of complex numbers.
        check: "proof" shares and cuts passes only where the derivative is proven
            linear. None vouches for it: for your `custom_jvp` and `custom_vjp` rules,
            and for iterative solvers that converge; if they are not linear, the result
            is silently wrong.

    Returns:
        A function of the same arguments, named ones included, compiled once for each
        shape, whose result nests as that of `jax.jacobian`: the result's tree of the
        arguments' trees, with arrays of shape `(*out, *in)`; with `has_aux`, a pair of
        that and aux.

    Raises:
        TypeError: If an option has another type; at the call, if an argument or result
            has a dtype without derivative, `fun` needs concrete values, or it has
            effects where derivatives pass.
        ValueError: If an option is unknown; at the call, if the mode does not serve
            `fun`, or `max_bytes` is too small for one pass.

    Example:
        >>> import jax.numpy as jnp
        >>> jacobian(lambda x: x**2)(jnp.array([1.0, 2.0]))
        Array([[2., 0.],
               [0., 4.]], dtype=float32)

        For SciPy (1.15 where a block's rank exceeds 2; `.reshape(m, n)` is its matrix):

        >>> import scipy.sparse
        >>> J = jacobian(jnp.diff, format="bcoo")(jnp.arange(3.0)).sum_duplicates()
        >>> scipy.sparse.coo_array((J.data, tuple(J.indices.T)), J.shape).toarray()
        array([[-1.,  1.,  0.],
               [ 0., -1.,  1.]], dtype=float32)

    Reference:
        Griewank & Walther (2008), "Evaluating Derivatives", chapters 3, 8 and 10.
    """
    run = compiled(
        fun,
        argnums,
        mode=mode,
        max_bytes=max_bytes,
        format=format,
        has_aux=has_aux,
        holomorphic=holomorphic,
        check=check,
        has_value=False,
    )

    @wraps(fun)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        _, aux, result = run(args, kwargs)
        return (result, aux) if has_aux else result

    return derivative


def value_and_jacobian(
    fun: Callable,
    argnums: ArgNums = 0,
    *,
    mode: str = "auto",
    max_bytes: int | None = None,
    format: str = "dense",
    has_aux: bool = False,
    holomorphic: bool = False,
    check: str | None = "proof",
) -> Callable:
    r"""Return a function that computes the value of `fun` and its Jacobian.

    As `jacobian`; the value costs little more, since the passes need most of it.

    Args:
        fun: As in `jacobian`, which says what of it is compiled in, and how to change
            that later.
        argnums: As in `jacobian`.
        mode: As in `jacobian`.
        max_bytes: As in `jacobian`.
        format: As in `jacobian`.
        has_aux: As in `jacobian`.
        holomorphic: As in `jacobian`.
        check: As in `jacobian`.

    Returns:
        A function of the same arguments that returns (value, Jacobian); with `has_aux`,
        ((value, aux), Jacobian).

    Raises:
        TypeError: As in `jacobian`.
        ValueError: As in `jacobian`.

    Example:
        >>> import jax.numpy as jnp
        >>> value_and_jacobian(jnp.sum)(jnp.array([1.0, 2.0]))
        (Array(3., dtype=float32), Array([1., 1.], dtype=float32))
    """
    run = compiled(
        fun,
        argnums,
        mode=mode,
        max_bytes=max_bytes,
        format=format,
        has_aux=has_aux,
        holomorphic=holomorphic,
        check=check,
        has_value=True,
    )

    @wraps(fun)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        value, aux, result = run(args, kwargs)
        return ((value, aux) if has_aux else value), result

    return derivative


def gradient(
    fun: Callable, argnums: ArgNums, *, check: str | None = "proof"
) -> Callable:
    """Return the Jacobian that is differentiated once more, as `jax.hessian` takes it.

    Where it is not proven linear it is reverse mode's, else forward mode's.
    """
    _check.function("fun", fun)
    arguments.check_argnums(argnums)

    def program(args: tuple, kwargs: dict) -> Any:
        target = trace(fun, args, kwargs, argnums=argnums, vouched=check is None)
        choice = choose(target, is_gradient=True)
        _, _, env = target.evaluate(choice.problem.program)
        return _dense(target, choice, env)

    run = Entry(fun, program)

    @wraps(fun)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        return run(args, kwargs)

    return derivative


def compiled(
    fun: Callable,
    argnums: ArgNums,
    *,
    mode: str,
    max_bytes: int | None,
    format: str,
    has_aux: bool,
    holomorphic: bool,
    check: str | None,
    has_value: bool,
    scalar: Callable | None = None,
) -> Callable[[tuple, dict], tuple[Any, Any, Any]]:
    """Return a function of (args, kwargs) that gives value, aux and Jacobian.

    A value that is not wanted is None: for a stencil it costs as much as a pass. For a
    Hessian, `fun` is the gradient of `scalar`.
    """
    _check.function("fun", fun)
    arguments.check_argnums(argnums)
    modes = MODES if scalar is None else MODES_OF_HESSIANS
    _check.option("mode", mode, ("auto", *modes))
    _check.option("format", format, ("dense", "bcoo"))
    _check.option("check", check, ("proof", None))
    _check.boolean("has_aux", has_aux)
    _check.boolean("holomorphic", holomorphic)
    bound = check_bound(max_bytes)

    def program(args: tuple, kwargs: dict) -> tuple[Any, Any, Any]:
        target = trace(
            fun,
            args,
            kwargs,
            argnums=argnums,
            has_aux=has_aux,
            holomorphic=holomorphic,
            vouched=check is None,
        )
        kind = "jacobian" if format == "dense" else "sparse"
        symmetry = scalar and asymmetry_of(
            scalar, args, kwargs, argnums=argnums, vouched=check is None
        )
        choice = choose(target, kind, mode=mode, max_bytes=bound, asymmetry=symmetry)
        value, aux, env = target.evaluate(choice.problem.program)
        made = _dense if format == "dense" else _sparse
        result = made(target, choice, env)
        return value if has_value else None, aux if has_aux else None, result

    entry = Entry(fun, program)

    def run(args: tuple, kwargs: dict) -> tuple[Any, Any, Any]:
        value, aux, result = entry(args, kwargs)
        return value, aux, result if format == "dense" else sparse.as_bcoo(result)

    return run


def _dense(target: Target, choice: Plan, env: Env) -> Any:
    ends = target.out_avals, target.in_avals
    outs, ins = ([aval.shape for aval in avals] for avals in ends)
    return target.nest(filled(target, choice.run(env), outs, ins))


def _sparse(target: Target, choice: Plan, env: Env) -> Any:
    return target.nest(sparse.blocks(target, *choice.run_entries(env)), sparse.join)
