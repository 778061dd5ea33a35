"""Where forward and reverse mode change places, over numbers of inputs and outputs.

The functions are x -> V tanh(U x) with random matrices: no structure between input and
output, and nowhere narrower than at the ends, so that only these two modes compete.
"""

import argparse
import itertools
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from jnumerics.derivatives import compare_modes
from jnumerics.derivatives._compare.timing import Interrupted
from jnumerics.workbench import devices, plots
from jnumerics.workbench._usage import UsageError
from jnumerics.workbench.commands import flags
from jnumerics.workbench.commands._map import Cell, Crossover

__all__ = [
    "Cell",
    "Crossover",
    "configure",
    "measure",
    "numbers",
    "run",
    "unstructured",
]

MODES = ("forward", "reverse")
MOST_ENDS = 1_000_000  # matrices of so many rows and columns fit nowhere


def measure(
    inputs: Sequence[int],
    outputs: Sequence[int],
    *,
    repeats: int = 20,
    progress: Callable[[Cell], None] | None = None,
) -> Crossover:
    """Compare forward and reverse mode for each number of inputs and outputs.

    Args:
        inputs: Numbers of inputs.
        outputs: Numbers of outputs.
        repeats: Runs of each mode, as in `compare_modes`.
        progress: Called with each cell once it is measured.

    Returns:
        The map.

    Raises:
        KeyboardInterrupt: By Ctrl-C; once a cell is measured, its attribute `found` is
            the map of those that are.

    Example:
        >>> crossover = measure([1], [4], repeats=2)
        >>> [(c.inputs, c.outputs, c.predicted) for c in crossover.cells]
        [(1, 4, 'forward')]
    """
    result = Crossover("", {}, tuple(inputs), tuple(outputs), ())
    try:
        for n, m in itertools.product(inputs, outputs):
            cell, where = _cell(n, m, repeats)
            result = replace(result, **where, cells=(*result.cells, cell))
            if progress is not None:
                progress(cell)
    except KeyboardInterrupt:
        if not result.cells:
            raise KeyboardInterrupt from None
        raise Interrupted(result) from None
    return result


def _cell(n: int, m: int, repeats: int) -> tuple[Cell, dict[str, Any]]:
    """Measure a cell; beside it, say on what device and by what versions."""
    fun, x = unstructured(n, m), jax.random.normal(jax.random.key(0), (n,))
    result = compare_modes(fun, x, modes=MODES, repeats=repeats, reference=None)
    forward, reverse = (row.run_s for row in result.modes)
    assert forward is not None
    assert reverse is not None
    times = forward.median, reverse.median
    where = {"device": result.device, "versions": result.versions}
    return Cell(n, m, *times, result.predicted, result.fastest, result.tie), where


def unstructured(n: int, m: int) -> Callable[[jax.Array], jax.Array]:
    """Return a function of n inputs and m outputs in which each depends on all.

    Example:
        >>> unstructured(3, 2)(jnp.ones(3)).shape
        (2,)
    """
    hidden = max(n, m)
    first, second = jax.random.split(jax.random.key(n + m))
    U = jax.random.normal(first, (hidden, n)) / jnp.sqrt(n)
    V = jax.random.normal(second, (m, hidden)) / jnp.sqrt(hidden)
    jax.block_until_ready((U, V))  # if there is too little memory, this says so
    return lambda x: V @ jnp.tanh(U @ x)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `jnumerics crossover`."""
    for name in ("inputs", "outputs"):
        parser.add_argument(
            f"--{name}", metavar="LOW:HIGH", default="1:1024",
            help=f"numbers of {name}: from LOW up to HIGH (1:1024)",
        )  # fmt: skip
    parser.add_argument(
        "--factor", metavar="K", default="4", help="between one number and the next (4)"
    )
    parser.add_argument(
        "--repeats", metavar="N", default="20", help="runs of each mode (20)"
    )
    flags.add_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Map which of forward and reverse mode wins, and which is predicted."""
    factor = flags.integer("--factor", arguments.factor, least=2)
    inputs = numbers("--inputs", arguments.inputs, factor)
    outputs = numbers("--outputs", arguments.outputs, factor)
    repeats = flags.integer("--repeats", arguments.repeats, least=1)
    flags.require_writable(arguments)
    devices.select(arguments.platform)
    done, total = 0, len(inputs) * len(outputs)

    def progress(cell: Cell) -> None:
        nonlocal done
        done += 1
        print(
            f"{done} of {total}: {cell.inputs} inputs, "
            f"{cell.outputs} outputs: {cell.fastest or 'a tie'}",
            file=sys.stderr,
        )

    try:
        result = measure(inputs, outputs, repeats=repeats, progress=progress)
    except Interrupted as interrupt:
        result = interrupt.found
    try:
        print(result)
    finally:  # though nobody may read the table
        flags.write(
            arguments, result.to_json, lambda file: plots.crossover(result, file)
        )
    if len(result.cells) < total:
        msg = f"after {len(result.cells)} of {total} cells"
        raise KeyboardInterrupt(msg)
    return 0


def numbers(flag: str, text: str, factor: int) -> list[int]:
    """Read `LOW:HIGH`, or one number, as numbers that grow by a factor.

    Raises:
        UsageError: If it is something else.

    Example:
        >>> numbers("--inputs", "1:100", 4)
        [1, 4, 16, 64]
    """
    low, _, high = text.partition(":")
    try:
        first, last = int(low), int(high or low)
    except ValueError:
        first = last = 0
    if not 1 <= first <= last <= MOST_ENDS:
        bounds = f"1 <= LOW <= HIGH <= {MOST_ENDS}"
        msg = f"{flag} must be LOW:HIGH with {bounds}, got {text!r}"
        raise UsageError(msg)
    values = [first]
    while values[-1] * factor <= last:
        values.append(values[-1] * factor)
    return values
