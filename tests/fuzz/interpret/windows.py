"""Windows that slide: pooling and its derivatives."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tests.fuzz.interpret.core import Eqn, Function, Interpreter, evaluator, shape_of
from tests.fuzz.interpret.movement import padded


class Window:
    """The taps of a window over a padded array.

    Args:
        eqn: An equation with a window among its parameters.
        out: The shape of what the window makes.
    """

    def __init__(self, eqn: Eqn, out: Sequence[int]) -> None:
        p, rank = eqn.params, len(out)
        self.size = tuple(map(int, p["window_dimensions"]))
        self.strides = tuple(map(int, p["window_strides"]))
        self.base = tuple(p.get("base_dilation", (1,) * rank))
        self.dilation = tuple(p.get("window_dilation", (1,) * rank))
        self.padding = [tuple(map(int, pair)) for pair in p["padding"]]
        self.out = tuple(out)

    def pad(self, x: Any, value: Any) -> Any:
        """Pad and dilate an array."""
        config = [
            (low, high, int(base) - 1)
            for (low, high), base in zip(self.padding, self.base, strict=True)
        ]
        return padded(x, value, config)

    def taps(self) -> Iterator[tuple[slice, ...]]:
        """Yield, for each tap, where it reads for every position of the window."""
        for tap in np.ndindex(*self.size):
            yield tuple(
                slice(k * d, k * d + (n - 1) * s + 1, s) if n else slice(0, 0)
                for k, d, n, s in zip(
                    tap, self.dilation, self.out, self.strides, strict=True
                )
            )


def _identity(name: str, dtype: Any) -> Any:
    if name.endswith("sum"):
        return np.zeros((), dtype)
    sign = -1 if name.endswith("max") else 1
    if dtype.kind in "fc":
        return np.array(sign * np.inf, dtype)
    if dtype.kind == "b":
        return np.array(sign > 0)
    bounds = np.iinfo(dtype)
    return np.array(bounds.max if sign > 0 else bounds.min, dtype)


_POOLS: dict[str, Callable[..., Any]] = {
    "reduce_window_sum": np.add,
    "reduce_window_max": np.maximum,
    "reduce_window_min": np.minimum,
}


@evaluator(*_POOLS)
def _(eqn: Eqn) -> Function:
    name, aval = eqn.primitive.name, eqn.outvars[0].aval
    window, combine = Window(eqn, aval.shape), _POOLS[name]
    start = _identity(name, aval.dtype)

    def fun(x: Any) -> Any:
        x, pooled = window.pad(x, start), np.full(aval.shape, start)
        for tap in window.taps():
            pooled = combine(pooled, x[tap])
        return pooled

    return fun


@evaluator("reduce_window")
def _(eqn: Eqn) -> Function:
    window = Window(eqn, shape_of(eqn.outvars[0]))
    n = len(eqn.invars) // 2
    body = Interpreter(_with_consts(eqn))

    def fun(*operands: Any) -> Any:
        starts = operands[n:]
        xs = [window.pad(x, s) for x, s in zip(operands[:n], starts, strict=True)]
        reduced = [np.full(window.out, s) for s in starts]
        for tap in window.taps():
            reduced = body(*reduced, *(x[tap] for x in xs))
        return [*map(np.asarray, reduced)]

    return fun if eqn.primitive.multiple_results else lambda *xs: fun(*xs)[0]


def _with_consts(eqn: Eqn) -> Any:
    jaxpr, consts = eqn.params["jaxpr"], eqn.params.get("consts", ())
    assert not consts, "constants in a window's function"
    return jaxpr


@evaluator("select_and_gather_add")
def _(eqn: Eqn) -> Function:
    aval = eqn.outvars[0].aval
    window = Window(eqn, aval.shape)
    is_max = eqn.params["select_prim"].name == "ge"

    def fun(tangent: Any, operand: Any) -> Any:
        start = np.array(-np.inf if is_max else np.inf, operand.dtype)
        moved, x = window.pad(tangent, 0), window.pad(operand, start)
        best = np.full(aval.shape, start)
        picked = np.zeros(aval.shape, aval.dtype)
        for tap in window.taps():
            keeps = best >= x[tap] if is_max else best <= x[tap]
            best = np.where(keeps, best, x[tap])
            picked = np.where(keeps, picked, moved[tap])
        return picked

    return fun


@evaluator("select_and_scatter_add")
def _(eqn: Eqn) -> Function:
    source, aval = shape_of(eqn.invars[0]), eqn.outvars[0].aval
    window = Window(eqn, source)
    is_max = eqn.params["select_prim"].name == "ge"

    def fun(cotangent: Any, operand: Any) -> Any:
        start = np.array(-np.inf if is_max else np.inf, operand.dtype)
        x = window.pad(operand, start)
        number = window.pad(np.arange(operand.size).reshape(operand.shape), -1)
        best, chosen = np.full(source, start), np.full(source, -1)
        for tap in window.taps():
            there = number[tap] >= 0
            better = x[tap] > best if is_max else x[tap] < best
            takes = there & (better | (chosen < 0))
            best = np.where(takes, x[tap], best)
            chosen = np.where(takes, number[tap], chosen)
        scattered = np.zeros(operand.size, aval.dtype)
        hit = chosen >= 0
        np.add.at(scattered, chosen[hit], cotangent[hit])
        return scattered.reshape(aval.shape)

    return fun
