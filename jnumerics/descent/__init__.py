"""Gradient descent with any optax optimizer, compiled as one program.

Update k takes the loss and its gradient g at the parameters p and moves to

    p + u,    u, state = optimizer.update(conj(g), state, p).

The gradient is conjugated because JAX's gradient of a real loss by a complex z is
dL/dx - i dL/dy, and the way down is against dL/dx + i dL/dy. Line searches, which
take JAX's gradient, get it as it is.

The loop is one `jax.lax.scan`: it nests in `jax.jit`, `jax.vmap` and both modes of
differentiation. Not offered: a stopping rule, progress and checkpoints (run chunks
of steps, each continuing from the last), and parameters that are not numbers: split
a module that holds other leaves (`equinox.partition`, `nnx.split`) and join its
parts inside the loss.
"""

from jnumerics.descent._loop import Descent
from jnumerics.descent._minimize import minimize

__all__ = ["Descent", "minimize"]
