"""Programs of each family, drawn by number."""

import random
from collections.abc import Callable, Sequence

from tests.fuzz.families import COMMON, FAMILIES, MIXED, bodies
from tests.fuzz.programs.draft import Draft, Value, draw_program, fitted
from tests.fuzz.programs.program import Assign, Program

Leaf = tuple[tuple[int, ...], str]


def draw(family: str, seed: int) -> Program:
    """Draw a program; those that come out empty are drawn again."""
    for turn in range(20):
        try:
            return _drawn(family, seed + turn * 2**40)
        except Exception:  # whatever JAX's reason
            continue
    msg = f"no program of {family} for {seed}"
    raise RuntimeError(msg)


def _drawn(family: str, seed: int) -> Program:
    rng = random.Random(f"{family} {seed}")
    leaves = _leaves(rng, family)
    count = rng.randint(1, 2) + rng.randint(0, 3)
    wants_batch = rng.random() < 0.3 and all(shape for shape, _ in leaves)
    axes = (rng.randint(0, 1), rng.randint(0, 1)) if rng.random() < 0.4 else (0, 0)
    if wants_batch:
        leaves = [(_with_axis(shape, axes[0], 3), dtype) for shape, dtype in leaves]
    operations = _operations(family)

    def build(d: Draft) -> Sequence[str]:
        if wants_batch:
            return _by_samples(d, operations, count, axes)
        d.grow(operations, count)
        return _results(d, family, leaves)

    program = draw_program(seed, leaves, build, family, axes if wants_batch else None)
    return program if wants_batch else _with_batch(rng, program)


def _operations(family: str) -> list[Callable]:
    """Return the family's own, more often than what may stand beside them."""
    own = FAMILIES[family]
    if family == "trees":
        return MIXED
    beside = COMMON if family in ("shards", "control", "calls") else MIXED
    repeats = max(1, round(1.5 * len(beside) / len(own)))
    return [*own * repeats, *beside]


def _leaves(rng: random.Random, family: str) -> list[Leaf]:
    if family != "trees":
        return [(_shape(rng, 0.06), "float64")]
    dtypes = ["float64", "float64", "float32"]
    return [(_shape(rng, 0.3), rng.choice(dtypes)) for _ in range(rng.randint(1, 3))]


def _shape(rng: random.Random, odd: float) -> tuple[int, ...]:
    shape = [rng.randint(2, 4) for _ in range(rng.choice([1, 1, 2, 2, 2, 3]))]
    if len(shape) == 3:
        shape = [min(n, 3) for n in shape]
    if rng.random() < odd:
        shape[rng.randrange(len(shape))] = rng.choice([0, 1, 1])
    if rng.random() < odd / 3:
        shape = []
    return tuple(shape)


def _with_axis(shape: tuple[int, ...], axis: int, n: int) -> tuple[int, ...]:
    sizes = [*shape] if len(shape) < 3 else [*shape[:2]]
    sizes.insert(min(axis, len(sizes)), n)
    return tuple(sizes)


def _by_samples(
    d: Draft, operations: list[Callable], count: int, axes: tuple[int, int]
) -> list[str]:
    """Map a function of one sample over all of them."""
    inputs = list(d.values)
    rows = [_row(x, axes[0]) for x in inputs]

    def build(b: Draft, *_: Value) -> str:
        b.grow(operations, count)
        return b.values[-1] if b.values[-1].ndim >= axes[1] else b.choice([])

    name = d.define(rows, build, closes=False)
    operands = ", ".join(inputs)
    return [
        d.let(f"jax.vmap({name}, in_axes={axes[0]}, out_axes={axes[1]})({operands})")
    ]


def _row(x: Value, axis: int) -> Value:
    shape = [n for k, n in enumerate(x.shape) if k != axis]
    return bodies.Like(shape, x.dtype).value()


def _results(d: Draft, family: str, leaves: Sequence[Leaf]) -> list[str]:
    if family == "trees" and d.flip(0.7):
        if d.flip():  # one for each leaf, of its shape: a diagonal
            return [_as_leaf(d, *leaf) for leaf in leaves]
        return d.rng.sample(d.values, min(len(d.values), d.integer(1, 3)))
    last = d.values[-1]
    if d.flip(0.4) and len(leaves) == 1 and last.dtype == leaves[0][1]:
        return [_as_leaf(d, *leaves[0])]
    return [last]


def _as_leaf(d: Draft, shape: tuple[int, ...], dtype: str) -> str:
    fits = [v for v in d.values if v.size and v.dtype == dtype]
    if not fits or 0 in shape:
        return d.let(d.weights(shape, dtype))
    return d.let(fitted(d, fits[-1], shape))


def _with_batch(rng: random.Random, program: Program) -> Program:
    """Choose axes of samples among those of equal length, if there are any."""
    shapes = [shape for shape, _ in program.leaves]
    made = {s.name: s.shape for s in program.statements if isinstance(s, Assign)}
    made |= {f"x{n}": shape for n, shape in enumerate(shapes)}
    outs = [made[r] for r in program.results]
    rank_in, rank_out = min(map(len, shapes)), min(map(len, outs))
    pairs = [
        (i, o)
        for i in range(rank_in)
        for o in range(rank_out)
        if len({s[i] for s in shapes} | {s[o] for s in outs}) == 1 and shapes[0][i] > 1
    ]
    if not pairs:
        return program
    fields = {**program.__dict__, "batch": rng.choice(pairs)}
    return Program(**fields)
