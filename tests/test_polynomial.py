import time
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jnumerics import polynomial
from tests import reference

NODES = np.arange(1, 13) / 10  # the matrix polynomial's: condition number 2.6e9
NODE_SETS = {
    "one": np.array([2.0]),
    "equispaced": NODES,
    "both signs": np.linspace(-1, 1, 12),
    "integers": np.arange(12.0),
    "reciprocals": 1 / (np.arange(12) + 3),
    "loop": np.arange(1, 18) / 17,
}


def draw(*shape, seed=0):
    return np.random.default_rng(seed).uniform(size=shape)


def largest_error(a, exact):
    """The largest error of an entry, relative to the largest entry of that power."""
    scale = np.abs(exact).max(tuple(range(1, exact.ndim)), keepdims=True)
    return (np.abs(np.asarray(a, exact.dtype) - exact) / scale).max()


def exact_interpolant(nodes, values, y):
    x, v = map(Fraction, nodes), map(Fraction, values)
    x, v = list(x), list(v)
    return np.array([float(reference.lagrange(x, v, Fraction(t))) for t in y])


# fit


@pytest.mark.parametrize("nodes", NODE_SETS.values(), ids=NODE_SETS)
@pytest.mark.parametrize("shape", [(), (2, 4)])
@pytest.mark.slow
def test_fit_is_as_accurate_as_the_recurrences_in_increasing_order(nodes, shape, x64):
    values, nodes = draw(len(nodes), *shape), np.sort(nodes)
    exact = reference.exact_coefficients(nodes, values).astype(float)
    attained = largest_error(reference.bjorck_pereyra(nodes, values), exact)
    obtained = largest_error(polynomial.fit(nodes, values), exact)
    assert obtained <= 10 * attained + 1e-15


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fit_keeps_the_digits_that_the_vandermonde_matrix_loses(dtype, x64):
    nodes, values = NODES.astype(dtype), draw(12, 6, 6).astype(dtype)
    exact = reference.exact_coefficients(
        nodes.astype(float), values.astype(float)
    ).astype(float)
    vandermonde = np.vander(nodes, increasing=True).astype(dtype)
    solved = np.linalg.solve(vandermonde, values.reshape(12, 36)).reshape(12, 6, 6)
    assert (
        largest_error(polynomial.fit(nodes, values), exact) < 16 * np.finfo(dtype).eps
    )
    assert largest_error(solved, exact) > 1e5 * np.finfo(dtype).eps


@pytest.mark.parametrize(
    ("dtype", "attained", "lost"),
    [(np.float64, 6.7e-16, 3.9e-9), (np.float32, 1.7e-6, 0.65)],
)
def test_errors_of_the_matrix_polynomial_are_those_of_the_seed(
    dtype, attained, lost, x64
):
    nodes, values = NODES.astype(dtype), draw(12, 100).astype(dtype)
    exact = reference.exact_coefficients(
        nodes.astype(float), values.astype(float)
    ).astype(float)
    vandermonde = np.vander(nodes, increasing=True).astype(dtype)
    solved = np.linalg.solve(vandermonde, values)
    assert largest_error(polynomial.fit(nodes, values), exact) < 2 * attained
    assert largest_error(solved, exact) > lost / 10


def test_multiplying_by_an_accurate_inverse_loses_digits_that_fit_keeps(x64):
    values = np.exp(3 * NODES)
    exact = reference.exact_coefficients(NODES, values).astype(float)
    inverse = reference.exact_coefficients(NODES, np.eye(12)).astype(float)
    attained = largest_error(polynomial.fit(NODES, values), exact)
    assert largest_error(inverse @ values, exact) > 10 * attained


@pytest.mark.parametrize(
    "nodes",
    [1 / (np.arange(16.0)[::-1] + 3), np.linspace(0.1, 1.2, 16), np.arange(16.0)],
    ids=["reciprocals", "equispaced", "integers"],
)
def test_increasing_order_is_more_accurate_than_that_of_leja(nodes, x64):
    values, order = np.vander(nodes, increasing=True) @ draw(16, 20), leja_order(nodes)
    exact = reference.exact_coefficients(nodes, values).astype(float)
    in_leja_order = reference.bjorck_pereyra(nodes[order], values[order])
    obtained = polynomial.fit(nodes, values)
    assert largest_error(in_leja_order, exact) > 10 * largest_error(obtained, exact)


