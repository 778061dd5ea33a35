"""The errors that functions which differentiate promise."""

import jax
import jax.numpy as jnp
import numpy as np

from jnumerics.derivatives import SampleMixingError
from tests.package._promises.arguments import (
    ROWS,
    X3,
    derivatives,
    mixing,
    needs_values,
    noisy,
)


def halved(x):
    """Reverse mode does not run through it."""
    return jax.lax.while_loop(lambda y: jnp.sum(y) > 1e3, lambda y: y / 2, x)


@jax.custom_vjp
def backward(x):
    return jnp.sum(x)


backward.defvjp(lambda x: (jnp.sum(x), x), lambda x, g: (g * jnp.ones_like(x),))


def refused_by_jacobian(take):
    """What each of the functions that differentiate refuses by its type."""
    return {"`jacobian`": [lambda: take(lambda x: jnp.sum(x * 1.0))(np.arange(3))]}


PROMISES = {
    ("derivatives.jacobian", TypeError): {
        "an argument or result has a dtype without derivative": [
            lambda: derivatives.jacobian(lambda x: x * 1.0)(np.arange(3)),
            lambda: derivatives.jacobian(lambda x: x > 0)(X3),
        ],
        "`fun` needs concrete values": [lambda: derivatives.jacobian(needs_values)(X3)],
        "it has effects where derivatives pass": [
            lambda: derivatives.jacobian(noisy)(X3)
        ],
        "If an option has another type": [
            lambda: derivatives.jacobian(jnp.sin, has_aux="yes"),
            lambda: derivatives.jacobian(jnp.sin, holomorphic=1),
        ],
    },
    ("derivatives.jacobian", ValueError): {
        "an option is unknown": [
            lambda: derivatives.jacobian(jnp.sin, mode="fast"),
            lambda: derivatives.jacobian(jnp.sin, format="csr"),
        ],
        "; at the call, if the mode does not serve `fun`": [
            lambda: derivatives.jacobian(halved, mode="reverse")(X3)
        ],
        "`max_bytes` is too small for one pass": [
            lambda: derivatives.jacobian(jnp.cumsum, max_bytes=1)(X3)
        ],
    },
    ("derivatives.value_and_jacobian", TypeError): refused_by_jacobian(
        derivatives.value_and_jacobian
    ),
    ("derivatives.value_and_jacobian", ValueError): {
        "`jacobian`": [
            lambda: derivatives.value_and_jacobian(jnp.sin, mode="fast"),
            lambda: derivatives.value_and_jacobian(halved, mode="reverse")(X3),
        ]
    },
    ("derivatives.hessian", TypeError): refused_by_jacobian(derivatives.hessian),
    ("derivatives.hessian", ValueError): {
        "`jacobian`": [
            lambda: derivatives.hessian(jnp.sum, format="csr"),
            lambda: derivatives.hessian(jnp.sin, mode="star")(X3),
        ]
    },
    ("derivatives.batch_jacobian", SampleMixingError): {
        "a ValueError, if samples may mix: it names an output, "
        "the samples it may depend on, the operation and its line": [
            lambda: derivatives.batch_jacobian(mixing)(ROWS)
        ]
    },
    ("derivatives.batch_jacobian", TypeError): refused_by_jacobian(
        derivatives.batch_jacobian
    ),
    ("derivatives.batch_jacobian", ValueError): {
        "an option is unknown": [
            lambda: derivatives.batch_jacobian(jnp.sin, check="hope"),
            lambda: derivatives.batch_jacobian(jnp.sin, mode="fast"),
        ],
        "; at the call, if an axis is missing": [
            lambda: derivatives.batch_jacobian(jnp.sum)(ROWS),
            lambda: derivatives.batch_jacobian(jnp.sin, in_axis=2)(ROWS),
        ],
        "has another length": [
            lambda: derivatives.batch_jacobian(lambda X: X[:2])(ROWS)
        ],
        'if "probe" cannot decide': [
            lambda: derivatives.batch_jacobian(jnp.sqrt, check="probe")(0 * ROWS)
        ],
        "`jacobian`": [
            lambda: derivatives.batch_jacobian(jnp.cumsum, max_bytes=-1),
        ],
    },
    ("derivatives.jacobian_diagonal", TypeError): refused_by_jacobian(
        derivatives.jacobian_diagonal
    ),
    ("derivatives.jacobian_diagonal", ValueError): {
        "the result has another tree": [
            lambda: derivatives.jacobian_diagonal(lambda x: (x, x))(X3)
        ],
        "other shapes": [lambda: derivatives.jacobian_diagonal(lambda x: x[:2])(X3)],
    },
    ("derivatives.divergence", TypeError): {
        "in `jacobian_diagonal`": [
            lambda: derivatives.divergence(lambda x: x * 1.0)(np.arange(3))
        ]
    },
    ("derivatives.divergence", ValueError): {
        "in `jacobian_diagonal`": [lambda: derivatives.divergence(lambda x: x[:2])(X3)]
    },
    ("derivatives.hessian_diagonal", TypeError): refused_by_jacobian(
        derivatives.hessian_diagonal
    ),
    ("derivatives.hessian_diagonal", ValueError): {
        "the result is not a scalar": [
            lambda: derivatives.hessian_diagonal(jnp.sin)(X3)
        ]
    },
    ("derivatives.laplacian", TypeError): {
        **refused_by_jacobian(derivatives.laplacian),
        "if the result of `fun` is complex": [
            lambda: derivatives.laplacian(lambda x: jax.lax.complex(x, x))(X3)
        ],
        "or `directions` are not real": [
            lambda: derivatives.laplacian(
                jnp.sum, directions=jnp.ones((1, 3), complex)
            )(X3)
        ],
    },
    ("derivatives.laplacian", ValueError): {
        "an option is unknown": [lambda: derivatives.laplacian(jnp.sum, mode="fast")],
        "`directions` do not fit the argument": [
            lambda: derivatives.laplacian(jnp.sum, directions=X3)(X3),
            lambda: derivatives.laplacian(jnp.sum, directions=(X3[None],))(X3),
        ],
        "the mode does not serve `fun`": [
            lambda: derivatives.laplacian(backward, mode="collapsed")(X3)
        ],
        "`max_bytes` is too small for one direction": [
            lambda: derivatives.laplacian(jnp.cumprod, max_bytes=1)(X3)
        ],
    },
    ("derivatives.value_grad_and_laplacian", TypeError): {
        "in `laplacian`": [
            lambda: derivatives.value_grad_and_laplacian(jnp.sum)(np.arange(3))
        ]
    },
    ("derivatives.value_grad_and_laplacian", ValueError): {
        "in `laplacian`": [
            lambda: derivatives.value_grad_and_laplacian(jnp.sum, mode="fast")
        ],
        "the result is not a scalar": [
            lambda: derivatives.value_grad_and_laplacian(jnp.sin)(X3)
        ],
    },
}
