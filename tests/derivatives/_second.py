"""Second derivatives by JAX itself, as an oracle."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree


def trace_of_hessian(fun: Callable, x: Any, by: Callable = jax.hessian) -> Any:
    """Return the trace of each entry's Hessian, over all leaves of the argument.

    It is one program: by hand JAX would compile each of its operations.
    """
    flat, unravel = ravel_pytree(x)

    @jax.jit
    def trace(flat: Any) -> Any:
        full = by(lambda v: fun(unravel(v)))(flat)
        return jax.tree.map(lambda h: jnp.trace(h, axis1=-2, axis2=-1), full)

    return trace(flat)


def twice_forward(fun: Callable) -> Callable:
    """Return the Hessian by forward mode alone, which passes every loop."""
    return jax.jacfwd(jax.jacfwd(fun))


def line(x: Any) -> Any:
    """Couple each number to the next; an entry of the Hessian stands between these."""
    return jnp.sum(jnp.sin(x[1:] * x[:-1]))


@jax.custom_vjp
def by_rule(x: Any) -> Any:
    """Sum the cubes, by a rule that no sweep passes."""
    return jnp.sum(x**3)


by_rule.defvjp(lambda x: (by_rule(x), x), lambda x, g: (3 * x**2 * g,))
