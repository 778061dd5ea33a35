"""What is saved comes back: every dtype, kind of leaf and structure, bit for bit."""

from collections import OrderedDict
from typing import NamedTuple

import equinox
import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from jnumerics.workbench import checkpoint
from jnumerics.workbench.checkpoint._leaves import DTYPES
from tests.workbench.checkpoint.same import assert_same


def returned(folder, tree):
    """Save a pytree and load it as one of its like."""
    checkpoint.save(folder, 3, tree)
    step, loaded = checkpoint.load(folder, tree)
    assert step == 3
    return loaded


# --- leaves ---------------------------------------------------------------------------

RAW = np.random.default_rng(0).integers(0, 256, 64, np.uint8)


def numbers(name, shape=(2, 3)):
    """Random bits as numbers of a dtype; NaNs of every payload among the floats."""
    dtype = DTYPES[name]
    if name == "bool":
        return (RAW[:6] % 2).astype(bool).reshape(shape)
    if jnp.issubdtype(dtype, jnp.integer) and dtype.kind == "V":
        return (RAW[:6] % 2).astype(dtype).reshape(shape)
    count = int(np.prod(shape)) * dtype.itemsize
    return np.resize(RAW, count).view(dtype).reshape(shape)


@pytest.mark.parametrize("name", DTYPES)
def test_numpy_array_of_every_dtype_comes_back_bit_for_bit(name, tmp_path):
    array = numbers(name)
    assert_same(returned(tmp_path, {"x": array})["x"], array)


@pytest.mark.parametrize("name", [n for n in DTYPES if "float6_" not in n])
def test_jax_array_of_every_dtype_comes_back_bit_for_bit(name, tmp_path, x64):
    array = jnp.asarray(numbers(name))
    assert array.dtype == DTYPES[name]
    assert_same(returned(tmp_path, [array])[0], array)


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("shape", [(0,), (2, 0, 3), ()])
def test_empty_array_and_scalar_of_every_dtype_come_back(name, shape, tmp_path):
    array = np.zeros(shape, DTYPES[name])
    assert_same(returned(tmp_path, array), array)


def test_strided_and_byte_swapped_arrays_come_back(tmp_path):
    base = np.arange(24.0).reshape(4, 6)
    tree = [base.T, base[::-2, 1::3], base[:, 0], np.broadcast_to(base[0], (5, 6))]
    for x, y in zip(returned(tmp_path, tree), tree, strict=True):
        np.testing.assert_array_equal(x, y)
    swapped = np.arange(3, dtype=">i4")
    loaded = returned(tmp_path / "swapped", {"x": swapped})["x"]
    np.testing.assert_array_equal(loaded, swapped)
    assert loaded.dtype == np.int32


@pytest.mark.parametrize("generator", ["threefry2x32", "rbg", "unsafe_rbg"])
def test_random_keys_come_back(generator, tmp_path):
    one = jax.random.key(3, impl=generator)
    tree = {"one": one, "some": jax.random.split(one, 5), "raw": jax.random.PRNGKey(1)}
    loaded = returned(tmp_path, tree)
    jax.tree.map(assert_same, loaded, tree)
    assert jax.random.key_impl(loaded["one"]) == generator


@pytest.mark.parametrize(
    "leaf",
    [0, -(2**63), 2.5, -0.0, float("inf"), True, 1 - 2j, "", "hällo\0\ud800", b"\xff",
     np.float32(3), np.int8(-3), np.bool_(True), np.complex128(1j)],
    ids=repr,
)  # fmt: skip
def test_python_and_numpy_scalars_and_texts_come_back(leaf, tmp_path):
    assert_same(returned(tmp_path, {"x": leaf})["x"], leaf)


@pytest.mark.parametrize("number", [1, 2.5, 1j])
def test_weakly_typed_array_comes_back_as_one(number, tmp_path):
    loaded = returned(tmp_path, [jnp.asarray(number), jnp.full((2, 3), number)])
    assert [x.weak_type for x in loaded] == [True, True]
    assert loaded[0] == number


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("leaf", "error", "message"),
    [
        (jnp.tanh, TypeError, "an array, a number or a text, got"),
        (object(), TypeError, "an array, a number or a text, got object"),
        (np.array([None]), TypeError, "a dtype that JAX has, got object"),
        (np.array(["a"]), TypeError, "a dtype that JAX has, got str"),
        (np.array(["2020-01-01"], "M8[D]"), TypeError, "a dtype that JAX has, got da"),
        (np.zeros(2, "f8,i4"), TypeError, "a dtype that JAX has, got void"),
        (np.ma.masked_array([1.0]), TypeError, "an array, .* got MaskedArray"),
        (jax.ShapeDtypeStruct((), jnp.float32), TypeError, "values, got ShapeDtype"),
        (2**63, ValueError, "in the range of int64"),
    ],
)
def test_leaf_that_cannot_be_saved_is_named(leaf, error, message, tmp_path):
    with pytest.raises(error, match=rf"^`tree\['a'\]\[1\]` must .*{message}"):
        checkpoint.save(tmp_path, 0, {"a": [1.0, leaf]})
    assert [*tmp_path.iterdir()] == []


