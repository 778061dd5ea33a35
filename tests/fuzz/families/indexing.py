"""Gathers and scatters of random dimension numbers, at known and run-time indices."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from tests.fuzz.programs.draft import Draft, SkipError, Value, fitted

IS_OLD = jax.__version_info__ < (0, 11)


class _Plan(NamedTuple):
    """The dimension numbers of a gather, or of a scatter: they mirror each other."""

    sizes: tuple[int, ...]
    hidden: tuple[int, ...]  # collapsed, or inserted
    indexed: tuple[int, ...]
    batching: tuple[int, ...]
    batching_at: tuple[int, ...]
    batch: tuple[int, ...]
    window_at: tuple[int, ...]

    def result(self) -> tuple[int, ...]:
        """Return the shape of the slices."""
        gone = {*self.hidden, *self.batching}
        window = iter(n for k, n in enumerate(self.sizes) if k not in gone)
        batch, rank = iter(self.batch), len(self.batch) + len(self.window_at)
        return tuple(
            next(window) if k in self.window_at else next(batch) for k in range(rank)
        )


def _plan(d: Draft, x: Value) -> _Plan:
    if not x.ndim:
        raise SkipError
    axes = list(range(x.ndim))
    batching = [k for k in axes if x.shape[k] and d.flip(0.2)]
    rest = [k for k in axes if k not in batching]
    indexed = [k for k in rest if d.flip(0.7)]
    d.rng.shuffle(indexed)
    hidden = [k for k in rest if x.shape[k] and d.flip(0.5)]
    sizes = [
        1 if k in hidden or k in batching
        else n if k not in indexed or d.flip(0.3)
        else d.integer(0 if d.flip(0.1) else min(1, n), n)
        for k, n in enumerate(x.shape)
    ]  # fmt: skip
    batch = [d.choice([1, 1, 2, 3]) for _ in range(d.integer(0, 2))]
    batching_at = []
    for k in batching:
        at = d.integer(0, len(batch))
        batching_at = [b + (b >= at) for b in batching_at] + [at]
        batch.insert(at, x.shape[k])
    window = [k for k in rest if k not in hidden]
    rank = len(batch) + len(window)
    window_at = sorted(d.rng.sample(range(rank), len(window)))
    return _Plan(
        tuple(sizes), tuple(hidden), tuple(indexed), tuple(batching),
        tuple(batching_at), tuple(batch), tuple(window_at),
    )  # fmt: skip


def _indices(d: Draft, x: Value, plan: _Plan, mode: str) -> str:
    """Write the indices, column by column: each known, or not."""
    if not plan.indexed:
        return f"np.zeros({(*plan.batch, 0)}, np.int32)"
    columns = []
    for axis in plan.indexed:
        last = x.shape[axis] - plan.sizes[axis]
        shape = (*plan.batch, 1)
        if d.flip(0.2) and len(plan.batch) == 1:
            column = f"np.arange({plan.batch[0]}, dtype=np.int32)[:, None]"
        elif d.flip(0.15) and x.size and x.dtype.kind == "f":
            text = d.indices(shape, 0, max(last, 0))
            column = f"({text} + jnp.argmax({x}).astype(np.int32)) % {last + 1}"
        else:
            outside = d.flip(0.3)
            column = d.indices(shape, -outside, last + outside)
        if mode == "promise_in_bounds":
            column = f"({column}) % {last + 1}"
        columns.append(column)
    if len(columns) == 1:
        return columns[0]
    return f"jnp.concatenate([{', '.join(columns)}], -1)"


def gather(d: Draft, x: Value) -> str:
    plan, mode = _plan(d, x), d.choice(["clip", "fill", "promise_in_bounds"])
    numbers = (
        f"lax.GatherDimensionNumbers(offset_dims={plan.window_at}, "
        f"collapsed_slice_dims={tuple(sorted(plan.hidden))}, "
        f"start_index_map={plan.indexed}, operand_batching_dims={plan.batching}, "
        f"start_indices_batching_dims={plan.batching_at})"
    )
    fill = ", fill_value=0" if mode == "fill" else ""
    index = d.let(_indices(d, x, plan, mode))
    return f"lax.gather({x}, {index}, {numbers}, {plan.sizes}, mode='{mode}'{fill})"


def _served(name: str, mode: str) -> str:
    """Return a mode that JAX serves: 0.10 has NaN where an extreme is moved inside."""
    is_extreme = name.strip("_") in ("min", "max")
    return "drop" if is_extreme and mode == "clip" and IS_OLD else mode


def _updates(d: Draft, x: Value, shape: Sequence[int]) -> str:
    if d.flip(0.25):
        return d.weights(shape, x.dtype)
    return f"0.7 * {fitted(d, x, shape)}"


def scatter(d: Draft, x: Value) -> str:
    plan, mode = _plan(d, x), d.choice(["clip", "fill", "promise_in_bounds"])
    name = d.choice(["", "", "_add", "_add", "_sub", "_mul", "_min", "_max"])
    mode = _served(name, mode)
    numbers = (
        f"lax.ScatterDimensionNumbers(update_window_dims={plan.window_at}, "
        f"inserted_window_dims={tuple(sorted(plan.hidden))}, "
        f"scatter_dims_to_operand_dims={plan.indexed}, "
        f"operand_batching_dims={plan.batching}, "
        f"scatter_indices_batching_dims={plan.batching_at})"
    )
    is_single = (
        int(np.prod([n for k, n in enumerate(plan.batch) if k not in plan.batching_at]))
        == 1
    )
    unique = ", unique_indices=True" if is_single else ""
    base = str(x) if d.flip(0.7) else d.weights(x.shape, x.dtype)
    index = d.let(_indices(d, x, plan, mode))
    updates = _updates(d, x, plan.result())
    return (
        f"lax.scatter{name}({base}, {index}, {updates}, {numbers}, "
        f"mode='{mode}'{unique})"
    )


def take(d: Draft, x: Value) -> str:
    axis = d.axis(x)
    n = x.shape[axis]
    shape = tuple(d.integer(0, 3) for _ in range(d.integer(0, 2)))
    mode = d.choice(["fill", "clip", "wrap"])
    fill = ", fill_value=0" if mode == "fill" else ""
    return f"jnp.take({x}, {d.indices(shape, -n, n)}, {axis}, mode='{mode}'{fill})"


def take_along(d: Draft, x: Value) -> str:
    axis = d.axis(x)
    n = x.shape[axis]
    if not n:
        raise SkipError
    shape = tuple(d.integer(1, 3) if k == axis else s for k, s in enumerate(x.shape))
    return f"jnp.take_along_axis({x}, {d.indices(shape, 0, n - 1)} % {n}, {axis})"


def picked(d: Draft, x: Value) -> str:
    """One element of each row: a known index beside another."""
    if x.ndim < 2 or 0 in x.shape:
        raise SkipError
    rows, columns = x.shape[:2]
    index = d.indices((rows,), 0, columns - 1)
    return f"{x}[np.arange({rows}), {index} % {columns}]"


def at(d: Draft, x: Value) -> str:
    axis = d.axis(x)
    n = x.shape[axis]
    way = d.choice(["one", "distinct", "any"])
    index = d.indices((d.integer(1, 2),), -1, n)
    if way == "one":
        index = d.index(x, n)
    places = d.rng.sample(range(n + 2), min(2, n + 1)) if way == "distinct" else []
    kind = d.choice(["set", "set", "add", "subtract", "multiply", "min", "max"])
    value = d.choice(["2.0", f"{x}.ravel()[:1].sum()", "0.0"])
    base = f"jnp.asarray({d.choice([str(x), d.like(x)])})"
    mode = _served(kind, d.choice(["drop", "clip"]))
    if way == "distinct":  # and known: it stays a scatter
        is_one = mode == "clip" and min(places) >= n - 1  # all are moved to the last
        index = f"np.array({places[:1] if is_one else places}, np.int32)"
    elif way == "any" and kind == "multiply":  # JAX differentiates distinct ones only
        index += "[:1]"
    place = ", ".join([":"] * axis + [index])
    unique = ", unique_indices=True" if way != "any" or kind == "multiply" else ""
    return f"{base}.at[{place}].{kind}({value}, mode='{mode}'{unique})"


def whole(d: Draft, x: Value) -> str:
    """A window that fills the operand, at an index that may be out of bounds."""
    if not x.size:
        raise SkipError
    source = d.choice([f"lax.rev({x}, {d.axes(x, 1)})", d.like(x)])
    kind, mode = d.choice(["set", "set", "add"]), d.choice(["drop", "clip"])
    moved = f"jnp.asarray({d.choice([str(x), source])})[None]"
    index = f"{d.index(x, 1)}"
    return (
        f"{moved}.at[{index}].{kind}({d.like(x)}, mode='{mode}', "
        "unique_indices=True)[0]"
    )


OPERATIONS = [gather] * 5 + [scatter] * 5 + [take, take_along, picked, at, at, whole]
