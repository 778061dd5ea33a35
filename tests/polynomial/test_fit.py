"""`fit`: its accuracy at nodes of any order and scale."""

import time
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics import polynomial
from tests import reference
from tests.polynomial._nodes import NODE_SETS, NODES, draw, largest_error


@pytest.mark.parametrize("nodes", NODE_SETS.values(), ids=NODE_SETS)
@pytest.mark.parametrize("shape", [(), (2, 4)])
@pytest.mark.slow
def test_fit_is_as_accurate_as_the_recurrences_in_increasing_order(nodes, shape, x64):
    values, nodes = draw(len(nodes), *shape), np.sort(nodes)
    exact = reference.exact_coefficients(nodes, values).astype(float)
    attained = largest_error(reference.bjorck_pereyra(nodes, values), exact)
    obtained = largest_error(polynomial.fit(nodes, values), exact)
    assert obtained <= 10 * attained + 1e-15


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