def test_traced_and_deleted_leaves_are_named(tmp_path):
    with pytest.raises(TypeError, match=r"`tree` must have values, got .*Tracer"):
        jax.jit(lambda x: checkpoint.save(tmp_path, 0, x) and x)(jnp.ones(2))
    gone = jnp.ones(2) + 1
    gone.delete()
    with pytest.raises(ValueError, match=r"`tree` must have values, got .* deleted"):
        checkpoint.save(tmp_path, 0, gone)


def test_array_goes_where_that_of_like_lives(tmp_path):
    array = jnp.arange(3.0)
    checkpoint.save(tmp_path, 0, array)
    device = jax.devices()[0]
    _, free = checkpoint.load(tmp_path, array)
    _, placed = checkpoint.load(tmp_path, jax.device_put(array, device))
    sharding = jax.sharding.SingleDeviceSharding(device)
    shape = jax.ShapeDtypeStruct((3,), jnp.float32, sharding=sharding)
    _, shaped = checkpoint.load(tmp_path, shape)
    assert (free.committed, placed.committed, shaped.committed) == (False, True, True)


@pytest.mark.boundary
def test_double_numbers_without_x64_are_refused_and_not_narrowed(tmp_path):
    checkpoint.save(tmp_path, 0, np.ones(2))
    with pytest.raises(
        ValueError, match=r"`like` must have .* without x64, got float6"
    ):
        checkpoint.load(tmp_path, jax.ShapeDtypeStruct((2,), np.float64))


# --- structures -----------------------------------------------------------------------


class Pair(NamedTuple):
    left: object
    right: object


NUMBERED = {
    "a/b": 1, "a": {"b": 2, "~1b": 3}, "a~1b": 4, "": 5, "0": 6, "__metadata__": 7,
    "é\n\"\\": 8, "~s0": 9, "\ud800": 10, "~": {"s0": 11, "": 12},
}  # fmt: skip


def test_no_two_paths_have_the_same_name(tmp_path):
    mixed = OrderedDict([(0, 1), ("0", 2), ((0, "a"), 3), (True, 4), (0.5, 5)])
    tree = [NUMBERED, mixed, Pair(1, [2, (3,)]), None, (), {}]
    assert returned(tmp_path, tree) == tree


KEYS = st.one_of(st.text(), st.sampled_from(["0", "~", "/", "~s0", "__metadata__"]))
LEAVES = st.one_of(
    st.sampled_from(list(DTYPES.values())[:14]).flatmap(
        lambda dtype: arrays.arrays(
            dtype if dtype.kind != "V" else np.float16,
            arrays.array_shapes(min_dims=0, min_side=0, max_side=3),
        )
    ),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.booleans(),
    st.text(),
    st.binary(),
)
TREES = st.recursive(
    LEAVES,
    lambda trees: st.one_of(
        st.lists(trees, max_size=3),
        st.tuples(trees, trees),
        st.dictionaries(KEYS, trees, max_size=3),
        st.builds(Pair, trees, trees),
    ),
    max_leaves=8,
)


@pytest.mark.slow
@hypothesis.given(tree=TREES)
@hypothesis.settings(max_examples=40, deadline=None)
def test_any_pytree_comes_back(tree, tmp_path_factory):
    loaded = returned(tmp_path_factory.mktemp("tree"), tree)
    assert jax.tree.structure(loaded) == jax.tree.structure(tree)
    jax.tree.map(assert_same, loaded, tree)


@pytest.mark.slow
def test_equinox_module_comes_back(tmp_path, key):
    model, static = equinox.partition(
        equinox.nn.MLP(2, 1, 4, 1, key=key), equinox.is_array
    )
    loaded = equinox.combine(returned(tmp_path, model), static)
    x = jnp.ones(2)
    assert loaded(x) == equinox.combine(model, static)(x)
