"""`dependence`: the boxes of a function, and what they prove."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from jnumerics import _check, _table
from jnumerics.derivatives._dependence.blocks import BlockBoxes, Loss
from jnumerics.derivatives._dependence.pattern import (
    COLUMNS,
    ROWS,
    Pattern,
    pattern,
)
from jnumerics.derivatives._program import arguments, trace
from jnumerics.derivatives._program.trace import Target

HTML_ROWS, HTML_COLUMNS = 48, 48


@dataclass(frozen=True, eq=False, repr=False)
class Dependence:
    """For every element of the result, the inputs its derivative may depend on.

    With one array in and one out, trees are arrays; otherwise they are the output's
    tree of the input's trees, as `jax.jacobian` nests. It can be pickled.

    Attributes:
        lower: Lowest index along each axis of the input, shape (*out, k) for an input
            with k axes; a scalar has none.
        upper: Highest index, inclusive. Where nothing stands behind an element, `lower`
            is 0 and `upper` -1.
        depends: Whether anything stands behind it, shape (*out,).
    """

    lower: Any
    upper: Any
    depends: Any
    _boxes: BlockBoxes = field(repr=False)

    @property
    def widths(self) -> Any:
        """Number of indices from `lower` to `upper` along each axis, (*out, k)."""
        return jax.tree.map(lambda low, high: high - low + 1, self.lower, self.upper)

    @property
    def is_elementwise(self) -> bool:
        """Whether every element depends on the input's at its own position alone.

        With pytrees: leaf by leaf, of the same shapes. Then the Jacobian is diagonal.
        """
        return self._boxes.stray_from_elementwise() is None

    def independent_along(self, axis: int) -> bool:
        """Whether no two positions along an axis of inputs and outputs mix.

        Args:
            axis: An axis of every input; negative ones count from the end.

        Raises:
            ValueError: If an input has no such axis.
        """
        return self._boxes.stray_along(axis) is None

    def loss(self, axis: int | None = None) -> Loss | None:
        """Return where independence was lost, None where it holds.

        Args:
            axis: Along this axis, as in `independent_along`; None: elementwise.

        Returns:
            The operation, and the user's file and line.

        Raises:
            ValueError: If an input has no such axis.
        """
        return self._boxes.loss(axis)

    def pattern(self, rows: int = ROWS, columns: int = COLUMNS) -> Pattern:
        """Draw the Jacobian: which share of each of its cells the boxes hold.

        Inputs and outputs are counted flat, leaf after leaf. Cost: one number for each
        element of the result and each border between cells.

        Args:
            rows: Cells downwards, over all outputs, at most.
            columns: Cells to the right, over all inputs, at most.

        Returns:
            The pattern; `print` it.

        Raises:
            TypeError: If a number is not an integer.
            ValueError: If it is below 1.

        Example:
            >>> print(dependence(jnp.diff, jnp.arange(4.0)).pattern())
            Boxes hold 6 of 12 entries of the Jacobian, 50 %; the others are zero
            <BLANKLINE>
            ██··
            ·██·
            ··██
            <BLANKLINE>
            outputs down, inputs across; · zero, █ in a box
        """
        limits = (
            _check.integer("rows", rows, least=1),
            _check.integer("columns", columns, least=1),
        )
        return pattern(self._boxes, limits)

    def __str__(self) -> str:
        """Show shapes, widest boxes and what is proven."""
        return "\n".join([_table.text(*self._table()), "", *self._proven()])

    def _repr_html_(self) -> str:
        shown = self.pattern(HTML_ROWS, HTML_COLUMNS)
        texts = _table.html_lines(*self._proven(), shown.title)
        return f"{_table.html(*self._table())}{texts}{shown.svg()}"

    def _table(self) -> tuple[list[str], list[list[str]]]:
        boxes, rows = self._boxes, []
        for k, leaf, _ in boxes:
            low, high, depends = boxes.bounds(k, leaf)
            out, shape = boxes.outs[k], boxes.shapes[leaf]
            widest = (high - low + 1).max(axis=tuple(range(len(out))), initial=0)
            reads = " x ".join(map(str, widest)) or "1"
            reads = reads if depends.any() else "nothing"
            names = boxes.out_names[k], boxes.in_names[leaf]
            rows.append([names[0], str(out), names[1], str(shape), reads])
        header = ["output", "shape", "input", "shape", "widest box"]
        return header, rows

    def __repr__(self) -> str:
        """Say in one line what depends on what."""
        ends = (self._boxes.outs, "outputs"), (self._boxes.shapes, "inputs")
        out, inputs = (
            str(shapes[0]) if len(shapes) == 1 else f"{len(shapes)} {name}"
            for shapes, name in ends
        )
        proven = "diagonal" if self.is_elementwise else "not diagonal"
        return f"<Dependence of {out} on {inputs}: {proven}>"

    def _proven(self) -> list[str]:
        lost = self.loss()
        if lost is None:
            return ["elementwise: the Jacobian is diagonal"]
        axes = range(min(map(len, self._boxes.shapes), default=0))
        properties = [
            ("elementwise", lost),
            *((f"independent along axis {axis}", self.loss(axis)) for axis in axes),
        ]
        return [
            name if lost is None else f"not {name}: {lost.operation} at {lost.line}"
            for name, lost in properties
        ]


def dependence(
    fun: Callable, *args: Any, argnums: int | tuple[int, ...] = 0, **kwargs: Any
) -> Dependence:
    """Prove which inputs each output's derivative may depend on: df_i/dx_j = 0 outside.

    Reads the derivative's own program, without a number computed: from shapes alone, so
    it holds for every x of that shape, and is the same under `jit`. A box may be too
    large, never too small: what values alone decide, such as a mask that is multiplied
    in, is not seen; an operation without a rule, such as the `linear_solve` of lineax,
    depends on all that enters it. The zeros of a matrix that is known while tracing
    count as zero, and a case that is not selected does not count, though JAX's passes
    give NaN there for a tangent that is not finite. Cost: a trace, and a pass over
    arrays of integers.

    Args:
        fun: A traceable function of arrays or pytrees of arrays.
        *args: Its arguments; only their shapes and dtypes are read, so that each leaf
            may be a `jax.ShapeDtypeStruct`.
        argnums: Which of them to differentiate with respect to.
        **kwargs: Its named arguments; names of ours, `fun` and `argnums`, are ours.

    Returns:
        The boxes, `lower` and `upper` of shape (*out, k) for an input with k axes.

    Raises:
        TypeError: If an argument or a result has a type or dtype without a derivative,
            if `fun` needs concrete values, or has effects where derivatives pass.
        ValueError: If `argnums` does not fit the arguments.

    Example:
        >>> import numpy as np
        >>> boxes = dependence(jnp.diff, jnp.arange(4.0))
        >>> np.hstack([boxes.lower, boxes.upper]).tolist()
        [[0, 1], [1, 2], [2, 3]]
        >>> boxes.is_elementwise
        False

    Reference:
        Griewank & Walther (2008), Evaluating Derivatives, chapter 7 (index domains).
    """
    _check.function("fun", fun)
    boxes = BlockBoxes(_make_target(fun, args, kwargs, argnums))
    outputs, inputs = boxes.target.outputs, boxes.target.inputs

    def nest(which: int) -> Any:
        rows = [
            [boxes.bounds(k, leaf)[which] for leaf in range(len(boxes.shapes))]
            for k in range(len(boxes.outs))
        ]
        return outputs.unflatten([inputs.unflatten(row) for row in rows])

    return Dependence(nest(0), nest(1), nest(2), boxes)


def _make_target(
    fun: Callable, args: tuple, kwargs: dict, argnums: int | tuple[int, ...]
) -> Target:
    """Trace; a complex input is one input, whatever `fun` makes of it."""

    def in_complex_numbers(*args: Any, **kwargs: Any) -> Any:
        return jax.tree.map(_as_complex, fun(*args, **kwargs))

    args, kwargs = arguments.closed(args, kwargs, shapes=True)
    try:
        chosen = jax.tree.leaves(arguments.select(args, argnums))
    except (IndexError, TypeError):
        chosen = []  # the check of `argnums` says what is wrong
    is_complex = any(jnp.issubdtype(x.dtype, jnp.complexfloating) for x in chosen)
    return trace.trace(
        in_complex_numbers if is_complex else fun,
        args,
        kwargs,
        argnums=argnums,
        holomorphic=is_complex,
    )


def _as_complex(y: Any) -> Any:
    if not jnp.issubdtype(jnp.result_type(y), jnp.floating):
        return y
    return jax.lax.complex(y, jnp.zeros_like(y))
