"""What calls cost beside what they compute: with tiny arguments, and first calls."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks._measure import Bench, Spread, at_most
from benchmarks.functions import numbers, transformer
from jnumerics import (
    _table,
    conv,
    derivatives,
    descent,
    linear_regression,
    mlp,
    perceptron,
    polynomial,
    softmax,
)

X, ROWS, ONES = jnp.ones(3), jnp.ones((4, 3)), jnp.ones(4)
KEY = jax.random.key(0)
LAYERS = mlp.init(KEY, (3, 4, 1))
SGD = optax.sgd(0.1)
LIMIT = 10e-6  # seconds


class Call(NamedTuple):
    """A public function with tiny arguments.

    Attributes:
        fun: The function, its options given.
        args: Its arrays.
    """

    fun: Callable
    args: tuple


def _energy(x: Any) -> Any:
    return jnp.sum(jnp.sin(x) * x)


def _square(w: Any) -> Any:
    return jnp.sum(w**2)


CALLS: Mapping[str, Call] = {
    "softmax.softmax": Call(softmax.softmax, (X,)),
    "softmax.log_softmax": Call(softmax.log_softmax, (X,)),
    "softmax.jacobian": Call(softmax.jacobian, (X,)),
    "softmax.jvp": Call(softmax.jvp, (X, X)),
    "softmax.vjp": Call(softmax.vjp, (X, X)),
    "softmax.cross_entropy": Call(softmax.cross_entropy, (ROWS, jnp.arange(4) % 3)),
    "conv.conv2d": Call(conv.conv2d, (jnp.ones((1, 4, 4, 1)), jnp.ones((2, 2, 1, 1)))),
    "polynomial.fit": Call(polynomial.fit, (jnp.arange(3.0), X)),
    "polynomial.evaluate": Call(polynomial.evaluate, (X, X)),
    "polynomial.interpolate": Call(polynomial.interpolate, (jnp.arange(3.0), X, X)),
    "mlp.init": Call(lambda key: mlp.init(key, (3, 4, 1)), (KEY,)),
    "mlp.apply": Call(mlp.apply, (LAYERS, ROWS)),
    "descent.minimize": Call(
        lambda w: descent.minimize(_square, w, optimizer=SGD, steps=1), (X,)
    ),
    "perceptron.init": Call(lambda key: perceptron.init(key, 3), (KEY,)),
    "perceptron.apply": Call(perceptron.apply, (X, ROWS)),
    "perceptron.loss": Call(perceptron.loss, (X, ROWS, ONES)),
    "perceptron.fit": Call(
        lambda w, X, y: perceptron.fit(w, X, y, steps=1), (X, ROWS, ONES)
    ),
    "linear_regression.cost": Call(linear_regression.cost, (X, ROWS, ONES)),
    "linear_regression.gradient_descent": Call(
        lambda X, y, theta: linear_regression.gradient_descent(
            X, y, theta, learning_rate=0.1, steps=1
        ),
        (ROWS, ONES, X),
    ),
    "linear_regression.solve": Call(linear_regression.solve, (numbers(4, 3), ONES)),
    "derivatives.jacobian": Call(derivatives.jacobian(jnp.sin), (X,)),
    "derivatives.value_and_jacobian": Call(
        derivatives.value_and_jacobian(jnp.sin), (X,)
    ),
    "derivatives.hessian": Call(derivatives.hessian(_energy), (X,)),
    "derivatives.hessian_diagonal": Call(derivatives.hessian_diagonal(_energy), (X,)),
    "derivatives.batch_jacobian": Call(derivatives.batch_jacobian(jnp.sin), (ROWS,)),
    "derivatives.jacobian_diagonal": Call(derivatives.jacobian_diagonal(jnp.sin), (X,)),
    "derivatives.divergence": Call(derivatives.divergence(jnp.sin), (X,)),
    "derivatives.laplacian": Call(derivatives.laplacian(_energy), (X,)),
    "derivatives.value_grad_and_laplacian": Call(
        derivatives.value_grad_and_laplacian(_energy), (X,)
    ),
}
ANALYSES = {  # they plan or measure; a call of them is host work by itself
    f"derivatives.{name}"
    for name in ("plan", "dependence", "compare_modes", "check_derivatives")
}


def calls(bench: Bench) -> None:
    """Each public function with tiny arguments, less the same under `jax.jit`."""
    names = list(CALLS)[: 2 if bench.is_quick else None]
    rows, less = [], {}
    for name in names:
        fun, args = CALLS[name]
        bare = jax.jit(lambda *args, fun=fun: fun(*args))
        both = {
            "ours": lambda f=fun, a=args: f(*a),
            "bare": lambda b=bare, a=args: b(*a),
        }
        race = bench.race(both, seconds=0.4, same=1e-5, keep=False)
        less[name] = Spread.from_values(race.runs("ours") - race.runs("bare"))
        medians = [float(np.median(race.runs(n))) for n in both]
        shown = [_table.seconds(s) for s in (*medians, max(less[name].median, 0.0))]
        rows.append((name, *shown))
    largest = max(less, key=lambda name: less[name].median)
    above = [name for name, spread in less.items() if spread.median > LIMIT]
    bench.report(
        "call of a tiny function, less a bare jitted call of the same: the most of all "
        "public functions",
        at_most(LIMIT, "s"),
        less[largest],
        f"{largest}; above: {', '.join(above) or 'none'}; {len(less)} functions",
    )
    header = ("tiny call of", "ours", "under jax.jit", "less it")
    bench.shown["text"] = _table.text(header, rows)


def first_calls(bench: Bench) -> None:
    """The first call of a transformer's Jacobian, beside that of jax.jacrev's."""
    layers = 2 if bench.is_quick else 12
    fun, x = transformer(layers, 16), numbers(8, 16)

    def afresh(take: Callable) -> Callable[[], Any]:
        def run() -> Any:
            jax.clear_caches()
            return jax.jit(take(lambda x: fun(x)))(x)

        return run

    ours, theirs = "jacobian of a transformer", "jax.jacrev of it"
    ways = {theirs: afresh(jax.jacrev), ours: afresh(derivatives.jacobian)}
    race = bench.race(ways, same=1e-3, afresh=True, keep=False)
    what = f"first call of the Jacobian of a transformer of {layers} layers, 8 x 16"
    bench.compare(f"{what}: ours over jax.jacrev", at_most(1.15), race, ours, theirs)


BENCHMARKS: Mapping[str, Callable[[Bench], None]] = {
    "calls": calls,
    "first_calls": first_calls,
}
