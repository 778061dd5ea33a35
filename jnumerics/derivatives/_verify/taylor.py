"""Does a derivative describe how its function changes? Without a step to choose.

The Taylor remainder f(x + h u) - f(x) - h J u shrinks as h^2 when J is right, as h
when it is wrong, as h too at a kink, and not at all at a jump; below some h it drowns
in round-off. So it is looked at for all h = 2^-k at once, element by element:

- the error of J u is the smallest that three successive steps agree on, as far as
  round-off lets them resolve it;
- the order is the slope of log remainder against log h where it exceeds round-off;
- a kink is what three successive resolved steps show in the same size: one-sided
  slopes that differ, or slopes along u, w and u + w that do not add up.

The steps are those that floating-point numbers take, (x + h u) - x, so that large x
loses nothing. The middle of the two one-sided remainders is a central difference, whose
error is h^2 times a third derivative.

Quotients that are not finite are data here: callers silence NumPy's warnings.

Reference:
    Moré & Wild (2011), "Estimating computational noise", SIAM J. Sci. Comput. 33(3),
    on round-off in differences.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from jnumerics.derivatives._verify.flat import Leaf, largest

SAFETY = 8  # units of round-off that an evaluation may be off by
DOUBLE = 1e-12  # unit round-offs below this are those of double precision
WINDOW = 3  # successive steps that have to agree
PLATEAU = slice(-5, -2)  # steps at which remainders in double precision are round-off
JUMP = 1e-6  # the part of f that counts as a jump, above what round-off may hide

Map = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Precision:
    """What the working precision can tell.

    Attributes:
        eps: The unit round-off.
        factor: The ratio of successive steps.
        steps: The steps h, decreasing.
        tolerance: The largest relative error of a right derivative.
        resolution: Round-off in a difference quotient, relative to the slope, up to
            which a step counts.
        floor: Slopes below this part of an array's largest are compared with that part.
        kink: The smallest relative difference of one-sided slopes called a kink.
    """

    eps: float
    factor: float
    steps: np.ndarray
    tolerance: float
    resolution: float
    floor: float
    kink: float

    @property
    def is_double(self) -> bool:
        """Whether round-off is that of double precision."""
        return self.eps < DOUBLE

    @classmethod
    def from_eps(cls, eps: float) -> "Precision":
        """Choose for a unit round-off; below double, hidden round-off is likelier."""
        if eps < DOUBLE:
            steps = 2.0 ** -np.arange(2, 51, 3)
            return cls(eps, 8.0, steps, 1e-5, 1e-3, 0.0, 1e-3)
        last = int(-0.56 * np.log2(eps))
        steps = 2.0 ** -np.arange(1, max(last, 4) + 1)
        tolerance = min(0.25, 80 * eps ** (2 / 3))
        return cls(eps, 2.0, steps, tolerance, 0.02, 0.1, 0.02)


@dataclass(frozen=True)
class Remainders:
    """Remainders along one direction, divided by h: errors of the slope.

    Attributes:
        slope: J u for each output, shape (m,).
        ahead: (f(x + h u) - f(x)) / h - J u, shape (steps, m).
        behind: (f(x) - f(x - h u)) / h - J u.
        noise: Round-off in these quotients.
        reference: What an error is relative to: the larger of J u and the quotients.
        least_jump: The least change of each output that counts as a jump.
        precision: The working precision.
    """

    slope: np.ndarray
    ahead: np.ndarray
    behind: np.ndarray
    noise: np.ndarray
    reference: np.ndarray
    least_jump: np.ndarray
    precision: Precision

    @property
    def middle(self) -> np.ndarray:
        """Errors of the central quotient; of the one side that is finite, if one is."""
        both = (self.ahead + self.behind) / 2
        one = np.where(np.isfinite(self.ahead), self.ahead, self.behind)
        return np.where(np.isfinite(both), both, one)

    @property
    def gap(self) -> np.ndarray:
        """How much the one-sided quotients differ."""
        return np.abs(self.ahead - self.behind)

    @property
    def is_resolved(self) -> np.ndarray:
        """Where a step is large enough to stand out of round-off, shape (steps, m)."""
        limit = self.precision.resolution * self.reference
        return np.isfinite(self.middle) & (self.noise <= limit)

    @property
    def is_decided(self) -> np.ndarray:
        """Which outputs change by more than round-off."""
        return _windows(self.is_resolved).all(1).any(0)

    @property
    def is_still(self) -> np.ndarray:
        """Which outputs' slopes are as small as round-off over a step of h = 1."""
        return np.abs(self.slope) <= self.noise[0] * self.precision.steps[0]

    @property
    def errors(self) -> np.ndarray:
        """The relative error of each output's slope, as small as steps agree on."""
        error = np.maximum(np.abs(self.middle) - self.noise, 0)
        relative = np.divide(
            error, self.reference, out=np.zeros_like(error), where=error > 0
        )
        relative = np.where(np.isfinite(self.middle), relative, np.inf)
        resolved = _windows(self.is_resolved).all(1)
        windows = _windows(relative).max(1)
        return np.min(windows, axis=0, initial=np.inf, where=resolved)

    @property
    def is_wrong(self) -> np.ndarray:
        """Which slopes are off by the same amount at three successive steps.

        Not by the bend of the function, which changes with h, nor by a kink, at or
        near x, which makes the one-sided errors differ by an amount that does not.
        """
        two_sided = np.isfinite(self.gap)
        if self.precision.is_double:  # at the border of its domain, one side serves
            two_sided |= ~(two_sided & self.is_resolved).any(0)
        error, gap = np.abs(self.middle), np.where(np.isfinite(self.gap), self.gap, 0)
        beyond = error - self.noise > self.precision.tolerance * self.reference
        counts = _windows(self.is_resolved & two_sided & beyond).all(1)
        errors, gaps = _windows(error), _windows(gap)
        is_steady = errors.min(1) > 0.6 * errors.max(1)
        signs = _windows(np.sign(self.middle))
        has_one_sign = np.abs(signs.sum(1)) == WINDOW
        bends = gaps[:, -1] <= 1.3 * gaps[:, 0] / self.precision.factor ** (WINDOW - 1)
        is_smooth = bends | (gaps.max(1) <= 0.5 * errors.min(1))
        is_off = np.any(counts & is_steady & has_one_sign & is_smooth, axis=0)
        return is_off & (self.errors > self.precision.tolerance)

    @property
    def vanishes(self) -> np.ndarray:
        """Which errors shrink with h though the slope does too, as of x^3 at 0."""
        errors, last = _smallest_resolved(np.abs(self.middle), self.is_resolved)
        shrinks = (errors[1] < 0.6 * errors[0]) & (errors[2] < 0.6 * errors[1])
        return shrinks & (errors[-1] > 0.1 * _at(self.reference, last))

    @property
    def grows(self) -> np.ndarray:
        """Which quotients grow without bound: at jumps and vertical slopes."""
        side = np.fmax(np.abs(self.ahead), np.abs(self.behind))
        sides, last = _smallest_resolved(side, self.is_resolved & np.isfinite(side))
        growth = (sides[1] > 1.3 * sides[0]) & (sides[2] > 1.3 * sides[1])
        steep = growth & (sides[-1] > 0.3 * _at(self.reference, last))
        remainder = (side * self.precision.steps[:, None])[PLATEAU]
        is_level = remainder.min(0) > 0.7 * remainder.max(0)
        return steep | (is_level & (remainder.max(0) > self.least_jump))

    def order(self, out_leaves: list[Leaf]) -> float:
        """Estimate the slope of log remainder against log h, infinite for none."""
        steps, factor = self.precision.steps, self.precision.factor
        side = np.where(np.isfinite(self.ahead), self.ahead, self.behind)
        weights = largest(self.slope, out_leaves)
        weights = np.where(weights > 0, weights, largest(side[0], out_leaves))
        weights = np.where(weights > 0, weights, 1)
        size = steps * np.max(np.abs(side) / weights, axis=1, initial=0)
        if not np.all(np.isfinite(size[-WINDOW:])):
            return np.nan
        rounding = steps * np.max(self.noise / weights, axis=1, initial=0)
        rounding = max(rounding.max(), size[-WINDOW:].max())
        good = np.flatnonzero(np.isfinite(size) & (size > 30 * rounding))
        pairs = [k for k in good if k + 1 in good]
        if not pairs:
            return np.inf
        ends = size[good[-1] + 1] < size[good[-1]] * factor**-3.5
        slopes = [np.log(size[k] / size[k + 1]) / np.log(factor) for k in pairs[-3:]]
        return np.inf if ends else float(np.median(slopes))


