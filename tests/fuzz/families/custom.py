"""Functions with derivative rules of their own: linear, affine, and not even that."""

from tests.fuzz.families import bodies
from tests.fuzz.programs.draft import Draft, SkipError, Value

_PRIMALS = ["jnp.sin({0})", "{0} * {0}", "jnp.tanh({0})", "{0}", "2 * {0}"]
_UNARY = [
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "bessel_i0e",
    "bessel_i1e",
    "cbrt",
    "ceil",
    "cos",
    "cosh",
    "digamma",
    "erf",
    "erf_inv",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "lgamma",
    "log",
    "log1p",
    "logistic",
    "round",
    "rsqrt",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "tanh",
]


def _linear(d: Draft, x: str, t: str, v: Value) -> str:
    axis = f"({d.integer(0, v.ndim - 1)},)" if v.ndim else "()"
    rules = [
        f"jnp.cos({x}) * {t}",
        f"2 * {t}",
        f"lax.rev({t}, {axis})",
        f"jnp.where({x} > 0.5, {t}, 0)",
        f"{t} * jnp.sum({x})",
        f"jnp.sum({t}) * {x}",
        f"{d.weights(v.shape, v.dtype)} * {t}",
        f"jnp.zeros_like({t})",
        f"lax.stop_gradient({x}) * {t}",
        f"{t} / (2 + jnp.sin({x}))",
        f"lax.cond({x}.sum() > 1, lambda u: 2 * u, lambda u: -u, {t})",
        f"lax.fori_loop(0, 2, lambda i, u: u * jnp.cos({x}), {t})",
        (
            f"lax.scan(lambda c, u: (c + u, c + u), jnp.zeros({v.shape[1:]}, "
            f"np.{v.dtype}), {t})[1]"
        ),
    ]
    return d.choice(rules if v.ndim else rules[:-1])


def _affine(d: Draft, x: str, t: str, v: Value) -> str:
    return d.choice(
        [
            f"{t} + 1",
            f"2 * {t} + 0.5 * {x}",
            f"{t} + {d.weights(v.shape, v.dtype)}",
            f"jnp.where({d.mask(v.shape)}, {t}, 1)",
            f"lax.fori_loop(0, 2, lambda i, u: u + {x}, {t})",
            f"jnp.pad({t}.ravel(), (1, 0), constant_values=1)[:{v.size}]"
            f".reshape({v.shape})",
        ]
    )


def _nonlinear(d: Draft, x: str, t: str, v: Value) -> str:
    along = d.integer(0, v.ndim - 1) if v.ndim else 0
    rules = [
        f"jnp.clip({t}, -0.5, 0.5)",
        f"jnp.where({t} > 0, {t}, 0)",
        f"{t} * {t}",
        f"lax.{d.choice(_UNARY)}({t})",
        f"lax.{d.choice(_UNARY)}({t})",
        f"lax.{d.choice(_UNARY)}({t} + {x})",
        f"({t} * 3).astype(np.int32).astype(np.{v.dtype})",
        f"lax.{d.choice(['max', 'min', 'atan2', 'pow', 'rem', 'nextafter'])}({t}, {x})",
        f"{t} * ({t} {d.choice(['<', '<=', '>', '>=', '==', '!='])} {x})",
        f"{t} / (1 + {t} * {t})",
        f"{t} * jnp.isfinite({t})",
        f"{t} * ~({t} > 0.5)",
        f"{t} * (({t} > 0.1) {d.choice(['&', '|', '^'])} ({x} > 0.5))",
        f"lax.integer_pow({t}, {d.choice([2, 3])})",
        f"lax.cond({t}.sum() > 1, lambda u: 2 * u, lambda u: -u, {t})",
        f"lax.while_loop(lambda u: u.sum() < 1, lambda u: u + 0.7, {t})",
        f"{x} * (jnp.{d.choice(['all', 'any'])}({t} > 0))",
        f"{t} * jnp.max(jnp.abs({t}))",
    ]
    if v.ndim and v.size:
        rules += [
            f"lax.sort({t}, dimension={along})",
            f"jnp.max({t}, {along}, keepdims=True) * {x}",
            f"jnp.take({t}, jnp.argmax({t}), mode='clip') + 0 * {x}",
            f"{x} * jnp.argmin({t})",
            (
                f"lax.{d.choice(['cummax', 'cummin', 'cumprod', 'cumlogsumexp'])}({t}, "
                f"axis={along})"
            ),
            f"{x} * jnp.prod({t}, {along}, keepdims=True)",
            f"jnp.roll({x}, ({t}.sum() > 0).astype(int), {along})",
            (
                f"lax.dynamic_slice_in_dim({t}, jnp.argmax({t}), {v.shape[along]}, "
                f"{along})"
            ),
        ]
    return d.choice(rules)


NONLINEAR = "# surely not linear"  # stands behind such a rule
_RULES = {"linear": _linear, "affine": _affine, "nonlinear": _nonlinear}


def _made(d: Draft, x: Value, kind: str, way: str) -> str:
    if x.dtype.kind == "c":
        raise SkipError
    primal = d.choice(_PRIMALS)
    rule = _RULES[kind]
    if way == "jvp":
        after = (
            f"{{name}}.defjvp(lambda p, t: ({primal.format('p[0]')}, "
            f"{rule(d, 'p[0]', 't[0]', x)}))"
        )
    else:
        after = (
            f"{{name}}.defvjp(lambda p: ({primal.format('p')}, p), lambda r, g: "
            f"({rule(d, 'r', 'g', x)},))"
        )
    if kind == "nonlinear":
        after += f"  {NONLINEAR}"
    name = d.define(
        [x],
        lambda _, a: primal.format(a),
        decorators=f"@jax.custom_{way}\n",
        after=after,
        closes=False,
    )
    return f"{name}({x})"


def linear_jvp(d: Draft, x: Value) -> str:
    return _made(d, x, "linear", "jvp")


def linear_vjp(d: Draft, x: Value) -> str:
    return _made(d, x, "linear", "vjp")


def affine_jvp(d: Draft, x: Value) -> str:
    return _made(d, x, "affine", "jvp")


def affine_vjp(d: Draft, x: Value) -> str:
    return _made(d, x, "affine", "vjp")


def nonlinear_jvp(d: Draft, x: Value) -> str:
    return _made(d, x, "nonlinear", "jvp")


def nonlinear_vjp(d: Draft, x: Value) -> str:
    return _made(d, x, "nonlinear", "vjp")


def samples(d: Draft, x: Value) -> str:
    """A rule that is given one sample, and mapped."""
    if not x.ndim:
        raise SkipError
    row = bodies.Like(x.shape[1:], x.dtype).value()
    inner = _made(d, row, d.choice([*_RULES]), d.choice(["jvp", "vjp"]))
    return f"jax.vmap({inner.split('(')[0]})({x})"


def bottleneck(d: Draft, x: Value) -> str:
    """A narrow place behind, where a cut pays."""
    if not x.ndim or not x.size or x.dtype.kind == "c":
        raise SkipError
    n = d.integer(1, 2)
    narrow = (
        f"jnp.tanh(jnp.tensordot(W({n}, {x.shape[-1]}), {x}, ((1,), ({x.ndim - 1},))))"
    )
    return f"jnp.tensordot(W({x.shape[-1]}, {n}), {narrow}, ((1,), (0,)))"


OPERATIONS = [
    linear_jvp, linear_jvp, linear_vjp, linear_vjp, affine_jvp, affine_vjp,
    nonlinear_jvp, nonlinear_vjp, nonlinear_jvp, nonlinear_vjp, samples, bottleneck,
]  # fmt: skip
