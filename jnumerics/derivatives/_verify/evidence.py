"""Figures about a function's derivatives at a point, all of them relative errors.

Callers silence NumPy's warnings: what is not finite is a finding here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jnumerics.derivatives._verify import taylor as _taylor
from jnumerics.derivatives._verify.flat import FlatFunction, Leaf, largest, rounded
from jnumerics.derivatives._verify.taylor import Map, Precision, Remainders

ENTRIES = 6  # rows of the Jacobian whose largest entries both modes compute
PAIRS = 3  # random directions and cotangents
KINK_LOOKS = 8  # times that a kink is looked for where the derivative seems wrong


class Working(NamedTuple):
    """The function in the precision in which it is compared with its derivative."""

    flat: FlatFunction
    eps: float
    is_double: bool
    note: str

    @property
    def limit(self) -> float:
        """How far two ways to the same number may differ."""
        return 4 * self.eps**0.5


@dataclass(frozen=True)
class Taylor:
    """How the derivative describes the function's change at a point.

    All arrays have one element for each output, or, where only reverse mode serves,
    for each of some combinations of outputs.

    Attributes:
        order: The remainder's order, the smallest over directions.
        errors: Errors of J u, the largest over directions; zero where only round-off
            or a kink is seen.
        is_wrong: Whether the derivative is not that of the function.
        is_settled: Whether it is.
        is_still: Whether function and derivative are constant to round-off.
        kinks: Relative differences of one-sided slopes.
        grows: Whether difference quotients grow without bound.
        tolerance: What errors are held to.
    """

    order: float
    errors: np.ndarray
    is_wrong: np.ndarray
    is_settled: np.ndarray
    is_still: np.ndarray
    kinks: np.ndarray
    grows: np.ndarray
    tolerance: float


def product(flat: FlatFunction, mode: str) -> np.ndarray:
    """Evaluate J times a step of x, or by reverse mode its transpose times 1 / f."""
    if mode == "forward":
        sizes = magnitudes(flat.x, flat.in_leaves, each=False)
        return flat.forward(flat.x, rounded(sizes, flat.in_leaves))
    scale = largest(flat.value(flat.x), flat.out_leaves)
    v = 1 / np.where(scale > 0, scale, 1)
    return flat.reverse(flat.x, rounded(v, flat.out_leaves))


def working(flat: FlatFunction, modes: list[str]) -> Working:
    """Take the function in float64, unless it keeps a precision of its own."""
    is_wide = all(eps_of(leaf.dtype.name) < 1e-12 for leaf in flat.in_leaves)
    try:
        wide = flat if is_wide else flat.widened()
        narrow = {d for mode in modes for d in wide.narrow_steps(mode)}
        agrees = _agrees(flat, wide)
    except Exception as error:  # whatever a function does in float64
        reason = str(error).strip().split("\n")[0][:100]
        return Working(flat, flat.eps, False, f"cannot run in float64 ({reason})")
    if narrow:
        eps = max(map(eps_of, narrow))
        return Working(flat, eps, False, f"keeps {', '.join(sorted(narrow))} inside")
    if not agrees:
        return Working(flat, flat.eps, False, "has other values in float64")
    return Working(wide, 2.0**-52, True, "")


def _agrees(flat: FlatFunction, wide: FlatFunction) -> bool:
    limit = min(0.25, 30 * flat.eps**0.5)
    exact = wide.value(wide.x)
    scale = np.maximum(largest(exact, flat.out_leaves), _tiny(flat))
    return _worst(np.abs(flat.value(flat.x) - exact), scale) <= limit


def _tiny(flat: FlatFunction) -> float:
    """Numbers smaller than this may have lost digits to underflow."""
    names = [leaf.dtype.name for leaf in flat.in_leaves + flat.out_leaves]
    return max(float(jnp.finfo(name).tiny) for name in names) / flat.eps


def magnitudes(x: np.ndarray, leaves: list[Leaf], *, each: bool) -> np.ndarray:
    """The size of a step: each element's own, or that of its whole array.

    Zero elements take the array's size, an array of zeros takes 1; infinite ones stay.
    """
    sizes = np.zeros_like(x)
    for leaf in leaves:
        own = leaf.magnitudes(x)
        finite = own[np.isfinite(own)]
        peak = np.max(finite, initial=0)
        typical = peak * np.sqrt(np.mean((finite / peak) ** 2)) if peak > 0 else 1.0
        sizes[leaf.part] = np.where(own > 0, own, typical) if each else typical
    return np.where(np.isfinite(x), sizes, 0)


def direction(
    flat: FlatFunction, rng: np.random.Generator, *, each: bool
) -> np.ndarray:
    """Draw a direction, scaled by the sizes of x."""
    sizes = magnitudes(flat.x, flat.in_leaves, each=each)
    return rounded(sizes * rng.normal(size=flat.x.shape), flat.in_leaves)


def cotangent(
    flat: FlatFunction, values: np.ndarray, rng: np.random.Generator, *, each: bool
) -> np.ndarray:
    """Draw a cotangent that weighs all arrays of `values`, or all elements, equally."""
    scale = largest(values, flat.out_leaves)
    if each:
        scale = np.where(values == 0, scale, np.abs(values))
    weights = 1 / np.where((scale > 0) & np.isfinite(scale), scale, 1)
    return rounded(weights * rng.normal(size=values.shape), flat.out_leaves)


def taylor(work: Working, mode: str, rng: np.random.Generator, x: np.ndarray) -> Taylor:
    """Compare the derivative at x with the function's change in random directions."""
    flat, precision = work.flat, Precision.from_eps(work.eps)
    f, derivative, leaves = _maps(flat, mode, rng, x)

    def look() -> tuple[Remainders, Remainders, Remainders]:
        u, w = (direction(flat, rng, each=each) for each in (False, True))
        arguments = (leaves, precision, flat.rounded)
        along_u, along_w, total = (
            _taylor.measure(f, derivative, x, d, *arguments) for d in (u, w, u + w)
        )
        return along_u, along_w, total

    remainders = look()
    kinks = _taylor.kinks(*remainders)
    is_wrong = np.any([r.is_wrong for r in remainders], axis=0)
    for attempt in range(KINK_LOOKS):  # a kink may not show along all directions
        if not np.any(is_wrong & (kinks == 0)) or (attempt == 3 and not np.any(kinks)):
            break
        kinks = np.maximum(kinks, _taylor.kinks(*look()))
    return _summary(remainders, kinks, leaves)


