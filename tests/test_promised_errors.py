"""Every error that a `Raises:` section promises is raised, in one grammar.

`PROMISES` holds, for each public function and each error that its docstring names, the
docstring's own phrases with calls that raise it. Together the phrases must be the whole
section: a promise without a call, and a call without its promise, fail.
"""

import inspect
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jnumerics
from jnumerics.derivatives import SampleMixingError
from tests._public import public_functions

ours: Any = jnumerics  # without types: the calls are wrong on purpose
conv, descent, mlp, softmax = ours.conv, ours.descent, ours.mlp, ours.softmax
perceptron, polynomial = ours.perceptron, ours.polynomial
derivatives, linear_regression = ours.derivatives, ours.linear_regression

GRAMMAR = re.compile(r"`[^`]+` must .+, got .+", re.DOTALL)  # of every message
CONNECTIVES = {"if", "or", "and", "at", "the", "call", "as", "also", "not", "is"}

KEY = jax.random.key(0)
X3 = jnp.ones(3)
ROWS = jnp.ones((4, 3))
THETA = jnp.ones(3)
Y = jnp.ones(4)
IMAGE, KERNEL = jnp.ones((2, 5, 5, 3)), jnp.ones((3, 3, 3, 4))
LAYERS = mlp.init(KEY, [3, 5, 2])
SGD = optax.sgd(0.1)


def grown(updates: Any, state: Any, params: Any = None):
    return updates, jnp.append(state, 0.0)


GROWING = optax.GradientTransformation(lambda params: jnp.zeros_like(params), grown)


def mixing(X):
    return X - X.mean(0, keepdims=True)


def halved(x):
    """Reverse mode does not run through it."""
    return jax.lax.while_loop(lambda y: jnp.sum(y) > 1e3, lambda y: y / 2, x)


@jax.custom_vjp
def backward(x):
    return jnp.sum(x)


backward.defvjp(lambda x: (jnp.sum(x), x), lambda x, g: (g * jnp.ones_like(x),))


def needs_values(x):
    return x if x[0] > 0 else -x


def noisy(x):
    """An effect in a loop that tangents pass."""

    def double(y):
        jax.debug.print("{}", y)
        return y * 2

    return jax.lax.while_loop(lambda y: jnp.sum(y) < 1e3, double, x)


def minimize(params: Any = 1.0, loss: Any = jnp.sum, **changes: Any):
    options = {"optimizer": SGD, "steps": 2} | changes
    return lambda: descent.minimize(loss, params, **options)


def descend(**changes: Any):
    options = {"X": ROWS, "y": Y, "theta": THETA, "learning_rate": 0.1, "steps": 2}
    return lambda: linear_regression.gradient_descent(**options | changes)


def fit(**changes: Any):
    options = {"weights": THETA, "X": ROWS, "y": Y, "steps": 2}
    return lambda: perceptron.fit(**options | changes)


def refused_by_jacobian(take):
    """What each of the functions that differentiate refuses by its type."""
    return {"`jacobian`": [lambda: take(lambda x: jnp.sum(x * 1.0))(np.arange(3))]}


def no_array_of_real_numbers(*calls):
    """Calls with what is no array, and with complex numbers in place of right ones."""
    return [
        lambda call=call, bad=bad: call(bad)
        for call, right in calls
        for bad in ("text", None, [1.0], 1j * np.asarray(right))
    ]


NODES = {
    "there is no node": [lambda: polynomial.fit(jnp.ones(0), jnp.ones(0))],
    "if one is not finite": [
        lambda: polynomial.fit(np.array([1.0, np.nan]), np.ones(2))
    ],
    "two are equal in the common precision": [
        lambda: polynomial.fit(np.array([1.0, 1.0]), np.ones(2))
    ],
    "if `values` does not have $n$ entries along its first axis": [
        lambda: polynomial.fit(np.array([1.0, 2.0]), np.ones(3))
    ],
}
INTERPOLATED_NODES = {
    "there is no node": [lambda: polynomial.interpolate(jnp.ones(0), jnp.ones(0), 1.0)],
    "if one is not finite": [
        lambda: polynomial.interpolate(np.array([1.0, np.inf]), np.ones(2), 1.0)
    ],
    "two are equal in the common precision": [
        lambda: polynomial.interpolate(np.array([1.0, 1.0]), np.ones(2), 1.0)
    ],
    "if `values` does not have $n$ entries along its first axis": [
        lambda: polynomial.interpolate(np.array([1.0, 2.0]), np.ones(3), 1.0)
    ],
}

