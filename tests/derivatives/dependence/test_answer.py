"""The answer of `dependence`: its shapes and trees, its text, what it refuses."""

import pickle

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics.derivatives._dependence.result import dependence
from tests.derivatives.dependence._loss import lost

# --- the answer ----------------------------------------------------------------------


def test_bounds_have_the_shape_of_the_output_and_the_axes_of_the_input():
    boxes = dependence(
        lambda x: x[:, :, None] * jnp.ones(5)[None, None], jnp.ones((3, 4))
    )
    assert boxes.lower.shape == boxes.upper.shape == boxes.widths.shape == (3, 4, 5, 2)
    assert boxes.lower.dtype.kind == "i"
    np.testing.assert_array_equal(boxes.lower[2, 1, 4], [2, 1])


def test_nothing_behind_an_output_has_lower_above_upper():
    boxes = dependence(
        lambda x: jnp.stack([x[0], 1.0 + 0 * jnp.floor(x[1])]), jnp.ones(3)
    )
    assert boxes.lower[1] > boxes.upper[1]
    np.testing.assert_array_equal(boxes.widths[:, 0], [1, 0])
    np.testing.assert_array_equal(boxes.depends, [True, False])


def test_a_scalar_argument_has_no_axes_but_may_be_depended_on():
    boxes = dependence(lambda s: jnp.stack([s, jnp.ones_like(s)]), 2.0)
    assert boxes.lower.shape == (2, 0)
    np.testing.assert_array_equal(boxes.depends, [True, False])


def test_an_empty_axis_has_empty_bounds():
    boxes = dependence(lambda x: x.sum(1), jnp.ones((3, 0)))
    np.testing.assert_array_equal(boxes.widths, np.zeros((3, 2)))
    assert dependence(jnp.sin, jnp.ones((0, 2))).is_elementwise


def test_trees_nest_as_jax_jacobian_nests():
    def fun(params, x):
        return {"y": params["w"] @ x, "w": params["w"]}

    args = {"w": jnp.ones((2, 3)), "b": jnp.ones(2)}, jnp.ones(3)
    boxes = dependence(fun, *args, argnums=(0, 1))
    nested = jax.jacobian(fun, argnums=(0, 1))(*args)
    assert jax.tree.structure(boxes.lower) == jax.tree.structure(nested)
    assert boxes.upper["y"][0]["w"].shape == (2, 2)
    np.testing.assert_array_equal(boxes.upper["y"][0]["w"], [[0, 2], [1, 2]])
    assert not boxes.depends["w"][1].any()
    assert not boxes.depends["y"][0]["b"].any()


def test_pytrees_are_elementwise_leaf_by_leaf():
    tree = {"a": jnp.ones(3), "b": jnp.ones((2, 2))}
    assert dependence(lambda t: jax.tree.map(jnp.sin, t), tree).is_elementwise
    crossed = dependence(lambda t: {"a": t["a"] * t["b"].sum(), "b": t["b"]}, tree)
    assert not crossed.is_elementwise


def test_complex_parts_count_as_one_output():
    boxes = dependence(lambda x: lax.complex(x, jnp.flip(x)), jnp.ones(3))
    np.testing.assert_array_equal(boxes.lower[:, 0], [0, 1, 0])
    np.testing.assert_array_equal(boxes.upper[:, 0], [2, 1, 2])


def test_a_complex_argument_counts_as_one_input_whatever_comes_of_it():
    boxes = dependence(lambda z: jnp.abs(z) ** 2, jnp.ones(3, complex))
    assert boxes.is_elementwise


def test_independence_along_an_axis_from_the_end():
    boxes = dependence(lambda x: jnp.cumsum(x, 0), jnp.ones((3, 4)))
    assert boxes.independent_along(-1)
    assert boxes.independent_along(1)
    assert not boxes.independent_along(-2)


def test_an_output_without_the_axis_is_not_independent_along_it():
    assert not dependence(jnp.sum, jnp.ones((3, 4))).independent_along(0)
    assert dependence(
        lambda x: jnp.ones(()) + 0 * x.size, jnp.ones(3)
    ).independent_along(0)


def test_a_transposed_square_is_neither_elementwise_nor_independent():
    boxes = dependence(jnp.transpose, jnp.ones((3, 3)))
    assert not boxes.is_elementwise
    assert not boxes.independent_along(0)
    assert lost(boxes).operation == "transpose"


# --- where it was lost ---------------------------------------------------------------


