"""Gradient descent beside a loop in NumPy; least squares beside NumPy, scikit-learn."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.linear_model import LinearRegression

from benchmarks._measure import Bench, Here, at_least
from jnumerics import linear_regression
from jnumerics.workbench import originals


def gradient_descent(bench: Bench) -> None:
    """Gradient descent on a million rows."""
    rows, steps, part = (50_000 if bench.is_quick else 1_000_000), 1_000, 20
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, 10))
    y = X @ np.arange(10.0) + rng.normal(size=rows)
    loop, ours = f"NumPy loop, {part} of {steps:,} iterations", "gradient_descent"
    with jax.enable_x64(True):
        on_device = jnp.asarray(X), jnp.asarray(y)
        race = bench.race(
            {
                loop: Here(
                    lambda: originals.gradient_descent(
                        X, y, np.zeros(10), rate=0.01, steps=part
                    ),
                    view=lambda result: result[1],
                ),
                ours: Here(
                    lambda: linear_regression.gradient_descent(
                        *on_device, jnp.zeros(10), learning_rate=0.01, steps=steps
                    ),
                    view=lambda result: result.cost_history[:part],
                ),
            },
            scales={loop: steps / part},
            seconds=8,
            same=1e-9,
        )
    bench.compare(
        f"gradient descent {rows:,} x 10, {steps:,} iterations, float64: NumPy loop "
        "over ours",
        at_least(100), race, loop, ours,
        f"the loop's time is that of {part} iterations, multiplied",
    )  # fmt: skip


def least_squares(bench: Bench) -> None:
    """Least squares, tall and ill-conditioned."""
    X, y = _ill_conditioned(2_000 if bench.is_quick else 20_000, 50)
    model = LinearRegression(fit_intercept=False)
    numpy, sklearn, ours = "np.linalg.lstsq", "LinearRegression", "solve 20,000 x 50"
    with jax.enable_x64(True):
        on_device = jnp.asarray(X), jnp.asarray(y)
        race = bench.race(
            {
                numpy: Here(lambda: np.linalg.lstsq(X, y), view=lambda r: r[0]),
                sklearn: Here(lambda: model.fit(X, y), view=lambda m: m.coef_.copy()),
                ours: lambda: linear_regression.solve(*on_device),
            },
            same=1e-6,
        )
    what = "least squares 20,000 x 50, condition 1e6, float64"
    for rival in (numpy, sklearn):
        bench.compare(f"{what}: {rival} over ours", at_least(1), race, rival, ours)


def _ill_conditioned(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a matrix with singular values from 1 down to 1e-6, and targets."""
    rng = np.random.default_rng(0)
    left, _ = np.linalg.qr(rng.normal(size=(rows, columns)))
    right, _ = np.linalg.qr(rng.normal(size=(columns, columns)))
    X = left * np.geomspace(1, 1e-6, columns) @ right.T
    return X, X @ rng.normal(size=columns) + 1e-6 * rng.normal(size=rows)


BENCHMARKS: Mapping[str, Callable[[Bench], None]] = {
    "linear_regression": gradient_descent,
    "least_squares": least_squares,
}