def measure(
    f: Map,
    derivative: Map,
    x: np.ndarray,
    u: np.ndarray,
    out_leaves: list[Leaf],
    precision: Precision,
    rounded: Map,
) -> Remainders:
    """Take the remainders along u; `rounded` gives the vector that f really sees."""
    fx, slope = f(x), derivative(u)
    ahead, behind, sizes = [], [], []
    for h in precision.steps:
        for sign, quotients in ((1, ahead), (-1, behind)):
            moved = rounded(x + sign * h * u)
            step = np.where(np.isfinite(x), moved - x, 0)
            is_taken = step.any() or not u.any()
            fy = f(moved) if is_taken else np.full_like(fx, np.nan)
            quotients.append(sign * (fy - fx - derivative(step)) / h)
            sizes.append(np.where(np.isfinite(fy), np.abs(fy), 0))
    ahead, behind = np.stack(ahead), np.stack(behind)
    sizes = np.max(np.reshape(sizes, (-1, 2, len(fx))), axis=1)
    noise = _noise(np.maximum(sizes, np.abs(fx)), ahead, behind, out_leaves, precision)
    both = np.abs([slope + ahead, slope + behind])
    reference = np.max(np.where(np.isfinite(both), both, 0), axis=0)
    least = np.maximum(np.abs(slope), precision.floor * largest(slope, out_leaves))
    reference = np.maximum(reference, least)
    size = sizes.max(0)  # round-off may be that of other outputs
    jump = np.maximum(JUMP * size, SAFETY * precision.eps * largest(size, out_leaves))
    return Remainders(slope, ahead, behind, noise, reference, jump, precision)


