"""Hessians in every mode, dense or sparse."""

from collections.abc import Callable
from typing import Any

from jnumerics.derivatives._jacobian import compiled, gradient
from jnumerics.derivatives._program.arguments import ArgNums, wraps


def hessian(
    fun: Callable,
    argnums: ArgNums = 0,
    *,
    mode: str = "auto",
    max_bytes: int | None = None,
    format: str = "dense",
    check: str | None = "proof",
) -> Callable:
    r"""Return a function of $H_{ij} = \partial^2 f / \partial x_i \partial x_j$.

    The Jacobian of the Jacobian: for a scalar function, of its gradient by one reverse
    pass. A gradient that is not proven linear in the tangents is taken as in
    `jax.hessian`: by reverse mode, or by forward mode where JAX serves no other
    (solvers that stop on a tolerance: by the cheaper one). Sparse Hessians are found
    and compressed as sparse Jacobians are; "star" reads an entry on either side,
    $H_{ij}$ or $H_{ji}$, so that fewer passes may do: two for an arrow of any size.
    Where columns do as well, it comes down to "compressed".

    It assumes that the Hessian is symmetric as JAX computes it, and so that `fun` is
    twice differentiable at the point: $x^y$ at 0 is not. JAX's own operations, also
    `stop_gradient`, kinks and ties, keep it symmetric. Your `custom_jvp`, `custom_vjp`
    and `linear_call` rules and solvers need not, nor do Cholesky factors, eigenvectors
    (`eigh`), singular vectors of complex matrices, and devices that communicate: there
    "star" is refused, with the line in question, until `check=None` vouches for it.

    Args:
        fun: A traceable function of real arrays or pytrees; twice differentiable. What
            it holds besides its arguments is compiled in, as in `jacobian`.
        argnums: Which arguments to differentiate with respect to.
        mode: How the gradient is differentiated, as in `jacobian`; or "star", for a
            real number as result.
        max_bytes: Bound of the temporary memory, as in `jacobian`.
        format: "dense" or "bcoo", as in `jacobian`.
        check: As in `jacobian`; None vouches for symmetry, too.

    Returns:
        A function of the same arguments whose result nests as that of `jax.hessian`.

    Raises:
        TypeError: As in `jacobian`.
        ValueError: As in `jacobian`.

    Example:
        >>> import jax.numpy as jnp
        >>> hessian(lambda x: x[0] ** 2 * x[1])(jnp.array([1.0, 3.0]))
        Array([[6., 2.],
               [2., 0.]], dtype=float32)
        >>> arrow = hessian(lambda x: jnp.sum(x[0] * x**2), mode="star", format="bcoo")
        >>> arrow(jnp.ones(400)).nse
        1198

    Reference:
        Coleman & Moré (1984), "Estimation of sparse Hessian matrices and graph coloring
        problems", Math. Programming 28.
    """
    slopes = gradient(fun, argnums, check=check)
    run = compiled(
        slopes,
        argnums,
        mode=mode,
        max_bytes=max_bytes,
        format=format,
        has_aux=False,
        holomorphic=False,
        check=check,
        has_value=False,
        scalar=fun,
    )

    @wraps(slopes)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        return run(args, kwargs)[2]

    return derivative
