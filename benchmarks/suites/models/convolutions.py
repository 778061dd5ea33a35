"""Convolutions of images, beside nested loops, plain lax and PyTorch."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks import peers
from benchmarks._measure import Bench, Here, Spread, Target, at_least, usual_s
from jnumerics import conv
from jnumerics.workbench import originals

IS_NEW = tuple(map(int, jax.__version__.split(".")[:2])) >= (0, 11)


def conv2d_loops(bench: Bench) -> None:
    """Convolution beside nested loops."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 28, 28, 3)).astype(np.float32)
    kernel = rng.normal(size=(5, 5, 3, 16)).astype(np.float32)
    on_device = jnp.asarray(x), jnp.asarray(kernel)
    loops, ours = "conv2d, nested loops", "conv2d (1,28,28,3) with 5x5x3x16"
    race = bench.race(
        {
            loops: lambda: originals.conv2d(x, kernel),
            ours: lambda: conv.conv2d(*on_device),
        },
        same=1e-4,
    )
    bench.compare(f"{ours}: nested loops over ours", at_least(500), race, loops, ours)


class Shape(NamedTuple):
    """A convolution: its arrays' shapes and its options."""

    name: str
    x: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: int = 1
    padding: str | int = "SAME"
    groups: int = 1


FEW_CHANNELS = Shape("5x5, 3 to 24", (16, 30, 30, 3), (5, 5, 3, 24), padding=0)
BESIDE_TORCH = (
    Shape("3x3, 1 to 16", (32, 28, 28, 1), (3, 3, 1, 16), padding=1),
    FEW_CHANNELS,
    Shape("5x5, 3 to 16", (4, 56, 56, 3), (5, 5, 3, 16), padding=0),
    Shape("7x7, 3 to 32", (2, 96, 96, 3), (7, 7, 3, 32), padding=3),
    Shape("1x1, 64 to 128", (4, 48, 48, 64), (1, 1, 64, 128), padding=0),
    Shape("3x3, 16 to 32", (8, 28, 28, 16), (3, 3, 16, 32), padding=1),
    Shape("3x3, 64 to 64", (8, 28, 28, 64), (3, 3, 64, 64), padding=1),
    Shape("3x3, 256 to 256", (2, 14, 14, 256), (3, 3, 256, 256), padding=1),
    Shape("3x3, 64 to 128, stride 2", (4, 56, 56, 64), (3, 3, 64, 128), 2, padding=1),
)
BESIDE_LAX = (
    *BESIDE_TORCH,
    Shape("1x1, 16 to 64 channels", (8, 28, 28, 16), (1, 1, 16, 64)),
    Shape("1x1, 128 to 32", (8, 28, 28, 128), (1, 1, 128, 32)),
    Shape("1x1, 64 to 128, stride 2", (8, 56, 56, 64), (1, 1, 64, 128), 2),
    Shape("3x3, 64 to 64, stride 2", (4, 28, 28, 64), (3, 3, 64, 64), 2),
    Shape("3x3 depthwise, 32", (8, 28, 28, 32), (3, 3, 1, 32), groups=32),
    Shape("5x5 depthwise, 64, stride 2", (4, 28, 28, 64), (5, 5, 1, 64), 2, groups=64),
    Shape("7x7, 3 to 64, stride 2", (2, 112, 112, 3), (7, 7, 3, 64), 2),
)
PARTS = ("value", "image's gradient", "kernel's gradient")
WORTH_MEASURING = 200e-6  # seconds of plain lax; below, calling is the cost


def conv2d_shapes(bench: Bench) -> None:
    """Convolutions of sixteen shapes and both gradients, beside plain lax."""
    ratios: list[tuple[Spread, str]] = []
    for shape in BESIDE_LAX[1:2] if bench.is_quick else BESIDE_LAX:
        for part in PARTS:
            ours, plain = _program(shape, part, _ours), _program(shape, part, _plain)
            what = f"{shape.name}, {part}"
            if shape is FEW_CHANNELS and part == "value":
                ratios.append((_beside_old_lax(bench, ours, plain), what))
            elif usual_s(plain.run, 9) < WORTH_MEASURING:
                continue
            elif _same_program(ours, plain):
                ratios.append((Spread.exactly(1.0), f"{what} (the same program)"))
            else:
                ratios.append((_over_ours(bench, ours, plain), what))
    ratio, what = min(ratios, key=lambda pair: pair[0].median)
    fast = sum(spread.median > 1.05 for spread, _ in ratios)
    bench.report(
        "conv2d on sixteen shapes of more than 200 µs, and both gradients: plain lax "
        "over ours, the least",
        at_least(0.95),
        ratio,
        f"{what}; {fast} of {len(ratios)} are faster than 1.05",
    )


