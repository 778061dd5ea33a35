"""Of which function a derivative is asked for, at which arguments."""

import argparse
import contextlib
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jnumerics import _table
from jnumerics.workbench._usage import UsageError
from jnumerics.workbench.commands import flags
from jnumerics.workbench.commands._functions.errors import (
    OwnError,
    is_misfit,
    own_frames,
    told,
)
from jnumerics.workbench.commands._functions.find import load

DTYPES = ("float32", "float64", "bfloat16", "float16", "int32")
GREATEST_SEED = 2**31 - 1
MOST_BYTES = 1 << 31  # of arguments: what is made of them takes several times as much


class Asked(NamedTuple):
    """Of which function a derivative is asked for, at which arguments.

    Attributes:
        name: As it was written.
        shapes: Of its arguments.
        dtypes: Of its arguments.
        argnums: Which of them to differentiate with respect to.
        seed: Of the arguments' values.
        where: The name and the shapes, as errors tell of them.
    """

    name: str
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[str, ...]
    argnums: int | tuple[int, ...]
    seed: int
    where: str

    @contextlib.contextmanager
    def loaded(self, *, draws: bool = True) -> Iterator[tuple[Callable, list[Any]]]:
        """Give the function and its arguments, with float64 where that is asked for.

        Args:
            draws: Whether the arguments are drawn; else they are shapes and dtypes.

        Raises:
            UsageError: If the function is missing, the shapes do not fit it, or are too
                large.
            OwnError: If the function breaks.
        """
        is_double = "float64" in self.dtypes
        with jax.enable_x64(True) if is_double else contextlib.nullcontext():
            try:
                fun = load(self.name)
                shapes = [*map(jax.ShapeDtypeStruct, self.shapes, self._jax_dtypes)]
                taken = sum(math.prod(x.shape) * x.dtype.itemsize for x in shapes)
                require_small("the arguments", taken)
                yield fun, [*self._values()] if draws else shapes
            except (UsageError, BrokenPipeError):
                raise
            except (Exception, SystemExit) as error:
                frames = own_frames(error)
                if not frames or is_misfit(error, frames[-1]):
                    raise UsageError(self._one_line(error, frames)) from None
                raise OwnError(told(error, frames)) from None

    def described(self) -> str:
        """Return the function with its arguments, as `f(float32[3])`."""
        pairs = zip(self.dtypes, self.shapes, strict=True)
        leaves = ", ".join(f"{dtype}{list(shape)}" for dtype, shape in pairs)
        return f"{self.name.rpartition(':')[2]}({leaves})"

    def as_dict(self) -> dict[str, Any]:
        """Return what is written of it as JSON."""
        names = ("shapes", "dtypes", "argnums", "seed")
        return {"function": self.name, **{name: getattr(self, name) for name in names}}

    @property
    def _jax_dtypes(self) -> list[Any]:
        return [jnp.dtype(name) for name in self.dtypes]

    def _values(self) -> Iterator[jax.Array]:
        keys = jax.random.split(jax.random.key(self.seed), len(self.shapes))
        for key, shape, dtype in zip(keys, self.shapes, self._jax_dtypes, strict=True):
            is_whole = jnp.issubdtype(dtype, jnp.integer)
            if is_whole:
                yield jnp.zeros(shape, dtype)
            else:
                yield jax.random.normal(key, shape, dtype)

    def _one_line(self, error: BaseException, frames: Sequence[Any]) -> str:
        text = re.sub(r"\s+", " ", str(error)).strip() or type(error).__name__
        if isinstance(error, SyntaxError):  # says where; shapes were not yet looked at
            return f"{self.name}: {text}"
        at = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
        return f"{self.where}: {text}{at}"


