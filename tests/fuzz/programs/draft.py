"""Drawing a program: operations are drawn, traced, and kept where JAX takes them."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tests.fuzz.programs.program import Assign, Define, Program, Statement, environment

MAX_SIZE = 48  # of an intermediate array
MAX_RANK = 4
FLOATS = ("float64", "float32", "complex128", "complex64")

refused: Counter[str] = Counter()  # operations that JAX did not take
taken: Counter[str] = Counter()


class SkipError(Exception):
    """An operation that does not fit the value it was drawn for."""


class Value(str):
    """The name of a value, with its shape and dtype."""

    shape: tuple[int, ...]
    dtype: np.dtype

    @classmethod
    def named(cls, name: str, x: Any) -> "Value":
        """Name a traced value."""
        value = cls(name)
        value.shape, value.dtype = tuple(x.shape), np.dtype(x.dtype)
        return value

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=int))


class Draft:
    """A body that is being drawn, within a trace.

    Args:
        rng: Draws everything.
        scope: What its text may name.
        names: Numbers names; shared by all bodies of a program.
        outer: The values around it.
    """

    def __init__(
        self,
        rng: random.Random,
        scope: dict[str, Any],
        names: list[int],
        outer: Sequence[Value] = (),
    ) -> None:
        self.rng, self.scope, self.outer = rng, scope, list(outer)
        self._names = names
        self.statements: list[Statement] = []
        self.values: list[Value] = []
        self.depth = 0

    # --- draws ---

    def flip(self, chance: float = 0.5) -> bool:
        """Draw a boolean."""
        return self.rng.random() < chance

    def integer(self, low: int, high: int) -> int:
        """Draw an integer, bounds included."""
        return self.rng.randint(low, max(low, high))

    def choice(self, options: Sequence[Any]) -> Any:
        """Draw one of several."""
        if not options:
            raise SkipError
        return self.rng.choice(options)

    def axis(self, x: Value) -> int:
        """Draw an axis."""
        if not x.ndim:
            raise SkipError
        return self.rng.randrange(x.ndim)

    def axes(self, x: Value, least: int = 0) -> tuple[int, ...]:
        """Draw some axes, in order."""
        n = self.integer(min(least, x.ndim), x.ndim)
        return tuple(sorted(self.rng.sample(range(x.ndim), n)))

    def permutation(self, n: int) -> tuple[int, ...]:
        """Draw an order."""
        return tuple(self.rng.sample(range(n), n))

    def weights(
        self, shape: Sequence[int], dtype: Any = "float64", low: float = 0.5
    ) -> str:
        """Write fixed numbers: known at trace time."""
        cast = "" if str(dtype) == "float64" else f".astype(np.{dtype})"
        return f"W({', '.join(map(str, shape))}{', ' if shape else ''}low={low}){cast}"

    def mask(self, shape: Sequence[int]) -> str:
        """Write a mask of known booleans."""
        return f"({self.weights(shape)} < {self.choice([0.8, 1.0, 1.2])})"

    def index(self, x: Value, size: int) -> str:
        """Write an index: known, an argument's or read off data; some out of bounds."""
        source = self.choice(["argument", "data", "known", "known"])
        if source == "argument" or size == 0:
            return f"k[{self.integer(0, 5)}]"
        if source == "data" and x.size and x.dtype.kind == "f":
            return f"jnp.argmax({x}).astype(np.int32) % {size}"
        return f"np.int32({self.integer(-1, size)})"

    def indices(self, shape: Sequence[int], low: int, high: int) -> str:
        """Write an array of indices: known, or of arguments."""
        drawn = [self.integer(low, high) for _ in range(int(np.prod(shape, dtype=int)))]
        text = f"np.array({np.array(drawn, int).reshape(shape).tolist()}, np.int32)"
        text += f".reshape({tuple(shape)})" if 0 in shape else ""
        if self.flip(0.35):
            return f"({text} + k[{self.integer(0, 5)}])"
        return text

    def like(self, x: Value) -> str:
        """Write another operand of the same shape and dtype."""
        others = [
            v
            for v in self.values + self.outer
            if v.shape == x.shape and v.dtype == x.dtype
        ]
        source = self.choice(["another", "another", "reversed", "known"])
        if source == "another" and others:
            return self.choice(others)
        if source == "reversed" and x.ndim:
            return f"lax.rev({x}, ({self.axis(x)},))"
        return self.weights(x.shape, x.dtype)

    # --- building ---

    def fresh(self, letter: str) -> str:
        """Return a new name."""
        self._names[0] += 1
        return f"{letter}{self._names[0]}"

    def let(self, code: str) -> Value:
        """Assign an expression to a name."""
        array = jnp.asarray(eval(code, self.scope))
        if array.size > MAX_SIZE or array.ndim > MAX_RANK:
            raise SkipError
        name = self.fresh("v")
        self.scope[name] = array
        value = Value.named(name, array)
        self.statements.append(Assign(name, code, value.shape, str(value.dtype)))
        if str(value.dtype) in FLOATS:
            self.values.append(value)
        return value

    def define(
        self,
        inputs: Sequence[Value],
        build: Callable[..., str],
        *,
        decorators: str = "",
        after: str = "",
        closes: bool = True,
    ) -> str:
        """Define a function of values like the given ones, and return its name.

        Args:
            inputs: What has the arguments' shapes and dtypes.
            build: From the draft of the body and its arguments to the result's text.
            decorators: Lines before it.
            after: Text behind it, with `{name}` for its name.
            closes: Whether its body may read values around it.
        """
        names = [self.fresh("a") for _ in inputs]
        drafted: dict[str, Any] = {}

        def body(*args: Any) -> Any:
            scope = dict(self.scope)
            scope.update(zip(names, args, strict=True))
            outer = (*self.values, *self.outer) if closes else ()
            inner = Draft(self.rng, scope, self._names, outer)
            inner.depth = self.depth + 1
            values = [Value.named(n, a) for n, a in zip(names, args, strict=True)]
            inner.values = [v for v in values if str(v.dtype) in FLOATS]
            drafted["result"] = build(inner, *values)
            drafted["body"] = tuple(inner.statements)
            return eval(drafted["result"], inner.scope)

        jax.eval_shape(body, *(jax.ShapeDtypeStruct(v.shape, v.dtype) for v in inputs))
        name = self.fresh("f")
        end = "\n" + after.format(name=name) if after else ""
        made = Define(
            name, tuple(names), drafted["body"], drafted["result"], decorators, end
        )
        exec(compile(made.lines(), "program.py", "exec"), self.scope)
        self.statements.append(made)
        return name

    def grow(self, operations: Sequence[Callable], count: int) -> None:
        """Add some operations, each on one of the latest values."""
        for _ in range(count * 3):
            if count <= 0 or not self.values:
                return
            count -= self.step(self.choice(operations))

    def step(self, operation: Callable) -> bool:
        """Try an operation; return whether it was kept."""
        before = len(self.statements), len(self.values)
        x = self.values[-1] if self.flip(0.7) else self.choice(self.values)
        name = operation.__name__
        try:
            made = self.let(operation(self, x))
        except SkipError:
            made = None
        except Exception:  # whatever JAX's reason
            refused[name] += 1
            made = None
        if made is None or str(made.dtype) not in FLOATS:
            del self.statements[before[0] :], self.values[before[1] :]
            return False
        taken[name] += 1
        if made.dtype.kind == "f" and self.flip(0.5):
            self.let(f"{self.choice(['jnp.sin', 'jnp.sin', 'jnp.tanh'])}({made})")
        return True

    def latest(self, shape: Sequence[int], dtype: Any) -> Value:
        """Return the latest value of a shape and dtype."""
        fits = [v for v in self.values if v.shape == tuple(shape) and v.dtype == dtype]
        return fits[-1] if fits else self.choice(fits)


