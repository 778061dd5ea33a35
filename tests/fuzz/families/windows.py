"""Windows: pooling of every kind, and its derivatives."""

from tests.fuzz.programs.draft import Draft, SkipError, Value


def _window(d: Draft, x: Value) -> str:
    if not x.ndim:
        raise SkipError
    size = tuple(d.integer(1, 3) for _ in x.shape)
    strides = tuple(d.integer(1, 2) for _ in x.shape)
    padding = tuple((d.integer(0, w - 1), d.integer(0, w - 1)) for w in size)
    base = tuple(d.choice([1, 1, 2]) for _ in x.shape)
    dilation = tuple(d.choice([1, 1, 2]) for _ in x.shape)
    return f"{size}, {strides}, {padding}, {base}, {dilation}"


def add(d: Draft, x: Value) -> str:
    zero = f"np.asarray(0, np.{x.dtype})"
    return f"lax.reduce_window({x}, {zero}, lax.add, {_window(d, x)})"


def extreme(d: Draft, x: Value) -> str:
    if x.dtype.kind == "c":
        raise SkipError
    name, start = d.choice([("max", "-np.inf"), ("min", "np.inf")])
    pooled = (
        f"lax.reduce_window({x}, np.asarray({start}, np.{x.dtype}), lax.{name}, "
        f"{_window(d, x)})"
    )
    return f"jnp.tanh({pooled})"  # of padding alone: infinite


def pooled(d: Draft, x: Value) -> str:
    """The plain pools, whose reverse mode is select_and_scatter."""
    if x.dtype.kind == "c" or not x.ndim:
        raise SkipError
    size = tuple(d.integer(1, 3) for _ in x.shape)
    strides = tuple(d.integer(1, 3) for _ in x.shape)
    name, start = d.choice([("max", "-np.inf"), ("min", "np.inf")])
    padding = tuple((d.integer(0, w // 2), d.integer(0, w // 2)) for w in size)
    start = f"np.asarray({start}, np.{x.dtype})"
    return f"lax.reduce_window({x}, {start}, lax.{name}, {size}, {strides}, {padding})"


def generic(d: Draft, x: Value) -> str:
    if x.dtype.kind == "c":
        raise SkipError
    combine = d.choice(["lax.mul", "lambda a, b: a + b - 0.1 * a * b"])
    start = "1" if combine == "lax.mul" else "0"
    return (
        f"lax.reduce_window({x}, np.asarray({start}, np.{x.dtype}), {combine}, "
        f"{_window(d, x)})"
    )


def patches(d: Draft, x: Value) -> str:
    if x.ndim < 2 or x.dtype.kind == "c" or not x.size:
        raise SkipError
    image = f"{x}.reshape(1, {x.shape[0]}, -1)"
    return f"lax.conv_general_dilated_patches({image}, (2,), (1,), 'VALID')[0]"


OPERATIONS = [
    add,
    add,
    add,
    add,
    extreme,
    extreme,
    pooled,
    pooled,
    pooled,
    pooled,
    generic,
    patches,
]
