"""What a program costs: operations, bytes, and time by a model of few weights.

The time of an equation is the larger of its operations over a rate and its bytes over
the bandwidth, plus a fixed cost; a scan counts as often as it runs. The weights below
were measured on a CPU by `benchmarks/measure_weights.py`; what matters is their ratios.
"""

import math
from dataclasses import dataclass
from typing import Any

from jnumerics.derivatives._program.jaxpr import inner_jaxprs, open_jaxpr


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


def count(jaxpr: Any, weights: Weights = WEIGHTS) -> Cost:
    """Count a jaxpr."""
    return sum((_equation(eqn, weights) for eqn in open_jaxpr(jaxpr).eqns), Cost())


def _equation(eqn: Any, weights: Weights) -> Cost:
    inner = [count(body, weights) for body in inner_jaxprs(eqn)]
    name = eqn.primitive.name
    if name == "cond":
        return max(inner, key=lambda cost: cost.seconds)
    if inner and not name.startswith(("reduce_window", "scatter")):
        return sum(inner, Cost()).times(eqn.params.get("length", 1))
    moved = sum(size_bytes(v.aval) for v in (*eqn.invars, *eqn.outvars))
    operations, rate = _operations(eqn, weights)
    if name in _FREE or is_view(eqn):
        return Cost(0.0, 0.0, 0.0)
    fixed = 0.0 if name == "transpose" else weights.fixed  # its reader fuses it
    seconds = max(operations / rate, moved / weights.bandwidth) + fixed
    return Cost(float(operations), float(moved), float(seconds))


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


def _operations(eqn: Any, weights: Weights) -> tuple[float, float]:
    name = eqn.primitive.name
    out = _size(eqn.outvars[0].aval) if eqn.outvars else 0  # none of a print
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
        *batch, m, n = eqn.invars[0].aval.shape
        return math.prod(batch) * factoring(m, n), weights.factor
    largest = max([out, *(_size(v.aval) for v in eqn.invars)])
    if name.startswith("scatter"):  # a CPU adds one update after the other
        return float(max(largest, 5 * _size(eqn.invars[2].aval))), weights.elementwise
    return float(largest * (10 if name in _TRANSCENDENTAL else 1)), weights.elementwise


def factoring(m: int, n: int) -> float:
    """Return the operations of a QR factor."""
    return 2.0 * m * n * min(m, n)


def _size(aval: Any) -> int:
    return math.prod(getattr(aval, "shape", ()))


def size_bytes(aval: Any) -> int:
    """Return the bytes of an array."""
    dtype = getattr(aval, "dtype", None)
    return _size(aval) * getattr(dtype, "itemsize", 4)
