"""Functions with rules of their own, linear and not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.scipy.sparse import linalg as sparse_linalg

from jnumerics.derivatives._program.linearity.judge import judge

X = np.array([0.5, -1.0, 1.5])
MATRIX = np.array([[6.0, 1.0, 2.0], [1.0, 8.0, 3.0], [2.0, 3.0, 9.0]])


def backward(rule):
    """The identity with a backward rule of its own: from x and g to the cotangent."""

    @jax.custom_vjp
    def identity(x):
        return x

    identity.defvjp(lambda x: (x, x), lambda x, g: (rule(x, g),))
    return lambda x: identity(x)


def forward(rule):
    """The identity with a forward rule of its own: from x and t to the tangent."""

    @jax.custom_jvp
    def identity(x):
        return x

    identity.defjvp(lambda primals, tangents: (primals[0], rule(*primals, *tangents)))
    return lambda x: identity(x)


def cg(**options):
    return lambda b: sparse_linalg.cg(lambda v: MATRIX @ v, b, **options)[0]


LINEAR = {
    "backward scales": backward(lambda x, g: g * jnp.cos(x)),
    "backward reverses": backward(lambda _, g: g[::-1] - 2 * g),
    "backward is zero": backward(lambda _, g: jnp.zeros_like(g)),
    "forward scales": forward(lambda x, t: t * x + jnp.sum(t)),
    "forward is zero": forward(lambda _, t: jnp.zeros_like(t)),
    "forward selects": forward(lambda x, t: jnp.where(x > 0, t, 0.0)),
    "forward casts": forward(lambda _, t: t.astype("float16").astype(t.dtype)),
    "forward updates zeros": forward(lambda _, t: jnp.zeros_like(t).at[1:].set(t[1:])),
    "forward pads": forward(lambda _, t: jnp.pad(t, (1, 0))[:-1]),
    "forward divides": forward(lambda x, t: t / (2 + jnp.abs(x))),
    "forward sorts by values": forward(lambda x, t: t[jnp.argsort(x)]),
    "forward scans": forward(
        lambda x, t: lax.scan(lambda c, v: (c + v, None), jnp.zeros(()), t)[0] * x
    ),
    "relu": jax.nn.relu,
    "softmax": jax.nn.softmax,
    "solve": lambda x: jnp.linalg.solve(MATRIX, x),
    "cholesky solve": lambda x: jax.scipy.linalg.cho_solve(
        jax.scipy.linalg.cho_factor(MATRIX), x
    ),
    "expm": lambda x: jax.scipy.linalg.expm(jnp.diag(x) + MATRIX / 9)[0],
    "inverse": lambda x: jnp.linalg.inv(jnp.diag(x) + MATRIX)[1],
    "eigenvectors": lambda x: jnp.linalg.eigh(jnp.diag(x) + MATRIX)[1][2],
    "a branch beside a constant": lambda x: lax.cond(
        x[0] > 0, lambda x: x * x, lambda x: jnp.ones_like(x), x
    ),
    "a switch": lambda x: lax.switch(
        jnp.int32(x[0] + 1.6), [jnp.sin, lambda x: jnp.ones_like(x), jnp.square], x
    ),
    "a loop": lambda x: lax.fori_loop(0, 3, lambda _, c: jnp.sin(c) + 1, x),
    "fft": lambda x: jnp.fft.fft(x).imag,
    "median": lambda x: jnp.median(x) * x,
    "interp": lambda x: jnp.interp(x, jnp.arange(3.0), x),
    "polyval": lambda x: jnp.polyval(x, 2 * x),
    "out of bounds": lambda x: (
        jnp.take(x, jnp.array([0, 7, 1]), mode="fill", fill_value=0) * x
    ),
    "remat": jax.checkpoint(lambda x: jnp.sin(jnp.cos(x))),
}
UNPROVEN = {
    "backward clips": backward(lambda _, g: jnp.clip(g, -0.5, 0.5)),
    "backward decays": backward(lambda x, g: 2 * g + 0.5 * x),
    "backward adds noise": backward(
        lambda _, g: g + jax.random.normal(jax.random.key(0), g.shape)
    ),
    "backward casts to int": backward(lambda _, g: (3 * g).astype(int).astype(g.dtype)),
    "backward normalizes": backward(lambda _, g: g / (1 + jnp.linalg.norm(g))),
    "backward ignores g": backward(lambda x, _: x),
    "backward takes signs": backward(lambda _, g: jnp.sign(g)),
    "backward sorts": backward(lambda _, g: jnp.sort(g)),
    "backward keeps a digit": backward(lambda _, g: lax.reduce_precision(g, 8, 1)),
    "forward adds": forward(lambda _, t: t + 1),
    "forward selects by t": forward(lambda _, t: jnp.where(t > 0, t, 0.0)),
    "forward squares": forward(lambda _, t: t * t),
    "forward is constant": forward(lambda x, _: x),
    "forward is one": forward(lambda _, t: jnp.ones_like(t)),
    "forward updates ones": forward(lambda _, t: jnp.ones_like(t).at[1:].set(t[1:])),
    "forward pads with one": forward(
        lambda _, t: jnp.pad(t, (1, 0), constant_values=1.0)[:-1]
    ),
    "forward fills with one": forward(
        lambda _, t: t.at[jnp.array([0, 1, 7])].get(mode="fill", fill_value=1.0)
    ),
    "forward divides by t": forward(lambda _, t: t / (1 + jnp.abs(t))),
    "forward indexes by t": forward(lambda x, t: jnp.asarray(x)[jnp.argmax(t)] * t),
    "forward loops while t": forward(
        lambda _, t: lax.while_loop(lambda t: jnp.sum(t) < 9, lambda t: 2 * t + 1, t)
    ),
    "forward branches on t": forward(
        lambda _, t: lax.cond(t[0] > 0, lambda t: t, lambda t: 2 * t, t)
    ),
    "forward carries one": forward(
        lambda x, t: lax.scan(lambda c, v: (c + v, c), jnp.ones(()), t)[1] * x
    ),
    "forward adds beside a scan": lambda x: (
        lax.scan(
            lambda c, v: (c * v + jnp.sin(c), c), x[0], UNPROVEN["forward adds"](x)
        )
    )[1],
    "backward is NaN": backward(lambda _, g: jnp.full_like(g, jnp.nan)),
    "backward fills with NaN": backward(
        lambda _, g: g.at[jnp.array([0, 1, 7])].get(mode="fill")
    ),
    "backward multiplies by a norm": backward(
        lambda _, g: g * lax.rsqrt(jnp.sum(g * g))
    ),
    "forward is NaN": forward(lambda _, t: jnp.full_like(t, jnp.nan)),
    "forward multiplies by the inverse": forward(lambda _, t: t * (1 / jnp.abs(t))),
    "forward makes a number of NaN": forward(
        lambda _, t: jnp.nan_to_num(
            t.at[jnp.array([0, 1, 7])].get(mode="fill"), nan=1.0
        )
    ),
    **{
        f"forward adds where {name}": forward(
            lambda _, t, holds=holds: t + holds(t).astype(t.dtype)
        )
        for name, holds in {
            "bytes wrap": lambda t: jnp.zeros(3, "uint8") - jnp.uint8(1) > jnp.uint8(0),
            "negative bytes wrap": lambda t: (
                -(jnp.zeros(3, "uint8") + jnp.uint8(1)) > jnp.uint8(0)
            ),
            "bytes overflow": lambda t: (
                jnp.full(3, 100, "int8") + jnp.int8(100) < jnp.int8(0)
            ),
            "eight bits round": lambda t: jnp.full(3, 16, "float8_e4m3fn") + 1 == 16,
            "a real part is": lambda t: lax.real(jnp.full(3, 1j)) == 0,
            "a conjugate is": lambda t: lax.conj(jnp.full(3, 1j)) == -1j,
            "a complex is": lambda t: lax.complex(jnp.ones(3), jnp.ones(3)) != 1,
            "digits are dropped": lambda t: (
                lax.reduce_precision(jnp.full(3, 1.1), 5, 2) != 1.1
            ),
        }.items()
    },
    "forward squares beside a branch": lambda x: lax.cond(
        x[0] > 0, jnp.sin, jnp.cos, UNPROVEN["forward squares"](x)
    ),
    "cg": cg(maxiter=2),
    "cg from a guess": cg(x0=np.ones(3), maxiter=2),
    "bicgstab": lambda b: sparse_linalg.bicgstab(lambda v: MATRIX @ v, b, maxiter=1)[0],
    "gmres": lambda b: sparse_linalg.gmres(lambda v: MATRIX @ v, b, maxiter=1)[0],
}
each_linear = pytest.mark.parametrize("fun", LINEAR.values(), ids=LINEAR.keys())
each_unproven = pytest.mark.parametrize("fun", UNPROVEN.values(), ids=UNPROVEN.keys())


some_unproven = pytest.mark.parametrize(  # others are cells of the whole product
    "fun",
    [
        pytest.param(fun, marks=[pytest.mark.product] if k % 4 else [], id=name)
        for k, (name, fun) in enumerate(UNPROVEN.items())
    ],
)
_known_truths = {}


def truths(fun, x):
    """What JAX's own forward and reverse mode give, where they serve the function."""
    if (fun, x.tobytes()) not in _known_truths:
        by_mode = _known_truths[fun, x.tobytes()] = {}
        for mode, transform in (("forward", jax.jacfwd), ("reverse", jax.jacrev)):
            try:
                by_mode[mode] = np.asarray(transform(fun)(x))
            except Exception:  # whatever JAX's reason
                continue
    return _known_truths[fun, x.tobytes()]


def close(actual, truth):
    return np.allclose(actual, truth, rtol=1e-10, atol=1e-12, equal_nan=True)


def judged(fun, *args):
    program = jax.make_jaxpr(lambda x, t: jax.jvp(fun, (x,), (t,))[1])(*args, *args)
    return judge(program, [False, True], [True])