def require_small(what: str, taken: int) -> None:
    """Require what a shape asks for to take little enough memory.

    Raises:
        UsageError: If it takes more than `MOST_BYTES`.
    """
    if taken > MOST_BYTES:
        limit, came = _table.memory(MOST_BYTES), _table.memory(taken)
        msg = f"--shape must be such that {what} take at most {limit}, got {came}"
        raise UsageError(msg)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name a function and describe its arguments."""
    parser.add_argument(
        "function", metavar="MODULE:FUNCTION",
        help="MODULE is importable, from the current folder too, or a file",
    )  # fmt: skip
    parser.add_argument(
        "--shape", metavar="SHAPE", action="append", required=True,
        help="of an argument, such as 784 or 32,784 or () for a number; once for each:"
        " arguments are arrays, not pytrees",
    )  # fmt: skip
    parser.add_argument(
        "--dtype", metavar="DTYPE", action="append",
        help=f"of all arguments (float32), or once for each: {', '.join(DTYPES)};"
        " the values are normal, those of int32 are 0; no complex ones",
    )  # fmt: skip
    parser.add_argument(
        "--argnums", metavar="N", default="0",
        help="which arguments to differentiate by, such as 0 or 0,2 (0)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", metavar="N", default="0", help="of the arguments' values (0)"
    )


def read(arguments: argparse.Namespace) -> Asked:
    """Read what `configure` added.

    Raises:
        UsageError: If something cannot be read.
    """
    texts = arguments.shape
    shapes = tuple(shape(text) for text in texts)
    named = " ".join(f"--shape {text or '()'}" for text in texts)
    return Asked(
        arguments.function,
        shapes,
        _dtypes(arguments.dtype or ["float32"], len(shapes)),
        _argnums(arguments.argnums, len(shapes)),
        flags.integer("--seed", arguments.seed, least=0, greatest=GREATEST_SEED),
        f"{arguments.function} with {named}",
    )


def _dtypes(names: Sequence[str], count: int) -> tuple[str, ...]:
    for name in names:
        if name not in DTYPES:
            msg = f"--dtype must be one of {', '.join(DTYPES)}, got {name!r}"
            raise UsageError(msg)
    if len(names) not in (1, count):
        counts = f"{len(names)} for {count}"
        msg = f"--dtype must be given once, or once for each --shape, got {counts}"
        raise UsageError(msg)
    return tuple(names) * (count if len(names) == 1 else 1)


def _argnums(text: str, count: int) -> int | tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    numbers = [int(p) for p in parts if re.fullmatch(r"\d{1,4}", p)]
    is_read = len(numbers) == len(parts) == len(set(numbers))
    if not is_read or max(numbers) >= count:
        span = f"from 0 to {count - 1}" if count > 1 else "0"
        msg = f"--argnums must be such as 0 or 0,2, each {span} and once, got {text!r}"
        raise UsageError(msg)
    return numbers[0] if len(numbers) == 1 else tuple(numbers)


def shape(text: str) -> tuple[int, ...]:
    """Read a shape: `784`, `32,784`, `32x784`, `(784,)`; `()` or nothing is a number's.

    Raises:
        UsageError: If it is something else.

    Example:
        >>> shape("784"), shape("32x784"), shape("()")
        ((784,), (32, 784), ())
    """
    inner = re.sub(r"^\((.*)\)$|^\[(.*)\]$", r"\1\2", text.strip())
    parts = re.split(r"\s*[,x]\s*", inner.strip().removesuffix(",")) if inner else []
    if not all(re.fullmatch(r"\d{1,18}", part) for part in parts):
        msg = f"--shape must be such as 784 or 32,784 or (), got {text!r}"
        raise UsageError(msg)
    return tuple(int(part) for part in parts)


def target(arguments: argparse.Namespace, allowed: Sequence[str]) -> str:
    """Read `--target`, and `--batch` where a command has it.

    Raises:
        UsageError: If it is another one, or the two disagree.
    """
    name, is_batch = arguments.target, getattr(arguments, "batch", False)
    if is_batch and name not in ("jacobian", "batch"):
        msg = f"--target must be batch beside --batch, got {name!r}"
        raise UsageError(msg)
    name = "batch" if is_batch else name
    if name not in allowed:
        msg = f"--target must be one of {', '.join(allowed)}, got {name!r}"
        raise UsageError(msg)
    return name
