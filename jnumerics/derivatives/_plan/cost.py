"""What a program costs: operations, bytes, and time by a model of few weights.

The time of an equation is the larger of its operations over a rate and its bytes over
the bandwidth, plus a fixed cost; a scan counts as often as it runs. The weights below
were measured on a CPU by `benchmarks/measure_weights.py`; what matters is their ratios.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from jnumerics.derivatives._program.jaxpr import (
    Var,
    inner_jaxprs,
    is_var,
    open_jaxpr,
    scan_roles,
)


@dataclass(frozen=True)
class Weights:
    """Rates of one platform.

    Attributes:
        product: Operations a second in matrix products.
        convolution: Operations a second in convolutions.
        factor: Operations a second in QR.
        elementwise: Operations a second elsewhere.
        bandwidth: Bytes a second between memory and processor.
        fixed: Seconds an equation costs whatever its size.
    """

    product: float = 6e10
    convolution: float = 3e10
    factor: float = 8e9
    elementwise: float = 1.5e9
    bandwidth: float = 1e10
    fixed: float = 3e-7


WEIGHTS = Weights()


@dataclass(frozen=True)
class Cost:
    """Operations, bytes moved and predicted seconds."""

    operations: float = 0.0
    bytes: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.operations + other.operations,
            self.bytes + other.bytes,
            self.seconds + other.seconds,
        )

    def times(self, n: int | float) -> "Cost":
        """Return the cost of doing it n times."""
        return Cost(n * self.operations, n * self.bytes, n * self.seconds)


_VIEWS = {"reshape", "squeeze", "broadcast_in_dim", "split", "transpose"}
_FREE = {"reshape", "squeeze", "broadcast_in_dim", "iota", "copy", "stop_gradient"}
_TRANSCENDENTAL = {
    "exp", "log", "tanh", "sin", "cos", "logistic", "erf", "pow", "div", "sqrt",
}  # fmt: skip


def count(
    jaxpr: Any,
    weights: Weights = WEIGHTS,
    *,
    batched: Iterable[Var] = (),
    size: int = 1,
) -> Cost:
    """Count a jaxpr, as it is or as `jax.vmap` would make it.

    Args:
        jaxpr: The program.
        weights: The rates.
        batched: What has an axis of a batch, as all has that depends on it.
        size: The length of that axis.
    """
    batch = _Batch(set(batched), size)
    return sum((_equation(e, weights, batch) for e in open_jaxpr(jaxpr).eqns), Cost())


@dataclass(frozen=True)
class _Batch:
    """What has an axis of a batch: more variables from equation to equation."""

    variables: set[Var]
    length: int

    def enter(self, eqn: Any) -> None:
        """Add the results of an equation that reads any of them."""
        if any(map(self.holds, eqn.invars)):
            self.variables.update(eqn.outvars)

    def holds(self, v: Any) -> bool:
        """Whether a value is among them."""
        return is_var(v) and v in self.variables

    def size(self, v: Any) -> int:
        """Return the entries of a value."""
        return _size(v.aval) * (self.length if self.holds(v) else 1)

    def bytes(self, v: Any) -> int:
        """Return the bytes of a value."""
        return self.size(v) * _item_bytes(v.aval)

    def inside(self, eqn: Any, body: Any) -> list[Var]:
        """Return which inputs of an equation's body are batched.

        A body reads the last operands of its equation; a kernel all of them, and its
        results behind; a loop's condition other constants, on which little depends.
        What a loop carries is batched if it is so at its start, or after any step.
        """
        inputs, operands = open_jaxpr(body).invars, eqn.invars
        outer = operands[max(len(operands) - len(inputs), 0) :]
        pairs = list(zip(inputs, outer, strict=False))
        inner = _Batch({v for v, operand in pairs if self.holds(operand)}, self.length)
        carried, before = _carried(eqn, open_jaxpr(body)), 0
        while len(inner.variables) > before:
            before = len(inner.variables)
            for e in open_jaxpr(body).eqns if carried else ():
                inner.enter(e)
            inner.variables.update(v for v, end in carried if inner.holds(end))
        return [v for v in inputs if v in inner.variables]


def _carried(eqn: Any, body: Any) -> list[tuple[Any, Any]]:
    """Return what a loop's body carries: each with what it is after a step."""
    name, outputs = eqn.primitive.name, body.outvars
    if name == "scan":
        roles = scan_roles(eqn)
        inputs = body.invars[roles.n_consts : roles.n_whole]
        return list(zip(inputs, outputs[: roles.n_carry], strict=True))
    if name == "while" and len(outputs) == len(eqn.outvars):
        return list(zip(body.invars[-len(outputs) :], outputs, strict=True))
    return []


