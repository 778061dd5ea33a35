"""Gathers, scatters and slices whose index is known late, in part, or strangely."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics.derivatives import (
    SampleMixingError,
    batch_jacobian,
    jacobian,
    jacobian_diagonal,
)
from jnumerics.derivatives._dependence.result import dependence
from tests import hulls

MODES = ["clip", "fill", "promise_in_bounds"]
INDICES = [0, 1, -1, 7]  # of a size of one: within, and out of bounds


def overwritten(mode=None):
    """Reversed samples, written over by the samples themselves, if the index is 0."""
    return lambda X, i: X[::-1][None].at[i].set(X, mode=mode)[0]


def holds(fun, x, i):
    """Whether the boxes hold the Jacobian for an index that is an argument."""
    boxes = dependence(fun, x, i)
    jacobians = jax.jit(jax.vmap(jax.jacfwd(fun), (None, 0)))(x, jnp.array(INDICES))
    return all(hulls.holds(boxes.lower, boxes.upper, j != 0) for j in jacobians)


@pytest.mark.usefixtures("x64")
class TestAnOverwriteThatMayBeDropped:
    X = np.linspace(1.0, 2.0, 8).reshape(4, 2)

    def test_is_refused_by_batch_jacobian(self):
        with pytest.raises(SampleMixingError, match="scatter"):
            batch_jacobian(overwritten())(self.X, 5)

    @pytest.mark.parametrize("mode", MODES)
    def test_is_held_by_the_boxes(self, mode):
        assert holds(overwritten(mode), self.X, 0)

    @pytest.mark.parametrize("i", INDICES)
    @pytest.mark.parametrize("mode", ["auto", "compressed", "cut"])
    def test_has_the_right_jacobian(self, mode, i):
        J = jacobian(overwritten(), mode=mode)(self.X, i)
        truth = jax.jit(jax.jacfwd(overwritten()))(self.X, i)
        np.testing.assert_array_equal(J, truth)

    @pytest.mark.parametrize("i", INDICES)
    def test_has_the_right_diagonal(self, i):
        x = self.X[:, 0]
        truth = np.diagonal(jax.jacfwd(overwritten())(x, i))
        diagonal = jacobian_diagonal(overwritten())(x, i)
        np.testing.assert_array_equal(diagonal, truth)

    def test_is_accepted_where_the_index_is_clipped(self):
        blocks = batch_jacobian(overwritten("clip"))(self.X, 5)
        np.testing.assert_array_equal(blocks, np.tile(np.eye(2), (4, 1, 1)))

    def test_is_accepted_where_the_index_is_known(self):
        blocks = batch_jacobian(lambda X: overwritten()(X, 0))(self.X)
        np.testing.assert_array_equal(blocks, np.tile(np.eye(2), (4, 1, 1)))


def windowed(kind, window, mode, known):
    """A scatter of windows at one known and one unknown index column."""
    numbers = lax.ScatterDimensionNumbers(
        update_window_dims=(1, 2),
        inserted_window_dims=(),
        scatter_dims_to_operand_dims=(0, 1),
    )

    def fun(x, i):
        operand = jnp.flip(x)
        index = jnp.stack([jnp.array([known, known]), jnp.array([i, i + 1])], 1)
        updates = jnp.stack(
            [x[: window[0], : window[1]], 2 * x[: window[0], : window[1]]]
        )
        return kind(
            operand, index, updates, numbers, mode=mode,
            unique_indices=kind is lax.scatter,
        )  # fmt: skip

    return fun


KINDS = [lax.scatter, lax.scatter_add]


@pytest.mark.filterwarnings("ignore:.*scatter inputs have incompatible types")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("known", [0, 1, -1])
@pytest.mark.parametrize("window", [(2, 3), (1, 3), (2, 1), (1, 1)])
def test_windows_at_indices_known_in_part_are_held(kind, mode, known, window, x64):
    x = np.arange(1.0, 7).reshape(2, 3)
    fun = windowed(kind, window, lax.GatherScatterMode.from_any(mode), known)
    assert holds(fun, x, 0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_gathered_windows_at_an_unknown_index_are_held(mode, size, x64):
    numbers = lax.GatherDimensionNumbers((1,), (), (0,))

    def fun(x, i):
        start = jnp.array([[i], [i + 1]])
        return lax.gather(x, start, numbers, (size,), mode=mode, fill_value=0)

    assert holds(fun, np.arange(1.0, 4), 0)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_slices_at_an_unknown_index_are_held(size, x64):
    x = np.arange(1.0, 4)
    assert holds(lambda x, i: lax.dynamic_slice(x, (i,), (size,)), x, 0)
    assert holds(lambda x, i: lax.dynamic_update_slice(x[::-1], x[:size], (i,)), x, 0)


def gathered(mode):
    numbers = lax.GatherDimensionNumbers((), (0,), (0,))
    return lambda x, i: lax.gather(x, i[None], numbers, (1,), mode=mode, fill_value=0)


def scattered(mode):
    numbers = lax.ScatterDimensionNumbers((), (0,), (0,))

    def fun(x, i):
        return lax.scatter(
            x, i[None], 2 * x[1], numbers, mode=mode, unique_indices=True
        )

    return fun


WAYS = {
    **{f"gather, {mode}": gathered(mode) for mode in MODES},
    **{f"scatter, {mode}": scattered(mode) for mode in MODES},
    "slice": lambda x, i: lax.dynamic_slice(x, (i,), (10,)),
    "update": lambda x, i: lax.dynamic_update_slice(x, 2 * x[:10], (i,)),
    "index": lambda x, i: x[i],
}
EXTREMES = [
    np.int8(100), np.uint8(150), np.uint8(250), np.uint16(65535), np.uint32(2**32 - 1),
    np.int32(-(2**31)), np.int64(2**32 + 3), np.uint64(2**64 - 1),
]  # fmt: skip


@pytest.mark.parametrize("index", EXTREMES, ids=lambda i: f"{i.dtype}({i})")
@pytest.mark.parametrize("way", WAYS)
def test_extreme_known_indices_are_held(way, index, x64):
    x = np.linspace(1.0, 2.0, 200)
    if way == "index" and np.iinfo(index.dtype).max < len(x):
        return  # JAX refuses an index whose dtype is too narrow for the array

    def fun(x):
        return WAYS[way](x, jnp.asarray(index))

    boxes = dependence(fun, x)
    assert hulls.holds(boxes.lower, boxes.upper, hulls.pattern(fun, x, points=1))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint32"])
def test_known_indices_of_small_dtypes_are_single(dtype):
    boxes = dependence(lambda x: x[jnp.array([3, 0, 3], dtype)], jnp.ones(4))
    np.testing.assert_array_equal(boxes.lower[:, 0], [3, 0, 3])
    assert (boxes.widths == 1).all()


def test_equal_known_indices_may_leave_any_of_their_updates(x64):
    def fun(x):
        return jnp.zeros(3).at[jnp.array([1, 1, 1])].set(x)

    boxes = dependence(fun, np.ones(3))
    assert boxes.lower[1].tolist() == [0]
    assert boxes.upper[1].tolist() == [2]
    assert not boxes.depends[0]


@pytest.mark.parametrize("name", ["multiply", "min", "max", "add", "subtract"])
@pytest.mark.parametrize("i", INDICES)
def test_what_a_scatter_combines_with_stays(name, i, x64):
    def fun(x, i):
        at = x[::-1][None].at[i]
        return getattr(at, name)(jnp.full((1,), 3.0))[0]

    x = np.arange(1.0, 5)
    boxes = dependence(fun, x, i)
    truth = np.eye(4, dtype=bool)[::-1]
    assert hulls.holds(boxes.lower, boxes.upper, truth)


def test_a_function_applied_in_place_keeps_what_stood_there(x64):
    @jax.custom_jvp
    def fun(x):
        return x.at[0].apply(lambda v: 2 * v)

    fun.defjvp(lambda primals, tangents: (fun(*primals), fun(*tangents)))
    boxes = dependence(fun, np.ones(3))
    np.testing.assert_array_equal(boxes.lower[:, 0], [0, 1, 2])
    assert boxes.is_elementwise