def test_text_shows_the_widest_boxes_and_what_is_proven():
    text = str(dependence(lambda x: {"y": jnp.cumsum(x, 1)}, jnp.ones((2, 3))))
    assert "output['y']" in text
    assert "1 x 3" in text
    assert "\nindependent along axis 0" in text
    assert "\nnot independent along axis 1: cumsum at " in text
    assert max(map(len, text.splitlines()[:3])) <= 100


def test_text_of_an_elementwise_function_says_that_the_jacobian_is_diagonal():
    assert "diagonal" in repr(dependence(jnp.sin, jnp.ones(3)))


@pytest.mark.parametrize(
    ("fun", "args", "shown"),
    [
        pytest.param(
            jnp.sin,
            [jnp.ones((2, 3))],
            "<Dependence of (2, 3) on (2, 3): diagonal>",
            id="sine",
        ),
        pytest.param(
            jnp.diff,
            [jnp.ones(4)],
            "<Dependence of (3,) on (4,): not diagonal>",
            id="diff",
        ),
        pytest.param(
            jnp.fft.fft,
            [jnp.ones(4)],
            "<Dependence of (4,) on (4,): not diagonal>",
            id="fft",
        ),
        pytest.param(
            lambda s: (s * s, 1.0 * s),
            [1.0],
            "<Dependence of 2 outputs on (): not dia",
            id="pair of numbers",
        ),
        pytest.param(
            lambda x: {"a": jnp.cumsum(x[0], 1), "b": x[1][::-1]},
            [(jnp.ones((2, 3)), jnp.ones(4))],
            "<Dependence of 2 outputs on 2 inputs: not diagonal>",
            id="dict of two inputs",
        ),
    ],
)
def test_dependence_is_pickled_without_its_program_and_shown_in_one_line(
    fun, args, shown
):
    boxes = dependence(fun, *args)
    assert repr(boxes).startswith(shown)
    text = pickle.dumps(boxes)
    assert b"jax" not in text
    loaded = pickle.loads(text)
    assert (repr(loaded), str(loaded)) == (repr(boxes), str(boxes))
    for name in ("lower", "upper", "depends", "widths"):
        chex.assert_trees_all_equal(getattr(loaded, name), getattr(boxes, name))
    rank = min(np.ndim(x) for x in jax.tree.leaves(args))
    for axis in range(-rank, rank):
        assert loaded.independent_along(axis) == boxes.independent_along(axis)
        assert loaded.loss(axis) == boxes.loss(axis)
    with pytest.raises(ValueError, match="`axis` must be an axis of every input"):
        loaded.loss(9)


def test_text_of_a_scalar_and_of_nothing():
    text = str(dependence(lambda s: (s * s, jnp.ones(())), 1.0))
    assert "nothing" in text


# --- arguments -----------------------------------------------------------------------


@pytest.mark.boundary
def test_integer_input_is_refused():
    with pytest.raises(TypeError, match="got dtype int32"):
        dependence(lambda x: x * 1.0, jnp.arange(3))


@pytest.mark.boundary
def test_a_function_that_needs_values_is_refused():
    with pytest.raises(TypeError, match="must be traceable"):
        dependence(lambda x: x if x[0] > 0 else -x, jnp.ones(3))


@pytest.mark.boundary
@pytest.mark.parametrize("argnums", [2, (0, 0), (0, -2)])
def test_argnums_that_do_not_fit_are_refused(argnums):
    with pytest.raises(ValueError, match="`argnums` must"):
        dependence(lambda x, y: x * y, jnp.ones(3), jnp.ones(3), argnums=argnums)


@pytest.mark.boundary
@pytest.mark.parametrize("method", ["independent_along", "loss"])
def test_an_axis_that_an_input_lacks_is_refused(method):
    boxes = dependence(jnp.sin, jnp.ones((2, 3)))
    with pytest.raises(
        ValueError, match="`axis` must be an axis of every input, got 2"
    ):
        getattr(boxes, method)(2)


def test_numpy_matrices_and_python_numbers_are_welcome():
    boxes = dependence(lambda x, s: x * s, np.matrix([[1.0, 2.0]]), 3.0, argnums=(0, 1))
    assert boxes.lower[0].shape == (1, 2, 2)
    assert boxes.lower[1].shape == (1, 2, 0)


# --- boxes ---------------------------------------------------------------------------


@pytest.mark.boundary
@pytest.mark.parametrize("axis", ["0", 0.0, True])
def test_an_axis_that_is_no_integer_is_refused(axis):
    with pytest.raises(TypeError, match="`axis` must be an integer, got"):
        dependence(jnp.sin, jnp.ones((2, 3))).loss(axis)
