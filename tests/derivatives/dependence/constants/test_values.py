"""The same dependence at every value, eager and compiled."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics.derivatives._dependence.result import dependence

KEY = jax.random.key(0)


def bounds_under_jit(fun, x):
    seen = []

    @jax.jit
    def compiled(x):
        seen.append(dependence(fun, x))
        return x

    compiled(x)
    return seen[0]


@pytest.mark.parametrize(
    "fun",
    [
        pytest.param(lambda x: x[jnp.array([2, 0])], id="known rows"),
        pytest.param(lambda x: x[jnp.argsort(x)], id="rows by argsort"),
        pytest.param(
            lambda x: jnp.where(jnp.arange(4) < 2, x, x[::-1]), id="known mask"
        ),
        pytest.param(lambda x: jnp.where(x > 0, x, x[::-1]), id="mask of values"),
        pytest.param(
            lambda x: x.at[jnp.array([3, 1])].set(2 * x[:2]), id="known scatter"
        ),
    ],
)
def test_eager_and_compiled_see_the_same(fun):
    x = jnp.arange(4.0)
    eager, compiled = dependence(fun, x), bounds_under_jit(fun, x)
    np.testing.assert_array_equal(eager.lower, compiled.lower)
    np.testing.assert_array_equal(eager.upper, compiled.upper)


def test_rows_by_argsort_of_sorted_data_are_not_independent():
    x = jnp.arange(8.0).reshape(4, 2)
    assert not dependence(lambda x: x[jnp.argsort(x[:, 0])], x).independent_along(0)


def test_an_index_that_is_traced_outside_is_unknown():
    seen = []

    @jax.jit
    def outer(index):
        seen.append(dependence(lambda x: x[index], jnp.ones((3, 2))))
        return index

    outer(jnp.array([0, 1, 2]))
    assert not seen[0].independent_along(0)
    known = dependence(lambda x: x[jnp.array([0, 1, 2])], jnp.ones((3, 2)))
    assert known.independent_along(0)


def test_an_index_among_the_arguments_is_unknown():
    index = jnp.array([0, 1, 2])
    boxes = dependence(lambda x, i: x[i], jnp.ones((3, 2)), index)
    assert not boxes.independent_along(0)


def test_a_mask_that_hangs_on_rounding_is_unknown():
    # 0.1 * 3 may or may not be above 0.3, as the compiler fuses it.
    x = jnp.ones(4)

    def fun(x, above):
        grid = jnp.float32(0.1) * jnp.arange(4, dtype="float32")
        return jnp.where(grid > jnp.float32(above), x, jnp.flip(x))

    np.testing.assert_array_equal(
        dependence(lambda x: fun(x, 0.25), x).widths, np.ones((4, 1))
    )
    assert dependence(lambda x: fun(x, 0.3), x).widths.max() == 4


@pytest.mark.parametrize("make_key", [jax.random.key, jax.random.PRNGKey])
def test_what_is_drawn_is_unknown(make_key):
    def fun(x):
        keeps = jax.random.bernoulli(make_key(0), 0.5, x.shape)
        return jnp.where(keeps, x, 0)[jax.random.permutation(make_key(1), 4)]

    assert dependence(fun, jnp.ones(4)).widths.min() == 4


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_float_indices_that_end_in_integers_are_known(dtype):
    def fun(x):
        place = jnp.floor((jnp.arange(6, dtype=dtype) + 0.5) * 0.5)
        return x[place.astype(int)]

    boxes = dependence(fun, jnp.ones(3))
    np.testing.assert_array_equal(boxes.lower[:, 0], [0, 0, 1, 1, 2, 2])
    assert (boxes.widths == 1).all()


def test_a_quotient_at_an_integer_is_unknown():
    # Some devices multiply by the reciprocal: 3 / 3 may be a little below one.
    def fun(x):
        return x[jnp.floor(jnp.arange(6.0) / 3).astype(int)]

    assert dependence(fun, jnp.ones(3)).widths.max() == 3


def test_a_scatter_with_equal_indices_has_no_known_value():
    def fun(x):
        which = jnp.zeros(3, int).at[jnp.array([0, 0])].set(jnp.array([1, 2]))
        return x[which]

    assert dependence(fun, jnp.ones(3)).widths.max() == 3


@pytest.mark.parametrize(
    "index",
    [
        pytest.param(
            lambda: jnp.arange(4).at[jnp.array([0])].apply(lambda i: i + 3),
            id="scatter by a function",
        ),
        pytest.param(
            lambda: (jnp.array([300.0, 300.0, 0.0, 1.0]).astype("int8") == 44).astype(
                int
            ),
            id="cast out of range",
        ),
        # Functions, sums and products that round; overflow; complex numbers.
        pytest.param(lambda: (1.4 * jnp.sin(jnp.arange(4.0))).astype(int), id="sine"),
        pytest.param(
            lambda: jnp.arange(8.0).reshape(2, 4).sum(0).astype(int) % 4,
            id="sum of floats",
        ),
        pytest.param(
            lambda: jnp.cumsum(jnp.arange(4.0)).astype(int) % 4, id="cumsum of floats"
        ),
        pytest.param(
            lambda: jnp.zeros(4).at[jnp.array([1, 1])].add(1.5).astype(int),
            id="scatter-add at equal indices",
        ),
        pytest.param(
            lambda: (0.1 * jnp.arange(4.0)).astype(bool).astype(int),
            id="tenths to bool",
        ),
        pytest.param(
            lambda: (lax.rem(0.1 * jnp.arange(4.0), jnp.ones(4)) > 0.0).astype(int),
            id="remainder of tenths",
        ),
        pytest.param(
            lambda: (jnp.arange(4.0) * 3e38 > 1e38).astype(int), id="overflow"
        ),
        pytest.param(
            lambda: (jnp.array([1j, 0, 1, 2]) + 1 == 1).astype(int), id="complex sum"
        ),
        pytest.param(
            lambda: (jnp.arange(4).astype(complex) == 1).astype(int),
            id="complex comparison",
        ),
        # What integers are divided by zero, or read beyond an array, platforms decide.
        pytest.param(
            lambda: lax.rem(jnp.arange(4), jnp.arange(4)) % 4, id="remainder by zero"
        ),
        pytest.param(
            lambda: (
                jnp.arange(4).at[jnp.array([9, 0, 1, 2])].get(mode="fill", fill_value=3)
            ),
            id="fill out of bounds",
        ),
        # A loop too long to follow, and a key that is given.
        pytest.param(
            lambda: lax.slice(
                lax.scan(lambda k, _: (k + 1, k % 4), 0, length=5000)[1], (0,), (4,)
            ),
            id="scan of 5000 steps",
        ),
        pytest.param(lambda: jax.random.permutation(KEY, 4), id="permutation"),
    ],
)
def test_what_another_platform_or_primitive_decides_is_unknown(index):
    # A function applied in place; floats beyond an integer's range, which saturate.
    boxes = dependence(jax.jit(lambda x: x[index()]), jnp.ones(4))
    assert boxes.widths.max() == 4


@pytest.mark.parametrize(
    "index",
    [
        pytest.param(
            lambda: jnp.cumsum(jnp.ones(4, int))[::-1] - 1, id="cumsum reversed"
        ),
        pytest.param(lambda: jnp.sort(jnp.array([2, 3, 0, 1])), id="sort"),
        pytest.param(
            lambda: jnp.argsort(jnp.array([0.5, 0.1, 0.9, 0.2])), id="argsort"
        ),
        pytest.param(
            lambda: jnp.pad(jnp.arange(2), (1, 1), constant_values=3), id="pad"
        ),
        pytest.param(lambda: jnp.clip(2 * jnp.arange(4) - 1, 0, 3), id="clip"),
        pytest.param(
            lambda: jnp.arange(8).reshape(2, 4)[::-1].sum(0) // 3, id="sum of rows"
        ),
        pytest.param(lambda: jnp.tile(jnp.array([1, 3]), 2) ^ 1, id="tile and xor"),
        pytest.param(lambda: jnp.where(jnp.arange(4) % 3 == 0, 2, 1), id="where"),
        pytest.param(
            lambda: jnp.zeros(4, int).at[jnp.array([3, 1])].set(jnp.array([2, 3])),
            id="scatter",
        ),
        pytest.param(
            lambda: jnp.nonzero(jnp.array([1, 0, 1, 1]), size=4, fill_value=0)[0],
            id="nonzero",
        ),
        pytest.param(
            lambda: jnp.searchsorted(jnp.arange(4), jnp.array([3, 0, 1, 2])),
            id="searchsorted",
        ),
        pytest.param(
            lambda: lax.dynamic_update_slice(jnp.arange(4), jnp.array([0, 0]), (1,)),
            id="update of a slice",
        ),
        pytest.param(
            lambda: lax.fori_loop(0, 3, lambda k, y: y.at[k].set(3 - k), jnp.arange(4)),
            id="fori_loop",
        ),
        pytest.param(
            lambda: lax.cond(True, jnp.flip, jnp.sort, jnp.arange(4)), id="cond"
        ),
        pytest.param(lambda: jnp.array([-1, -2, 0, 1]), id="negative"),
        pytest.param(
            lambda: jnp.array([True, False, True, True]).astype(int), id="booleans"
        ),
        pytest.param(
            lambda: jnp.array(7, "uint8").reshape(1) >> jnp.array([1, 2, 3], "uint8"),
            id="shift of uint8",
        ),
        pytest.param(
            lambda: jnp.max(jnp.array([[0, 1], [2, 0]]), axis=1), id="largest of rows"
        ),
        pytest.param(
            lambda: jnp.arange(3) * jnp.int32(-1) % 4, id="negative remainder"
        ),
        pytest.param(
            lambda: jnp.abs(jnp.arange(4.0) - 2.0).astype(int), id="abs of floats"
        ),
        pytest.param(
            lambda: jnp.arange(4.0).astype(bool).astype(int), id="floats to bool"
        ),
        pytest.param(
            lambda: (0.1 * (1 + jnp.arange(4.0))).astype(bool).astype(int),
            id="tenths to bool",
        ),
        pytest.param(
            lambda: lax.dynamic_slice(jnp.arange(8) // 2, (3,), (4,)), id="slice"
        ),
        pytest.param(
            lambda: lax.pad(jnp.int32(2), jnp.int32(0), ()).reshape(1),
            id="pad of a scalar",
        ),
    ],
)
@pytest.mark.parametrize("jitted", [False, True])
def test_known_indices_are_what_jax_computes(index, jitted, standard_promotion):
    def fun(x):
        return x[index()]

    expected = np.asarray(index()) % 4
    boxes = dependence(jax.jit(fun) if jitted else fun, jnp.ones(4))
    np.testing.assert_array_equal(boxes.lower[:, 0], expected)
    np.testing.assert_array_equal(boxes.upper[:, 0], expected)


@pytest.mark.parametrize(
    "index",
    [
        pytest.param(lambda none: jnp.concatenate([none, none]), id="concatenate"),
        pytest.param(
            lambda none: lax.gather(
                jnp.arange(4), none, lax.GatherDimensionNumbers((1,), (), (0,)), (1,)
            ),
            id="gather",
        ),
    ],
)
def test_rows_by_no_indices_depend_on_nothing(index):
    dimensions = lax.GatherDimensionNumbers((), (0,), (0,))

    def fun(x):
        return lax.gather(x, index(jnp.zeros((0, 1), int)), dimensions, (1,))

    assert dependence(jax.jit(fun), jnp.ones(4)).widths.shape == (0, 1)