PROMISES = {
    ("softmax.softmax", TypeError): {
        "`x` is not an array of real numbers": no_array_of_real_numbers(
            (softmax.softmax, X3)
        ),
        "`axis` not an integer": [lambda: softmax.softmax(X3, axis=0.5)],
    },
    ("softmax.softmax", ValueError): {
        "`x` has rank 0": [lambda: softmax.softmax(1.0)],
        "no such axis": [lambda: softmax.softmax(X3, axis=1)],
    },
    ("softmax.log_softmax", TypeError): {
        "`x` is not an array of real numbers": no_array_of_real_numbers(
            (softmax.log_softmax, X3)
        ),
        "`axis` not an integer": [lambda: softmax.log_softmax(X3, axis=0.5)],
    },
    ("softmax.log_softmax", ValueError): {
        "`x` has rank 0": [lambda: softmax.log_softmax(1.0)],
        "no such axis": [lambda: softmax.log_softmax(X3, axis=-2)],
    },
    ("softmax.jacobian", TypeError): {
        "`x` is not an array of real numbers": no_array_of_real_numbers(
            (softmax.jacobian, X3)
        )
    },
    ("softmax.jacobian", ValueError): {
        "`x` has rank 0": [lambda: softmax.jacobian(1.0)]
    },
    ("softmax.jvp", TypeError): {
        "an argument is not an array of real numbers": no_array_of_real_numbers(
            (lambda x: softmax.jvp(x, X3), X3), (lambda t: softmax.jvp(X3, t), X3)
        )
    },
    ("softmax.jvp", ValueError): {
        "`x` has rank 0": [lambda: softmax.jvp(1.0, 1.0)],
        "the shapes differ": [lambda: softmax.jvp(X3, jnp.ones(2))],
    },
    ("softmax.vjp", TypeError): {
        "an argument is not an array of real numbers": no_array_of_real_numbers(
            (lambda x: softmax.vjp(x, X3), X3), (lambda g: softmax.vjp(X3, g), X3)
        )
    },
    ("softmax.vjp", ValueError): {
        "`x` has rank 0": [lambda: softmax.vjp(1.0, 1.0)],
        "the shapes differ": [lambda: softmax.vjp(X3, jnp.ones((1, 3)))],
    },
    ("softmax.cross_entropy", TypeError): {
        "`logits` is not an array of real numbers": no_array_of_real_numbers(
            (lambda x: softmax.cross_entropy(x, np.array([0])), ROWS[:1])
        ),
        "`labels` not one of integers or real numbers": no_array_of_real_numbers(
            (lambda labels: softmax.cross_entropy(ROWS, labels), ROWS)
        ),
        "; booleans are neither classes nor probabilities": [
            lambda: softmax.cross_entropy(ROWS, np.ones(4, bool))
        ],
    },
    ("softmax.cross_entropy", ValueError): {
        "the shapes do not match": [
            lambda: softmax.cross_entropy(ROWS, np.array([0, 1])),
            lambda: softmax.cross_entropy(ROWS, np.ones((3, 3))),
        ],
        "there is no row": [
            lambda: softmax.cross_entropy(np.ones((0, 3)), np.ones(0, int))
        ],
        "no class": [lambda: softmax.cross_entropy(np.ones((3, 0)), np.ones(3, int))],
    },
    ("conv.conv2d", TypeError): {
        "`x` or `kernel` is not an array of numbers": [
            lambda: conv.conv2d("text", KERNEL),
            lambda: conv.conv2d(IMAGE, [[1.0]]),
        ],
        "`stride`, `dilation`, `groups` or `padding` is not made of integers": [
            lambda: conv.conv2d(IMAGE, KERNEL, stride=1.5),
            lambda: conv.conv2d(IMAGE, KERNEL, dilation=(1, 1.5)),
            lambda: conv.conv2d(IMAGE, KERNEL, groups=1.5),
            lambda: conv.conv2d(IMAGE, KERNEL, padding=0.5),
        ],
    },
    ("conv.conv2d", ValueError): {
        "a rank is not 4": [
            lambda: conv.conv2d(IMAGE[0], KERNEL),
            lambda: conv.conv2d(IMAGE, KERNEL[0]),
        ],
        "channels and groups do not match": [
            lambda: conv.conv2d(IMAGE, KERNEL[:, :, :2]),
            lambda: conv.conv2d(IMAGE, KERNEL, groups=2),
        ],
        "an option is out of its range": [
            lambda: conv.conv2d(IMAGE, KERNEL, stride=0),
            lambda: conv.conv2d(IMAGE, KERNEL, dilation=0),
            lambda: conv.conv2d(IMAGE, KERNEL, padding="FULL"),
            lambda: conv.conv2d(IMAGE, KERNEL, layout="HWCN"),
            lambda: conv.conv2d(IMAGE, KERNEL, precision="most"),
        ],
    },
    ("polynomial.fit", TypeError): {
        "an argument is not an array of numbers": [
            lambda: polynomial.fit("text", X3),
            lambda: polynomial.fit(np.arange(3.0), None),
        ]
    },
    ("polynomial.fit", ValueError): NODES,
    ("polynomial.interpolate", TypeError): {
        "an argument is not an array of numbers": [
            lambda: polynomial.interpolate("text", X3, 1.0),
            lambda: polynomial.interpolate(np.arange(3.0), None, 1.0),
            lambda: polynomial.interpolate(np.arange(3.0), X3, "1"),
        ]
    },
    ("polynomial.interpolate", ValueError): INTERPOLATED_NODES,
    ("polynomial.evaluate", TypeError): {
        "an argument is not an array of numbers": [
            lambda: polynomial.evaluate("text", 1.0),
            lambda: polynomial.evaluate(X3, None),
        ]
    },
    ("polynomial.evaluate", ValueError): {
        "there is no coefficient": [lambda: polynomial.evaluate(jnp.ones(0), 1.0)]
    },
    ("mlp.init", TypeError): {
        "`key` is not a random key": [lambda: mlp.init(3, [1, 2])],
        "`sizes` not a sequence of integers": [
            lambda: mlp.init(KEY, 3),
            lambda: mlp.init(KEY, [1, 2.5]),
        ],
        "`dtype` not a floating-point type": [
            lambda: mlp.init(KEY, [1, 2], dtype=int),
            lambda: mlp.init(KEY, [1, 2], dtype="text"),
        ],
    },
    ("mlp.init", ValueError): {
        "`key` is not one key": [lambda: mlp.init(jax.random.split(KEY), [1, 2])],
        "`sizes` has fewer than two entries": [lambda: mlp.init(KEY, [1])],
        "one of them is out of its range": [lambda: mlp.init(KEY, [1, 0])],
        "`dtype` is double without x64": [
            lambda: mlp.init(KEY, [1, 2], dtype="float64")
        ],
    },
    ("mlp.apply", TypeError): {
        "`params` is not a sequence of pairs of arrays": [
            lambda: mlp.apply(3, X3),
            lambda: mlp.apply([(jnp.ones((3, 2)),)], X3),
            lambda: mlp.apply([("w", "b")], X3),
        ],
        "`x` not an array of numbers": [lambda: mlp.apply(LAYERS, "text")],
        "`activation` not a function that can be hashed and returns an array": [
            lambda: mlp.apply(LAYERS, X3, activation="tanh"),
            lambda: mlp.apply(LAYERS, X3, activation=lambda _: None),
        ],
        "; NumPy's functions cannot be traced": [
            lambda: mlp.apply(LAYERS, X3, activation=np.tanh)
        ],
    },
    ("mlp.apply", ValueError): {
        "`params` is empty": [lambda: mlp.apply([], X3)],
        "ranks or sizes of neighboring layers, a weight and its bias, or `x` and the"
        " first layer do not match": [
            lambda: mlp.apply([(X3, X3)], X3),
            lambda: mlp.apply([LAYERS[0], LAYERS[0]], X3),
            lambda: mlp.apply([(jnp.ones((3, 2)), X3)], X3),
            lambda: mlp.apply(LAYERS, jnp.ones(4)),
        ],
        "`precision` is unknown": [lambda: mlp.apply(LAYERS, X3, precision="most")],
        "`activation` changes a shape": [
            lambda: mlp.apply(LAYERS, X3, activation=jnp.sum)
        ],
    },
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
    ("linear_regression.cost", TypeError): {
        "an argument is not an array of real numbers": no_array_of_real_numbers(
            (lambda theta: linear_regression.cost(theta, ROWS, Y), THETA),
            (lambda X: linear_regression.cost(THETA, X, Y), ROWS),
            (lambda y: linear_regression.cost(THETA, ROWS, y), Y),
        )
    },
    ("linear_regression.cost", ValueError): {
        "a rank is wrong": [
            lambda: linear_regression.cost(ROWS, ROWS, Y),
            lambda: linear_regression.cost(THETA, X3, Y),
        ],
        "`X` has no row": [
            lambda: linear_regression.cost(THETA, ROWS[:0], jnp.ones(0))
        ],
        "does not match `theta`": [
            lambda: linear_regression.cost(jnp.ones(2), ROWS, Y)
        ],
        "`y` has another shape, which would broadcast": [
            lambda: linear_regression.cost(THETA, ROWS, jnp.ones((1, 4)))
        ],
    },
    ("linear_regression.gradient_descent", TypeError): {
        "an argument is not an array of real numbers": no_array_of_real_numbers(
            (lambda X: descend(X=X)(), ROWS),
            (lambda y: descend(y=y)(), Y),
            (lambda theta: descend(theta=theta)(), THETA),
            (lambda rate: descend(learning_rate=rate)(), 0.1),
        ),
        "`steps` is not an integer": [descend(steps=2.0)],
    },
    ("linear_regression.gradient_descent", ValueError): {
        "a rank is wrong": [descend(theta=ROWS), descend(X=X3)],
        "`X` has no row": [descend(X=ROWS[:0], y=jnp.ones(0))],
        "does not match `theta`": [descend(theta=jnp.ones(2))],
        "`y` has another shape, which would broadcast": [descend(y=jnp.ones((1, 4)))],
        "`steps` is out of its range": [descend(steps=-1), descend(steps=2**31)],
    },
    ("linear_regression.solve", TypeError): {
        "an argument is not an array of real numbers": no_array_of_real_numbers(
            (lambda X: linear_regression.solve(X, Y), ROWS),
            (lambda y: linear_regression.solve(ROWS, y), Y),
        )
    },
    ("linear_regression.solve", ValueError): {
        "a rank is wrong": [
            lambda: linear_regression.solve(X3, X3),
            lambda: linear_regression.solve(ROWS, jnp.ones((4, 1, 1))),
        ],
        "`X` has no row": [lambda: linear_regression.solve(ROWS[:0], jnp.ones(0))],
        "fewer rows than columns": [lambda: linear_regression.solve(ROWS[:2], Y[:2])],
        "`y` has another number of rows": [
            lambda: linear_regression.solve(ROWS, jnp.ones(3))
        ],
    },
    ("perceptron.init", TypeError): {
        "`key` is not a random key": [lambda: perceptron.init(3, 2)],
        "`n_in` not an integer": [lambda: perceptron.init(KEY, 2.0)],
        "`dtype` not a real floating-point type": [
            lambda: perceptron.init(KEY, 2, dtype=int),
            lambda: perceptron.init(KEY, 2, dtype=complex),
        ],
    },
    ("perceptron.init", ValueError): {
        "`key` is not one key": [lambda: perceptron.init(jax.random.split(KEY), 2)],
        "`n_in` is out of its range": [lambda: perceptron.init(KEY, -1)],
        "`dtype` is double without x64": [
            lambda: perceptron.init(KEY, 2, dtype="float64")
        ],
    },
    ("perceptron.apply", TypeError): {
        "an argument is not an array of real numbers": no_array_of_real_numbers(
            (lambda weights: perceptron.apply(weights, ROWS), THETA),
            (lambda X: perceptron.apply(THETA, X), ROWS),
        )
    },
    ("perceptron.apply", ValueError): {
        "`weights` does not have rank 1": [lambda: perceptron.apply(ROWS, ROWS)],
        "the last axis of `X` has another size": [
            lambda: perceptron.apply(THETA, jnp.ones((4, 2)))
        ],
    },
    ("perceptron.loss", TypeError): {
        "an argument is not an array of real numbers": no_array_of_real_numbers(
            (lambda weights: perceptron.loss(weights, ROWS, Y), THETA),
            (lambda X: perceptron.loss(THETA, X, Y), ROWS),
            (lambda y: perceptron.loss(THETA, ROWS, y), Y),
        )
    },
    ("perceptron.loss", ValueError): {
        "a rank is wrong": [
            lambda: perceptron.loss(ROWS, ROWS, Y),
            lambda: perceptron.loss(THETA, X3, Y),
        ],
        "`X` does not match `weights`": [
            lambda: perceptron.loss(THETA, jnp.ones((4, 2)), Y)
        ],
        "`y` has another shape, which would broadcast": [
            lambda: perceptron.loss(THETA, ROWS, jnp.ones((1, 4)))
        ],
    },
    ("perceptron.fit", TypeError): {
        "an argument is not an array of real numbers": no_array_of_real_numbers(
            (lambda weights: fit(weights=weights)(), THETA),
            (lambda X: fit(X=X)(), ROWS),
            (lambda y: fit(y=y)(), Y),
        ),
        "`steps` not an integer": [fit(steps=2.0)],
    },
    ("perceptron.fit", ValueError): {
        "a rank is wrong": [fit(weights=ROWS), fit(X=X3)],
        "`X` does not match `weights`": [fit(X=jnp.ones((4, 2)))],
        "`y` has another shape, which would broadcast": [fit(y=jnp.ones((1, 4)))],
        "`steps` is out of its range": [fit(steps=-1), fit(steps=2**31)],
    },
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
        "`jacobian`": [lambda: derivatives.hessian(jnp.sum, format="csr")]
    },
    ("derivatives.batch_jacobian", SampleMixingError): {
        "a ValueError, if samples may mix: it names an output, the samples it may depend"
        " on, the operation and its line": [
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


def promised():
    """The text behind each function's each error."""
    for name, fun in public_functions():
        doc = inspect.getdoc(fun) or ""
        section = doc.partition("\nRaises:\n")[2].partition("\n\n")[0]
        entries = re.findall(r"^    (\w+):((?:.|\n(?!    \w))*)", section, re.MULTILINE)
        for error, text in entries:
            if error != "KeyboardInterrupt":  # the user's own
                yield name, error, " ".join(text.split())


PROMISED = {(name, error): text for name, error, text in promised()}
CASES = [
    pytest.param(error, call, id=f"{name}-{error.__name__}: {phrase.strip('; ')} {k}")
    for (name, error), phrases in PROMISES.items()
    for phrase, calls in phrases.items()
    for k, call in enumerate(calls)
]


def without(text, phrases):
    """What is left of a promise: the words that none of the phrases has."""
    for phrase in sorted(phrases, key=len, reverse=True):
        assert phrase in text, f"the docstring does not promise {phrase!r}: {text}"
        text = text.replace(phrase, " ", 1)
    words = re.findall(r"[\w`$\"]+", text)
    return [word for word in words if word.lower() not in CONNECTIVES | {"in"}]


def test_every_public_function_promises_errors():
    assert {name for name, _ in public_functions()} == {name for name, _ in PROMISED}


def test_promises_are_those_of_the_docstrings():
    assert {(name, error.__name__) for name, error in PROMISES} == set(PROMISED)


@pytest.mark.parametrize(("name", "error"), PROMISED)
def test_every_phrase_of_a_promise_has_a_call(name, error):
    phrases = next(
        p for (n, e), p in PROMISES.items() if (n, e.__name__) == (name, error)
    )
    assert all(phrases.values())
    assert without(PROMISED[name, error], phrases) == []


@pytest.mark.boundary
@pytest.mark.parametrize(("error", "call"), CASES)
def test_promised_error_is_raised_in_the_grammar_of_messages(error, call):
    with pytest.raises(error) as caught:
        call()
    assert caught.type is error
    assert GRAMMAR.fullmatch(str(caught.value))
