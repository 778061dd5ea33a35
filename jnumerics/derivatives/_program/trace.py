"""What is differentiated: a function at its arguments, with all trees flat.

Everything in this package that takes `fun` goes through here, so that arguments,
`argnums`, pytrees and dtypes mean the same, and fail the same, everywhere.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from jnumerics import _check
from jnumerics.derivatives._program import arguments, joint
from jnumerics.derivatives._program.arguments import (
    ArgNums,
    as_tuple,
    positions,
    select,
)
from jnumerics.derivatives._program.joint import Ends
from jnumerics.derivatives._program.layout import Layout
from jnumerics.derivatives._program.tangent import Program

EACH_SAMPLE = "for each sample of a batch, apply jax.vmap to what takes one sample"


@dataclass(frozen=True)
class Target:
    """A function's derivative at arguments of given shapes.

    A complex result of real inputs counts as two real leaves, its real and imaginary
    parts, so that every mode serves it; `nest` puts them together again.

    Attributes:
        leaves: Leaves of all arguments.
        active: Positions among them of what is differentiated.
        inputs: The tree of the differentiated arguments.
        outputs: The tree of the result.
        aux: The tree of what `fun` returns beside it.
        is_pair: For each leaf of the result, whether it counts as two.
        fun: The function of flat leaves: to the result's leaves, split, and aux's.
        program: The tangent program.
        ends: How it runs where it is neither proven linear nor vouched for.
    """

    leaves: list[Any]
    active: list[int]
    inputs: Any
    outputs: Any
    aux: Any
    is_pair: list[bool]
    fun: Callable[[list[Any]], tuple[list[Any], list[Any]]]
    program: Program
    ends: Ends | None = None

    @property
    def may_choose(self) -> bool:
        """Whether both modes give the same derivative, up to what solvers leave."""
        return self.ends is None or self.ends.forward.linearity.is_for_solvers

    @property
    def in_avals(self) -> list[Any]:
        """Shapes and dtypes of the differentiated leaves."""
        return [v.aval for v in self.program.tangents]

    @property
    def out_avals(self) -> list[Any]:
        """Shapes and dtypes of the result's leaves, complex ones as two."""
        return [v.aval for v in self.program.values[: self.n_outputs]]

    @property
    def n_outputs(self) -> int:
        """Number of leaves of the result, complex ones split in two."""
        return len(self.program.outputs)

    def evaluate(self, program: Program | None = None) -> tuple[Any, Any, dict]:
        """Evaluate a primal program: the result, aux, and what the passes read.

        Args:
            program: That of the passes; the tangent program by default.
        """
        program = program or self.program
        values, env = program.evaluate(self.leaves)
        result = self._whole(values[: self.n_outputs])
        aux = self.aux.unflatten(values[self.n_outputs :])
        # a pass from some of the inputs leaves the others still
        env.update((v, Layout.from_var(v).zeros()) for v in program.tangents)
        return self.outputs.unflatten(result), aux, env

    def nest(
        self,
        blocks: Sequence[Sequence[Any]],
        join: Callable[[Any, Any], Any] = jax.lax.complex,
    ) -> Any:
        """Nest blocks, a row for each leaf of the result, as `jax.jacobian` does.

        Args:
            blocks: For each leaf of the result, complex ones as two, a block an input.
            join: Puts the blocks of a real and an imaginary part together.
        """
        columns = [self._whole(column, join) for column in zip(*blocks, strict=True)]
        rows = [self.inputs.unflatten(row) for row in zip(*columns, strict=True)]
        return self.outputs.unflatten(rows)

    def _whole(
        self, parts: Sequence[Any], join: Callable[[Any, Any], Any] = jax.lax.complex
    ) -> list[Any]:
        remaining = iter(parts)
        return [
            join(next(remaining), next(remaining)) if s else next(remaining)
            for s in self.is_pair
        ]


