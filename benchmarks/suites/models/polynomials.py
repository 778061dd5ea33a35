"""Polynomials with matrices for coefficients, beside NumPy and SciPy."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.interpolate import BarycentricInterpolator, KroghInterpolator

from benchmarks._measure import Bench, Here, Target, at_least, at_most, usual_s
from jnumerics import polynomial
from jnumerics.workbench import originals

SHAPE = (60, 60)  # 3,600 polynomials


def polynomial_fit(bench: Bench) -> None:
    """Fits through 12 and 64 nodes, values between nodes, and a first call."""
    nodes = np.linspace(0.1, 1.2, 12)
    values = np.random.default_rng(0).uniform(size=(12, *SHAPE))
    rounding = np.finfo(float).eps * np.linalg.cond(np.vander(nodes))
    ours = _race_fits(bench, nodes, values, at_least(1.2), same=rounding)
    many = _chebyshev(64)  # condition 1e24: float64 keeps few digits of the values
    _race_fits(bench, many, _smooth(many), at_least(0.6), same=0.1)
    exact = _exact_fit(nodes, values[:, 0])
    errors = [
        np.max(np.abs(estimate - exact) / np.abs(exact))
        for estimate in (ours[:, 0], _recurrences(nodes, values[:, 0]))
    ]
    bench.report(
        "its coefficients' largest relative error, over that of the recurrences in "
        "NumPy",
        at_most(10),
        errors[0] / errors[1],
        f"{errors[0]:.1e}",
    )
    _first_fit(bench)


def _chebyshev(n: int) -> np.ndarray:
    return np.cos(np.pi * (np.arange(n) + 0.5) / n)


def _smooth(nodes: np.ndarray) -> np.ndarray:
    """Sample 3,600 smooth functions, whose coefficients are no noise."""
    rates = np.linspace(0.5, 1.5, int(np.prod(SHAPE))).reshape(SHAPE)
    return np.exp(nodes[:, None, None] * rates)


def _race_fits(
    bench: Bench, nodes: Any, values: Any, target: Target, *, same: float
) -> np.ndarray:
    n = len(nodes)
    numpy, ours = f"np.linalg.solve, {n} nodes", f"polynomial.fit ({n},60,60)"

    def at_the_nodes(coefficients: Any) -> Any:  # what both must have in common
        flat = np.asarray(coefficients).reshape(n, -1)
        return np.vander(nodes, increasing=True) @ flat

    with jax.enable_x64(True):
        on_device = jnp.asarray(nodes), jnp.asarray(values)
        race = bench.race(
            {
                numpy: Here(
                    lambda: originals.polynomial_fit(nodes, values), at_the_nodes
                ),
                ours: Here(lambda: polynomial.fit(*on_device), at_the_nodes),
            },
            same=same,
        )
        fitted = np.asarray(polynomial.fit(*on_device))
    what = f"polynomial fit ({n},60,60), float64: np.linalg.solve over ours"
    bench.compare(what, target, race, numpy, ours)
    return fitted


def between_nodes(bench: Bench) -> None:
    """3,600 polynomials of 12 nodes at 100 places, beside SciPy's interpolators."""
    nodes, y = _chebyshev(12), np.linspace(-0.95, 0.97, 100)
    values, ours = _smooth(nodes), "polynomial.interpolate"
    scipy = {
        kind.__name__: lambda kind=kind: kind(nodes, values)(y)
        for kind in (BarycentricInterpolator, KroghInterpolator)
    }
    with jax.enable_x64(True):
        on_device = [jnp.asarray(a) for a in (nodes, values, y)]
        mine = {ours: lambda: polynomial.interpolate(*on_device)}
        race = bench.race(mine | scipy, same=1e-9)
    what = "polynomials (12,60,60) at 100 places, float64"
    for name in scipy:
        bench.compare(f"{what}: {name} over ours", at_least(1.5), race, name, ours)


def _first_fit(bench: Bench) -> None:
    nodes, values = jnp.linspace(-1.0, 1.0, 64), jnp.ones((64, 8, 8))

    def fit_first() -> jax.Array:
        jax.clear_caches()
        return polynomial.fit(nodes, values)

    seconds = usual_s(fit_first, 2 if bench.is_quick else 5)
    what = "polynomial fit, first call with 64 nodes, compilation included"
    bench.report(what, at_most(0.5, "s"), seconds)


def _recurrences(nodes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Björck and Pereyra's, in NumPy; in rational numbers as well."""
    x, c, n = nodes, np.array(values), len(nodes)
    for k in range(1, n):
        for i in range(n - 1, k - 1, -1):
            c[i] = (c[i] - c[i - 1]) / (x[i] - x[i - k])
    for k in range(n - 2, -1, -1):
        for i in range(k, n - 1):
            c[i] = c[i] - x[k] * c[i + 1]
    return c


def _exact_fit(nodes: np.ndarray, values: np.ndarray) -> np.ndarray:
    exact = np.vectorize(lambda v: Fraction(float(v)), otypes=[object])
    return _recurrences(exact(nodes), exact(values)).astype(float)


BENCHMARKS: Mapping[str, Callable[[Bench], None]] = {
    "matrix_polynomial": polynomial_fit,
    "interpolation": between_nodes,
}
