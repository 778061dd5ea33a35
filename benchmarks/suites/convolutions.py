"""Convolutions of images, beside nested loops, plain lax and PyTorch."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks import _peers
from benchmarks._measure import Bench, Spread, at_least, usual_s
from jnumerics import conv
from jnumerics.workbench import originals


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


BENCHMARKS: Mapping[str, Callable[[Bench], None]] = {
    "conv2d": conv2d_loops,
    "conv2d_shapes": conv2d_shapes,
}
