"""What `fit`, `evaluate` and `interpolate` refuse."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics import polynomial


@pytest.mark.boundary
@pytest.mark.parametrize("f", [polynomial.fit, polynomial.interpolate])
@pytest.mark.parametrize(
    ("nodes", "values", "error", "message"),
    [
        (np.ones((3, 1)), np.ones(3), ValueError, r"`nodes` must have rank 1, got "),
        (
            np.arange(3),
            np.ones(4),
            ValueError,
            r"`values` must have an axis 0 of size 3",
        ),
        (
            np.arange(3),
            1.0,
            ValueError,
            r"`values` must have an axis 0 of size 3, got ",
        ),
        (
            np.zeros(0),
            np.zeros(0),
            ValueError,
            r"`nodes` must have a first axis of size",
        ),
        ([0.0, 1.0], np.ones(2), TypeError, r"`nodes` must be an array, got list"),
        (np.arange(2), "ab", TypeError, r"`values` must be an array, got str"),
        (
            np.array([0, 1.5, 1.5]),
            np.ones(3),
            ValueError,
            r"distinct, got 1.5 more than",
        ),
        (np.array([0.0, -0.0]), np.ones(2), ValueError, r"`nodes` must be distinct"),
        (np.array([1j, 0, 1j]), np.ones(3), ValueError, r"`nodes` must be distinct"),
        (np.array([1, 1 + 1e-12]), np.ones(2), ValueError, r"`nodes` must be distinct"),
    ],
)
def test_fit_and_interpolate_reject(f, nodes, values, error, message):
    points = () if f is polynomial.fit else (0.5,)
    with pytest.raises(error, match=message):
        f(nodes, values, *points)


def test_nodes_that_differ_only_in_double_precision_are_distinct_there(x64):
    assert polynomial.fit(np.array([1, 1 + 1e-12]), np.ones(2)).shape == (2,)


@pytest.mark.boundary
def test_interpolate_rejects_points_that_are_no_numbers():
    y: Any = [0.5]
    with pytest.raises(TypeError, match="`y` must be an array, got list"):
        polynomial.interpolate(np.arange(3), np.ones(3), y)


@pytest.mark.boundary
@pytest.mark.parametrize("shape", [(), (0,), (0, 3)])
def test_evaluate_rejects_no_coefficients(shape):
    with pytest.raises(
        ValueError, match="`coefficients` must have a first axis of size"
    ):
        polynomial.evaluate(np.zeros(shape), 1.0)


@pytest.mark.boundary
def test_evaluate_rejects_a_list():
    with pytest.raises(TypeError, match="`coefficients` must be an array, got list"):
        polynomial.evaluate([1.0, 2.0], 0.5)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="`y` must be an array, got str"):
        polynomial.evaluate(np.ones(2), "0.5")  # pyright: ignore[reportArgumentType]


@pytest.mark.boundary
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan, complex(0, np.inf)])
@pytest.mark.parametrize("f", [polynomial.fit, polynomial.interpolate])
def test_nodes_that_are_not_finite_are_rejected(f, bad):
    nodes, points = np.array([0, bad, 2]), () if f is polynomial.fit else (0.5,)
    with pytest.raises(ValueError, match="`nodes` must be finite, got"):
        f(nodes, np.arange(3), *points)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_nodes_that_are_not_finite_give_nan_under_a_trace(bad):
    nodes, values = jnp.array([0.5, 1.0, bad, 2.0]), jnp.array([1.0, 2.0, 3.0, 4.0])
    assert jnp.isnan(jax.jit(polynomial.fit)(nodes, values)).all()
    interpolate = jax.jit(polynomial.interpolate)
    for y in (0.7, 1.0):  # elsewhere, at a node
        assert jnp.isnan(interpolate(nodes, values, y))


def test_nodes_nearer_than_the_least_normal_number_give_nan_or_what_is_right():
    steps = 1 + np.arange(4, dtype=np.float32) * np.float32(5e-7)
    nodes = np.float32(1.25e-33) * steps
    points = nodes[:2] * np.float32(1.0000002)  # differences may be flushed to zero
    p = polynomial.interpolate(nodes, jnp.full(4, 3.0), points)
    assert jnp.all(jnp.isnan(p) | (p == 3))
