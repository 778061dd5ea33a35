"""The errors that `descent` promises."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import optax

from tests.package._promises.arguments import descent

SGD = optax.sgd(0.1)


def grown(updates: Any, state: Any, params: Any = None):
    return updates, jnp.append(state, 0.0)


GROWING = optax.GradientTransformation(lambda params: jnp.zeros_like(params), grown)


def minimize(params: Any = 1.0, loss: Any = jnp.sum, **changes: Any):
    options = {"optimizer": SGD, "steps": 2} | changes
    return lambda: descent.minimize(loss, params, **options)


PROMISES = {
    ("descent.minimize", TypeError): {
        "`loss` or `optimizer` is no such thing": [
            minimize(loss=1.0),
            minimize(optimizer=optax.sgd),
        ],
        "a leaf of `params` is not made of floating-point numbers": [
            minimize({"w": np.arange(3)})
        ],
        "a leaf of `batches` or `state` is not an array": [
            minimize(loss=lambda p, _: p, batches="ab"),
            minimize(state="fresh"),
        ],
        "`steps` is not an integer": [minimize(steps=2.0)],
        "`loss` returns no real number": [
            minimize(loss=lambda p: p > 0),
            minimize(loss=lambda _: None),
        ],
        "needs concrete values": [
            minimize(loss=float),
            minimize(loss=lambda p: p if p > 0 else -p),
            minimize(loss=lambda p: np.square(p)),
        ],
    },
    ("descent.minimize", ValueError): {
        "`steps` is out of its range": [minimize(steps=-1), minimize(steps=2**31)],
        "a leaf of `batches` lacks the leading axis": [
            minimize(loss=lambda p, _: p, batches=(1.0,))
        ],
        "`state` is not one of this optimizer and these parameters": [
            minimize(optimizer=optax.sgd(0.1, momentum=0.9), state=())
        ],
        "`loss` returns no scalar": [minimize(loss=lambda p: p[None])],
        "`optimizer` changes a shape": [minimize(optimizer=GROWING)],
    },
}
