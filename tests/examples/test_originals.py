"""What the examples expect comes from the originals: they are held to known numbers."""

import numpy as np
import scipy.signal

from jnumerics.workbench import originals


def test_perceptron_learns_the_known_weights():
    X = np.array([[0.0, 0, 1], [1, 1, 1], [1, 0, 1], [0, 1, 1]])
    start = np.array([-0.16595599, 0.44064899, -0.99977125])
    weights = originals.perceptron(start, X, np.array([0.0, 1, 1, 0]), steps=10_000)
    np.testing.assert_allclose(
        weights, [9.67299303, -0.2078435, -4.62963669], atol=1e-7
    )


def test_mlp_derivative_is_the_limit_of_differences():
    rng = np.random.default_rng(0)
    sizes = [(1, 5), (5, 3), (3, 2)]
    layers = [(rng.normal(size=s), rng.normal(size=s[1])) for s in sizes]

    def network(times):
        x = times[:, None]
        for weight, bias in layers[:-1]:
            x = np.tanh(x @ weight + bias)
        return x @ layers[-1][0] + layers[-1][1]

    times, h = np.array([1.0, 2.0, 3.2]), 1e-6
    expected = (network(times + h) - network(times - h)) / (2 * h)
    np.testing.assert_allclose(
        originals.mlp_derivative(layers, times), expected, atol=1e-8
    )


def test_gradient_descent_finds_the_known_theta_and_costs():
    X, y = np.array([[1.0, 5], [1, 2], [1, 4], [1, 5]]), np.array([1.0, 6, 4, 2])
    theta, costs = originals.gradient_descent(X, y, np.zeros(2), rate=0.01, steps=1_000)
    np.testing.assert_allclose(theta, [5.21475495, -0.57334591], atol=1e-8)
    np.testing.assert_allclose(
        costs[[0, 1, -1]], [5.9793703125, 5.214963481, 0.8542642598], atol=1e-9
    )


def test_conv2d_is_scipys_correlation_summed_over_channels():
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(1, 6, 5, 2)), rng.normal(size=(3, 2, 2, 4))
    expected = [
        sum(
            scipy.signal.correlate2d(x[0, :, :, i], kernel[:, :, i, k], mode="valid")
            for i in range(2)
        )
        for k in range(4)
    ]
    np.testing.assert_allclose(
        originals.conv2d(x, kernel)[0], np.stack(expected, axis=-1), atol=1e-12
    )


def test_polynomial_fit_recovers_coefficients():
    coefficients = np.random.default_rng(0).normal(size=(4, 2, 3))
    nodes = np.array([0.0, 1.0, 2.0, 3.0])
    values = np.moveaxis(np.polynomial.polynomial.polyval(nodes, coefficients), -1, 0)
    np.testing.assert_allclose(
        originals.polynomial_fit(nodes, values), coefficients, atol=1e-12
    )
    assert originals.polynomial_fit(
        nodes.astype("float32"), values.astype("float32")
    ).dtype == np.dtype("float32")


def test_softmax_product_is_the_known_one():
    x = np.array([[0.3394572666491664, 0.3089068053925853, 0.3516359279582483]])
    np.testing.assert_allclose(
        originals.softmax(x), [[0.3353269, 0.32523741, 0.3394357]], atol=1e-8
    )
    np.testing.assert_allclose(
        originals.softmax_vjp(x, np.array([[1.0, -2.0, 0.5]])),
        [[0.38409351, -0.60317552, 0.21908201]],
        atol=1e-8,
    )
