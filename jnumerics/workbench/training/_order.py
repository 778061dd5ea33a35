"""Which batch an update sees: a function of the step and of the key, of nothing else.

Epoch e goes through the data in the order

    jax.random.permutation(jax.random.fold_in(key, e), n),

n // batch_size batches of them; the n % batch_size samples at the end of the order are
left out of this epoch, other ones in each. So any step can be begun at.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import NamedSharding
from jaxtyping import Array, PyTree

from jnumerics import _check

MOST_STEPS = 1 << 14  # of one call of the program, whose losses are one array
MOST_MADE_STEPS, MOST_MADE_BYTES = 64, 1 << 24  # of batches that a function made


@dataclass(frozen=True)
class Whole:
    """Every step sees all data."""

    per_epoch: ClassVar[None] = None

    def batch(self, source: Any, order: PyTree, step: Array) -> PyTree:
        """Return the batch of a step."""
        del order, step
        return source

    def reordered(self, source: Any, order: PyTree, step: Array) -> PyTree:
        """Return the order, which is none."""
        del source, step
        return order

    def left(self, step: Array) -> Array:
        """Return nothing of use: there are no epochs."""
        return step


@dataclass(frozen=True)
class Made(Whole):
    """Batches that lie in a stack, of which the first step is the source's second."""

    def batch(self, source: Any, order: PyTree, step: Array) -> PyTree:
        """Return the batch of a step."""
        del order
        stack, first = source
        take = partial(lax.dynamic_index_in_dim, index=step - first, keepdims=False)
        return jax.tree.map(take, stack)


@dataclass(frozen=True)
class Shuffled:
    """Batches of permuted data; the source is the data and the key."""

    size: int
    batch_size: int
    places: tuple[NamedSharding | None, ...]
    """Where the leaves of a batch lie that share their samples among devices."""

    @property
    def per_epoch(self) -> int:
        """Return the number of batches in an epoch."""
        return self.size // self.batch_size

    def order(self, source: Any, epoch: Array) -> Array:
        """Draw the order of an epoch."""
        _, key = source
        return jax.random.permutation(jax.random.fold_in(key, epoch), self.size)

    def reordered(self, source: Any, order: PyTree, step: Array) -> PyTree:
        """Draw the order where an epoch begins."""
        epoch = step // self.per_epoch
        draw = partial(self.order, source, epoch)
        return lax.cond(step % self.per_epoch == 0, draw, lambda: order)

    def left(self, step: Array) -> Array:
        """Return how many steps are left in the epoch of a step, which is one."""
        return self.per_epoch - step % self.per_epoch

    def batch(self, source: Any, order: PyTree, step: Array) -> PyTree:
        """Return the batch of a step."""
        data, _ = source
        start = step % self.per_epoch * self.batch_size
        chosen = lax.dynamic_slice_in_dim(order, start, self.batch_size)
        leaves, structure = jax.tree.flatten(data)
        taken = [x.at[chosen].get(mode="promise_in_bounds") for x in leaves]
        lying = [
            x if place is None else lax.with_sharding_constraint(x, place)
            for x, place in zip(taken, self.places, strict=True)
        ]
        return jax.tree.unflatten(structure, lying)


Feed = Whole | Shuffled  # how the compiled program gets a batch from its source


