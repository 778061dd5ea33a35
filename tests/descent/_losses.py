"""Losses, optimizers and plain loops, shared by the tests of descent."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

OPTIMIZERS = {
    "sgd": lambda: optax.sgd(0.05),
    "momentum": lambda: optax.sgd(0.02, momentum=0.9, nesterov=True),
    "adam": lambda: optax.adam(0.1),
    "rmsprop": lambda: optax.rmsprop(0.02),
    "chain": lambda: optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(optax.cosine_decay_schedule(0.1, 9))
    ),
    "lbfgs": lambda: optax.lbfgs(),
    "backtracking": lambda: optax.chain(
        optax.sgd(1.0), optax.scale_by_backtracking_linesearch(10, store_grad=True)
    ),
    "plateau": lambda: optax.chain(
        optax.sgd(0.05), optax.contrib.reduce_on_plateau(patience=1, cooldown=0)
    ),
    "injected": lambda: optax.inject_hyperparams(optax.sgd)(
        learning_rate=optax.linear_schedule(0.05, 0.01, 5)
    ),
    "noisy": lambda: optax.chain(
        optax.add_noise(0.01, 0.55, jax.random.key(3)), optax.sgd(0.05)
    ),
    "every second": lambda: optax.MultiSteps(
        optax.adam(0.1), 2
    ).gradient_transformation(),
}
CENTER = np.array([1.0, -2.0, 0.5], np.float32)


def valley(p):
    """A Rosenbrock-like valley in three dimensions."""
    d = p - jnp.asarray(CENTER, p.dtype)
    return jnp.sum(d**2) + 2 * jnp.sum((d[1:] - d[:-1] ** 2) ** 2)


class Module:
    """A module as libraries have them: arrays beside static fields."""

    def __init__(self, weight, activation):
        self.weight = weight
        self.activation = activation


jax.tree_util.register_dataclass(Module, ["weight"], ["activation"])


class Weights(NamedTuple):
    first: object
    second: object


def custom(init: Any, update: Any) -> optax.GradientTransformation:
    return optax.GradientTransformation(init, update)


def stepwise(loss, params, *, optimizer, steps):
    """The loop that users write in Python, one optax update after the other."""
    optimizer = optax.with_extra_args_support(optimizer)
    state, losses = optimizer.init(params), []
    for _ in range(steps):
        value, grad = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(
            grad, state, params, value=value, grad=grad, value_fn=loss
        )
        params = optax.apply_updates(params, updates)
        losses.append(value)
    return params, state, jnp.stack(losses)
