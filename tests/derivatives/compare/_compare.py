"""Functions to compare and the command, shared by these tests."""

from typing import Any

import jax
import jax.numpy as jnp

from jnumerics import mlp
from jnumerics.derivatives import compare_modes
from jnumerics.derivatives._compare import compare as _compare
from jnumerics.derivatives._compare.timing import Timing

PARAMS = mlp.init(jax.random.key(0), [40, 2, 30])


def bottleneck(x):
    return jnp.tanh(mlp.apply(PARAMS, x))


def loop(x):
    """Reverse mode cannot run through a loop of unknown length."""
    return jax.lax.while_loop(lambda y: y.sum() < 9.0, lambda y: y * y.sum(), x)


AT = jnp.linspace(0.5, 1.0, 40)
ROWS = jnp.linspace(0.5, 1.0, 120).reshape(3, 40)


def row(comparison, mode) -> Any:
    (match,) = [m for m in comparison.modes if m.mode == mode]
    return match


def without_figures(result):
    return [k for k, v in result._asdict().items() if k not in ("mode", "error") and v]


def compared(fun, *args, **options):
    """Compare as fast as can be: one run, no reference."""
    return compare_modes(fun, *args, **{"repeats": 1, "reference": None, **options})


def measured_as(monkeypatch, times, **options):
    """Compare with given runs of each mode."""
    asked = []

    def interleave(programs, repeats, **_):
        asked.extend(programs)
        return {
            name: Timing.from_runs(times.get(name, [1.0, 1.0])) for name in programs
        }

    monkeypatch.setattr(_compare, "interleave", interleave)
    return compared(bottleneck, AT, **options), asked


MODULE = """
import jax
import jax.numpy as jnp

number = 3

def tall(x):
    return jnp.sin(x).sum()

def pair(x, y):
    return x * y

def keeps(x):
    return x.astype(jnp.float32) * 2

def mixing(x):
    return x - x.mean(axis=0)

@jax.jit
def inner(x):
    return {}["no such key"] * x

def breaks(x):
    return jax.lax.map(inner, x)

def refuses(x):
    raise ValueError("this shape has no name")

def leaves(x):
    raise SystemExit(3)

def speaks(x):
    print("a word")
    return jnp.sin(x)
"""
