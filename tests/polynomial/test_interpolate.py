"""`interpolate`: its accuracy in range, across it and far away."""

import math
from fractions import Fraction
from functools import partial

import jax
import numpy as np
import pytest

from jnumerics import polynomial
from tests import reference
from tests.polynomial._nodes import NODE_SETS, chebyshev, draw


def exact_interpolant(nodes, values, y):
    x, v = map(Fraction, nodes), map(Fraction, values)
    x, v = list(x), list(v)
    return np.array([float(reference.lagrange(x, v, Fraction(t))) for t in y])


def test_interpolate_keeps_the_digits_that_solving_loses_at_20_equispaced_nodes(x64):
    nodes, values = np.arange(1, 21) / 10, draw(20)
    y = (nodes[1:] + nodes[:-1]) / 2
    exact = exact_interpolant(nodes, values, y)
    solved = np.polyval(np.linalg.solve(np.vander(nodes), values), y)
    error = np.abs(polynomial.interpolate(nodes, values, y) / exact - 1).max()
    assert error < 2e-14  # the scale is 2e-15, one node's draw may cost a digit
    assert np.abs(solved / exact - 1).max() > 1e-3


@pytest.mark.parametrize("nodes", NODE_SETS.values(), ids=NODE_SETS)
def test_interpolate_agrees_with_lagrange_in_and_out_of_range(nodes, x64):
    values = draw(len(nodes))
    y = np.concatenate([draw(5, seed=1), [-1e5, -3.0, 7.5, 1e8]])
    np.testing.assert_allclose(
        polynomial.interpolate(nodes, values, y),
        exact_interpolant(nodes, values, y),
        rtol=2e-12,
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 20, 1000])
def test_interpolate_at_the_nodes_returns_the_values_bit_for_bit(n, dtype, x64):
    for nodes in (np.linspace(-1, 1, n), chebyshev(n)):
        x, values = nodes.astype(dtype), draw(n, 2).astype(dtype)
        np.testing.assert_array_equal(polynomial.interpolate(x, values, x), values)


@pytest.mark.parametrize(("dtype", "digits"), [(np.float32, 2e-6), (np.float64, 1e-14)])
@pytest.mark.parametrize("n", [64, 1000])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
@pytest.mark.slow
def test_many_chebyshev_nodes_of_any_scale_do_not_overflow(
    n, scale, dtype, digits, x64
):
    nodes, y = (chebyshev(n) * scale).astype(dtype), np.linspace(-1, 1, 33) * scale
    y = y.astype(dtype)
    obtained = polynomial.interpolate(nodes, np.sin(5 * nodes / scale).astype(dtype), y)
    expected = np.sin(5 * y.astype(float) / scale)
    np.testing.assert_allclose(obtained, expected, rtol=0, atol=digits)


def test_interpolate_at_roots_of_unity(x64):
    nodes, a = np.exp(2j * np.pi * np.arange(16) / 16), draw(16) + 1j * draw(16, seed=1)
    values, y = np.polyval(a[::-1], nodes), np.array([0, 0.3 + 0.2j, -1.5j])
    np.testing.assert_allclose(
        polynomial.interpolate(nodes, values, y), np.polyval(a[::-1], y), rtol=1e-12
    )


def test_imaginary_nodes_of_any_scale_do_not_overflow():
    nodes, y = 1j * chebyshev(64) * 1e30, 0.3j * 1e30
    obtained = polynomial.interpolate(
        nodes.astype(np.complex64), np.sin(5 * chebyshev(64)), np.complex64(y)
    )
    np.testing.assert_allclose(obtained, np.sin(1.5), rtol=0, atol=2e-6)


