"""The errors that the other tools for derivatives promise."""

import jax
import jax.numpy as jnp
import numpy as np

from jnumerics.derivatives import SampleMixingError
from tests.package._promises.arguments import (
    KEY,
    ROWS,
    X3,
    derivatives,
    mixing,
    needs_values,
    noisy,
)

PROMISES = {
    ("derivatives.plan", SampleMixingError): {
        '`target` is "batch" and samples may mix': [
            lambda: derivatives.plan(mixing, ROWS, target="batch")
        ]
    },
    ("derivatives.plan", TypeError): {
        "`fun` cannot be differentiated at these types": [
            lambda: derivatives.plan(lambda x: x * 1.0, np.arange(3)),
            lambda: derivatives.plan(needs_values, X3),
        ]
    },
    ("derivatives.plan", ValueError): {
        "`target` is unknown": [lambda: derivatives.plan(jnp.sin, X3, target="hope")],
        "the shapes do not fit it": [
            lambda: derivatives.plan(jnp.sum, ROWS, target="batch"),
            lambda: derivatives.plan(lambda x: x[:2], X3, target="diagonal"),
        ],
    },
    ("derivatives.dependence", TypeError): {
        "an argument or a result has a type or dtype without a derivative": [
            lambda: derivatives.dependence(lambda x: x * 1.0, np.arange(3)),
            lambda: derivatives.dependence(lambda x: x > 0, X3),
            lambda: derivatives.dependence(lambda x: x, np.array([None])),
        ],
        "if `fun` needs concrete values": [
            lambda: derivatives.dependence(needs_values, X3)
        ],
        "has effects where derivatives pass": [
            lambda: derivatives.dependence(noisy, X3)
        ],
    },
    ("derivatives.dependence", ValueError): {
        "`argnums` does not fit the arguments": [
            lambda: derivatives.dependence(jnp.sin, X3, argnums=1),
            lambda: derivatives.dependence(jnp.multiply, X3, X3, argnums=(0, -2)),
        ]
    },
    ("derivatives.compare_modes", SampleMixingError): {
        'For "batch", a ValueError, if samples may mix': [
            lambda: derivatives.compare_modes(mixing, ROWS, target="batch")
        ]
    },
    ("derivatives.compare_modes", TypeError): {
        "`jacobian`": [
            lambda: derivatives.compare_modes(lambda x: x * 1.0, np.arange(3))
        ],
        "if an option has another type": [
            lambda: derivatives.compare_modes(jnp.sin, X3, batch="yes"),
            lambda: derivatives.compare_modes(jnp.sin, X3, modes=3),
        ],
        "if an argument has no values, as under `jit`": [
            lambda: jax.jit(lambda x: derivatives.compare_modes(jnp.sin, x))(X3)
        ],
    },
    ("derivatives.compare_modes", ValueError): {
        "an option is unknown": [
            lambda: derivatives.compare_modes(jnp.sin, X3, modes=["sideways"]),
            lambda: derivatives.compare_modes(jnp.sin, X3, reference="float16"),
        ],
        "the shapes do not fit": [
            lambda: derivatives.compare_modes(jnp.sum, ROWS, batch=True)
        ],
    },
    ("derivatives.check_derivatives", TypeError): {
        "`fun` is not a function": [lambda: derivatives.check_derivatives(3, X3)],
        "returns no array or integers": [
            lambda: derivatives.check_derivatives(lambda _: "text", X3),
            lambda: derivatives.check_derivatives(lambda x: x.astype(int), X3),
        ],
        "an argument to differentiate is not an array of floating-point numbers": [
            lambda: derivatives.check_derivatives(jnp.sin, np.arange(3))
        ],
        "values are hidden by an outer transformation": [
            lambda: jax.jit(lambda x: derivatives.check_derivatives(jnp.sin, x).passed)(
                X3
            )
        ],
        "; `argnums` is not an int or a tuple": [
            lambda: derivatives.check_derivatives(jnp.sin, X3, argnums="0")
        ],
        "`key` no random key": [
            lambda: derivatives.check_derivatives(jnp.sin, X3, key=3)
        ],
    },
    ("derivatives.check_derivatives", ValueError): {
        "`argnums` names no argument": [
            lambda: derivatives.check_derivatives(jnp.sin, X3, argnums=1)
        ],
        "one twice": [
            lambda: derivatives.check_derivatives(jnp.sin, X3, argnums=(0, 0))
        ],
        "; if `key` holds several": [
            lambda: derivatives.check_derivatives(
                jnp.sin, X3, key=jax.random.split(KEY)
            )
        ],
    },
}