def _equation(eqn: Any, weights: Weights, batch: _Batch) -> Cost:
    batch.enter(eqn)
    name = eqn.primitive.name
    inner = [
        count(body, weights, batched=batch.inside(eqn, body), size=batch.length)
        for body in inner_jaxprs(eqn)
    ]
    if name == "cond":
        return max(inner, key=lambda cost: cost.seconds)
    if inner and not name.startswith(("reduce_window", "scatter")):
        return sum(inner, Cost()).times(eqn.params.get("length", 1))
    if name in _FREE or is_view(eqn):
        return Cost(0.0, 0.0, 0.0)
    moved = sum(batch.bytes(v) for v in (*eqn.invars, *eqn.outvars))
    operations, rate = _operations(eqn, weights, batch.size)
    fixed = 0.0 if name == "transpose" else weights.fixed  # its reader fuses it
    seconds = max(operations / rate, moved / weights.bandwidth) + fixed
    return Cost(float(operations), float(moved), float(seconds))


def elementwise(operations: int, moved: int, fixed: float = WEIGHTS.fixed) -> Cost:
    """Count one equation that works element by element."""
    seconds = max(operations / WEIGHTS.elementwise, moved / WEIGHTS.bandwidth) + fixed
    return Cost(float(operations), float(moved), seconds)


def is_view(eqn: Any) -> bool:
    """Whether an equation gives its operand another shape, and no more.

    A transpose does where it moves none but axes of one entry.
    """
    if eqn.primitive.name not in _VIEWS or len(eqn.outvars) > 1:
        return False
    operand, result = eqn.invars[0].aval, eqn.outvars[0].aval
    if eqn.primitive.name == "transpose":
        order = [k for k in eqn.params["permutation"] if operand.shape[k] != 1]
        return order == sorted(order)
    return size_bytes(operand) == size_bytes(result)


def _operations(
    eqn: Any, weights: Weights, size: Callable[[Any], int]
) -> tuple[float, float]:
    name = eqn.primitive.name
    out = size(eqn.outvars[0]) if eqn.outvars else 0  # none of a print
    if name == "dot_general":
        (contracted, _), _ = eqn.params["dimension_numbers"]
        shape = eqn.invars[0].aval.shape
        return 2.0 * out * math.prod(shape[k] for k in contracted), weights.product
    if name == "conv_general_dilated":
        kernel = eqn.invars[1].aval
        features = kernel.shape[eqn.params["dimension_numbers"].rhs_spec[0]]
        window = _size(kernel) / max(features, 1)
        return 2.0 * out * window, weights.convolution
    if name == "qr":
        *_, m, n = eqn.invars[0].aval.shape
        batch = size(eqn.invars[0]) // max(m * n, 1)
        return batch * factoring(m, n), weights.factor
    largest = max([out, *map(size, eqn.invars)])
    if name.startswith("scatter"):  # a CPU adds one update after the other
        return float(max(largest, 5 * size(eqn.invars[2]))), weights.elementwise
    return float(largest * (10 if name in _TRANSCENDENTAL else 1)), weights.elementwise


def factoring(m: int, n: int) -> float:
    """Return the operations of a QR factor."""
    return 2.0 * m * n * min(m, n)


def _size(aval: Any) -> int:
    return math.prod(getattr(aval, "shape", ()))


def size_bytes(aval: Any) -> int:
    """Return the bytes of an array."""
    return _size(aval) * _item_bytes(aval)


def _item_bytes(aval: Any) -> int:
    return getattr(getattr(aval, "dtype", None), "itemsize", 4)
