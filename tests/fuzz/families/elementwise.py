"""Elementwise operations."""

from tests.fuzz.programs.draft import Draft, SkipError, Value


def function(d: Draft, x: Value) -> str:
    if x.dtype.kind == "c":
        names = ["jnp.sin", "jnp.exp", "jnp.square", "lax.conj", "lax.neg"]
        return f"{d.choice(names)}({x})"
    names = [
        "sin",
        "cos",
        "tanh",
        "exp",
        "exp2",
        "expm1",
        "logistic",
        "abs",
        "neg",
        "square",
        "erf",
        "erfc",
        "atan",
        "asinh",
        "sinh",
        "cosh",
        "bessel_i0e",
        "bessel_i1e",
        "sign",
        "floor",
        "ceil",
        "round",
        "cbrt",
    ]
    return f"lax.{d.choice(names)}({x})"


def positive_function(d: Draft, x: Value) -> str:
    if x.dtype.kind == "c":
        raise SkipError
    names = ["log", "log1p", "sqrt", "rsqrt", "cbrt", "lgamma", "digamma", "acosh"]
    return f"lax.{d.choice(names)}(1.7 + 0.5 * jnp.sin({x}))"


def bounded_function(d: Draft, x: Value) -> str:
    if x.dtype.kind == "c":
        raise SkipError
    names = ["asin", "acos", "atanh", "erf_inv", "tan"]
    return f"lax.{d.choice(names)}(0.8 * jnp.sin({x}))"


def binary(d: Draft, x: Value) -> str:
    names = ["add", "sub", "mul"]
    if x.dtype.kind == "f":
        names += ["max", "min", "atan2", "nextafter", "rem"]
    name = d.choice(names)
    sides = [x, d.like(x)]
    if d.flip():
        sides.reverse()
    if name in ("rem",):
        sides[1] = f"(2 + jnp.sin({sides[1]}))"
    if name == "nextafter":
        name = "add"
    return f"lax.{name}({sides[0]}, {sides[1]})"


def quotient(d: Draft, x: Value) -> str:
    other = d.like(x)
    if d.flip():
        return (
            f"lax.div({x}, 1.5 + jnp.sin({other}))"
            if x.dtype.kind == "f"
            else f"{x} / 3"
        )
    return f"{other} / (2 + jnp.sin({x}))"


def power(d: Draft, x: Value) -> str:
    kind = d.choice(["whole", "negative", "any"])
    if kind == "whole" or x.dtype.kind == "c":
        return f"lax.integer_pow({x}, {d.choice([0, 1, 2, 3])})"
    if kind == "negative":
        return f"lax.integer_pow(1.5 + jnp.sin({x}), {d.choice([-1, -2])})"
    return f"lax.pow(1.5 + jnp.sin({x}), {d.like(x)})"


def by_scalar(d: Draft, x: Value) -> str:
    if not x.size:
        raise SkipError
    place = ", ".join(str(d.integer(0, n - 1)) for n in x.shape)
    return f"{x} * {x}[{place}]" if x.ndim else f"3 * {x}"


def select_known(d: Draft, x: Value) -> str:
    which = d.choice(
        [d.mask(x.shape), f"jnp.array({d.flip()})", f"({d.weights(x.shape)} > 9)"]
    )
    return f"lax.select_n({which}, {x}, {d.like(x)})"


def select_unknown(d: Draft, x: Value) -> str:
    if x.dtype.kind == "c":
        raise SkipError
    which = d.choice([f"{x} > 0.5", f"{x} < {d.like(x)}", f"k[{d.integer(0, 5)}] > 1"])
    return f"jnp.where({which}, {x}, {d.like(x)})"


def select_several(d: Draft, x: Value) -> str:
    n = d.integer(2, 4)
    cases = ", ".join(d.like(x) for _ in range(n - 1))
    known = f"({d.weights(x.shape)} * 9).astype(np.int32) % {n}"
    unknown = f"jnp.broadcast_to(k[{d.integer(0, 5)}] % {n}, {x.shape})"
    return f"lax.select_n({known if d.flip(0.6) else unknown}, {x}, {cases})"


def clamped(d: Draft, x: Value) -> str:
    if x.dtype.kind == "c":
        raise SkipError
    return (
        f"lax.clamp(np.asarray(-0.3, np.{x.dtype}), {x}, np.asarray(0.9, np.{x.dtype}))"
    )


def cast(d: Draft, x: Value) -> str:
    if x.dtype.kind == "c":
        return f"{d.choice(['lax.real', 'lax.imag', 'lax.abs'])}({x})"
    if d.flip(0.3):
        return f"lax.complex({x}, {d.like(x)})"
    if d.flip(0.2):
        return f"({x} * 3).astype(np.int32).astype(np.{x.dtype})"
    return f"lax.reduce_precision({x}, 11, 52)"


def frozen(d: Draft, x: Value) -> str:
    return f"lax.stop_gradient({x}) * {d.like(x)}"


def passed_on(d: Draft, x: Value) -> str:
    kind = d.choice(["barrier", "name", "copy", "device"])
    if kind == "barrier":
        return f"lax.optimization_barrier(({x}, {d.like(x)}))[{d.integer(0, 1)}]"
    if kind == "name":
        return f"checkpoint_name({x}, 'here')"
    if kind == "copy":
        return f"jnp.copy({x})"
    return f"jax.device_put({x})"


def special(d: Draft, x: Value) -> str:
    if x.dtype.kind == "c" or x.dtype == "float32":
        raise SkipError
    up = f"(1.5 + 0.5 * jnp.sin({x}))"
    name = d.choice(["igamma", "igammac", "polygamma", "zeta"])
    if name == "igamma":
        return f"lax.igamma({d.weights(x.shape, x.dtype)}, {up})"
    if name == "igammac":
        return f"lax.igammac({d.weights(x.shape, x.dtype)}, {up})"
    if name == "polygamma":
        return f"lax.polygamma({d.weights(x.shape, x.dtype)} * 0 + 1, {up})"
    return f"lax.zeta({up} + 1, {d.weights(x.shape, x.dtype)})"


OPERATIONS = [
    function, positive_function, bounded_function, binary, binary, binary, quotient,
    power, by_scalar, select_known, select_unknown, select_several, clamped, cast,
    frozen, passed_on, special,
]  # fmt: skip