def _summary(
    remainders: Sequence[Remainders], kinks: np.ndarray, leaves: list[Leaf]
) -> Taylor:
    tolerance = remainders[0].precision.tolerance
    is_right = [r.is_decided & (r.errors <= tolerance) for r in remainders]
    counted = [
        np.where(fits | r.is_wrong, r.errors, 0)
        for r, fits in zip(remainders, is_right, strict=True)
    ]
    return Taylor(
        order=min(r.order(leaves) for r in remainders),
        errors=np.max(counted, axis=0),
        is_wrong=np.any([r.is_wrong for r in remainders], axis=0),
        is_settled=np.any([*is_right, *(r.vanishes for r in remainders)], axis=0),
        is_still=np.all([r.is_still for r in remainders], axis=0),
        kinks=kinks,
        grows=np.any([r.grows for r in remainders], axis=0),
        tolerance=tolerance,
    )


def _maps(
    flat: FlatFunction, mode: str, rng: np.random.Generator, x: np.ndarray
) -> tuple[Map, Map, list[Leaf]]:
    """The function and its derivative at x; in reverse mode, sums of outputs."""
    if mode == "forward":
        return flat.value, lambda u: flat.forward(x, u), flat.out_leaves
    fx = flat.value(x)
    rows = [cotangent(flat, fx, rng, each=each) for each in (False, False, True, True)]
    rows += [unit(len(fx), i) for i in rng.permutation(len(fx))[:ENTRIES].tolist()]
    V = np.stack(rows)
    gradients = np.stack([flat.reverse(x, v) for v in V])
    leaves = [Leaf(k, (), np.dtype("float64")) for k in range(len(V))]
    return lambda y: V @ flat.value(y), lambda u: gradients @ u, leaves


def beside(flat: FlatFunction, rng: np.random.Generator) -> np.ndarray:
    """A point where all elements have moved by a quarter to half of their size."""
    sizes = magnitudes(flat.x, flat.in_leaves, each=True)
    shape = flat.x.shape
    move = sizes * rng.choice([-1, 1], shape) * rng.uniform(0.25, 0.5, shape)
    x = flat.x
    for part in (1, 1 / 16, 1 / 256):
        x = flat.rounded(flat.x + part * move)
        if np.all(np.isfinite(flat.value(x))):
            break
    return x


