"""The compiled public functions, as a user calls them."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jnumerics import derivatives
from tests.fuzz.program import Program


def check(program: Program, fun: Callable[..., Any], args: Any) -> list[Any]:
    """Compare one or two of the public functions with JAX's; which, the seed chooses."""
    from tests.fuzz.check import Failure, _differs, _is_single

    modes = ["auto", "forward", "reverse", "cut", "compressed"]
    mode = modes[program.seed % len(modes)]
    name = ["dense", "bcoo"][program.seed // 5 % 2]
    tolerance = 2e-3 if _is_single(program) else 1e-7
    expected = list(truths(fun, args))
    try:
        found = derivatives.jacobian(fun, mode=mode, format=name)(*args)
    except (TypeError, ValueError, NotImplementedError):
        return []
    blocks = [
        np.asarray(b.todense() if name == "bcoo" else b)
        for b in jax.tree.leaves(found, is_leaf=lambda b: hasattr(b, "todense"))
    ]
    difference = ""
    for truth in expected:
        difference = _differs(blocks, truth, tolerance)
        if not difference:
            return []
    return [Failure(f"compiled {mode} {name}", difference)]


def truths(fun: Callable[..., Any], args: Any) -> Any:
    """Yield the compiled Jacobian by each of JAX's modes that serves."""
    for by in (jax.jacfwd, jax.jacrev):
        try:
            found = jax.jit(by(fun))(*args)
        except Exception:
            continue
        blocks = [np.asarray(b) for b in jax.tree.leaves(found)]
        if all(np.isfinite(b).all() for b in blocks):
            yield blocks