def _over_ours(bench: Bench, ours: "Program", plain: "Program") -> Spread:
    race = bench.race(
        {"ours": ours.run, "lax": plain.run}, seconds=0.8, same=1e-4, keep=False
    )
    return race.ratio("lax", "ours")


def _beside_old_lax(bench: Bench, ours: "Program", plain: "Program") -> Spread:
    """Report the shape that XLA is slow at in JAX 0.10."""
    ratio = _over_ours(bench, ours, plain)
    what = "conv2d (16,30,30,3) with 5x5x3x24: plain lax over ours"
    bench.report(what, None if IS_NEW else at_least(5), ratio)
    return ratio


def conv2d_torch(bench: Bench) -> None:
    """Convolutions of nine shapes and both gradients, beside PyTorch."""
    by_part: dict[str, dict[str, float]] = {part: {} for part in PARTS}
    shapes, missing = BESIDE_TORCH[1:2] if bench.is_quick else BESIDE_TORCH, ""
    for shape in shapes:
        for part in PARTS:
            ours = _program(shape, part, _ours)
            race = bench.race(
                {"ours": Here(ours.run, VIEWS[part]), "torch": _torch(shape, part)},
                seconds=0.8, same=1e-4, keep=False,
            )  # fmt: skip
            missing = race.missing.get("torch", "")
            if not missing:
                by_part[part][shape.name] = race.ratio("torch", "ours").median
    for part, target in TARGETS.items():
        ratios = by_part[part]
        each = "; ".join(f"{name}: {ratio:.2f}" for name, ratio in ratios.items())
        bench.report(
            f"conv2d on nine shapes, {part}: torch over ours, geometric mean",
            target,
            math.exp(np.mean(np.log([*ratios.values()]))) if ratios else None,
            missing or each,
        )


def _to_torch(x: Any) -> np.ndarray:
    return np.transpose(x, (0, 3, 1, 2))


def _kernel_to_torch(kernel: Any) -> np.ndarray:
    return np.transpose(kernel, (3, 2, 0, 1))


VIEWS: Mapping[str, Callable[[Any], np.ndarray]] = {
    "value": _to_torch,
    "image's gradient": lambda gradients: _to_torch(gradients[0]),
    "kernel's gradient": lambda gradients: _kernel_to_torch(gradients[0]),
}
TARGETS: Mapping[str, Target | None] = {
    "value": at_least(0.9) if IS_NEW else None,
    "image's gradient": at_least(1),
    "kernel's gradient": at_least(0.8),
}


def _torch(shape: Shape, part: str) -> Any:
    x, kernel, cotangent = _arrays(shape)
    return peers.contender(
        "torch",
        "conv2d",
        _to_torch(x), _kernel_to_torch(kernel), _to_torch(cotangent),
        part=part.partition("'")[0], stride=shape.stride, padding=shape.padding,
        groups=shape.groups,
    )  # fmt: skip


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


def _arrays(shape: Shape) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw image, kernel and cotangent."""
    rng = np.random.default_rng(0)
    x, kernel = (rng.normal(size=s).astype(np.float32) for s in (shape.x, shape.kernel))
    out = jax.eval_shape(lambda x, k: _plain(shape, x, k), x, kernel)
    return x, kernel, rng.normal(size=out.shape).astype(np.float32)


def _ours(shape: Shape, x: Any, kernel: Any) -> Any:
    return conv.conv2d(
        x, kernel, stride=shape.stride, padding=shape.padding, groups=shape.groups
    )


def _plain(shape: Shape, x: Any, kernel: Any) -> Any:
    p = shape.padding
    return lax.conv_general_dilated(
        x,
        kernel,
        (shape.stride, shape.stride),
        [(p, p), (p, p)] if isinstance(p, int) else p,
        feature_group_count=shape.groups,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision="highest",
    )


def _program(shape: Shape, part: str, convolve: Callable) -> Program:
    """Compile the value or a gradient, ours or plain lax."""

    def run(x: Any, kernel: Any, cotangent: Any) -> Any:
        if part == "value":
            return convolve(shape, x, kernel)
        if part == "image's gradient":
            return jax.vjp(lambda x: convolve(shape, x, kernel), x)[1](cotangent)
        return jax.vjp(lambda k: convolve(shape, x, k), kernel)[1](cotangent)

    args = tuple(map(jnp.asarray, _arrays(shape)))
    return Program(jax.jit(run).lower(*args).compile(), args)


def _same_program(a: Program, b: Program) -> bool:
    return a.text == b.text


BENCHMARKS: Mapping[str, Callable[[Bench], None]] = {
    "conv2d": conv2d_loops,
    "conv2d_shapes": conv2d_shapes,
    "conv2d_torch": conv2d_torch,
}
