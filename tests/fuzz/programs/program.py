"""A program: statements that can be run, printed, and taken away one by one."""

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

PREAMBLE = '''\
import jax
import jax.numpy as jnp
import jax.extend
import jax.scipy
import numpy as np
from jax import lax
from jax.ad_checkpoint import checkpoint_name
from jax.experimental import sparse
from jax.sharding import AxisType, PartitionSpec as P


def W(*shape, low=0.5):
    """Fixed numbers in [low, low + 1), without structure."""
    n = int(np.prod(shape))
    return (low + np.arange(1, n + 1) * 0.6180339887498949 % 1).reshape(shape)


def mesh():
    return jax.make_mesh((2, 2), ("a", "b"), axis_types=(AxisType.Auto,) * 2)
'''
_RANGES = ((0.6, 1.4), (-1.5, 1.5), (-0.5, 1.0))  # of the points, in turn
_NAME = re.compile(r"\b[afkvx]\d+\b")


@dataclass(frozen=True)
class Assign:
    """`name = code`; shape and dtype say what may stand in its place."""

    name: str
    code: str
    shape: tuple[int, ...]
    dtype: str

    def lines(self) -> str:
        """Print it."""
        return f"{self.name} = {self.code}"

    def reads(self) -> set[str]:
        """Return the names that it reads."""
        return set(_NAME.findall(self.code))


@dataclass(frozen=True)
class Define:
    """A function with a body of its own, and what is done with it afterwards."""

    name: str
    arguments: tuple[str, ...]
    body: tuple["Statement", ...]
    result: str
    decorators: str = ""
    after: str = ""

    def lines(self) -> str:
        """Print it."""
        inner = [s.lines() for s in self.body] + [f"return {self.result}"]
        head = f"def {self.name}({', '.join(self.arguments)}):\n"
        return (
            self.decorators
            + head
            + textwrap.indent("\n".join(inner), "    ")
            + self.after
        )

    def reads(self) -> set[str]:
        """Return the names that it reads from outside."""
        names = set(_NAME.findall(self.result + self.after))
        for statement in self.body:
            names |= statement.reads()
        own = {self.name, *self.arguments, *(s.name for s in self.body)}
        return names - own


Statement = Assign | Define


@dataclass(frozen=True)
class Program:
    """A function of `x` (a list of leaves) and `k` (integers), and its arguments.

    Attributes:
        leaves: Shape and dtype of each leaf of `x`.
        statements: What it does.
        results: The names of its results.
        family: The family that its operations are of.
        seed: What draws the points.
        batch: The axis of samples of all inputs, and of all outputs, if there is one.
    """

    leaves: tuple[tuple[tuple[int, ...], str], ...]
    statements: tuple[Statement, ...]
    results: tuple[str, ...]
    family: str = ""
    seed: int = 0
    batch: tuple[int, int] | None = None

    def body(self) -> str:
        """Print the function."""
        names = [f"x{n}" for n in range(len(self.leaves))]
        one = len(self.results) == 1
        result = self.results[0] if one else f"({', '.join(self.results)})"
        unpack = [f"{', '.join(names)}{',' if len(names) == 1 else ''} = x"]
        if len(names) == 1:
            unpack = []
        lines = [*unpack, *(s.lines() for s in self.statements), f"return {result}"]
        first = "x" if len(names) != 1 else "x0"
        return f"def fun({first}, k):\n" + textwrap.indent("\n".join(lines), "    ")

    def function(self) -> Callable[..., Any]:
        """Make the function."""
        scope = dict(environment())
        exec(compile(self.body(), "program.py", "exec"), scope)
        return scope["fun"]

    def arguments(self, point: int) -> tuple[Any, Any]:
        """Draw the arguments at a point."""
        rng = np.random.default_rng((self.seed, point))
        low, high = _RANGES[point % len(_RANGES)]
        leaves = []
        for shape, dtype in self.leaves:
            x = rng.uniform(low, high, shape)
            if np.dtype(dtype).kind == "c":
                x = x + 1j * rng.uniform(low, high, shape)
            leaves.append(np.asarray(x, dtype))
        k = rng.integers(-2, 5, 6).astype(np.int32)
        return (leaves[0] if len(leaves) == 1 else tuple(leaves)), k

    def script(self, check: str = "") -> str:
        """Print a script that can be pasted."""
        x, k = self.arguments(0)
        printed = _printed(x)
        parts = [
            PREAMBLE,
            'jax.config.update("jax_enable_x64", True)\n',
            self.body(),
            f"\nx = {printed}\nk = np.array({k.tolist()}, np.int32)",
            check,
        ]
        return "\n".join(part for part in parts if part) + "\n"

    def alive(self) -> "Program":
        """Drop the statements that nothing reads."""
        return replace(self, statements=_alive(self.statements, self.results))


def _alive(statements: Sequence[Statement], wanted: Iterable[str]) -> tuple:
    needed, alive = set(wanted), []
    for statement in reversed(statements):
        if statement.name in needed:
            if isinstance(statement, Define):
                result = set(_NAME.findall(statement.result + statement.after))
                body = _alive(statement.body, result)
                statement = replace(statement, body=body)
            needed |= statement.reads()
            alive.append(statement)
    return tuple(alive[::-1])


def walk(statements: Iterable[Statement]) -> Iterator[Statement]:
    """Yield statements and those inside them."""
    for statement in statements:
        yield statement
        if isinstance(statement, Define):
            yield from walk(statement.body)


def _printed(x: Any) -> str:
    if isinstance(x, tuple):
        return f"({', '.join(map(_printed, x))})"
    return f"np.array({np.round(x, 3).tolist()}, np.{x.dtype}).reshape({x.shape})"


_ENVIRONMENT: dict[str, Any] = {}


def environment() -> dict[str, Any]:
    """Return what a program's text may name."""
    if not _ENVIRONMENT:
        exec(PREAMBLE, _ENVIRONMENT)
    return _ENVIRONMENT
