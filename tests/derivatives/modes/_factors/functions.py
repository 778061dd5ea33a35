"""Functions to differentiate."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st
from jax import lax


def array(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).normal(size=shape)


def complex_array(*shape):
    return (array(*shape) + 1j * array(*shape, seed=1)) / 3


def weights(n_out, n_in, seed=0):
    return jnp.asarray(array(n_out, n_in, seed=seed) / np.sqrt(n_in))


def network(*sizes):
    """A multilayer perceptron, tanh between its layers."""
    ws = [weights(b, a) for a, b in itertools.pairwise(sizes)]

    def apply(x):
        for w in ws[:-1]:
            x = jnp.tanh(w @ x)
        return ws[-1] @ x

    return apply


def residual_blocks(n, hidden, blocks):
    ws = [
        (weights(hidden, n, seed=k), weights(n, hidden, seed=k)) for k in range(blocks)
    ]

    def fun(x):
        for down, up in ws:
            x = x + up @ jnp.tanh(down @ x)
        return x

    return fun


def newton(x):
    """A while loop that carries tangents: it does not transpose."""
    state = (x, 0)
    return lax.while_loop(
        lambda c: c[1] < 3, lambda c: (0.5 * (c[0] + 2.0 / c[0]), c[1] + 1), state
    )[0]


@jax.custom_vjp
def only_reverse(x):
    """A rule whose backward pass holds a while loop, so that it transposes once."""
    return jnp.sin(x)


def _backward(x, cotangent):
    start = (cotangent * jnp.cos(x) * 4.0, 0)
    halved = lax.while_loop(lambda c: c[1] < 2, lambda c: (c[0] * 0.5, c[1] + 1), start)
    return (halved[0],)


only_reverse.defvjp(lambda x: (only_reverse(x), x), _backward)


def _paired(fun):
    """A step of as many elements as both operands have."""

    def apply(a, b, w):
        shared = min(a.size, b.size)
        return fun(a[:shared], b[:shared])

    return apply


STEPS = {  # of two vectors and a matrix that the first fits
    "layer": lambda a, b, w: jnp.tanh(w @ a),
    "linear": lambda a, b, w: w @ a,
    "sum": _paired(lambda a, b: a + b),
    "difference": _paired(lambda a, b: b - jnp.sin(a)),
    "product": _paired(lambda a, b: a * b),
    "joined": lambda a, b, w: jnp.concatenate([a, b])[:7],
    "reversed": lambda a, b, w: a[::-1] * 2.0,
    "written": lambda a, b, w: a.at[0].set(jnp.sum(b)),
    "added at its ends": lambda a, b, w: a.at[jnp.array([0, a.size - 1])].add(
        b[:1].repeat(2)
    ),
    "scan": lambda a, b, w: lax.scan(lambda c, t: (jnp.sin(c) * t, c), a, b)[1].reshape(
        -1
    )[:6],
    "cond": lambda a, b, w: _paired(
        lambda c, d: lax.cond(a[0] > 0, lambda: c * 2.0, lambda: d**2)
    )(a, b, w),
    "while loop": lambda a, b, w: newton(2.0 + a**2) + jnp.mean(a),
}
steps = st.tuples(
    st.sampled_from([*STEPS]), st.integers(0, 99), st.integers(0, 99), st.integers(1, 5)
)


def program_of(chosen):
    """A function of two vectors in random steps, each of earlier results."""

    def fun(x, y):
        values = [x, y]
        for k, (name, i, j, size) in enumerate(chosen):
            a, b = values[i % len(values)], values[j % len(values)]
            values.append(STEPS[name](a, b, weights(size, a.size, seed=k)))
        return values[-1], values[(chosen[0][1] + len(chosen)) % len(values)]

    return fun
