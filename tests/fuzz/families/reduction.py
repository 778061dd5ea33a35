"""Reductions, running reductions, sorts."""

from tests.fuzz.programs.draft import Draft, SkipError, Value


def reduce(d: Draft, x: Value) -> str:
    names = ["sum", "prod", "max", "min", "mean"]
    if x.dtype.kind == "c":
        names = ["sum", "prod", "mean"]
    axes = d.axes(x, 1)
    if any(x.shape[k] == 0 for k in axes):
        names = ["sum", "prod"]
    keep = f", keepdims={d.flip()}"
    return f"jnp.{d.choice(names)}({x}, axis={axes}{keep})"


def running(d: Draft, x: Value) -> str:
    names = ["cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp"]
    if x.dtype.kind == "c":
        names = names[:2]
    return f"lax.{d.choice(names)}({x}, axis={d.axis(x)}, reverse={d.flip()})"


def generic(d: Draft, x: Value) -> str:
    """A reduction by a function of its own."""
    if x.dtype.kind == "c":
        raise SkipError
    combine = d.choice(
        ["lambda a, b: a + b + 0.1 * a * b", "lax.add", "lax.mul", "lax.max"]
    )
    start = d.choice(["0.0", "1.0", f"{x}.ravel()[0]" if x.size else "0.0"])
    start = f"jnp.asarray({start}, np.{x.dtype})"
    return f"lax.reduce({x}, {start}, {combine}, {d.axes(x, 1)})"


def several(d: Draft, x: Value) -> str:
    """Reduce two operands at once: the largest of one, and what stands beside."""
    if x.dtype.kind == "c" or not x.size:
        raise SkipError
    other = d.like(x)
    pick = "lambda a, b: tuple(jnp.where(a[0] >= b[0], u, v) for u, v in zip(a, b))"
    start = f"(np.asarray(-9, np.{x.dtype}), np.asarray(0, np.{x.dtype}))"
    return (
        f"lax.reduce(({x}, {other}), {start}, {pick}, "
        f"{d.axes(x, 1)})[{d.integer(0, 1)}]"
    )


def log_sum_exp(d: Draft, x: Value) -> str:
    if x.dtype.kind == "c" or not x.size:
        raise SkipError
    name = d.choice(["logsumexp", "softmax", "log_softmax"])
    return f"jax.nn.{name}({x}, axis={d.axis(x)})"


def normalized(d: Draft, x: Value) -> str:
    axis = d.axis(x)
    if x.dtype.kind == "c" or not x.size:
        raise SkipError
    mean = f"jnp.mean({x}, {axis}, keepdims=True)"
    if d.flip():
        mean = f"lax.stop_gradient({mean})"
    return f"({x} - {mean}) / jnp.sqrt(0.5 + jnp.var({x}, {axis}, keepdims=True))"


def sort(d: Draft, x: Value) -> str:
    axis = d.axis(x)
    if x.dtype.kind == "c":
        raise SkipError
    kind = d.choice(["alone", "with another", "with another"])
    if kind == "alone":
        return f"lax.sort({x}, dimension={axis})"
    other, keys = d.like(x), d.integer(1, 2)
    return (
        f"lax.sort(({x}, {other}), dimension={axis}, "
        f"num_keys={keys})[{d.integer(0, 1)}]"
    )


def sort_by_integers(d: Draft, x: Value) -> str:
    axis = d.axis(x)
    known = f"({d.weights(x.shape)} * 100).astype(np.int32)"
    if d.flip(0.3):
        known = f"({known} + k[0])"
    return f"lax.sort(({known}, {x}), dimension={axis}, num_keys=1)[1]"


def top_k(d: Draft, x: Value) -> str:
    axis = d.axis(x)
    if x.dtype.kind == "c" or not x.shape[axis]:
        raise SkipError
    size = d.integer(1, x.shape[axis])
    return f"lax.top_k(jnp.moveaxis({x}, {axis}, -1), {size})[0]"


def by_order(d: Draft, x: Value) -> str:
    axis = d.axis(x)
    if x.dtype.kind == "c" or not x.size:
        raise SkipError
    return f"jnp.take_along_axis({x}, jnp.argsort({d.like(x)}, axis={axis}), {axis})"


OPERATIONS = [
    reduce, reduce, reduce, reduce, reduce, running, running, running, running, running,
    generic, several, log_sum_exp, log_sum_exp, normalized, normalized, sort, sort,
    sort_by_integers, sort_by_integers, top_k, top_k, by_order,
]  # fmt: skip
