"""Five systems, beside the NumPy programs they grew from and beside plain JAX."""

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks._measure import Bench, at_least, at_most, usual_s
from jnumerics import linear_regression, mlp, perceptron, polynomial, softmax
from jnumerics.workbench import originals


def perceptron_updates(bench: Bench) -> None:
    """10,000 updates of a perceptron."""
    X = np.array([[0.0, 0, 1], [1, 1, 1], [1, 0, 1], [0, 1, 1]])
    y, steps = np.array([0.0, 1, 1, 0]), 1_000 if bench.is_quick else 10_000
    start = np.array([-0.16595599, 0.44064899, -0.99977125])
    race = bench.race(
        {
            "perceptron, NumPy loop": lambda: originals.perceptron(
                start, X, y, steps=steps
            ),
            "perceptron.fit": lambda: perceptron.fit(start, X, y, steps=steps),
        }
    )
    what = f"perceptron, {steps:,} updates: the NumPy loop over ours"
    ratio = race.ratio("perceptron, NumPy loop", "perceptron.fit")
    bench.report(what, at_least(60), ratio)


def mlp_derivative(bench: Bench) -> None:
    """The derivative of a network 1-20-20-4 in time."""
    params = mlp.init(jax.random.key(0), (1, 20, 20, 4))

    def network(t: Any) -> Any:
        return mlp.apply(params, t[:, None])

    def derivative(t: Any) -> Any:
        return jax.jvp(network, (t,), (jnp.ones_like(t),))[1]

    evaluate, ours = jax.jit(network), jax.jit(derivative)
    many = jnp.linspace(0.0, 10.0, 100_000)
    race = bench.race(
        {
            "network 1-20-20-4 at 100,000 times": lambda: evaluate(many),
            "its derivative by one JVP": lambda: ours(many),
        }
    )
    bench.report(
        "derivative of 1-20-20-4 at 100,000 times, in evaluations of the network",
        at_most(1.5),
        race.ratio("its derivative by one JVP", "network 1-20-20-4 at 100,000 times"),
    )
    _full_jacobians(bench, network, ours, 100 if bench.is_quick else 1_000)


def _full_jacobians(bench: Bench, network: Callable, ours: Callable, n: int) -> None:
    few = jnp.linspace(0.0, 10.0, n)
    full = {
        f"full Jacobian by {name}, diagonal": jax.jit(
            lambda t, take=take: jnp.einsum("iki->ik", take(network)(t))
        )
        for name, take in (("jacfwd", jax.jacfwd), ("jacrev", jax.jacrev))
    }
    ways = {name: lambda run=run: run(few) for name, run in full.items()}
    race = bench.race({**ways, f"one JVP at {n:,} times": lambda: ours(few)})
    for name, mode in zip(ways, ("forward", "reverse, as the original's"), strict=True):
        bench.report(
            f"the same at {n:,} times: full Jacobian ({mode}) and its diagonal over "
            "ours",
            at_least(1_000),
            race.ratio(name, f"one JVP at {n:,} times"),
        )


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
                loop: lambda: originals.gradient_descent(
                    X, y, np.zeros(10), rate=0.01, steps=part
                ),
                ours: lambda: linear_regression.gradient_descent(
                    *on_device, jnp.zeros(10), learning_rate=0.01, steps=steps
                ),
            },
            scales={loop: steps / part},
            seconds=10,
        )
    bench.report(
        f"gradient descent {rows:,} x 10, {steps:,} iterations, float64: NumPy loop "
        "over ours",
        at_least(100),
        race.ratio(loop, ours),
        f"the loop's time is that of {part} iterations, multiplied",
    )


NODES = np.linspace(0.1, 1.2, 12)


def polynomial_fit(bench: Bench) -> None:
    """A polynomial with 60x60 matrices for coefficients, through 12 nodes."""
    values = np.random.default_rng(0).uniform(size=(12, 60, 60))
    with jax.enable_x64(True):
        on_device = jnp.asarray(NODES), jnp.asarray(values)
        race = bench.race(
            {
                "np.linalg.solve": lambda: originals.polynomial_fit(NODES, values),
                "polynomial.fit (12,60,60)": lambda: polynomial.fit(*on_device),
            }
        )
        ours = np.asarray(polynomial.fit(*on_device))[:, 0]
        bench.report(
            "polynomial fit (12,60,60), float64: np.linalg.solve over ours",
            at_least(1.0),
            race.ratio("np.linalg.solve", "polynomial.fit (12,60,60)"),
        )
    exact = _exact_fit(NODES, values[:, 0])
    errors = [
        np.max(np.abs(found - exact) / np.abs(exact))
        for found in (ours, _recurrences(NODES, values[:, 0]))
    ]
    bench.report(
        "its coefficients' largest relative error, over that of the recurrences in "
        "NumPy",
        at_most(10),
        errors[0] / errors[1],
        f"{errors[0]:.1e}",
    )
    _first_fit(bench)


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


def softmax_product(bench: Bench) -> None:
    """The product with softmax's Jacobian."""
    n = 1_000
    keys = jax.random.split(jax.random.key(0))
    x, cotangent = (jax.random.normal(key, (4096, n)) for key in keys)
    race = bench.race(
        {
            "softmax (4096,1000)": lambda: softmax.softmax(x),
            "softmax.vjp": lambda: softmax.vjp(x, cotangent),
        }
    )
    bench.report(
        "softmax product (4096,1000), in evaluations of softmax",
        at_most(1.7),
        race.ratio("softmax.vjp", "softmax (4096,1000)"),
    )
    compiled = jax.jit(softmax.vjp).lower(x, cotangent).compile()
    analysis = compiled.memory_analysis()
    memory = 0 if analysis is None else analysis.temp_size_in_bytes
    bench.report(
        "its temporary memory, in arrays of the scores' size; one (n, n) array for "
        "each row would be 1,000",
        at_most(1.0),
        memory / (math.prod(x.shape) * x.dtype.itemsize),
    )


BENCHMARKS: Mapping[str, Callable[[Bench], None]] = {
    "perceptron": perceptron_updates,
    "mlp_derivative": mlp_derivative,
    "linear_regression": gradient_descent,
    "matrix_polynomial": polynomial_fit,
    "softmax": softmax_product,
}
