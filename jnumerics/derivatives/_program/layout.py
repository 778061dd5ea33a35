"""How the elements of a variable are counted: directions, and samples.

Where all samples share their passes, a direction is one in a component of every sample.
"""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import AxisType
from jaxtyping import Array

from jnumerics.derivatives._program.jaxpr import Var

Env = dict[Var, Any]


@dataclass(frozen=True)
class Layout:
    """How the elements of a variable are counted.

    Attributes:
        shape: Its shape.
        dtype: Its dtype.
        axis: Its axis of samples, or None where all elements are one sample's.
        inner: Elements of each sample along that axis: more than one where it was
            merged with the axes behind it.
    """

    shape: tuple[int, ...]
    dtype: Any
    axis: int | None = None
    inner: int = 1

    @classmethod
    def from_var(cls, var: Any, axis: int | None = None, inner: int = 1) -> "Layout":
        """Lay out a variable."""
        return cls(tuple(var.aval.shape), var.aval.dtype, axis, inner)

    @property
    def samples(self) -> int:
        """Number of samples."""
        return 1 if self.axis is None else self.shape[self.axis] // self.inner

    @property
    def rest(self) -> tuple[int, ...]:
        """Shape of one sample."""
        if self.axis is None:
            return self.shape
        inner = (self.inner,) if self.inner > 1 else ()
        return (*self.shape[: self.axis], *inner, *self.shape[self.axis + 1 :])

    @property
    def count(self) -> int:
        """Number of directions: elements of one sample."""
        return math.prod(self.rest)

    def one_hot(self, k: Any) -> Array:
        """Make the direction that is one in component `k` of every sample."""
        if self.count == 1:
            return self.ones()
        index = lax.iota(jnp.int32, self.count).reshape(self.rest)
        return self.spread((index == k).astype(self.dtype))

    def spread(self, sample: Array) -> Array:
        """Give every sample the same value, of shape `rest`."""
        if self.axis is None:
            return sample
        before, after = self.rest[: self.axis], self.rest[self.axis :]
        whole = jnp.broadcast_to(
            jnp.expand_dims(sample, self.axis), (*before, self.samples, *after)
        )
        return whole.reshape(self.shape)

    def flat(self, x: Any) -> Any:
        """Bring a value, of JAX or NumPy, to shape `(samples, count)`."""
        if self.axis is not None:
            before, after = self.rest[: self.axis], self.rest[self.axis :]
            x = x.reshape(*before, self.samples, *after)
            x = x.transpose(self.axis, *(k for k in range(x.ndim) if k != self.axis))
        return x.reshape(self.samples, self.count)

    def ones(self) -> Array:
        """Make the tangent that is one everywhere."""
        return jnp.ones(self.shape, self.dtype)

    def zeros(self) -> Array:
        """Make the zero tangent."""
        return jnp.zeros(self.shape, self.dtype)

    def zero_block(self, start: "Layout") -> Array:
        """Make the matrices of an output that does not depend on an input."""
        dtype = common_dtype(self.dtype, start.dtype)
        return jnp.zeros((self.samples, self.count, start.count), dtype)


def common_dtype(*dtypes: Any) -> Any:
    """Return the dtype for blocks between values of these, however JAX promotes.

    Floats of eight bits have none in common with others: there it is the widest.
    """
    with jax.numpy_dtype_promotion("standard"):
        try:
            return jnp.result_type(*dtypes)
        except ValueError:
            return max(dtypes, key=lambda dtype: jnp.finfo(dtype).bits)


def is_shared(aval: Any) -> bool:
    """Whether a value of a type is on several devices, which may share it.

    The type tells of the mesh alone: how values lie there is the compiler's choice.
    """
    place = getattr(aval, "sharding", None)
    if place is None or place.mesh.empty or place.mesh.size == 1:
        return False
    return AxisType.Auto in place.mesh.axis_types


def note_explicit_axes(error: Exception, tree: Any) -> None:
    """Say in an error that a mesh leaves it to the program how results are sharded."""
    arrays = [x for x in jax.tree.leaves(tree) if isinstance(x, jax.Array)]
    places = [getattr(jax.typeof(x), "sharding", None) for x in arrays]
    axes = [p.mesh.explicit_axes for p in places if p and p.mesh.explicit_axes]
    said = getattr(error, "__notes__", ())  # by a derivative inside of this one
    if axes and not any("explicit axes" in note for note in said):
        error.add_note(
            f"The arguments lie on a mesh with explicit axes {axes[0]}: wrap the "
            "derivative in `jax.sharding.auto_axes`, which asks how the answer is to "
            "be sharded."
        )


def as_varying(x: Any, aval: Any) -> Any:
    """Let a value differ among the devices of a mesh as one of another type does.

    Inside of `jax.shard_map` what is made of nothing is the same on every device, and
    JAX takes no such value where a program was traced with one that differs.
    """
    own, wanted = (
        getattr(kind, "manual_axis_type", None) for kind in (jax.typeof(x), aval)
    )
    if own is None or wanted is None:
        return x
    axes = tuple(sorted(wanted.varying - own.varying))
    return lax.pcast(x, axes, to="varying") if axes else x