def adjoint(work: Working, rng: np.random.Generator) -> float:
    """The largest difference of <v, J u> and <J^T v, u>, relative to its terms."""
    flat = work.flat
    fx = np.abs(flat.value(flat.x))
    gaps = []
    for _ in range(PAIRS):
        u = direction(flat, rng, each=False)
        pushed = flat.forward(flat.x, u)
        v = cotangent(flat, pushed, rng, each=False)
        pulled = flat.reverse(flat.x, v)
        terms = np.maximum(np.abs(v) @ np.abs(pushed), np.abs(pulled) @ np.abs(u))
        scale = np.maximum(terms, work.eps**0.5 * (np.abs(v) @ fx))
        gaps.append(_worst(np.abs(v @ pushed - pulled @ u), scale))
    return max(gaps)


def entries(work: Working, rng: np.random.Generator) -> float:
    """The largest difference of entries of J by forward and by reverse mode.

    Some rows by reverse mode, and the columns of their largest entries by forward mode.
    """
    flat = work.flat
    fx = flat.value(flat.x)
    m, n = len(fx), len(flat.x)
    chosen = rng.permutation(m)[:ENTRIES].tolist()
    rows = np.stack([flat.reverse(flat.x, unit(m, i)) for i in chosen])
    picked = np.unique(np.argmax(np.abs(rows), axis=1)).tolist()
    columns = np.stack([flat.forward(flat.x, unit(n, j)) for j in picked], axis=1)
    by_reverse, by_forward = rows[:, picked], columns[chosen]
    row, column = np.max(np.abs(rows), axis=1), np.max(np.abs(columns), axis=0)
    sizes = magnitudes(flat.x, flat.in_leaves, each=False)[picked]
    buried = work.eps**0.5 * np.abs(fx[chosen])[:, None] / np.where(sizes > 0, sizes, 1)
    scale = np.maximum(np.minimum(row[:, None], column), buried)
    return _worst(np.abs(by_reverse - by_forward), scale)


def precision_loss(
    flat: FlatFunction, wide: FlatFunction, mode: str, rng: np.random.Generator
) -> tuple[float, float]:
    """The derivative's difference to float64, and what the function's condition allows.

    Round-off in the arguments alone moves the derivative by some amount, and the value
    shows what the program loses; the derivative may lose a multiple of either.
    """
    fx, sizes = wide.value(wide.x), magnitudes(flat.x, flat.in_leaves, each=False)
    if mode == "forward":
        vector, leaves = direction(flat, rng, each=False), flat.out_leaves
        buried = np.abs(fx)
    else:
        vector, leaves = cotangent(flat, fx, rng, each=False), flat.in_leaves
        buried = (np.abs(vector) @ np.abs(fx)) / np.where(sizes > 0, sizes, np.inf)
    exact = getattr(wide, mode)(wide.x, vector)
    buried = np.maximum(flat.eps**0.5 * largest(buried, leaves), _tiny(flat))
    scale = np.maximum(largest(exact, leaves), buried)
    loss = _worst(np.abs(getattr(flat, mode)(flat.x, vector) - exact), scale)
    fx_scale = np.maximum(largest(fx, flat.out_leaves), _tiny(flat))
    value_loss = _worst(np.abs(flat.value(flat.x) - fx), fx_scale)
    sensitivity = value_loss / 16
    for _ in range(PAIRS):
        moved = wide.x * (1 + flat.eps * rng.choice([-1, 1], wide.x.shape))
        near = getattr(wide, mode)(moved, vector)
        sensitivity = max(sensitivity, _worst(np.abs(near - exact), scale))
    return loss, max(min(16 * flat.eps**0.5, 0.5), 64 * sensitivity)


def _worst(
    difference: np.ndarray | np.floating, scale: np.ndarray | np.floating
) -> float:
    """The largest relative difference; infinite where one is not finite."""
    parts, wholes = np.broadcast_arrays(difference, scale)
    relative = np.divide(parts, wholes, out=np.zeros(parts.shape), where=parts != 0)
    return float(np.max(np.where(np.isfinite(relative), relative, np.inf), initial=0))


def unit(n: int, k: int) -> np.ndarray:
    """The vector of length n that is one at k."""
    return np.eye(1, n, k)[0]


def eps_of(dtype: str) -> float:
    """The unit round-off of a dtype."""
    return float(jnp.finfo(dtype).eps)
