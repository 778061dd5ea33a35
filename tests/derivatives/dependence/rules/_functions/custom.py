"""What JAX differentiates away or does not differentiate, in a custom rule."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


def by_rule(linear):
    """A linear function whose derivative is written by hand, as itself."""

    @jax.custom_jvp
    def fun(x):
        return linear(x)

    fun.defjvp(lambda primals, tangents: (linear(*primals), linear(*tangents)))
    return fun


def scan_with_counts(x):
    doubled, counts = lax.scan(lambda k, row: (k + 1, (2 * row, k)), 0, x)[1]
    return doubled + 0 * jnp.expand_dims(counts, 1)


# What JAX differentiates away or does not differentiate: a custom rule may hold it.
RULE = {
    "log2": by_rule(lambda x: jnp.log2(1 + x)),
    "reduce": by_rule(
        lambda x: lax.reduce(x, np.float64(0), lambda a, b: a + 2 * b, (0,))
    ),
    "reduce one of two": by_rule(
        lambda x: lax.reduce(
            (jnp.ones_like(x), x),
            (np.float64(0), np.float64(0)),
            lambda a, b: (a[0] + b[0], a[1] + 2 * b[1]),
            (1,),
        )[1]
    ),
    "reduce_window": by_rule(
        lambda x: lax.reduce_window(
            x, np.float64(0), lambda a, b: a + 2 * b, (1, 2), (1, 1), "VALID"
        )
    ),
    "scan that counts": by_rule(
        lambda x: lax.while_loop(
            lambda c: c[0] < 2, lambda c: (c[0] + 1, scan_with_counts(c[1])), (0, x)
        )[1]
    ),
}
