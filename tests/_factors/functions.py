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


def step(kind, a, b, size, seed):
    shared = min(a.size, b.size)
    a1, b1 = a[:shared], b[:shared]
    options = [
        lambda: jnp.tanh(weights(size, a.size, seed=seed) @ a),
        lambda: weights(size, a.size, seed=seed) @ a,
        lambda: a1 + b1,
        lambda: b1 - jnp.sin(a1),
        lambda: a1 * b1,
        lambda: jnp.concatenate([a, b])[:7],
        lambda: a[::-1] * 2.0,
        lambda: a.at[0].set(jnp.sum(b)),
        lambda: a.at[jnp.array([0, a.size - 1])].add(b[:1].repeat(2)),
        lambda: lax.scan(lambda c, t: (jnp.sin(c) * t, c), a, b)[1].reshape(-1)[:6],
        lambda: lax.cond(a[0] > 0, lambda: a1 * 2.0, lambda: b1**2),
        lambda: newton(2.0 + a**2) + jnp.mean(a),
    ]
    return options[kind]()


steps = st.tuples(
    st.integers(0, 11), st.integers(0, 99), st.integers(0, 99), st.integers(1, 5)
)


def program_of(chosen):
    """A function of two vectors in random steps, each of earlier results."""

    def fun(x, y):
        values = [x, y]
        for k, (kind, i, j, size) in enumerate(chosen):
            a, b = values[i % len(values)], values[j % len(values)]
            values.append(step(kind, a, b, size, k))
        return values[-1], values[(chosen[0][1] + len(chosen)) % len(values)]

    return fun
