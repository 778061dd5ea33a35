"""`python -m tests.fuzz.interpret --programs N --seed S`: the interpreter beside XLA.

Programs and their Jacobians are evaluated both ways and compared.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.fuzz.work import Job, prepare, program_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, and return 1 if anything differs."""
    prepare()
    import jax
    import numpy as np

    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz.interpret", description=__doc__
    )
    parser.add_argument("--programs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--family", default="")
    options = parser.parse_args(arguments)
    job = Job(options.family, options.seed, 0, options.programs)
    compared = wrong = 0
    with jax.enable_x64(True), np.errstate(all="ignore"):
        for number in range(options.programs):
            program = program_of(job, number)
            for name, difference in _compared(program):
                compared += 1
                if difference:
                    wrong += 1
                    print(f"{program.family} {program.seed} {name}: {difference}")
                    print(program.body())
    print(f"{compared} evaluations of {options.programs} programs, {wrong} differ")
    return 1 if wrong else 0


def _compared(program: Any) -> Iterator[tuple[str, str]]:
    """Yield the name of what was evaluated, and how it differs."""
    import jax
    import numpy as np

    from tests.fuzz.check import is_stateful
    from tests.fuzz.compare import differs, tolerance_of
    from tests.fuzz.interpret import Interpreter

    if is_stateful(program):
        return
    fun, args = program.function(), program.arguments(program.seed % 3)
    for name, derived in _derived(fun):
        try:
            jaxpr = jax.make_jaxpr(derived)(*args)
            expected = [*map(np.asarray, jax.tree.leaves(jax.jit(derived)(*args)))]
        except Exception:
            continue  # JAX does not evaluate it
        actual = Interpreter(jaxpr, is_strict=True)(*jax.tree.leaves(args))
        if all(np.isfinite(y).all() for y in expected):
            yield name, differs(actual, expected, 100 * tolerance_of(program))


def _derived(fun: Callable[..., Any]) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the function and its Jacobians: programs batched and transposed."""
    import jax

    yield "value", fun
    yield "forward", jax.jacfwd(fun)
    yield "reverse", jax.jacrev(fun)


if __name__ == "__main__":
    sys.exit(main())