def fitted(d: Draft, x: Value, shape: Sequence[int]) -> str:
    """Write a value in another shape: repeated, or cut off."""
    if x.shape == tuple(shape):
        return str(x)
    if not x.size:
        raise SkipError
    return f"jnp.resize({x}, {tuple(shape)})"


def draw_program(
    seed: int,
    leaves: Sequence[tuple[tuple[int, ...], str]],
    build: Callable[[Draft], Sequence[str]],
    family: str,
    batch: tuple[int, int] | None = None,
) -> Program:
    """Draw a program of some leaves; `build` returns the names of its results."""
    scope, drawn = dict(environment()), {}
    draft = Draft(random.Random(seed), scope, [len(leaves)])

    def trace(*args: Any) -> Any:
        *xs, k = args
        names = [f"x{n}" for n in range(len(xs))]
        scope.update(zip(names, xs, strict=True), k=k)
        draft.values = [Value.named(n, x) for n, x in zip(names, xs, strict=True)]
        drawn["results"] = tuple(build(draft))
        return [eval(r, scope) for r in drawn["results"]]

    structs = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in leaves]
    jax.eval_shape(trace, *structs, jax.ShapeDtypeStruct((6,), "int32"))
    return Program(
        tuple(leaves),
        tuple(draft.statements),
        drawn["results"],
        family,
        seed,
        batch,
    ).alive()