def leja_order(nodes):
    order = [int(np.argmax(np.abs(nodes)))]
    while len(order) < len(nodes):
        distances = np.abs(nodes[:, None] - nodes[order])
        order.append(int(np.argmax(np.prod(distances, 1))))
    return order


def test_condition_number_of_the_matrix_polynomial_is_that_of_the_seed():
    assert np.linalg.cond(np.vander(NODES)) == pytest.approx(2.6e9, rel=0.02)


def test_solve_refuses_the_shape_that_fit_takes(x64):
    values = draw(12, 60, 60)
    with pytest.raises((ValueError, np.linalg.LinAlgError)):
        np.linalg.solve(np.vander(NODES, increasing=True), values)
    assert polynomial.fit(NODES, values).shape == (12, 60, 60)


@pytest.mark.parametrize(
    ("n", "phase"), [(12, 1), (17, 1), (12, np.exp(0.7j)), (17, np.exp(0.7j))]
)
@pytest.mark.slow
def test_order_of_the_nodes_does_not_change_a_bit(n, phase, x64):
    nodes, values = np.sort(draw(n)) * phase, draw(n, 3, seed=1)
    order = np.random.default_rng(2).permutation(n)
    for f in (polynomial.fit, lambda x, v: polynomial.interpolate(x, v, 0.123)):
        np.testing.assert_array_equal(f(nodes, values), f(nodes[order], values[order]))


@pytest.mark.slow
def test_derivatives_do_not_depend_on_the_order_of_the_nodes(x64):
    values, order = draw(12, 2), np.random.default_rng(2).permutation(12)

    def gradient(x, v):
        return jax.grad(lambda x, v: jnp.sum(polynomial.fit(x, v)), (0, 1))(x, v)

    for a, b in zip(
        gradient(NODES, values), gradient(NODES[order], values[order]), strict=True
    ):
        np.testing.assert_array_equal(a[order], b)


@pytest.mark.parametrize("n", [8, 32])
def test_fit_at_roots_of_unity_is_the_inverse_fourier_transform(n, x64):
    nodes = np.exp(2j * np.pi * np.arange(n) / n)
    values = draw(n, 2) + 1j * draw(n, 2, seed=1)
    expected = np.fft.fft(values, axis=0) / n  # p(x_j) = sum a_k exp(2 pi i j k / n)
    obtained = polynomial.fit(nodes, values)
    np.testing.assert_allclose(obtained, expected, rtol=0, atol=1e-13)


def test_complex_nodes_on_a_line_keep_the_accuracy_of_real_ones(x64):
    values = np.vander(NODES, increasing=True) @ draw(12, 3)
    exact = reference.exact_coefficients(NODES, values).astype(float)
    attained = largest_error(polynomial.fit(NODES, values), exact)
    for turn in (1 + 0j, 1j, -1 + 0j):  # exact; Leja's order loses 150 times as much
        turned = exact / turn ** np.arange(12)[:, None]
        obtained = polynomial.fit(NODES * turn, values + 0j)
        assert largest_error(obtained, turned) < 10 * attained


class Gaussian:
    """An exact complex number."""

    def __init__(self, real: Any, imag: Any = 0):
        self.real, self.imag = Fraction(real), Fraction(imag)

    def __sub__(self, other):
        return Gaussian(self.real - other.real, self.imag - other.imag)

    def __mul__(self, other):
        if not isinstance(other, Gaussian):
            return NotImplemented  # an array, entry by entry
        real = self.real * other.real - self.imag * other.imag
        return Gaussian(real, self.real * other.imag + self.imag * other.real)

    def __truediv__(self, other):
        size = other.real**2 + other.imag**2
        product = self * Gaussian(other.real / size, -other.imag / size)
        return Gaussian(product.real, product.imag)

    def __complex__(self):
        return complex(self.real, self.imag)


