"""What `init` and `apply` refuse."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics import mlp
from tests.mlp._network import network


@pytest.mark.boundary
class TestRejects:
    @pytest.mark.parametrize(
        ("sizes", "error", "message"),
        [
            ([3], ValueError, r"`sizes` must have at least 2 entries, got \[3\]"),
            ([], ValueError, r"`sizes` must have at least 2 entries, got \[\]"),
            ([3, 0], ValueError, r"`sizes\[1\]` must be at least 1, got 0"),
            ([3, 2**31], ValueError, r"`sizes\[1\]` must be at most 2147483647"),
            ([3, -1, 2], ValueError, r"`sizes\[1\]` must be at least 1, got -1"),
            ([3.0, 2], TypeError, r"`sizes\[0\]` must be an integer, got float"),
            ([3, True], TypeError, r"`sizes\[1\]` must be an integer, got bool"),
            ("32", TypeError, "`sizes` must be a sequence of integers, got str"),
            (3, TypeError, "`sizes` must be a sequence of integers, got int"),
            ([[3, 2]], TypeError, r"`sizes\[0\]` must be an integer, got list"),
            ([3, [4, 2]], TypeError, r"`sizes\[1\]` must be an integer, got list"),
            (jnp.ones(2), TypeError, r"`sizes\[0\]` must be an integer, got Array"),
            (
                jnp.array(3),
                TypeError,
                "`sizes` must be a sequence of integers, got Arr",
            ),
        ],
    )
    def test_sizes(self, sizes, error, message, key):
        with pytest.raises(error, match=message):
            mlp.init(key, sizes)

    @pytest.mark.parametrize(
        "dtype", [int, "int32", bool, "number", [1], np.longdouble, np.clongdouble]
    )
    def test_dtypes_that_are_not_floating_point(self, dtype, key):
        message = "`dtype` must be a real or complex floating-point type, got"
        with pytest.raises(TypeError, match=message):
            mlp.init(key, (2, 3), dtype=dtype)

    def test_what_is_no_key(self, key):
        with pytest.raises(
            TypeError, match="`key` must be a JAX random key, got dtype"
        ):
            mlp.init(0, (2, 3))
        with pytest.raises(TypeError, match="`key` must be an array, got str"):
            mlp.init("key", (2, 3))  # pyright: ignore[reportArgumentType]
        with pytest.raises(
            ValueError, match=r"`key` must be one random key, got shape \(2,\)"
        ):
            mlp.init(jax.random.split(key), (2, 3))
        with pytest.raises(ValueError, match="`key` must be one random key, got shape"):
            mlp.init(jax.random.key_data(jax.random.split(key)), (2, 3))

    @pytest.mark.parametrize(
        ("params", "error", "message"),
        [
            ((), ValueError, "`params` must have at least 1 layer, got none"),
            (None, TypeError, "`params` must be a sequence of pairs .*, got NoneType"),
            ({"w": 1}, TypeError, "`params` must be a sequence of pairs .*, got dict"),
            (np.ones((3, 2)), TypeError, "`params` must be a sequence .*, got ndarray"),
            (
                [np.ones((3, 2))],
                TypeError,
                r"`params\[0\]` must be a pair .*, got ndarray",
            ),
            ([(np.ones((3, 2)),)], TypeError, r"`params\[0\]` must be a pair"),
            (
                [(np.ones(3), np.ones(2))],
                ValueError,
                r"`params\[0\].weight` must have rank 2, got shape \(3,\)",
            ),
            (
                [(np.ones((3, 2)), np.ones((1, 2)))],
                ValueError,
                r"`params\[0\].bias` must have rank 1, got shape \(1, 2\)",
            ),
            (
                [(np.ones((3, 2)), np.ones(1))],
                ValueError,
                r"`params\[0\].bias` must have an axis 0 of size 2, got shape \(1,\)",
            ),
            (
                [(np.ones((3, 2)), np.ones(2)), (np.ones((3, 1)), np.ones(1))],
                ValueError,
                (
                    r"`params\[1\].weight` must have an axis 0 of size 2, "
                    r"got shape \(3, 1\)"
                ),
            ),
            (
                [([[1.0]], np.ones(1))],
                TypeError,
                r"`params\[0\].weight` must be an array, got list",
            ),
        ],
    )
    def test_params(self, params, error, message):
        with pytest.raises(error, match=message):
            mlp.apply(params, np.ones((5, 3)))

    @pytest.mark.parametrize("shape", [(5, 4), (4,), (), (3, 1)])
    def test_another_number_of_inputs(self, shape):
        message = "`x` must have a last axis of size 3, got shape"
        with pytest.raises(ValueError, match=message):
            mlp.apply(network(3, 2), np.ones(shape))

    def test_an_input_that_is_no_array(self):
        x: Any = [1.0, 2.0, 3.0]
        with pytest.raises(TypeError, match="`x` must be an array, got list"):
            mlp.apply(network(3, 2), x)

    def test_activations(self):
        params, x = network(3, 4, 2), np.ones((5, 3))
        name: Any = "tanh"
        with pytest.raises(TypeError, match="`activation` must be a function, got str"):
            mlp.apply(params, x, activation=name)

        class Unhashable:
            __hash__ = None  # pyright: ignore[reportAssignmentType]

            def __call__(self, x):
                return x

        with pytest.raises(TypeError, match="can be hashed, got Unhashable"):
            mlp.apply(params, x, activation=Unhashable())
        nothing: Any = lambda _: None
        with pytest.raises(TypeError, match="must return an array, got NoneType"):
            mlp.apply(params, x, activation=nothing)
        numpys: Any
        for numpys in (np.tanh, lambda x: np.maximum(x, 0), math.tanh):
            with pytest.raises(TypeError, match="must be made of JAX's functions, got"):
                mlp.apply(params, x, activation=numpys)
        message = r"`activation` must keep the shape \(5, 4\), got \(5, 2\)"
        with pytest.raises(ValueError, match=message):
            mlp.apply(params, x, activation=jax.nn.glu)

    def test_an_unknown_precision(self):
        with pytest.raises(ValueError, match="`precision` must be one of 'default'"):
            mlp.apply(network(3, 2), np.ones(3), precision="best")
