"""The system's numbers, the traps of the original, and values."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jnumerics import descent, perceptron
from tests import reference
from tests.perceptron._system import START, X, Y

TRAINED = np.array([9.67299303, -0.2078435, -4.62963669])
STEPS = 10_000


# the system's numbers


def test_trained_weights_are_those_of_the_original(x64):
    result = perceptron.fit(START, X, Y, steps=STEPS)
    np.testing.assert_allclose(result.params, TRAINED, rtol=0, atol=5e-9)
    np.testing.assert_allclose(
        result.params, reference.train_perceptron(START, X, Y, STEPS), rtol=1e-10
    )


def test_trained_outputs_are_those_of_the_original(x64):
    weights = perceptron.fit(START, X, Y, steps=STEPS).params
    outputs = [0.009664, 0.99211997, 0.99358931, 0.00786466]
    np.testing.assert_allclose(perceptron.apply(weights, X), outputs, rtol=0, atol=5e-9)
    new = perceptron.apply(weights, np.array([1, 0, 0]))
    np.testing.assert_allclose(new, 0.99993704, rtol=0, atol=5e-9)


def test_float32_trains_to_the_same_answer():
    result = perceptron.fit(START, X, Y, steps=STEPS)
    assert result.params.dtype == jnp.float32
    np.testing.assert_allclose(result.params, TRAINED, rtol=1e-4)


def test_fit_is_gradient_descent_at_rate_1(x64):
    loss = jax.tree_util.Partial(perceptron.loss, X=X, y=Y)
    expected = descent.minimize(loss, START, optimizer=optax.sgd(1.0), steps=50)
    chex.assert_trees_all_close(
        perceptron.fit(START, X, Y, steps=50), expected, rtol=1e-12
    )


def test_losses_are_those_before_each_update(x64):
    result = perceptron.fit(START, X, Y, steps=3)
    expected = []
    for k in range(3):
        o = reference.perceptron(reference.train_perceptron(START, X, Y, k), X)
        expected.append(np.sum((o - Y) ** 2) / 2)
    np.testing.assert_allclose(result.losses, expected, rtol=1e-12)


# the traps


@pytest.mark.parametrize("form", ["matrix", "column", "floats", "jax", "booleans"])
def test_every_form_of_the_data_means_the_same(form, x64):
    inputs, targets = {
        "matrix": (np.matrix(X), np.matrix(Y).T),
        "column": (X, Y[:, None]),
        "floats": (X.astype(float), Y.astype(float)),
        "jax": (jnp.asarray(X), jnp.asarray(Y)),
        "booleans": (X.astype(bool), Y.astype(bool)),
    }[form]
    expected = reference.train_perceptron(START, X, Y, 5)
    obtained = perceptron.fit(START, inputs, targets, steps=5)
    np.testing.assert_allclose(obtained.params, expected, rtol=1e-12)
    loss = np.sum((reference.perceptron(START, X) - Y) ** 2) / 2
    np.testing.assert_allclose(
        perceptron.loss(START, inputs, targets), loss, rtol=1e-12
    )


def test_the_original_fails_with_matrices():
    # the elementwise product of two columns becomes a product of matrices
    o = np.matrix(reference.perceptron(START, X)).T
    with pytest.raises(ValueError, match=r"shapes \(4,1\) and \(4,1\) not aligned"):
        _ = (np.matrix(Y).T - o) * o


@pytest.mark.boundary
@pytest.mark.parametrize("shape", [(1, 4), (4, 2), (3,), (5, 1), (), (4, 1, 1)])
@pytest.mark.parametrize("function", ["loss", "fit"])
def test_targets_that_would_broadcast_are_rejected(function, shape):
    options = {"steps": 2} if function == "fit" else {}
    with pytest.raises(
        ValueError, match=r"`y` must have shape \(4,\) or \(4, 1\), got"
    ):
        getattr(perceptron, function)(START, X, np.zeros(shape), **options)


@pytest.mark.boundary
def test_row_targets_of_one_input_are_its_column():
    # (1, 1) is (m, 1) and (1, m) at once
    obtained = perceptron.loss(START, X[:1], np.ones((1, 1)))
    np.testing.assert_array_equal(obtained, perceptron.loss(START, X[:1], np.ones(1)))


# functions


def test_init_is_uniform_between_minus_one_and_one(key):
    weights = np.sort(perceptron.init(key, 10_000))
    assert weights[0] >= -1
    assert weights[-1] < 1
    np.testing.assert_allclose(weights, np.linspace(-1, 1, 10_000), atol=0.03)


@pytest.mark.parametrize("dtype", [None, "float32", "float64", jnp.bfloat16])
def test_init_has_the_dtype_asked_for(key, dtype, x64):
    weights = perceptron.init(key, 3, dtype=dtype)
    assert weights.dtype == jnp.dtype(dtype or "float64")
    assert weights.shape == (3,)


def test_init_takes_a_legacy_key():
    weights = perceptron.init(jax.random.PRNGKey(1), np.int64(3))
    np.testing.assert_array_equal(weights, perceptron.init(jax.random.key(1), 3))


@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 4, 3), (0, 3), (2, 0)])
def test_apply_agrees_with_numpy_on_any_leading_axes(shape, key, x64):
    inputs = np.asarray(jax.random.normal(key, shape))
    weights = np.linspace(-1, 2, shape[-1])
    expected = reference.perceptron(weights, inputs)
    obtained = perceptron.apply(weights, inputs)
    np.testing.assert_allclose(obtained, expected, rtol=1e-12)
    assert obtained.shape == shape[:-1]


def test_apply_of_huge_inputs_saturates():
    weights = np.array([1.0])
    outputs = perceptron.apply(weights, np.array([[1e30], [-1e30], [np.inf]]))
    np.testing.assert_array_equal(outputs, [1.0, 0.0, 1.0])
    slopes = jax.vmap(jax.grad(lambda x: perceptron.apply(weights, x)))(
        jnp.array([[1e30], [-1e30]])
    )
    np.testing.assert_array_equal(slopes, [[0.0], [0.0]])


@pytest.mark.parametrize(
    ("weights", "inputs", "expected"),
    [
        ("float32", "float32", "float32"),
        ("float32", "int32", "float64"),
        ("bfloat16", "bfloat16", "bfloat16"),
        ("bfloat16", "float32", "float32"),
        ("int32", "float32", "float64"),
        ("float32", "float64", "float64"),
    ],
)
def test_dtypes_are_promoted_and_integers_are_default_floats(
    weights, inputs, expected, x64
):
    w, x = jnp.ones(3, weights), jnp.asarray(X, inputs)
    result = perceptron.fit(w, x, jnp.asarray(Y, inputs), steps=2)
    assert {result.params.dtype, result.losses.dtype} == {jnp.dtype(expected)}
    assert perceptron.apply(w, x).dtype == jnp.dtype(expected)


def test_bfloat16_trains():
    w, x, y = (jnp.asarray(a, jnp.bfloat16) for a in (START, X, Y))
    result = perceptron.fit(w, x, y, steps=300)
    np.testing.assert_array_equal(perceptron.apply(result.params, X) > 0.5, Y)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_is_rounded_once(dtype):
    rng = np.random.default_rng(0)
    shapes = {"weights": (40,), "X": (300, 40), "y": (300,)}
    half = {k: jnp.asarray(rng.uniform(size=s), dtype) for k, s in shapes.items()}
    single = {k: x.astype(jnp.float32) for k, x in half.items()}
    options = {"steps": 30, "learning_rate": 0.003}  # a step is less than a rounding
    for f in (perceptron.loss, partial(perceptron.fit, **options)):
        rounded = jax.tree.map(lambda x: x.astype(dtype), f(**single))
        chex.assert_trees_all_equal(f(**half), rounded)
    obtained = perceptron.apply(half["weights"], half["X"])
    expected = perceptron.apply(single["weights"], single["X"]).astype(dtype)
    np.testing.assert_array_equal(obtained, expected)


def test_no_inputs_leave_the_weights_alone():
    result = perceptron.fit(START, np.zeros((0, 3)), np.zeros(0), steps=2)
    np.testing.assert_array_equal(result.params, START.astype(np.float32))
    np.testing.assert_array_equal(result.losses, [0.0, 0.0])


def test_no_steps_return_the_start():
    result = perceptron.fit(START, X, Y, steps=0)
    np.testing.assert_array_equal(result.params, START.astype(np.float32))
    assert result.losses.shape == (0,)