@pytest.mark.parametrize("shape", [(0,), (2, 0)])
@pytest.mark.parametrize("kind", [float, complex])
def test_interpolate_at_no_points_is_empty(shape, kind):
    p = polynomial.interpolate(np.arange(3.0), np.ones((3, 4)), np.zeros(shape, kind))
    assert p.shape == (*shape, 4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("inner", [[], [0.0], [-0.5, 0.3]])
@pytest.mark.parametrize("turn", [1, 1j])
def test_interpolate_across_the_whole_range(inner, dtype, turn, x64):
    largest = float(np.finfo(dtype).max)
    nodes = np.array([-1, *inner, 1]) * largest
    values = draw(len(nodes))
    y = np.array([-1, -0.7, 0.1, 0.99, 1]) * largest
    expected = exact_interpolant(nodes / largest, values, y / largest)
    kind = dtype if turn == 1 else np.result_type(dtype, np.complex64)
    at = [(a * turn).astype(kind) for a in (nodes, y)]
    obtained = polynomial.interpolate(at[0], values.astype(dtype), at[1])
    np.testing.assert_allclose(obtained, expected, rtol=30 * np.finfo(dtype).eps)


@pytest.mark.parametrize(("dtype", "far"), [(np.float32, 1e20), (np.float64, 1e160)])
@pytest.mark.parametrize("sign", [1, -1])
def test_far_away_the_answer_overflows_only_where_it_must(dtype, far, sign, x64):
    nodes, y = np.array([1, 2, 4], dtype), np.array([far, -far], dtype)
    parabola = sign * np.array([1, 4, 16], dtype)  # far^2 is beyond the range
    obtained = polynomial.interpolate(nodes, parabola, y)
    np.testing.assert_array_equal(obtained, [sign * np.inf] * 2)
    tiny = np.array([1, 4, 16], dtype) * dtype(1 / far)
    np.testing.assert_allclose(
        polynomial.interpolate(nodes, tiny, y), [far, far], rtol=1e-5
    )


@pytest.mark.parametrize(("dtype", "far"), [(np.float32, 1e30), (np.float64, 1e250)])
@pytest.mark.parametrize("turn", [1, 1j])
def test_far_away_what_exact_data_determine_is_exact(dtype, far, turn, x64):
    kind = dtype if turn == 1 else np.result_type(dtype, np.complex64)
    nodes = np.array([0, 1, 2, 4, 7], kind) * turn
    y = np.array([20, 1e4, 1e8, far], kind) * turn  # from three radii on
    values = np.stack([np.full(5, 3), 2 * nodes + 5], 1)
    expected = np.stack([np.full(4, 3), 2 * y + 5], 1)
    at = jax.vmap(partial(polynomial.interpolate, nodes, values))
    slope = jax.jacfwd(polynomial.interpolate, 2, holomorphic=turn != 1)
    rtol = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(at(y), expected, rtol=rtol)
    for point in y:
        np.testing.assert_allclose(slope(nodes, values, point), [0, 2], rtol=rtol)


@pytest.mark.parametrize("nodes", [*NODE_SETS.values(), chebyshev(40)])
def test_outside_the_error_is_that_of_rounding_the_values(nodes, x64):
    x, values = list(map(Fraction, nodes)), draw(len(nodes), seed=2) - 0.5
    center, radius = (nodes.max() + nodes.min()) / 2, np.ptp(nodes) / 2 + 0.1
    reach = np.array([1.1, 1.5, 2, 2.9, 3.1, 5, 30, 1e4, 1e6])
    y = center + radius * np.concatenate([reach, -reach])
    obtained = np.asarray(polynomial.interpolate(nodes, values, y))
    for p, t in zip(obtained, map(Fraction, y), strict=True):
        basis = [float(reference.lagrange(x, e, t)) for e in np.eye(len(x), dtype=int)]
        exact = reference.lagrange(x, list(map(Fraction, values)), t)
        scale = np.abs(basis) @ np.abs(values) * 2.0**-53
        assert abs(float(Fraction(p) - exact)) <= (4 + len(x)) * scale


@pytest.mark.parametrize(("dtype", "far"), [(np.float32, 1e16), (np.float64, 1e150)])
@pytest.mark.parametrize("turn", [-1, np.exp(0.5j)])
@pytest.mark.slow
def test_far_away_the_slopes_keep_their_digits(dtype, far, turn, x64):
    kind = np.result_type(dtype, np.complex64) if np.iscomplexobj(turn) else dtype
    nodes, y = (np.array(a * turn, kind) for a in (np.array([1.0, 2, 4]), far))
    slope = jax.grad(polynomial.interpolate, 2, holomorphic=np.iscomplexobj(turn))
    bend = jax.grad(slope, 2, holomorphic=np.iscomplexobj(turn))
    rtol = 30 * np.finfo(dtype).eps
    square = nodes**2
    np.testing.assert_allclose(slope(nodes, square, y), 2 * y, rtol=rtol)
    np.testing.assert_allclose(bend(nodes, square, y), 2, rtol=rtol)
    of_values = jax.grad(slope, 1, holomorphic=np.iscomplexobj(turn))
    inverse_weights = np.array([3.0, -2, 6]) * turn**2
    expected = 2 * y / inverse_weights.astype(kind)
    np.testing.assert_allclose(of_values(nodes, square, y), expected, rtol=rtol)


@pytest.mark.parametrize(("dtype", "n"), [(np.float32, 40), (np.float64, 305)])
def test_beyond_three_radii_no_difference_overflows_before_its_term(dtype, n, x64):
    nodes, values = np.linspace(0, 1, n).astype(dtype), (-1.0) ** np.arange(n)
    y = np.array([1.99, 2.05, -1.05], dtype)
    obtained = polynomial.interpolate(nodes, values.astype(dtype), y)
    expected = exact_interpolant(nodes.astype(float), values, y.astype(float))
    np.testing.assert_allclose(obtained, expected, rtol=1e-4)


@pytest.mark.parametrize(
    "nodes",
    [[0, 1e-3, 1], [0, 1e-9, 1], 2.0 ** -np.arange(14), np.linspace(0, 1, 9)],
    ids=["a gap", "a tiny gap", "graded", "equispaced"],
)
def test_no_gap_of_the_nodes_enters_a_slope_twice(nodes, x64):
    x, values = np.asarray(nodes), 2 * np.asarray(nodes) + 1
    y = np.concatenate([[x[0], x[-1], 0.5, 1.8, -0.4], draw(6, seed=3)])
    slope = jax.vmap(jax.grad(polynomial.interpolate, 2), (None, None, 0))
    for obtained, at in zip(slope(x, values, y), map(Fraction, y), strict=True):
        exact, scale = slope_and_scale(x, values, at)
        assert abs(Fraction(float(obtained)) - exact) <= 8 * len(x) * 2**-53 * scale


def slope_and_scale(nodes, values, y):
    """The slope by the product rule, and the sum of its terms' moduli."""
    x, total, scale = [*map(Fraction, nodes)], Fraction(0), Fraction(0)
    for j, v in enumerate(map(Fraction, values)):
        for i in range(len(x)):
            if i != j:
                rest = [k for k in range(len(x)) if k not in (i, j)]
                terms = [(y - x[k]) / (x[j] - x[k]) for k in rest]
                term = v * math.prod(terms, start=1 / (x[j] - x[i]))
                total, scale = total + term, scale + abs(term)
    return total, scale


def test_one_node_makes_a_constant():
    p = polynomial.interpolate(np.array([2.0]), np.array([[3.0, 4.0]]), np.arange(3))
    np.testing.assert_array_equal(p, [[3, 4]] * 3)