def trace(
    fun: Callable,
    args: Sequence[Any],
    kwargs: dict[str, Any] | None = None,
    *,
    argnums: ArgNums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    vouched: bool = False,
) -> Target:
    """Trace a function's derivative at the shapes of its arguments.

    Arguments may be closed already (see `arguments`), or shapes.

    Raises:
        TypeError: If an argument or a result has a type or dtype that has no
            derivative, if `fun` needs concrete values, or has effects.
        ValueError: If `argnums` does not fit the arguments, or selects no array.
    """
    args, kwargs = arguments.closed(args, kwargs or {}, shapes=True)
    active = positions(args, argnums)
    if not active:
        msg = "`argnums` must select at least one array, got none"
        raise ValueError(msg)
    _require_differentiable(args, argnums, holomorphic)
    leaves, tree = jax.tree.flatten((args, kwargs))
    structure: dict[str, Any] = {}

    def flat(leaves: list[Any]) -> tuple[list[Any], list[Any]]:
        args, kwargs = arguments.opened(tree.unflatten(leaves))
        result = fun(*args, **kwargs)
        result, aux = _part_aux(result) if has_aux else (result, ())
        results, structure["outputs"] = jax.tree.flatten(result)
        aux_leaves, structure["aux"] = jax.tree.flatten(aux)
        aux_leaves = [_check.array("fun's aux", leaf) for leaf in aux_leaves]
        results = require_results(results, holomorphic=holomorphic)
        structure["is_pair"] = [
            not holomorphic and jnp.iscomplexobj(r) for r in results
        ]
        parts = [
            part
            for r in results
            for part in (
                (r.real, r.imag) if jnp.iscomplexobj(r) and not holomorphic else (r,)
            )
        ]
        return parts, aux_leaves

    program, ends = joint.trace(flat, leaves, active, vouched=vouched)
    return Target(
        leaves=leaves,
        active=active,
        inputs=jax.tree.structure(arguments.without_static(select(args, argnums))),
        fun=flat,
        program=program,
        ends=ends,
        **structure,
    )


def _require_differentiable(
    args: Sequence[Any], argnums: ArgNums, holomorphic: bool
) -> None:
    for k in as_tuple(argnums):
        for path, leaf in jax.tree_util.tree_leaves_with_path(args[k]):
            name = f"args[{k}]{jax.tree_util.keystr(path)}"
            is_complex = jnp.issubdtype(leaf.dtype, jnp.complexfloating)
            if not jnp.issubdtype(leaf.dtype, jnp.inexact):
                msg = (
                    f"`{name}` must be real to be differentiated, "
                    f"got dtype {leaf.dtype}: use a float"
                )
                raise TypeError(msg)
            if is_complex and not holomorphic:
                msg = (
                    f"`{name}` must be real, got dtype {leaf.dtype}: "
                    "set holomorphic=True in `jacobian` if `fun` is holomorphic"
                )
                raise TypeError(msg)
            if holomorphic and not is_complex:
                msg = (
                    f"`{name}` must be complex with holomorphic=True, "
                    f"got dtype {leaf.dtype}"
                )
                raise TypeError(msg)


def _part_aux(result: Any) -> tuple[Any, Any]:
    if not isinstance(result, tuple | list) or len(result) != 2:
        is_array = isinstance(result, jax.Array)
        msg = (
            "`fun` must return a pair (result, aux) with has_aux=True, "
            f"got {'an array' if is_array else type(result).__name__}"
        )
        raise TypeError(msg)
    return result[0], result[1]


def require_results(
    results: Sequence[Any], *, holomorphic: bool = False
) -> list[jax.Array]:
    """Require at least one leaf, all arrays of real or complex numbers."""
    if not results:
        msg = "`fun` must return an array, or a pytree with at least one, got none"
        raise TypeError(msg)
    arrays = [_check.array("fun's result", r) for r in results]
    for r in arrays:
        if not jnp.issubdtype(r.dtype, jnp.inexact):
            msg = f"`fun` must return real or complex numbers, got dtype {r.dtype}"
            raise TypeError(msg)
        if holomorphic and not jnp.iscomplexobj(r):
            msg = (
                "`fun` must return complex numbers with holomorphic=True, "
                f"got dtype {r.dtype}"
            )
            raise TypeError(msg)
    return arrays


def require_square(target: Target) -> None:
    """Require a real result with the tree and the shapes of what is differentiated."""
    if any(target.is_pair):
        msg = "`fun` must return real numbers for a diagonal, got complex ones"
        raise TypeError(msg)
    shapes = [aval.shape for aval in target.in_avals]
    results = [aval.shape for aval in target.out_avals]
    if results != shapes:
        hint = f": {EACH_SAMPLE}" if any(len(s) > 1 for s in shapes) else ""
        msg = (
            f"`fun` must return its argument's tree and shapes {shapes}, got {results}"
        )
        raise ValueError(msg + hint)
    if target.inputs != target.outputs:
        trees = f"{target.inputs}, got {target.outputs}"
        msg = f"`fun` must return its argument's tree {trees}"
        raise ValueError(msg)
