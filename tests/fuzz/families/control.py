"""Loops and branches: known and unknown predicates and trip counts."""

from tests.fuzz.families import bodies
from tests.fuzz.programs.draft import Draft, SkipError, Value


def _predicate(d: Draft, x: Value) -> str:
    source = d.choice(["argument", "data", "known"])
    if source == "argument" or not x.size or x.dtype.kind == "c":
        return f"k[{d.integer(0, 5)}] > {d.integer(-1, 3)}"
    if source == "data":
        return f"{x}.sum() > {d.choice([-1.0, 0.5, 3.0])}"
    return f"jnp.array({d.flip()})"


def cond(d: Draft, x: Value) -> str:
    one, two = (bodies.endo(d, [x]) for _ in range(2))
    if d.flip(0.2):
        two = d.define([x], lambda b, a: b.weights(x.shape, x.dtype))
    return f"lax.cond({_predicate(d, x)}, {one}, {two}, {x})"


def switch(d: Draft, x: Value) -> str:
    branches = [bodies.endo(d, [x]) for _ in range(d.integer(1, 3))]
    index = d.choice([f"k[{d.integer(0, 5)}]", f"{d.integer(-1, 3)}", d.index(x, 3)])
    return f"lax.switch({index}, [{', '.join(branches)}], {x})"


def fori(d: Draft, x: Value) -> str:
    low, high = d.integer(0, 1), d.integer(0, 3)
    name = bodies.step(d, x)
    if d.flip(0.3):
        high = f"k[{d.integer(0, 5)}]"
    return f"lax.fori_loop({low}, {high}, {name}, {x})"


def while_(d: Draft, x: Value) -> str:
    name = bodies.endo(d, [x])
    if x.dtype.kind == "c":
        raise SkipError
    goes_on = f"c[0] < {d.choice(['2', 'k[0]', '3'])}"
    if d.flip(0.3):
        goes_on = f"({goes_on}) & (c[1].sum() < 9.0)"
    return (
        f"lax.while_loop(lambda c: {goes_on}, lambda c: (c[0] + 1, {name}(c[1])), (0, "
        f"{x}))[1]"
    )


def scan(d: Draft, x: Value) -> str:
    """Over the first axis: carries, stacked outputs, either."""
    if not x.ndim or not x.shape[0]:
        raise SkipError
    row = bodies.Like(x.shape[1:], x.dtype).value()

    def build(b: Draft, c: Value, v: Value) -> str:
        b.let(
            d.choice([f"0.5 * {c} + {v}", f"{c} * {v}", f"jnp.sin({v}) - {c}", f"{v}"])
        )
        b.grow(bodies.COMMON, b.integer(0, 2))
        carry = b.latest(c.shape, c.dtype)
        return f"({carry}, {b.choice([b.values[-1], c, v, carry])})"

    name = d.define([row, row], build)
    first = d.choice([f"{x}[0]", f"jnp.zeros({row.shape}, np.{x.dtype})", f"{x}[-1]"])
    scanned = (
        f"lax.scan({name}, {first}, {x}, reverse={d.flip()}, "
        f"unroll={d.choice([1, 1, 2])})"
    )
    return f"{scanned}[{d.integer(0, 1)}]"


def scan_with_counter(d: Draft, x: Value) -> str:
    """A carry that counts indexes what the loop closes over."""
    if not x.ndim or not x.size:
        raise SkipError
    n = x.shape[0]
    step = d.choice(["i + 1", f"(i + 1) % {n}", f"{n - 1} - i", "i + k[0]"])
    body = (
        f"lambda i, v: ({step}, {d.choice(['v * ', 'v + ', '0 * v + '])}{x}[i % {n}])"
    )
    return f"lax.scan({body}, {d.integer(0, n)}, {x}, reverse={d.flip()})[1]"


def scan_steps(d: Draft, x: Value) -> str:
    """Repeated steps, of which some do nothing new."""
    name = bodies.endo(d, [x])
    length = d.integer(0, 4)
    keeps = d.choice(["None", "c", f"{x}"])
    return f"lax.scan(lambda c, _: ({name}(c), {keeps}), {x}, length={length})[0]"


def two_carries(d: Draft, x: Value) -> str:
    """Carries that exchange: a tangent reaches the second late."""
    other = d.weights(x.shape, x.dtype) if d.flip() else d.like(x)
    name = bodies.endo(d, [x])
    swap = d.choice(
        [
            f"(c[1], {name}(c[0]))",
            f"({name}(c[0]) + c[1], c[0])",
            f"(c[0], c[0] - {name}(c[1]))",
        ]
    )
    return (
        f"lax.fori_loop(0, {d.integer(0, 3)}, lambda i, c: {swap}, ({x}, "
        f"jnp.asarray({other})))[{d.integer(0, 1)}]"
    )


def mapped(d: Draft, x: Value) -> str:
    if not x.ndim or not x.shape[0]:
        raise SkipError
    row = bodies.Like(x.shape[1:], x.dtype).value()
    name = bodies.function(d, [row])
    return f"lax.map({name}, {x})"


def associative(d: Draft, x: Value) -> str:
    combine = d.choice(["jnp.add", "jnp.multiply", "lambda a, b: a + 0.5 * a * b"])
    if not x.size:
        raise SkipError
    return f"lax.associative_scan({combine}, {x}, axis={d.axis(x)}, reverse={d.flip()})"


def updated_in_place(d: Draft, x: Value) -> str:
    if not x.ndim or not x.shape[0]:
        raise SkipError
    kind = d.choice(["set", "add"])
    source = d.choice(["y[i - 1]", "y[0]", f"{x}[i]", "y[-1] * y[i]"])
    return (
        f"lax.fori_loop(1, {x.shape[0]}, "
        f"lambda i, y: y.at[i].{kind}(0.5 * {source}), {x})"
    )


OPERATIONS = [
    cond, cond, switch, fori, fori, while_, scan, scan, scan, scan_with_counter,
    scan_steps, two_carries, mapped, associative, updated_in_place,
]  # fmt: skip