@pytest.mark.parametrize("angle", [0.7, 1.3, 2.9])
def test_nodes_that_rounding_moves_off_their_line_keep_the_order_along_it(angle, x64):
    line = NODES * np.exp(1j * angle)  # each a rounding away from it
    exactly = np.frompyfunc(lambda z: Gaussian(z.real, z.imag), 1, 1)
    values = np.vander(NODES, increasing=True) @ draw(12, 3) + 0j
    exact = reference.bjorck_pereyra(exactly(line), exactly(values)).astype(complex)
    attained = largest_error(reference.bjorck_pereyra(line, values), exact)
    # Leja's order loses 20 to 150 times as much
    assert largest_error(polynomial.fit(line, values), exact) < 4 * attained


def test_complex_values_are_fitted_as_their_parts(x64):
    real, imaginary = draw(12, 2), draw(12, 2, seed=1)
    obtained = polynomial.fit(NODES, real + 1j * imaginary)
    for part, values in ((obtained.real, real), (obtained.imag, imaginary)):
        expected = np.asarray(polynomial.fit(NODES, values))
        assert largest_error(part, expected) < 1e-14


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_fit_at_tiny_and_huge_nodes_overflows_only_where_the_answer_does(scale):
    nodes = (np.arange(1, 4) * scale).astype(np.float32)
    obtained = polynomial.fit(nodes, np.array([1, 4, 9], np.float32))
    linear = polynomial.fit(nodes, np.array([3, 5, 7], np.float32))
    assert abs(obtained[0]) < 1e-5
    assert jnp.isinf(obtained[2]) if scale < 1 else obtained[2] == 0
    np.testing.assert_allclose(
        linear[:2] * np.array([1, scale], np.float32), [1, 2], rtol=1e-5
    )
    from_zero = polynomial.fit(nodes - nodes[0], np.array([0, 1, 4], np.float32))
    assert abs(from_zero[1] * np.float32(scale)) < 1e-5


def test_fit_at_the_largest_nodes_finds_the_line_through_them():
    nodes = np.array([1, 2, 3], np.float32) * np.float32(1e38)
    line = polynomial.fit(nodes, nodes / 16)
    np.testing.assert_allclose(line[:2], [0, 1 / 16], rtol=1e-6, atol=1e32)


MIXED = {  # in units of float32's range, which float64's are a power of
    "two tiny": [1e-20, 2e-20, 1e20],
    "two tiny, signs": [-3e-20, 2e-20, 1e20],
    "steps of ten": [1e-10, 1e-5, 1.0, 1e5, 1e10],
    "five": [1e-20, 2e-20, 1e20, 2e20, 3e20],
    "two huge": [1.0, 2.0, 1e30, 2e30],
    "around one": [1.0, 1.0 + 1e-6, 1e12],
    "least": [3e-36, 5e-36],
    "most": [1.5e38, 3e38],
    "both ends": [-3e38, 3e38],
}


@pytest.mark.parametrize("name", MIXED)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fit_of_nodes_of_any_scale_is_as_accurate_as_the_recurrences(name, dtype, x64):
    nodes = np.array(MIXED[name])
    if dtype is np.float64:
        nodes = np.sign(nodes) * np.abs(nodes) ** 7.5
    nodes, values = nodes.astype(dtype), draw(len(nodes)).astype(dtype)
    exact = reference.exact_coefficients(nodes.astype(float), values.astype(float))
    with np.errstate(all="ignore"):
        plain = reference.bjorck_pereyra(nodes, values)
    obtained = np.asarray(polynomial.fit(nodes, values))
    limits = np.finfo(dtype)
    for k, a in enumerate(exact):
        if abs(a) > limits.max:
            assert np.isinf(obtained[k])
        elif abs(a) > limits.tiny:
            # the rounding of a value, seen through the sizes of all that is summed
            error = abs(Fraction(float(obtained[k])) - a)
            attained = np.isfinite(plain[k]) and abs(Fraction(float(plain[k])) - a)
            assert error <= max(
                10 * attained, Fraction(64 * float(limits.eps)) * abs(a)
            )
        else:
            assert abs(obtained[k]) <= 2 * limits.tiny