class Arrays:
    """Data that is there as a whole, and its order."""

    def __init__(self, data: PyTree, batch_size: int | None, key: Any):
        """Check the arguments of `train`."""
        self.limit = MOST_STEPS
        self.notes = {"data": _shapes(data), "batch_size": batch_size, "key": None}
        if batch_size is None:
            self.feed: Feed = Whole()
            self._source = data
            return
        size = len(jax.tree.leaves(data)[0])
        if batch_size > size:
            limit = f"at most {size}, the number of samples"
            msg = f"`batch_size` must be {limit}, got {batch_size}"
            raise ValueError(msg)
        places = tuple(_place(x, batch_size) for x in jax.tree.leaves(data))
        self.feed = Shuffled(size, batch_size, places)
        self._source = data, key
        self.notes["key"] = _written(key)

    def source(self, first: int, count: int) -> Any:
        """Return what the program takes the batches of some steps from."""
        del first, count
        return self._source

    def order(self, step: int) -> PyTree:
        """Return the order at a step."""
        if isinstance(self.feed, Whole):
            return ()
        return _draw(self._source, np.int32(step // self.feed.per_epoch), self.feed)


class Function:
    """Batches that a function makes, on the host, for the steps of one chunk."""

    def __init__(self, make: Callable[[int], PyTree], batch_size: int | None, at: int):
        """Make the batch of the step `at`, and check it."""
        self._make, self._at = make, at
        self._first = first = each_array(make(at))
        self._structure = jax.tree.structure(first)
        self._forms = [_form(x) for x in jax.tree.leaves(first)]
        self.feed: Feed = Made()
        size = max(sum(_bytes(x) for x in jax.tree.leaves(first)), 1)
        self.limit = max(1, min(MOST_MADE_STEPS, MOST_MADE_BYTES // size))
        self.notes = {"data": _shapes(first), "batch_size": batch_size, "key": None}
        for path, x in jax.tree_util.tree_leaves_with_path(first):
            if batch_size is not None and np.shape(x)[:1] != (batch_size,):
                which = f"a first axis of size {batch_size}"
                msg = f"`{_named(path)}` must have {which}, got shape {np.shape(x)}"
                raise ValueError(msg)

    def source(self, first: int, count: int) -> Any:
        """Return the stack of the batches of some steps, padded to one length."""
        made = [self._batch(step) for step in range(first, first + count)]
        made += [made[-1]] * (self.limit - count)
        stacks = [_stack(leaves) for leaves in zip(*made, strict=True)]
        return jax.tree.unflatten(self._structure, stacks), np.int32(first)

    def order(self, step: int) -> PyTree:
        """Return no order."""
        del step
        return ()

    def _batch(self, step: int) -> list[Any]:
        # the first one is made already: a function need not give it twice alike
        batch = self._first if step == self._at else each_array(self._make(step))
        leaves = jax.tree.leaves(batch)
        is_alike = jax.tree.structure(batch) == self._structure
        if not is_alike or [_form(x) for x in leaves] != self._forms:
            msg = (
                f"`data` must return batches like the first, "
                f"{told(self.notes['data'])}, got {told(_shapes(batch))} at step {step}"
            )
            raise ValueError(msg)
        return leaves


def rows(data: PyTree) -> PyTree:
    """Return data as arrays, whose first axes are the same samples."""
    if not jax.tree.leaves(data):
        msg = f"`data` must hold arrays, or be a function of the step, got {data!r}"
        raise TypeError(msg)
    data = each_array(data)
    pairs = jax.tree_util.tree_leaves_with_path(data)
    first, size = _named(pairs[0][0]), np.shape(pairs[0][1])[:1]
    if not size or not size[0]:
        shape = np.shape(pairs[0][1])
        msg = f"`{first}` must have a first axis with samples, got shape {shape}"
        raise ValueError(msg)
    for path, x in pairs:
        if np.shape(x)[:1] != size:
            which = f"a first axis of size {size[0]}, as `{first}` has"
            msg = f"`{_named(path)}` must have {which}, got shape {np.shape(x)}"
            raise ValueError(msg)
    return data


def each_array(tree: PyTree) -> PyTree:
    """Check every leaf; those of NumPy stay on the host, where they are stacked."""

    def check(path: Any, leaf: Any) -> Any:
        is_plain = type(leaf) is np.ndarray and leaf.dtype.kind in "biufc"
        if is_plain and leaf.dtype == jax.dtypes.canonicalize_dtype(leaf.dtype):
            return leaf
        return _check.array(_named(path), leaf)

    return jax.tree_util.tree_map_with_path(check, tree)


@partial(jax.jit, static_argnums=2)
def _draw(source: Any, epoch: Array, feed: Shuffled) -> Array:
    return feed.order(source, epoch)


def _place(x: Any, batch_size: int) -> NamedSharding | None:
    """Return where a batch lies: as the data does, if samples are shared so."""
    place = getattr(x, "sharding", None)
    if not isinstance(place, NamedSharding) or place.num_devices == 1:
        return None
    if not place.spec or place.spec[0] is None:
        return None
    shape = (batch_size, *x.shape[1:])
    try:
        place.shard_shape(shape)
    except ValueError:  # not divided by the devices: the compiler decides
        return None
    return place


def _stack(leaves: tuple[Any, ...]) -> Any:
    on_host = all(isinstance(x, np.ndarray) for x in leaves)
    return np.stack(leaves) if on_host else jnp.stack(leaves)


def _form(x: Any) -> tuple[str, tuple[int, ...]]:
    return str(jax.dtypes.canonicalize_dtype(x.dtype, True)), np.shape(x)


def _shapes(tree: PyTree) -> dict[str, str]:
    """Return dtype and shape of each leaf, by its path."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): "{} {}".format(*_form(x)) for path, x in leaves}


def told(shapes: dict[str, str]) -> str:
    """Tell dtype and shape of each leaf; an array that is alone has no path."""
    leaves = [f"{path} {form}".lstrip() for path, form in shapes.items()]
    return ", ".join(leaves) or "none"


def _named(path: Any) -> str:
    return f"data{jax.tree_util.keystr(path)}"


def _bytes(x: Any) -> int:
    return _key_data(x).nbytes if isinstance(x, jax.Array) else x.nbytes


def _written(key: Any) -> str:
    """Return a random key in words, with its generator."""
    data = np.asarray(_key_data(key))
    is_typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    typed = key if is_typed else jax.random.wrap_key_data(jnp.asarray(data))
    return f"{jax.random.key_impl(typed)} {data.ravel().tolist()}"


def _key_data(x: Any) -> Any:
    is_key = jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
    return jax.random.key_data(x) if is_key else x
