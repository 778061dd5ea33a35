"""Random programs of integers, booleans and floats, to be folded and to be run."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jnumerics.derivatives._dependence.constants.fold import Constants
from jnumerics.derivatives._program.inline import flatten

INTEGERS = ["int8", "uint8", "int16", "int32", "uint32"]
FLOATS = ["float32", "bfloat16", "float16"]
SHAPE = (3, 4)


class Programs:
    """Draws programs; one is a function of its inputs that repeats its draws.

    Args:
        seed: Of the draws.
        n_operations: How many operations a program takes.
    """

    def __init__(self, seed, n_operations=24):
        self._seed, self._n = seed, n_operations
        self.inputs = [self._array(d, np.random.default_rng([seed, k]))
                       for k, d in enumerate([*INTEGERS, *FLOATS, "bool"])]  # fmt: skip

    def _array(self, dtype, rng):
        if dtype == "bool":
            return rng.integers(0, 2, SHAPE) == 1
        if dtype in FLOATS:
            return np.asarray(self._floats(dtype, rng)).astype(jnp.dtype(dtype))
        info = np.iinfo(dtype)
        extreme = [info.min, info.max, info.min + 1, 0, 1, info.max // 2 + 1]
        small = rng.integers(max(info.min, -6), 7, SHAPE)
        chosen = np.where(
            rng.integers(0, 4, SHAPE) == 0, rng.choice(extreme, SHAPE), small
        )
        return chosen.astype(dtype)

    def _floats(self, dtype, rng):
        scale = 2.0 ** rng.choice([0, 0, 0, 0, -2, 10, 24, -24, -100, 100])
        kind = ["integers", "tenths", "normal"][rng.integers(0, 3)]
        if kind == "integers":
            numbers = rng.integers(-8, 9, SHAPE) * scale
        elif kind == "tenths":
            numbers = 0.1 * rng.integers(-8, 9, SHAPE)
        else:
            numbers = rng.normal(size=SHAPE) * scale
        if rng.integers(0, 6) == 0:
            odd = [0.0, -0.0, 1e-40, np.inf, -np.inf, np.nan, 1e-30, 1e30]
            numbers[tuple(rng.integers(0, SHAPE))] = rng.choice(odd)
        limit = float(jnp.finfo(dtype).max)
        return np.where(np.isfinite(numbers), np.clip(numbers, -limit, limit), numbers)

    def __call__(self, *inputs):
        """Return a few values that the program computes: others are fused."""
        pool = self.all(*inputs)
        rng = np.random.default_rng([self._seed, 100])
        chosen = rng.choice(len(pool), min(len(pool), 6), replace=False)
        return [pool[k] for k in chosen]

    def all(self, *inputs):
        """Return every value that the program computes."""
        rng, pool = np.random.default_rng([self._seed, 99]), [*map(jnp.asarray, inputs)]
        for _ in range(self._n):
            operation = OPERATIONS[rng.integers(len(OPERATIONS))]
            result = operation(_Draw(rng, pool, self))
            pool += [] if result is None else [result]
        return pool[len(inputs) :]


class _Draw:
    def __init__(self, rng, pool, programs):
        self.rng, self.pool, self._programs = rng, pool, programs

    def value(self, kinds="iufb"):
        """A value of the pool, late ones more often."""
        fitting = [x for x in self.pool if _kind(x) in kinds]
        k = int(len(fitting) * self.rng.random() ** 0.5)
        return fitting[min(k, len(fitting) - 1)]

    def like(self, x):
        """Another value of the same dtype: of the pool, or a literal."""
        same = [y for y in self.pool if y.dtype == x.dtype]
        if self.rng.integers(0, 2) or not same:
            array = self._programs._array(x.dtype.name, self.rng)
            return jnp.full(SHAPE, array[0, 0], x.dtype)
        return same[self.rng.integers(len(same))]

    def choice(self, options):
        return options[self.rng.integers(len(options))]

    def index(self, n=4):
        """Indices as they come, within or out of bounds."""
        x = self.value("iu")
        return x if self.rng.integers(0, 2) else lax.rem(x, jnp.full_like(x, n))


def _kind(x):
    return "f" if x.dtype.kind == "V" else x.dtype.kind


def _binary(d):
    x = d.value("iuf")
    names = ["add", "sub", "mul", "div", "max", "min", "rem"]
    return getattr(lax, d.choice(names))(x, d.like(x))


def _chain(d):
    """Constants after each other, which a compiler may combine."""
    x, operation = d.value("f"), d.choice([lax.add, lax.mul, lax.sub, lax.div])
    return operation(operation(x, d.like(x)), d.like(x))


def _fused(d):
    x = d.value("f")
    return x * d.like(x) - d.like(x)


def _unary(d):
    x = d.value("iuf")
    names = ["neg", "abs", "sign", "square"] if _kind(x) != "u" else ["square", "sign"]
    names = ["neg", "abs", "floor", "ceil", "square"] if _kind(x) == "f" else names
    return getattr(lax, d.choice(names))(x)


def _compared(d):
    x = d.value("iufb")
    return getattr(lax, d.choice(["eq", "ne", "lt", "le", "gt", "ge"]))(x, d.like(x))


def _bits(d):
    x = d.value("iub")
    names = ["bitwise_and", "bitwise_or", "bitwise_xor"]
    if d.rng.integers(0, 4) == 0:
        return lax.bitwise_not(x)
    return getattr(lax, d.choice(names))(x, d.like(x))


def _shifted(d):
    x = d.value("iu")
    names = ["shift_left", "shift_right_logical", "shift_right_arithmetic"]
    by = d.like(x) if d.rng.integers(0, 2) else lax.rem(d.like(x), jnp.full_like(x, 8))
    return getattr(lax, d.choice(names))(x, by)


def _selected(d):
    x = d.value()
    return lax.select_n(d.value("b"), x, d.like(x))


def _clamped(d):
    x = d.value("iu")
    return lax.clamp(d.like(x), x, d.like(x))


def _converted(d):
    return d.value().astype(d.choice([*INTEGERS, *FLOATS, "bool"]))


def _moved(d):
    x = d.value()
    moves = {
        "reversed": lambda: lax.rev(x, (1,)),
        "rolled": lambda: jnp.roll(x, 1, 0),
        "padded": lambda: lax.pad(x, jnp.ones((), x.dtype), ((-1, 1, 0), (1, -1, 0))),
        "joined": lambda: jnp.concatenate([x[:2], d.like(x)[:1]], 0),
        "broadcast": lambda: lax.broadcast_in_dim(x[0], SHAPE, (1,)),
        "transposed": lambda: x.T.reshape(SHAPE),
    }
    return moves[d.choice([*moves])]()


def _reduced(d):
    name = d.choice(["sum", "prod", "max", "min", "and", "or", "xor"])
    x = d.value("iuf" if name in ("sum", "prod", "max", "min") else "iu")
    axis = int(d.rng.integers(0, 2))
    reduced = getattr(lax, f"reduce_{name}")(x, (axis,))
    return lax.broadcast_in_dim(reduced, SHAPE, (1 - axis,))


def _running(d):
    name = d.choice(["cumsum", "cumprod", "cummax", "cummin"])
    reverse = bool(d.rng.integers(0, 2))
    return getattr(lax, name)(d.value("iu"), axis=1, reverse=reverse)


def _ordered(d):
    x = d.value()
    kind = d.choice(["sorted", "sorted with places", "top", "largest"])
    if kind == "sorted":
        return lax.sort(x, dimension=1)
    if kind == "sorted with places":
        other = lax.broadcasted_iota(jnp.int32, SHAPE, 1)
        stable = bool(d.rng.integers(0, 2))
        return lax.sort((x, other), dimension=1, is_stable=stable, num_keys=1)[1]
    if kind == "top" and _kind(x) != "b":
        values, places = lax.top_k(x, 4)
        return values if d.rng.integers(0, 2) else places
    where = lax.argmax(x, 1, jnp.int32) if _kind(x) != "b" else x.sum(1, dtype="int32")
    return lax.broadcast_in_dim(where, SHAPE, (0,))


def _counted(d):
    x = d.value("iu")
    kind = d.choice(["ones", "leading zeros", "power", "product"])
    if kind == "ones":
        return lax.population_count(x)
    if kind == "leading zeros":
        return lax.clz(x)
    if kind == "power":
        return lax.integer_pow(x, d.choice([2, 3, 5]))
    return lax.dot_general(x, d.like(x).T[:, :3], (((1,), (0,)), ((), ()))).repeat(
        2, 1
    )[:, :4]


def _iota(d):
    dtype = d.choice([*INTEGERS, *FLOATS])
    return lax.broadcasted_iota(dtype, SHAPE, int(d.rng.integers(0, 2)))


def _read(d):
    x, mode = d.value(), d.choice(["clip", "promise_in_bounds", "fill"])
    numbers = lax.GatherDimensionNumbers((1,), (0,), (0,))
    index = d.index(3)[:, :1]
    index = lax.rem(index, jnp.full_like(index, 3)) if mode[0] == "p" else index
    return lax.gather(x, index, numbers, (1, 4), mode=mode, fill_value=0)


def _written(d):
    x = d.value("iub")
    mode = d.choice(["clip", "fill"])
    at = x.at[d.index(3)[:, 0]] if d.rng.integers(0, 2) else x.at[jnp.array([2, 0, 1])]
    kinds = ["set", "add", "min", "max", "multiply"] if _kind(x) != "b" else ["set"]
    return getattr(at, d.choice(kinds))(d.like(x), mode=mode)


def _sliced(d):
    x, index = d.value(), d.index(3)
    start = index[0, 0], jnp.zeros((), index.dtype)
    if d.rng.integers(0, 2):
        part = lax.dynamic_slice(x, start, (2, 4))
        return jnp.concatenate([part, x[:1]], 0)
    return lax.dynamic_update_slice(x, d.like(x)[:2], start)


def _branched(d):
    x = d.value()
    which = d.index(3)[0, 1].astype("int32")
    branches = [lambda v: v, lambda v: v[::-1], lambda v: jnp.flip(v, 1)]
    return lax.switch(which, branches, x)


def _looped(d):
    x = d.value("iu")

    def step(count, row):
        return count + 1, lax.add(row, jnp.full_like(row, 1) * count.astype(row.dtype))

    return lax.scan(step, jnp.int32(0), x)[1]


def _nested(d):
    """A float with a history enters a body."""
    x = d.value("f")
    scaled = x * d.like(x)
    if d.rng.integers(0, 2):
        step = lambda c, row: (c, (row > 1).astype("int32"))
        return lax.scan(step, 0, scaled)[1]
    return lax.cond(d.value("b")[0, 0], lambda v: v > 1, lambda v: v < 1, scaled)


OPERATIONS = [
    _binary, _binary, _chain, _chain, _fused, _unary, _compared, _compared, _bits,
    _shifted, _selected, _clamped, _converted, _converted, _moved, _reduced, _running,
    _ordered, _counted, _iota, _read, _written, _sliced, _branched, _looped, _nested,
]  # fmt: skip


def folded(fun, inputs):
    """What is known of the results of a program; values and bounds, None: unknown."""
    flat = flatten(jax.make_jaxpr(fun)(*inputs), [False] * len(inputs))
    values = dict(flat.consts) | dict(zip(flat.inputs, inputs, strict=True))
    known = Constants(flat.equations, values)
    return [known.value(v) for v in flat.outputs]


def strays(results, values):
    """The results that are known, and not what they are known to be."""
    pairs = zip(map(np.asarray, results), values, strict=True)
    return [(y, x) for y, x in pairs if x is not None and not _agrees(y, x)]


def _agrees(result, value):
    with np.errstate(all="ignore"):
        off = np.abs(result.astype(float) - value.full.astype(float))
    return np.all((result == value.full) | (off <= value.error))