def test_fit_scales_values_exactly_by_powers_of_two(x64):
    values = draw(12, 2)
    np.testing.assert_array_equal(
        polynomial.fit(NODES, values * 2.0**-900),
        polynomial.fit(NODES, values) * 2.0**-900,
    )


@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 3)])
def test_empty_values_give_empty_answers(shape):
    values, y = np.zeros((4, *shape)), np.zeros((2, 1))
    a = polynomial.fit(np.arange(4), values)
    assert a.shape == (4, *shape)
    assert polynomial.evaluate(a, y).shape == (2, 1, *shape)
    assert polynomial.interpolate(np.arange(4), values, y).shape == (2, 1, *shape)


def test_equal_nodes_under_a_trace_give_no_plausible_number():
    nodes, values = jnp.array([0.5, 1.0, 0.5, 2.0]), jnp.array([1.0, 2.0, 3.0, 4.0])
    assert not jnp.all(jnp.isfinite(jax.jit(polynomial.fit)(nodes, values)))
    interpolate = jax.jit(polynomial.interpolate)
    for y in (0.7, 0.5, 1.0):  # elsewhere, at the equal nodes, at another one
        assert jnp.isnan(interpolate(nodes, values, y))


def test_program_of_a_fit_does_not_grow_with_the_nodes():
    def length(n):
        program = jax.make_jaxpr(polynomial.fit)(np.arange(n), np.ones((n, 2)))
        return len(str(program).splitlines())

    assert max(length(n) for n in (2, 3, 8, 12, 16, 17, 40)) <= length(64)


@pytest.mark.slow
def test_first_fit_of_64_nodes_does_not_keep_a_person_waiting():
    start = time.process_time()
    jax.block_until_ready(polynomial.fit(jnp.arange(1.0, 65.0), jnp.ones((64, 5))))
    assert time.process_time() - start < 2  # 0.3 s on two idle cores


# evaluate


@pytest.mark.parametrize("y", [0.7, np.zeros(()), draw(2, 1, 3), draw(0)])
@pytest.mark.parametrize("shape", [(), (3, 4)])
def test_evaluate_is_the_sum_of_powers(y, shape, x64):
    a = draw(5, *shape, seed=3)
    expected = sum(np.multiply.outer(np.asarray(y) ** k, a[k]) for k in range(5))
    np.testing.assert_allclose(polynomial.evaluate(a, y), expected, rtol=1e-14)


@pytest.mark.parametrize("n", [1, 2, 9, 10, 64])
def test_evaluate_and_numpy_agree_for_any_number_of_coefficients(n, x64):
    a, y = draw(n), draw(7, seed=1)
    np.testing.assert_allclose(
        polynomial.evaluate(a, y), np.polyval(a[::-1], y), rtol=1e-13
    )


def test_evaluate_complex_coefficients_at_complex_points(x64):
    a, y = draw(6) + 1j * draw(6, seed=1), draw(4) + 1j * draw(4, seed=2)
    expected = np.polyval(a[::-1], y)
    np.testing.assert_allclose(polynomial.evaluate(a, y), expected, rtol=1e-14)
    np.testing.assert_allclose(
        polynomial.evaluate(a.real, y), np.polyval(a.real[::-1], y), rtol=1e-14
    )


def test_evaluate_at_infinite_and_huge_points():
    y = jnp.array([jnp.inf, -jnp.inf, 1e38])
    np.testing.assert_array_equal(polynomial.evaluate(jnp.array([3.0]), y), 3)
    line = polynomial.evaluate(jnp.array([3.0, 2.0]), y)
    np.testing.assert_array_equal(line, [np.inf, -np.inf, np.float32(2e38)])
    assert jnp.isnan(polynomial.evaluate(jnp.array([3.0, 2.0, 0.0]), jnp.inf))


