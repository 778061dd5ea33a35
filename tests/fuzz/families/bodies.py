"""Bodies of functions, drawn of common operations."""

from collections.abc import Sequence

from tests.fuzz.families import elementwise, movement, reduction
from tests.fuzz.programs.draft import Draft, Value

COMMON = [*elementwise.OPERATIONS, *movement.OPERATIONS, *reduction.OPERATIONS]


class Like:
    """Something with a shape and a dtype."""

    def __init__(self, shape: Sequence[int], dtype: object) -> None:
        self.shape, self.dtype = tuple(shape), dtype

    def value(self) -> Value:
        """Return it as a value without a name."""
        return Value.named("a", self)


def function(
    d: Draft, inputs: Sequence[Value], *, closes: bool = True, **kwargs: str
) -> str:
    """Define a function of values like the given ones."""

    def build(b: Draft, *_: Value) -> str:
        b.grow(COMMON, b.integer(1, 3))
        return b.values[-1]

    return d.define(inputs, build, closes=closes, **kwargs)


def endo(
    d: Draft, inputs: Sequence[Value], *, closes: bool = True, **kwargs: str
) -> str:
    """Define a function whose result is like its first argument."""

    def build(b: Draft, *args: Value) -> str:
        b.grow(COMMON, b.integer(1, 3))
        last = b.latest(args[0].shape, args[0].dtype)
        if last == args[0]:
            last = b.let(f"{b.like(args[0])} * {args[0]}")
        return last

    return d.define(inputs, build, closes=closes, **kwargs)


def step(d: Draft, x: Value) -> str:
    """Define a step of a counted loop: of the counter and the carry."""

    def build(b: Draft, i: Value, c: Value) -> str:
        kind = b.choice(["writes at the counter", "scales by it", "ignores it"])
        if kind == "writes at the counter" and c.ndim and c.shape[0]:
            b.let(
                f"{c}.at[{i} % {c.shape[0]}].set(0.5 * {c}[({i} + 1) % {c.shape[0]}])"
            )
        elif kind == "scales by it":
            b.let(
                f"{c} * (1 + 0.1 * {i})".replace(
                    "0.1", f"np.asarray(0.1, np.{c.dtype})"
                )
            )
        b.grow(COMMON, b.integer(1, 2))
        return b.latest(c.shape, c.dtype)

    counter = Value.named("a", Like((), "int64"))
    return d.define([counter, x], build)