def _noise(
    sizes: np.ndarray,
    ahead: np.ndarray,
    behind: np.ndarray,
    out_leaves: list[Leaf],
    precision: Precision,
) -> np.ndarray:
    """Round-off in the quotients, from the sizes of f and from what is seen of it."""
    steps = precision.steps[:, None]
    if not precision.is_double:
        sizes = np.stack([largest(row, out_leaves) for row in sizes])
        return SAFETY * precision.eps * sizes / steps
    observed = np.fmax(np.abs(ahead), np.abs(behind)) * steps
    observed = np.where(np.isfinite(observed), observed, 0)[PLATEAU].max(0)
    return np.maximum(SAFETY * precision.eps * sizes, 2 * observed) / steps


def kinks(one: Remainders, two: Remainders, total: Remainders) -> np.ndarray:
    """The relative size of each output's kink, zero where there is none.

    Slopes along u, -u, w, -w and u + w are compared; `total` is the last's.
    """
    three = (one, two, total)
    gaps = [r.gap for r in three]
    gaps.append(np.abs(total.ahead - one.ahead - two.ahead))
    references = [r.reference for r in three]
    references.append(np.max(references, axis=0))
    noises = [r.noise for r in three]
    noises.append(np.sum(noises, axis=0))
    sizes = [
        _lasting(g, n, r, one.precision)
        for g, n, r in zip(gaps, noises, references, strict=True)
    ]
    return np.max(sizes, axis=0, initial=0)


def _lasting(
    gap: np.ndarray, noise: np.ndarray, reference: np.ndarray, precision: Precision
) -> np.ndarray:
    """The relative gap where the smallest resolved steps show it in the same size."""
    resolved = np.isfinite(gap) & (noise <= precision.resolution * reference)
    gaps, last = _smallest_resolved(gap, resolved)
    lasts = (gaps.min(0) > 0.7 * gaps.max(0)) & np.isfinite(gaps).all(0)
    relative = np.where(lasts, gaps[-1] / _at(reference, last), 0)
    return np.where(relative > precision.kink, relative, 0)


def _smallest_resolved(
    values: np.ndarray, resolved: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The values at the last WINDOW resolved steps; NaN where there are fewer."""
    together = _windows(resolved).all(1)
    n = len(together)
    last = n - 1 - np.argmax(together[::-1], axis=0)
    chosen = [_at(values, last + k) for k in range(WINDOW)]
    return np.where(together.any(0), chosen, np.nan), last + WINDOW - 1


def _at(values: np.ndarray, step: np.ndarray) -> np.ndarray:
    return np.take_along_axis(values, step[None], axis=0)[0]


def _windows(values: np.ndarray) -> np.ndarray:
    """Successive rows, shape (windows, WINDOW, m)."""
    n = len(values) - WINDOW + 1
    return np.stack([values[k : k + n] for k in range(WINDOW)], axis=1)