def test_slope_of_a_constant_is_zero():
    assert jax.grad(polynomial.evaluate, 1)(jnp.array([3.0]), 2.0) == 0


@pytest.mark.parametrize("y", [0.0, -2.5, 1e30, jnp.inf])
def test_slope_of_a_line_is_its_coefficient_everywhere(y):
    slope = jax.grad(lambda y: polynomial.evaluate(jnp.array([3.0, 2.0]), y))(y)
    assert slope == 2


# interpolate


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


def chebyshev(n):
    return np.cos(np.pi * (np.arange(n) + 0.5) / n)


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
    most = float(np.finfo(dtype).max)
    nodes = np.array([-1, *inner, 1]) * most
    values = draw(len(nodes))
    y = np.array([-1, -0.7, 0.1, 0.99, 1]) * most
    expected = exact_interpolant(nodes / most, values, y / most)
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


def test_one_node_makes_a_constant():
    p = polynomial.interpolate(np.array([2.0]), np.array([[3.0, 4.0]]), np.arange(3))
    np.testing.assert_array_equal(p, [[3, 4]] * 3)


def test_fitted_and_interpolated_polynomials_are_the_same(x64):
    values, y = draw(12, 60, 60), np.linspace(0.1, 1.2, 5)
    fitted = polynomial.evaluate(polynomial.fit(NODES, values), y)
    interpolated = polynomial.interpolate(NODES, values, y)
    scale = np.abs(interpolated).max()
    np.testing.assert_allclose(fitted, interpolated, atol=1e-7 * scale)


# derivatives

X = np.array([0.9, -0.4, 0.1, 1.3])
V = np.array([[0.3, 1.0], [-0.2, 0.5], [0.7, -1.1], [0.4, 0.2]])
POINTS = {"between": 0.55, "at a node": 0.1, "outside": 2.0}


@pytest.mark.slow
def test_fit_derivatives_match_those_of_the_vandermonde_system_to_second_order(x64):
    def plain(x, v):
        return jnp.linalg.solve(jnp.vander(x, increasing=True), v)

    both = polynomial.fit, plain
    for derivative in (jax.jacfwd, jax.jacrev):
        obtained, expected = (jax.jit(derivative(f, (0, 1)))(X, V) for f in both)
        for a, b in zip(obtained, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)

    def bent(f, outer, inner):
        scalar = inner(lambda x, v: jnp.sum(jnp.sin(f(x, v))), (0, 1))
        return jax.tree.leaves(jax.jit(outer(scalar, (0, 1)))(X, V))

    expected = bent(plain, jax.jacfwd, jax.jacrev)
    for order in ((jax.jacfwd, jax.jacrev), (jax.jacrev, jax.jacfwd)):
        for a, b in zip(bent(polynomial.fit, *order), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-10)


def lagrange(x, v, y):
    basis = [
        jnp.prod(jnp.array([(y - x[k]) / (x[j] - x[k]) for k in range(4) if k != j]))
        for j in range(4)
    ]
    return jnp.stack(basis) @ v


@pytest.mark.parametrize("derivative", [jax.jacfwd, jax.jacrev])
@pytest.mark.slow
def test_interpolate_derivatives_match_those_of_the_lagrange_basis(derivative, x64):
    expected = jax.jit(derivative(lagrange, (0, 1, 2)))
    obtained = jax.jit(derivative(polynomial.interpolate, (0, 1, 2)))
    for y in POINTS.values():
        for a, b in zip(obtained(X, V, y), expected(X, V, y), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-13, err_msg=f"at {y}")


def second_derivatives(f, outer, inner):
    slope = inner(lambda *arguments: jnp.sum(jnp.sin(f(*arguments))), (0, 1, 2))
    return jax.jit(outer(slope, (0, 1, 2)))


@pytest.mark.slow
def test_second_derivatives_match_those_of_the_lagrange_basis(x64):
    expected = second_derivatives(lagrange, jax.jacfwd, jax.jacrev)
    for order in ((jax.jacfwd, jax.jacrev), (jax.jacrev, jax.jacfwd)):
        obtained = second_derivatives(polynomial.interpolate, *order)
        for y in POINTS.values():
            pair = (jax.tree.leaves(f(X, V, y)) for f in (obtained, expected))
            for a, b in zip(*pair, strict=True):
                np.testing.assert_allclose(a, b, rtol=0, atol=1e-11, err_msg=f"at {y}")


