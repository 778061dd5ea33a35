"""The six systems, beside the NumPy programs they grew from and beside plain JAX."""

import math
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks import _peers
from benchmarks._measure import Bench, Spread, at_least, at_most, usual_s
from jnumerics import conv, linear_regression, mlp, perceptron, polynomial, softmax
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


def conv2d_loops(bench: Bench) -> None:
    """Convolution beside nested loops."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 28, 28, 3)).astype(np.float32)
    kernel = rng.normal(size=(5, 5, 3, 16)).astype(np.float32)
    on_device = jnp.asarray(x), jnp.asarray(kernel)
    race = bench.race(
        {
            "conv2d, nested loops": lambda: originals.conv2d(x, kernel),
            "conv2d (1,28,28,3) with 5x5x3x16": lambda: conv.conv2d(*on_device),
        }
    )
    bench.report(
        "conv2d (1,28,28,3) with 5x5x3x16: nested loops over ours",
        at_least(500),
        race.ratio("conv2d, nested loops", "conv2d (1,28,28,3) with 5x5x3x16"),
    )


class Shape(NamedTuple):
    """A convolution: its arrays' shapes and its options."""

    name: str
    x: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: int = 1
    padding: str = "SAME"
    groups: int = 1


SHAPES = (
    Shape("1x1, 16 to 64 channels", (8, 28, 28, 16), (1, 1, 16, 64)),
    Shape("1x1, 128 to 32", (8, 28, 28, 128), (1, 1, 128, 32)),
    Shape("1x1, 64 to 128, stride 2", (8, 56, 56, 64), (1, 1, 64, 128), 2),
    Shape("3x3, 16 to 32", (8, 28, 28, 16), (3, 3, 16, 32)),
    Shape("3x3, 64 to 64, stride 2", (4, 28, 28, 64), (3, 3, 64, 64), 2),
    Shape("3x3, 256 to 256", (2, 14, 14, 256), (3, 3, 256, 256)),
    Shape("3x3 depthwise, 32", (8, 28, 28, 32), (3, 3, 1, 32), groups=32),
    Shape("5x5 depthwise, 64, stride 2", (4, 28, 28, 64), (5, 5, 1, 64), 2, groups=64),
    Shape("5x5, 3 to 16", (4, 56, 56, 3), (5, 5, 3, 16), padding="VALID"),
    Shape("7x7, 3 to 64, stride 2", (2, 112, 112, 3), (7, 7, 3, 64), 2),
)


WORTH_MEASURING = 200e-6  # seconds of plain lax; below, calling is the cost


def conv2d_shapes(bench: Bench) -> None:
    """Convolutions of ten shapes and both gradients, beside plain lax."""
    worst: list[tuple[Spread, str]] = []
    for shape in SHAPES[:1] if bench.is_quick else SHAPES:
        programs = _programs(shape)
        for part, (ours, plain) in programs.items():
            what = f"{shape.name}, {part}"
            if usual_s(plain.run, 9) < WORTH_MEASURING:
                continue
            if _same_program(ours, plain):
                worst.append((Spread.exactly(1.0), f"{what} (the same program)"))
                continue
            race = bench.race(
                {"ours": ours.run, "lax": plain.run}, seconds=2, keep=False
            )
            worst.append((race.ratio("lax", "ours"), what))
    none = Spread.exactly(math.nan), "none takes so long"
    ratio, what = min(worst, key=lambda found: found[0].median, default=none)
    fast = sum(found.median > 1.05 for found, _ in worst)
    bench.report(
        "conv2d on ten shapes of more than 200 µs, and both gradients: plain lax over "
        "ours, the least",
        at_least(0.95),
        ratio,
        f"{what}; {fast} of {len(worst)} are faster than 1.05",
    )
    _beside_torch(bench)


class Program(NamedTuple):
    """A compiled program with its arguments."""

    compiled: Any
    args: tuple

    def run(self) -> Any:
        """Run it."""
        return self.compiled(*self.args)

    @property
    def text(self) -> str:
        """What the compiler made of it: names numbered anew, without source lines."""
        lines = self.compiled.as_text().splitlines()
        operations = [line for line in lines if line.startswith(("%", "ENTRY", "  "))]
        text = "\n".join(line.partition(", metadata=")[0] for line in operations)
        names: dict[str, str] = {}
        return re.sub(
            r"%[\w.-]+", lambda m: names.setdefault(m[0], f"%{len(names)}"), text
        )


def _programs(shape: Shape) -> dict[str, tuple[Program, Program]]:
    """Compile value and both gradients, ours and plain lax."""

    def ours(x: Any, kernel: Any) -> Any:
        return conv.conv2d(
            x, kernel, stride=shape.stride, padding=shape.padding, groups=shape.groups
        )

    def plain(x: Any, kernel: Any) -> Any:
        return lax.conv_general_dilated(
            x,
            kernel,
            (shape.stride, shape.stride),
            shape.padding,
            feature_group_count=shape.groups,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            precision="highest",
        )

    rng = np.random.default_rng(0)
    args = [
        jnp.asarray(rng.normal(size=s), jnp.float32) for s in (shape.x, shape.kernel)
    ]
    out = jax.eval_shape(plain, *args)
    cotangent = jnp.asarray(rng.normal(size=out.shape), jnp.float32)
    parts = {
        "value": lambda fun: lambda x, k, _: fun(x, k),
        "image's gradient": lambda fun: (
            lambda x, k, g: jax.vjp(lambda x: fun(x, k), x)[1](g)
        ),
        "kernel's gradient": lambda fun: (
            lambda x, k, g: jax.vjp(lambda k: fun(x, k), k)[1](g)
        ),
    }
    arguments = (*args, cotangent)
    return {
        name: (
            Program(jax.jit(part(ours)).lower(*arguments).compile(), arguments),
            Program(jax.jit(part(plain)).lower(*arguments).compile(), arguments),
        )
        for name, part in parts.items()
    }


def _same_program(a: Program, b: Program) -> bool:
    return a.text == b.text


def _beside_torch(bench: Bench) -> None:
    """Compare with the other library that people would take."""
    what = "conv2d 3x3 of 16 channels: PyTorch over ours"
    torch = _peers.torch()
    if torch is None:
        bench.report(what, None, None, "torch is not installed")
        return
    shape = SHAPES[3]
    ours, _ = _programs(shape)["value"]
    x = torch.randn(8, 16, 28, 28)
    kernel = torch.randn(32, 16, 3, 3)
    race = bench.race(
        {
            "PyTorch": lambda: torch.nn.functional.conv2d(x, kernel, padding=1),
            "ours": ours.run,
        },
        keep=False,
    )
    bench.report(what, None, race.ratio("PyTorch", "ours"))


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
    "conv2d": conv2d_loops,
    "conv2d_shapes": conv2d_shapes,
    "matrix_polynomial": polynomial_fit,
    "softmax": softmax_product,
}
