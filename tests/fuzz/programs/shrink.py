"""Shrinking: operations are dropped one by one while a program still fails."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.fuzz.programs.program import Assign, Define, Program, Statement, walk


def shrunk(
    program: Program, fails: Callable[[Program], bool], seconds: float = 20.0
) -> Program:
    """Return the smallest program found that still fails.

    Args:
        program: A program that fails.
        fails: Whether another one fails in the same way.
        seconds: How long to try.
    """
    end, smaller = time.monotonic() + seconds, True
    while smaller:
        smaller = False
        for candidate in _candidates(program):
            if time.monotonic() > end:
                return program
            if _length(candidate) < _length(program) and fails(candidate):
                program, smaller = candidate, True
                break
    return program


def _length(program: Program) -> int:
    return sum(len(s.lines()) for s in program.statements) + 9 * len(program.results)


def _candidates(program: Program) -> Iterator[Program]:
    """Yield programs with less in them, those with the least first."""
    tops = [s for s in program.statements if isinstance(s, Assign)]
    for statement in tops:
        if program.results != (statement.name,):
            yield replace(program, results=(statement.name,)).alive()
    if len(program.results) > 1:
        for name in program.results:
            yield replace(program, results=(name,)).alive()
    shapes = _shapes(program)
    for statement in reversed([*walk(program.statements)]):
        if isinstance(statement, Assign):
            for other in _instead(statement, shapes):
                yield _substituted(program, statement, other).alive()


def _shapes(program: Program) -> dict[str, tuple[tuple[int, ...], str]]:
    shapes = {f"x{n}": leaf for n, leaf in enumerate(program.leaves)}
    for s in walk(program.statements):
        if isinstance(s, Assign):
            shapes[s.name] = (s.shape, s.dtype)
    return shapes


def _instead(
    statement: Assign, shapes: dict[str, tuple[tuple[int, ...], str]]
) -> Iterator[str]:
    """Yield what may stand in place of a value: what it reads, or a constant."""
    own = (statement.shape, statement.dtype)
    for name in sorted(statement.reads()):
        if shapes.get(name) == own:
            yield name
    for first, (shape, dtype) in shapes.items():
        if first.startswith("x") and (tuple(shape), dtype) == own:
            yield first
    constant = f"jnp.ones({statement.shape}, np.{statement.dtype})"
    if statement.code != constant:
        yield constant


def _substituted(program: Program, gone: Assign, code: str) -> Program:
    """Write a name, or a constant, in place of a value."""
    if code.isidentifier():
        pattern = re.compile(rf"\b{gone.name}\b")

        def renamed(text: str) -> str:
            return pattern.sub(code, text)

        statements = _mapped(program.statements, gone, None, renamed)
        results = tuple(renamed(r) for r in program.results)
        return replace(program, statements=statements, results=results)
    changed = replace(gone, code=code)
    statements = _mapped(program.statements, gone, changed, lambda text: text)
    return replace(program, statements=statements)


def _mapped(
    statements: tuple[Statement, ...],
    gone: Assign,
    new: Assign | None,
    renamed: Callable[[str], str],
) -> tuple[Statement, ...]:
    mapped: list[Statement] = []
    for s in statements:
        if s is gone:
            mapped += [] if new is None else [new]
        elif isinstance(s, Define):
            body = _mapped(s.body, gone, new, renamed)
            mapped.append(
                replace(s, body=body, result=renamed(s.result), after=renamed(s.after))
            )
        else:
            mapped.append(replace(s, code=renamed(s.code)))
    return tuple(mapped)


def script(program: Program, check: str) -> str:
    """Print a script that shows a failure of the public functions."""
    return program.script(_SHOWN.get(check.split()[0], _shown_jacobian)(program, check))


def _shown_jacobian(_: Program, check: str) -> str:
    words = [w for w in check.split() if w not in ("compiled", "jacobian")]
    mode = next(
        (w for w in words if w in ("forward", "reverse", "cut", "compressed")), "auto"
    )
    sparse = ', format="bcoo"' if "bcoo" in words else ""
    dense = ".todense()" if sparse else ""
    return (
        "from jnumerics.derivatives import jacobian\n"
        f'print(jacobian(fun, mode="{mode}"{sparse})(x, k){dense})\n'
        "print(jax.jacfwd(fun)(x, k))  # or jacrev"
    )


def _shown_box(_: Program, __: str) -> str:
    return (
        "from jnumerics.derivatives import dependence\n"
        "found = dependence(fun, x, k)\n"
        "print(found.lower, found.upper, sep='\\n')\n"
        "print(jax.jacfwd(fun)(x, k))  # or jacrev"
    )


def _shown_batch(program: Program, _: str) -> str:
    axes = program.batch or (0, 0)
    return (
        "from jnumerics.derivatives import batch_jacobian\n"
        f"print(batch_jacobian(fun, in_axis={axes[0]}, out_axis={axes[1]})(x, k))\n"
        "print(jax.jacfwd(fun)(x, k))  # or jacrev"
    )


def _shown_diagonal(_: Program, __: str) -> str:
    return (
        "from jnumerics.derivatives import jacobian_diagonal\n"
        "print(jacobian_diagonal(fun)(x, k))\n"
        "print(jax.jacfwd(fun)(x, k))  # or jacrev"
    )


def _shown_second(_: Program, check: str) -> str:
    return (
        f"from jnumerics.derivatives import {check.split()[0]}\n"
        "g = lambda x: sum("
        "jnp.sin(jnp.real(y)).sum() for y in jax.tree.leaves(fun(x, k)))\n"
        f"print({check.split()[0]}(g)(x))\nprint(jax.hessian(g)(x))"
    )


_SHOWN = {
    "dependence": _shown_box,
    "batch": _shown_batch,
    "diagonal": _shown_diagonal,
    "hessian": _shown_second,
    "laplacian": _shown_second,
}