def test_third_derivative_at_a_node(x64):
    cube = jax.grad(jax.grad(jax.grad(polynomial.interpolate, 2), 2), 2)
    values = X**3
    np.testing.assert_allclose(cube(X, values, X[1]), 6, rtol=1e-11)


def test_evaluate_derivatives_match_finite_differences_to_second_order(x64):
    a, y = draw(4, 2), np.array([0.3, -1.2])
    check_grads(polynomial.evaluate, (a, y), order=2, modes=("fwd", "rev"))


def test_coefficients_move_with_the_nodes_as_with_the_values_times_the_slope(x64):
    dx, dv = draw(4, seed=1), draw(4, 2, seed=2)
    _, tangent = jax.jvp(polynomial.fit, (X, V), (dx, dv))
    slope = jax.vmap(jax.jacfwd(polynomial.interpolate, 2), (None, None, 0))(X, V, X)
    expected = polynomial.fit(X, dv - slope * dx[:, None])
    np.testing.assert_allclose(tangent, expected, rtol=0, atol=1e-12)


def test_gradient_for_values_does_not_see_what_the_nodes_derivative_overflows_to():
    nodes = np.linspace(-1, 1, 1000, dtype=np.float32)  # D has entries of 2^1000
    gradient = jax.grad(polynomial.interpolate, 1)(nodes, jnp.ones(1000), nodes[3])
    np.testing.assert_array_equal(gradient, np.arange(1000) == 3)


def test_complex_polynomials_have_holomorphic_derivatives(x64):
    x, v, y = X * np.exp(0.5j), V[:, 0] + 1j * V[:, 1], 0.2 + 0.1j
    a = polynomial.fit(x, v)
    expected = np.polyval(np.polyder(np.asarray(a)[::-1]), y)
    slope = jax.grad(polynomial.interpolate, 2, holomorphic=True)(x, v, y)
    np.testing.assert_allclose(slope, expected, rtol=1e-12)
    slope = jax.grad(polynomial.evaluate, 1, holomorphic=True)(a, y)
    np.testing.assert_allclose(slope, expected, rtol=1e-12)


def test_real_nodes_of_complex_values_have_real_gradients(x64):
    def size(x, imaginary):
        v = V[:, 0] + imaginary * V[:, 1]
        return jnp.sum(jnp.abs(polynomial.fit(x, v)) ** 2)

    def size_in_parts(x):
        real, imaginary = polynomial.fit(x, V[:, 0]), polynomial.fit(x, V[:, 1])
        return jnp.sum(real**2) + jnp.sum(imaginary**2)

    np.testing.assert_allclose(jax.grad(size)(X, 1j), jax.grad(size_in_parts)(X))


def test_64_nodes_differentiate_through_the_loop(x64):
    x, v = np.sort(chebyshev(64)), draw(64)
    weights = draw(64, seed=1)
    gradient = jax.grad(lambda v: polynomial.fit(x, v) @ weights)(v)
    matrix = jax.vmap(lambda e: polynomial.fit(x, e), out_axes=1)(jnp.eye(64))
    np.testing.assert_allclose(gradient, weights @ matrix, rtol=1e-5)  # 1e20 / 1e15


# arguments and transformations


