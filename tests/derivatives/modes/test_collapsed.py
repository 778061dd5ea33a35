"""Collapsed Taylor mode, rule by rule, beside the trace of JAX's Hessian."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics.derivatives import laplacian
from jnumerics.derivatives._modes.collapsed.control import CONTROL
from jnumerics.derivatives._modes.collapsed.rules import RULES
from tests._second import trace_of_hessian, twice_forward

random = np.random.default_rng(0)
WIDE, TALL = random.normal(size=(3, 6)) / 2, random.normal(size=(6, 3)) / 2
KERNEL = random.normal(size=(2, 2, 1, 2))
X = random.uniform(0.2, 0.8, size=6)
SIX = np.arange(6) % 3


def close(found, expected, rtol=1e-10, atol=1e-10):
    chex.assert_trees_all_close(found, expected, rtol=rtol, atol=atol)


def named(functions):
    return lambda x: {name: f(x) for name, f in functions.items()}


def equations(jaxpr):
    for eqn in jaxpr.eqns:
        yield eqn
        for value in eqn.params.values():
            for item in value if isinstance(value, tuple | list) else [value]:
                inner = getattr(item, "jaxpr", item)
                if hasattr(inner, "eqns"):
                    yield from equations(inner)


def names_in(fun, x):
    jaxpr = jax.make_jaxpr(fun)(x).jaxpr
    return {eqn.primitive.name for eqn in equations(jaxpr)}


SMOOTH = {
    f.__name__: f
    for f in (
        lax.acos,
        lax.acosh,
        lax.asin,
        lax.asinh,
        lax.atan,
        lax.atanh,
        lax.cbrt,
        lax.cos,
        lax.cosh,
        lax.digamma,
        lax.erf,
        lax.erf_inv,
        lax.erfc,
        lax.exp,
        lax.exp2,
        lax.expm1,
        lax.lgamma,
        lax.log,
        lax.log1p,
        lax.logistic,
        lax.rsqrt,
        lax.sin,
        lax.sinh,
        lax.sqrt,
        lax.tan,
        lax.tanh,
        lax.square,
    )
} | {
    "acosh": lambda x: lax.acosh(x + 2),
    "integer_pow": lambda x: lax.integer_pow(x, 5) + lax.integer_pow(x, -2),
    "pow": lambda x: jnp.power(x, 2.5) + jnp.power(1.7, x),
    "pow of both": lambda x: jnp.power(x, jnp.sin(x)),
    "atan2": lambda x: jnp.arctan2(x, 2.0) + jnp.arctan2(0.3, x),
    "atan2 of both": lambda x: jnp.arctan2(x, x[::-1] ** 2),
    "rem": lambda x: jnp.sin(lax.rem(x**2, jnp.full(6, 0.3))),
    "chained": lambda x: jnp.exp(jnp.sin(jnp.tanh(3 * x) * x)),
    "softplus": jax.nn.softplus,
    "silu": jax.nn.silu,
    "gelu": jax.nn.gelu,
    "sinc": jnp.sinc,
    "logaddexp": lambda x: jnp.logaddexp(x, x[::-1]),
}
PIECEWISE = {
    "abs": lambda x: jnp.abs(x - 0.5) * x,
    "max": lambda x: jnp.maximum(x**2, x[::-1]),
    "min": lambda x: jnp.minimum(x**3, 0.2) * x,
    "clamp": lambda x: lax.clamp(0.3, x, 0.6) ** 2,
    "reduce_max": lambda x: jnp.max(x.reshape(2, 3) ** 2, 1),
    "reduce_min": lambda x: jnp.min(jnp.sin(x.reshape(2, 3)), 0),
    "sort": lambda x: jnp.sort(jnp.sin(4 * x)) * jnp.arange(6.0),
    "argsort": lambda x: (x**2)[jnp.argsort(-x)] * x,
    "top_k": lambda x: lax.top_k(x**3, 2)[0],
    "cummax": lambda x: lax.cummax(x**2),
    "relu": lambda x: jax.nn.relu(x - 0.5) ** 3,
    "median": lambda x: jnp.median(x**2),
    "max pool": lambda x: lax.reduce_window(
        x**2, -jnp.inf, lax.max, (2,), (2,), "VALID"
    ),
}
CONSTANT = {
    "floor": lambda x: jnp.floor(3 * x) * x**2,
    "ceil": lambda x: jnp.ceil(3 * x) * x**2,
    "round": lambda x: jnp.round(3 * x) * x**2,
    "sign": lambda x: jnp.sign(x - 0.5) * x**2,
    "stop_gradient": lambda x: lax.stop_gradient(x**2) * x**2,
    "argmax": lambda x: x[jnp.argmax(x)] ** 2 + jnp.argmin(x).astype(x.dtype),
    "integers": lambda x: jnp.int32(3 * x).astype(x.dtype) * x**2,
    "constants": lambda x: jnp.ones(3) + 0 * x[:3],
    "still": lambda _: jnp.ones(3),
}
MOVEMENT = {
    "reshape": lambda x: (x**2).reshape(2, 3).T[::-1, None] * 1.0,
    "squeeze": lambda x: jnp.squeeze((x**2)[:, None], 1),
    "split": lambda x: jnp.split(x**2, [2, 3])[2] * x[0],
    "concatenate": lambda x: jnp.concatenate([x**2, jnp.ones(2), x[:1] * x[1]]),
    "stack": lambda x: jnp.stack([x**2, jnp.zeros(6)]),
    "pad": lambda x: jnp.pad(x**2, (1, 2), constant_values=3.0),
    "pad by a moving value": lambda x: lax.pad(x**2, x[0] ** 3, [(1, 1, 1)]),
    "tile": lambda x: jnp.tile(x**2, 2),
    "roll": lambda x: jnp.roll(x, 1) * x,
    "select": lambda x: jnp.where(x > 0.5, x**2, 1.0) + jnp.where(x > 0.4, x**3, x),
    "gather": lambda x: (x**2)[SIX] * x[1:2],
    "gather out of bounds": lambda x: (
        (x**2).at[np.array([1, 9])].get(mode="fill", fill_value=7.0)
    ),
    "gather at a traced index": lambda x: (x**2)[jnp.int32(x[0] * 3)],
    "slice at a traced index": lambda x: lax.dynamic_slice(
        x**2, (jnp.int32(x[0] * 3),), (2,)
    ),
    "update": lambda x: lax.dynamic_update_slice(jnp.ones(8), x**2, (1,)) * 2,
    "update of what moves": lambda x: lax.dynamic_update_slice(x**2, x[:2] ** 3, (3,)),
    "scatter": lambda x: (x**2).at[np.array([0, 2])].set(x[:2] ** 3),
    "scatter twice": lambda x: (x**2).at[np.array([2, 2])].set(x[:2] ** 3).sum(),
    "scatter of constants": lambda x: (x**2).at[np.array([0, 2])].set(0.0),
    "scatter-add": lambda x: jnp.zeros(3).at[SIX].add(x**3),
    "scatter-add to what moves": lambda x: (x**2).at[SIX].add(1.0),
    "scatter-mul": lambda x: (
        (x**2).at[np.array([0, 2])].multiply(x[3:5], unique_indices=True)
    ),
    "scatter-mul of constants": lambda x: (x**2).at[np.array([0, 2])].multiply(2.0),
    "segments": lambda x: jax.ops.segment_sum(x**2, SIX, num_segments=3),
    "cumsum": lambda x: jnp.cumsum(x**2)[::-1] * x,
    "cumprod": lambda x: jnp.cumprod(x),
    "cumlogsumexp": lambda x: lax.cumlogsumexp(x),
    "mean pool": lambda x: lax.reduce_window(x**2, 0.0, lax.add, (2,), (1,), "SAME"),
    "conversion": lambda x: jnp.float32(x**2).astype(x.dtype),
    "sub": lambda x: (3.0 - x**2) - jnp.sin(x),
    "scalars": lambda x: (
        x[0] * jnp.ones(3) + x[1] ** 2 - jnp.arange(3.0) * x[2] ** 2 / x[3]
    ),
    "fft": lambda x: jnp.abs(jnp.fft.rfft(x**2)) ** 2,
    "irfft": lambda x: jnp.fft.irfft(jnp.fft.rfft(x) ** 2),
    "complex": lambda x: jnp.real(
        jnp.exp(lax.complex(0 * x, x)) * lax.complex(x, x**2)
    ),
    "modulus": lambda x: jnp.abs(lax.complex(x, jnp.sin(x))),
    "angle": lambda x: jnp.angle(lax.complex(x, jnp.sin(x))),
}
PRODUCTS = {
    "mul": lambda x: x * x[::-1] * jnp.sin(x),
    "div": lambda x: x / (1 + x[::-1] ** 2),
    "div by what moves": lambda x: 2.0 / x,
    "div of what moves": lambda x: x**2 / 3.0,
    "prod": lambda x: jnp.prod(x),
    "matvec": lambda x: jnp.tanh(WIDE @ x) @ WIDE,
    "vecmat": lambda x: jnp.tanh(x @ TALL),
    "vecvec": lambda x: jnp.sin(x) @ jnp.cos(x[::-1]),
    "matmat": lambda x: jnp.tanh(x.reshape(2, 3) @ TALL.T),
    "left matmat": lambda x: TALL @ jnp.tanh(x.reshape(3, 2)),
    "gram": lambda x: jnp.sin(x.reshape(2, 3)) @ x.reshape(2, 3).T,
    "power": lambda x: jnp.linalg.matrix_power(x[:4].reshape(2, 2), 5),
    "batched": lambda x: jnp.einsum(
        "bij,bjk->bik",
        x.reshape(1, 2, 3) * np.ones((2, 1, 1)),
        jnp.sin(x).reshape(2, 3, 1),
    ),
    "batched, one still": lambda x: jnp.einsum(
        "bij,bjk->bki", x.reshape(3, 2, 1) ** 2, TALL.reshape(3, 1, 6)
    ),
    "batched, the other still": lambda x: jnp.einsum(
        "bij,bjk->bki", TALL.reshape(3, 6, 1), x.reshape(3, 1, 2) ** 2
    ),
    "outer": lambda x: jnp.outer(x**2, x),
    "tensordot": lambda x: jnp.tensordot(
        x.reshape(1, 2, 3), jnp.sin(x).reshape(3, 2, 1), ((1, 2), (1, 0))
    ),
    "convolution": lambda x: lax.conv_general_dilated(
        x.reshape(1, 2, 3, 1) ** 2,
        jnp.asarray(KERNEL),
        (1, 1),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    ),
    "moving kernel": lambda x: lax.conv_general_dilated(
        jnp.ones((1, 4, 4, 1)),
        (x**2).reshape(1, 2, 1, 3),
        (1, 1),
        "VALID",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    ),
    "convolution of both": lambda x: lax.conv_general_dilated(
        jnp.sin(x).reshape(1, 1, 3, 2),
        (x**2).reshape(1, 3, 2, 1),
        (1, 1),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    ),
    "grouped convolution of both": lambda x: lax.conv_general_dilated(
        jnp.sin(x).reshape(1, 1, 3, 2),
        (x**2).reshape(1, 3, 1, 2),
        (1, 1),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=2,
    ),
    "triangular_solve": lambda x: lax.linalg.triangular_solve(
        np.tril(TALL[:3]) + 2 * np.eye(3),
        (x**2).reshape(3, 2),
        left_side=True,
        lower=True,
    ),
    "triangular_solve of both": lambda x: lax.linalg.triangular_solve(
        jnp.eye(3) + x[None, :3], x[3:, None], left_side=True, lower=True
    ),
    "solve": lambda x: jnp.linalg.solve(x[:4].reshape(2, 2) + 2 * np.eye(2), x[4:]),
    "inverse": lambda x: jnp.linalg.inv(x[:4].reshape(2, 2) + np.eye(2)),
    "slogdet": lambda x: jnp.linalg.slogdet(x[:4].reshape(2, 2) + np.eye(2))[1],
    "cholesky": lambda x: jnp.linalg.cholesky(jnp.outer(x[:2], x[:2]) + np.eye(2)),
    "qr": lambda x: jnp.abs(jnp.linalg.qr(x.reshape(3, 2))[1]),
    "eigvalsh": lambda x: jnp.linalg.eigvalsh(
        jnp.outer(x[:2], x[:2]) + np.diag([1.0, 3.0])
    ),
    "norm": lambda x: jnp.linalg.norm(x),
    "softmax": lambda x: jax.nn.softmax(x**2),
    "logsumexp": lambda x: jax.nn.logsumexp(3 * x),
    "layer norm": lambda x: (x - x.mean()) * lax.rsqrt(jnp.var(x) + 0.1),
    "attention": lambda x: (
        jax.nn.softmax(x.reshape(2, 3) @ x.reshape(2, 3).T) @ x.reshape(2, 3)
    ),
    "variance": lambda x: jnp.var(x**2),
}


def scanned(x):
    def step(carry, item):
        state, n = carry
        state = jnp.tanh(WIDE[:, :3] @ state) * item + x[0]
        return (state, n + 1), (jnp.sum(state**2), n)

    (last, n), (ys, ks) = lax.scan(step, (jnp.zeros(3), 0), x**2, reverse=True)
    return last * jnp.asarray(n, x.dtype), ys * jnp.asarray(ks, x.dtype)


def becoming(x):
    """Each carry moves one step after the one before it."""

    def step(carry, _):
        a, b, c = carry
        return (x[0] ** 2, a * x[1], b**2 + c), c

    return lax.scan(step, (jnp.zeros(()),) * 3, None, length=4)


def noisy(x):
    """A key among what is carried."""

    def step(carry, _):
        key, y = carry
        key, own = jax.random.split(key)
        return (key, y * jnp.sin(x[0]) + jax.random.uniform(own, (), x.dtype)), None

    return lax.scan(step, (jax.random.key(0), x[1]), None, length=3)[0][1]


CONTROL_FLOW = {
    "a key in the carry": noisy,
    "scan": scanned,
    "becoming": becoming,
    "scan of nothing": lambda x: lax.scan(
        lambda c, y: (c * y, c), x[0], jnp.zeros((0,))
    )[0],
    "nested scans": lambda x: lax.scan(
        lambda c, y: (
            lax.scan(lambda d, z: (jnp.sin(d) * z + y, None), c, x[:3])[0],
            c * y,
        ),
        x[0],
        x,
    ),
    "map": lambda x: lax.map(lambda y: y**3 * x[0], x),
    "fori of known length": lambda x: lax.fori_loop(
        0, 3, lambda k, y: jnp.sin(y) * x, x
    ),
    "cond": lambda x: lax.cond(x[0] > 0.1, lambda y: jnp.sin(y), lambda y: y * 2.0, x),
    "cond the other way": lambda x: lax.cond(
        x[0] > 9.0, lambda y: jnp.sin(y), lambda y: y**2, x
    ),
    "cond with a still branch": lambda x: lax.cond(
        x[0] > 9.0, lambda y: y**2, jnp.ones_like, x
    ),
    "switch": lambda x: lax.switch(
        jnp.int32(3 * x[0]), [lambda y: y, lambda y: y**2, lambda y: y**3], x
    ),
    "remat": lambda x: jax.checkpoint(lambda y: jnp.sin(y) ** 2)(x),
    "jit": lambda x: jax.jit(lambda y: jnp.sin(y) ** 2)(x),
    "vmap": lambda x: jax.vmap(lambda y: y**3 * x)(x),
    "gradient": lambda x: jax.grad(lambda y: jnp.sum(jnp.sin(y) * y[::-1]))(x),
}
WHILE = {
    "while": lambda x: lax.while_loop(
        lambda s: jnp.sum(s) < 9.0, lambda s: s * 1.5 + jnp.sin(s) * x, x
    ),
    "count": lambda x: lax.while_loop(
        lambda s: s[0] < 3,
        lambda s: (s[0] + 1, s[1] * x[0] + s[2], s[1]),
        (0, 1.0 + 0 * x[1], 2.0 * jnp.ones(())),
    )[1:],
    "not entered": lambda x: lax.while_loop(
        lambda s: jnp.sum(s) < 0.0, lambda s: s**2, x**2
    ),
    "fori of a traced length": lambda x: lax.fori_loop(
        0, jnp.int32(6 * x[0]) + 2, lambda _, s: jnp.sin(s) + x, x
    ),
    "vmapped while": lambda x: jax.vmap(
        lambda y: lax.while_loop(lambda s: s < 3.0, lambda s: s**2 + 1.0 + y, y)
    )(x),
}
FAMILIES = {
    "smooth": SMOOTH,
    "piecewise": PIECEWISE,
    "constant": CONSTANT,
    "movement": MOVEMENT,
    "products": PRODUCTS,
    "control": CONTROL_FLOW,
}


@pytest.mark.parametrize("family", FAMILIES)
def test_collapsed_laplacian_is_the_trace_of_the_hessian(family, x64):
    fun = named(FAMILIES[family])
    expected = jax.jit(functools.partial(trace_of_hessian, fun))(X)
    close(laplacian(fun, mode="collapsed")(X), expected)


def test_collapsed_laplacian_passes_while_loops(x64):
    fun = named(WHILE)
    expected = jax.jit(functools.partial(trace_of_hessian, fun, by=twice_forward))(X)
    close(laplacian(fun, mode="collapsed")(X), expected)
    close(laplacian(fun)(X), expected)


def test_every_rule_is_met_by_a_function_of_these_tests(x64):
    met = set().union(*(names_in(named(f), X) for f in (*FAMILIES.values(), WHILE)))
    unmet = {*RULES, *CONTROL} - met
    unmet_for = {
        "of several devices": {
            "all_gather", "all_gather_invariant", "all_to_all", "layout_constraint",
            "pbroadcast", "ppermute", "psum", "psum_invariant", "psum_scatter", "pvary",
            "reduce_scatter", "reshard", "sharding_constraint", "device_put",
        },
        "of special functions, by JAX's rules": {
            "bessel_i0e", "bessel_i1e", "igamma", "igamma_grad_a", "igammac",
            "polygamma", "regularized_incomplete_beta", "zeta",
        },
        "of other names, or of derivatives alone": {
            "copy", "copy_p", "expand_dims", "name", "optimization_barrier", "tile",
            "reduce_precision", "scatter-sub", "select_and_gather_add", "stack",
            "select_and_scatter_add", "unstack", "ragged_dot", "ragged_dot_general",
            "tridiagonal_solve", "cummin", "reduce_window_min", "is_finite", "add_any",
            "conj", "square", "one_minus_square",
        },
    }  # fmt: skip
    assert unmet <= set().union(*unmet_for.values())


SCALED = {
    "log of what is small": (jnp.log, 1e-25),
    "log of what is large": (jnp.log, 1e25),
    "sqrt": (jnp.sqrt, 1e-30),
    "rsqrt": (lax.rsqrt, 1e20),
    "cbrt": (jnp.cbrt, 1e-27),
    "a negative power": (lambda x: x**-2, 1e10),
    "div": (lambda x: 1.0 / x, 1e25),
    "exp": (lambda x: jnp.exp(-x * 1e-20), 1e20),
}


@pytest.mark.parametrize("name", SCALED)
def test_second_derivatives_out_of_range_do_no_harm(name):
    """Squares of slopes and second derivatives overflow here, their products do not."""
    fun, scale = SCALED[name]
    scaled = lambda x: jnp.sum(fun(scale * (1 + x**2)))  # noqa: E731
    found = laplacian(scaled, mode="collapsed")(jnp.array([0.3, 0.7]))
    with jax.enable_x64(True):
        expected = trace_of_hessian(scaled, np.array([0.3, 0.7]))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


# rules of users


@jax.custom_jvp
def cubed(x):
    """Its rules are of other functions, to tell them apart."""
    return x**3


@jax.custom_jvp
def own(x):
    return 5 * x**2


cubed.defjvp(lambda primals, tangents: (cubed(*primals), own(*primals) * tangents[0]))
own.defjvp(lambda primals, tangents: (own(*primals), 7.0 * primals[0] * tangents[0]))


def test_rules_of_custom_jvp_are_kept_in_every_order(x64):
    fun = lambda x: jnp.sum(cubed(x**2))  # noqa: E731
    expected = trace_of_hessian(fun, X)
    for mode in ("nested", "collapsed"):
        close(laplacian(fun, mode=mode)(X), expected)
    looped = lambda x: lax.scan(lambda c, y: (cubed(c) * y, c), x[0], x)[0]  # noqa: E731
    close(laplacian(looped, mode="collapsed")(X), trace_of_hessian(looped, X))


@jax.custom_vjp
def backward(x):
    return jnp.sin(x)


@jax.custom_jvp
def crooked(x):
    return jnp.sin(x)


backward.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (jnp.cos(x) * g,))
crooked.defjvp(lambda p, t: (jnp.sin(*p), jnp.cos(p[0]) * t[0] + 0 * t[0] ** 2))


@pytest.mark.parametrize(
    ("rule", "reason"), [(backward, "custom_vjp"), (crooked, "not proven linear")]
)
def test_what_is_not_proven_goes_the_nested_way(rule, reason, x64):
    fun = lambda x: jnp.sum(rule(x) * x)  # noqa: E731
    vector = lambda x: rule(x) * x  # noqa: E731
    truth = np.sum(2 * np.cos(X) - X * np.sin(X))
    close(laplacian(fun)(X), truth)
    close(laplacian(fun, directions=np.eye(6))(X), truth)
    close(laplacian(vector)(X).sum(), truth)
    with pytest.raises(ValueError, match="got 'collapsed': ") as caught:
        laplacian(fun, mode="collapsed")(X)
    assert reason in str(caught.value)
    assert "test_collapsed.py:" in str(caught.value)


def test_vouching_serves_collapsed_mode(x64):
    fun = lambda x: jnp.sum(crooked(x) * x)  # noqa: E731
    found = laplacian(fun, mode="collapsed", check=None)(X)
    close(found, np.sum(2 * np.cos(X) - X * np.sin(X)))


# kinks


KINKS = {
    "abs": (lambda x: jnp.sum(jnp.abs(x) + x**2), 4),
    "relu": (lambda x: jnp.sum(jax.nn.relu(x) + x**2), 4),
    "a tie of two": (lambda x: jnp.maximum(x[0], x[1]) ** 2 + x[0] ** 2, 3),
    "the largest": (lambda x: jnp.max(x) ** 2, 1),
    "a selection of what is finite": (
        lambda x: jnp.sum(jnp.where(x > 0, jnp.sqrt(x), x**2)),
        4,
    ),
}


@pytest.mark.parametrize("name", KINKS)
def test_kinks_have_the_derivatives_of_the_rules(name):
    fun, expected = KINKS[name]
    found = laplacian(fun, mode="collapsed")(jnp.zeros(2))
    np.testing.assert_allclose(found, expected)


def test_the_largest_of_normalized_values_keeps_its_derivative():
    def fun(x):
        return jnp.max(x / jnp.sqrt(jnp.sum(x**2))) ** 2

    x = jax.random.normal(jax.random.key(0), (33,)) ** 2
    with jax.enable_x64(True):
        expected = trace_of_hessian(fun, np.float64(x))
    found = laplacian(fun, mode="collapsed")(x)
    np.testing.assert_allclose(found, expected, rtol=1e-3)


# products


def test_products_merge_directions_into_rows():
    """One product of a matrix for all directions, and no transpose of what is large."""
    weights = jnp.ones((20, 30), jnp.float32)
    fun = lambda x: jnp.sum(jnp.tanh(jnp.tanh(x @ weights) @ weights.T))  # noqa: E731
    jaxpr = jax.make_jaxpr(laplacian(fun, mode="collapsed"))(jnp.ones(20))
    names = [eqn.primitive.name for eqn in equations(jaxpr.jaxpr)]
    assert names.count("transpose") <= 1  # of the weights
    assert names.count("dot_general") <= 6
