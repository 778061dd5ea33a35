"""The Jacobian by JAX: jax.jvp and jax.vjp, one basis vector a pass, interpreted."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from tests.fuzz.interpret import Interpreter

Blocks = list[
    list[Any]
]  # a row for each output leaf, a block (*out, *in) for each input


class Truth:
    """Both ways to a Jacobian in the first argument; None where JAX has none.

    Args:
        fun: The function; its result is an array or a tuple of arrays.
        args: Arguments, of which shapes are read.
    """

    def __init__(self, fun: Callable[..., Any], args: Sequence[Any]) -> None:
        first, *rest = args
        self._ins = jax.tree.leaves(first)
        outs = jax.tree.leaves(jax.eval_shape(fun, *args))
        self._outs = [(tuple(o.shape), np.dtype(o.dtype)) for o in outs]

        def forward(x: Any, t: Any, *rest: Any) -> Any:
            return jax.jvp(lambda x: fun(x, *rest), (x,), (t,))[1]

        def reverse(x: Any, *operands: Any) -> Any:
            *rest, cotangent = operands
            result, pull = jax.vjp(lambda x: fun(x, *rest), x)
            tree = jax.tree.structure(result)
            return pull(tree.unflatten(cotangent))[0]

        self.refusals: dict[str, str] = {}
        self._forward = self._traced("forward", forward, first, first, *rest)
        zeros = [jax.ShapeDtypeStruct(*out) for out in self._outs]
        self._trace_reverse = lambda: self._traced(
            "reverse", reverse, first, *rest, zeros
        )

    @functools.cached_property
    def _reverse(self) -> Interpreter | None:
        """Traced where it is asked for: few programs need it."""
        return None if self.has_complex else self._trace_reverse()

    def _traced(self, name: str, fun: Callable, *args: Any) -> Interpreter | None:
        try:
            jaxpr = jax.make_jaxpr(fun)(*args)
            _require_no_custom_lin(jaxpr)
            return Interpreter(jaxpr)
        except Exception as error:
            self.refusals[name] = f"{type(error).__name__}: {error}"
            return None

    @property
    def has_complex(self) -> bool:
        """Whether a result is complex, which JAX's reverse mode does not serve."""
        return any(dtype.kind == "c" for _, dtype in self._outs)

    @property
    def out_ranks(self) -> list[int]:
        """The number of axes of each leaf of the result."""
        return [len(shape) for shape, _ in self._outs]

    @property
    def is_empty(self) -> bool:
        """Whether no output has an element: any derivative of them is right."""
        return all(0 in shape for shape, _ in self._outs)

    @property
    def has_forward(self) -> bool:
        """Whether JAX has a forward mode here."""
        return self._forward is not None

    @property
    def has_reverse(self) -> bool:
        """Whether JAX has a reverse mode here."""
        return self._reverse is not None

    def forward(self, args: Sequence[Any]) -> Blocks | None:
        """Push every basis vector of the inputs forward."""
        if self._forward is None:
            return None
        first, *rest = args
        leaves = jax.tree.leaves(first)
        blocks = [
            [
                np.zeros((*shape, *np.shape(i)), np.promote_types(dtype, i.dtype))
                for i in leaves
            ]
            for shape, dtype in self._outs
        ]
        n_in = len(leaves)
        operands = [*leaves, *leaves, *jax.tree.leaves(rest)]
        push = self._forward.prepared(operands, range(n_in, 2 * n_in))
        for n, (tangents, place) in self._basis(leaves):
            pushed = push(*tangents)
            for row, y in zip(blocks, pushed, strict=True):
                row[n][(..., *place)] = y
        return blocks

    def reverse(self, args: Sequence[Any]) -> Blocks | None:
        """Pull every basis vector of the outputs back."""
        if self._reverse is None:
            return None
        first, *rest = args
        leaves = jax.tree.leaves(first)
        outs = [np.zeros(shape, dtype) for shape, dtype in self._outs]
        blocks = [
            [
                np.zeros((*o.shape, *np.shape(i)), np.promote_types(o.dtype, i.dtype))
                for i in leaves
            ]
            for o in outs
        ]
        operands = [*leaves, *jax.tree.leaves(rest), *outs]
        start = len(operands) - len(outs)
        pull = self._reverse.prepared(operands, range(start, len(operands)))
        for m, (cotangents, place) in self._basis(outs):
            pulled = pull(*cotangents)
            for n, x in enumerate(pulled):
                blocks[m][n][place] = x
        return blocks

    @staticmethod
    def _basis(leaves: Sequence[Any]) -> Any:
        for n, leaf in enumerate(leaves):
            for place in np.ndindex(*np.shape(leaf)):
                vectors = [np.zeros(np.shape(x), x.dtype) for x in leaves]
                vectors[n][place] = 1
                yield n, (vectors, place)


def _require_no_custom_lin(jaxpr: Any) -> None:
    """Refuse what JAX refuses when it runs: a custom_vjp function pushed forward."""
    for eqn in getattr(jaxpr, "jaxpr", jaxpr).eqns:
        if eqn.primitive.name == "custom_lin":
            msg = "forward mode of a custom_vjp function"
            raise TypeError(msg)
        for value in eqn.params.values():
            for item in value if isinstance(value, tuple | list) else (value,):
                if hasattr(item, "eqns") or hasattr(item, "jaxpr"):
                    _require_no_custom_lin(item)