@pytest.mark.slow
def test_vmap_over_nodes_values_and_points_is_a_loop(x64):
    nodes, values, y = draw(3, 5), draw(3, 5, 2, seed=1), draw(3, 4, seed=2)
    fitted = jax.vmap(polynomial.fit)(nodes, values)
    interpolated = jax.vmap(polynomial.interpolate)(nodes, values, y)
    evaluated = jax.vmap(polynomial.evaluate)(fitted, y)
    for i in range(3):
        np.testing.assert_allclose(fitted[i], polynomial.fit(nodes[i], values[i]))
        p = polynomial.interpolate(nodes[i], values[i], y[i])
        np.testing.assert_allclose(interpolated[i], p, rtol=1e-12)
        np.testing.assert_allclose(evaluated[i], p, rtol=1e-9)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_is_rounded_once(dtype):
    nodes, values = jnp.array([0.5, 1.0, 2.0], dtype), jnp.array([1.0, 3.0, 9.0], dtype)
    single = nodes.astype(jnp.float32), values.astype(jnp.float32)
    y = jnp.array([0.75, 1.5], dtype)
    a = polynomial.fit(nodes, values)
    p = polynomial.interpolate(nodes, values, y)
    assert a.dtype == p.dtype == polynomial.evaluate(a, y).dtype == dtype
    np.testing.assert_array_equal(a, polynomial.fit(*single).astype(dtype))
    expected = polynomial.interpolate(*single, y.astype(jnp.float32))
    np.testing.assert_array_equal(p, expected.astype(dtype))


@pytest.mark.parametrize(
    ("nodes", "values", "expected"),
    [
        (jnp.float32, jnp.float32, jnp.float32),
        (jnp.float64, jnp.complex64, jnp.complex128),
        (jnp.complex64, jnp.float64, jnp.complex128),
        (jnp.int32, jnp.int32, jnp.float64),
        (jnp.bfloat16, jnp.float32, jnp.float32),
    ],
)
def test_dtype_of_the_answer_is_the_common_one(nodes, values, expected, x64):
    x, v = jnp.arange(3).astype(nodes), jnp.ones((3, 2)).astype(values)
    a = polynomial.fit(x, v)
    assert a.dtype == polynomial.interpolate(x, v, 0.5).dtype == expected
    assert polynomial.evaluate(v, x).dtype == expected


@pytest.mark.slow
def test_python_numbers_do_not_widen_single_precision(x64):
    x, v = jnp.arange(3).astype(jnp.float32), jnp.ones(3, jnp.float32)
    assert polynomial.interpolate(x, v, 0.5).dtype == jnp.float32
    assert polynomial.evaluate(v, 0.5).dtype == jnp.float32
    assert polynomial.interpolate(x, v, 0.5j).dtype == jnp.complex64


def test_matrices_and_integers_mean_the_same_as_arrays():
    values = np.array([[1, 2], [3, 4], [7, 9]])
    matrix = polynomial.fit(np.arange(3), np.matrix(values))
    array = polynomial.fit(np.arange(3.0), values * 1.0)
    np.testing.assert_array_equal(matrix, array)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.complex64])
@pytest.mark.parametrize("n", [5, 20])
def test_polynomials_lower_for_every_platform(n, dtype):
    x, v, y = jnp.arange(n).astype(dtype), jnp.ones((n, 2), dtype), jnp.ones(3, dtype)

    def gradient(x, v, y):
        return jax.vjp(polynomial.interpolate, x, v, y)[1](jnp.ones((3, 2), dtype))

    for fun, arguments in [
        (polynomial.fit, (x, v)),
        (polynomial.evaluate, (v, y)),
        (polynomial.interpolate, (x, v, y)),
        (gradient, (x, v, y)),
    ]:
        exported = jax.export.export(jax.jit(fun), platforms=("cpu", "cuda", "tpu"))
        assert exported(*arguments).platforms == ("cpu", "cuda", "tpu")


# what is refused


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
    with pytest.raises(TypeError, match="`y` must be an array, got list"):
        polynomial.interpolate(np.arange(3), np.ones(3), [0.5])  # pyright: ignore[reportArgumentType]


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


def test_an_accurate_inverse_loses_four_digits_more_at_the_integers(x64):
    nodes, values = np.arange(1.0, 13.0), np.sqrt(np.arange(1.0, 13.0))
    exact = reference.exact_coefficients(nodes, values).astype(float)
    inverse = reference.exact_coefficients(nodes, np.eye(12)).astype(float)
    assert largest_error(polynomial.fit(nodes, values), exact) < 4e-15
    assert largest_error(inverse @ values, exact) > 1e-11
