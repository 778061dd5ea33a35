"""The compiled chunk: some updates, each with its batch, in one program.

Each update is one of `descent.minimize`. The loop around it learns only when it runs
how many there are: so a compiler cannot make another program of a chunk of one step
than of a chunk of a thousand, chunks of any lengths are the same run bit for bit, and
one compilation serves them all. It ends early behind an update whose loss or gradient
is not finite.
"""

import functools
import inspect
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.sharding import Sharding
from jaxtyping import Array, PyTree

from jnumerics import _check, descent
from jnumerics._programs import Live, cached
from jnumerics.workbench.training._order import Feed

Places = tuple[Sharding | None, ...]


class Watched(NamedTuple):
    """State of an optimizer, and what the last gradient was like."""

    inner: PyTree
    is_finite: Array
    """Of each leaf, whether its gradient was finite."""


class Carry(NamedTuple):
    """What one chunk leaves to the next."""

    params: PyTree
    state: Watched
    order: PyTree
    """The epoch's permutation, where there is one."""


class Chunk(NamedTuple):
    """What came of some updates."""

    carry: Carry
    losses: Array
    """Before each update; zeros behind the last one."""
    steps: Array
    """How many there were: fewer than asked for where one was not finite."""
    is_finite: Array
    """Whether the last loss was, then of each leaf whether its gradient was."""
    params_are_finite: Array
    """Of each leaf, whether it is, or was not from the beginning."""


class _Loop(NamedTuple):
    step: Array
    carry: Carry
    losses: Array
    is_finite: Array


class Program:
    """What is compiled for a loss and an optimizer."""

    def __init__(self, live: Live):
        """Compile nothing yet; `live` returns the loss, and the optimizer's parts."""
        self._live = live
        self.optimizer = _watched(live)
        self.advance = jax.jit(
            self._advance, static_argnames=("feed", "limit", "dtype", "places")
        )
        self.returned = jax.jit(self._returned, static_argnames="feed")
        self.empty = jax.jit(_no_batches, static_argnames="feed")

    def value(self, params: PyTree, batch: PyTree) -> Any:
        """Return the loss without what it returns beside."""
        loss, *_ = self._live()
        returned = loss(params, batch)
        return returned[0] if _is_pair(returned) else returned

    def begin(self, params: PyTree, source: Any, order: PyTree, feed: Feed) -> Any:
        """Return the descent of no steps: arguments checked, dtypes settled."""
        batches = self.empty(source, order, np.int32(0), feed=feed)
        return descent.minimize(
            self.value, params, optimizer=self.optimizer, steps=0, batches=batches
        )

    def has_aux(self, carry: Carry, source: Any, feed: Feed) -> bool:
        """Whether the loss returns something beside."""
        returned = jax.eval_shape(
            functools.partial(self.returned, feed=feed), carry, source, np.int32(0)
        )
        return _is_pair(returned)

    def _returned(self, carry: Carry, source: Any, step: Array, *, feed: Feed) -> Any:
        """Return all that the loss returns, at one step."""
        loss, *_ = self._live()
        order = feed.reordered(source, carry.order, step)
        returned = loss(carry.params, feed.batch(source, order, step))
        if not _is_pair(returned):
            return returned
        value, aux = returned
        return value, jax.tree_util.tree_map_with_path(_as_array, aux)

    def _advance(
        self,
        carry: Carry,
        source: Any,
        first: Array,
        count: Array,
        *,
        feed: Feed,
        limit: int,
        dtype: np.dtype,
        places: Places,
    ) -> Chunk:
        """Run `count` updates, at most `limit`, from step `first`."""

        def update(loop: _Loop) -> _Loop:
            (params, state, order), k = loop.carry, loop.step
            batch = feed.batch(source, order, k)
            updated = descent.minimize(
                lambda params: self.value(params, batch),
                params,
                optimizer=self.optimizer,
                steps=1,
                state=state,
            )
            loss = updated.losses[0]
            finite = jnp.append(jnp.isfinite(loss), updated.state.is_finite)
            params, state = _placed((updated.params, updated.state), places)
            carry = Carry(params, state, order)
            return _Loop(k + 1, carry, loop.losses.at[k - first].set(loss), finite)

        def before(end: Array, loop: _Loop) -> Array:
            return (loop.step < end) & jnp.all(loop.is_finite)

        def epoch(loop: _Loop) -> _Loop:
            """Run what is asked for of one epoch, whose order its first step draws."""
            order = feed.reordered(source, loop.carry.order, loop.step)
            until = loop.step + jnp.minimum(end - loop.step, feed.left(loop.step))
            loop = loop._replace(carry=loop.carry._replace(order=order))
            return lax.while_loop(functools.partial(before, until), update, loop)

        end, before_it = first + count, _finite(carry.params)
        finite = jnp.ones(1 + carry.state.is_finite.size, bool)
        loop = _Loop(first, carry, jnp.zeros(limit, dtype), finite)
        body = update if feed.per_epoch is None else epoch
        loop = lax.while_loop(functools.partial(before, end), body, loop)
        after = _finite(loop.carry.params) | ~before_it
        return Chunk(loop.carry, loop.losses, loop.step - first, loop.is_finite, after)


def _is_pair(returned: Any) -> bool:
    return isinstance(returned, tuple) and len(returned) == 2


def _as_array(path: Any, leaf: Any) -> Array:
    return _check.array(f"loss's aux{jax.tree_util.keystr(path)}", leaf)


program = cached(Program)  # of the loss and the optimizer's init and update


def _no_batches(source: Any, order: PyTree, step: Array, *, feed: Feed) -> PyTree:
    """Return a stack of no batches, of the shapes and dtypes that one has."""
    return jax.tree.map(lambda x: x[None][:0], feed.batch(source, order, step))


def _watched(live: Live) -> optax.GradientTransformationExtraArgs:
    """Return the optimizer with a record of whether its last gradient was finite."""

    def init(params: PyTree) -> Watched:
        leaves = len(jax.tree.leaves(params))
        return Watched(live()[1](params), jnp.ones(leaves, bool))

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> Any:
        finite = _finite(updates)
        updates, inner = live()[2](updates, state.inner, params, **extra)
        return updates, Watched(inner, finite)

    # it takes the extra arguments that the optimizer takes
    vars(update)["__signature__"] = inspect.signature(live()[2])
    return optax.GradientTransformationExtraArgs(init, update)


def _finite(tree: PyTree) -> Array:
    """Return of each leaf whether all its numbers are finite."""
    leaves = jax.tree.leaves(tree)
    whole = [jnp.all(jnp.isfinite(leaf)) for leaf in leaves]
    return jnp.stack(whole) if whole else jnp.ones(0, bool)


def _placed(tree: PyTree, places: Places) -> PyTree:
    """Keep arrays where they were when the run began."""
    if not places:
        return tree
    leaves, structure = jax.tree.flatten(tree)
    placed = [
        leaf if place is None else lax.with_sharding_constraint(leaf, place)
        for leaf, place in zip(leaves, places, strict=True)
    ]
    return jax.tree.unflatten(structure, placed)
