"""The programs that jnumerics grew from, in NumPy: the slow way to right answers.

Each is somebody's first version, in our words: loops over samples, over outputs or
over pixels. Examples, demo and benchmarks compare with them.
"""

from collections.abc import Sequence

import numpy as np

__all__ = [
    "Layers",
    "conv2d",
    "gradient_descent",
    "mlp_derivative",
    "perceptron",
    "polynomial_fit",
    "softmax",
    "softmax_jacobian",
    "softmax_vjp",
]

Layers = Sequence[tuple[np.ndarray, np.ndarray]]


def perceptron(
    weights: np.ndarray, X: np.ndarray, y: np.ndarray, *, steps: int, rate: float = 1.0
) -> np.ndarray:
    """Train one layer of sigmoids by `steps` updates on all samples, one by one."""
    for _ in range(steps):
        output = 1 / (1 + np.exp(-(X @ weights)))
        weights = weights + rate * (X.T @ ((y - output) * output * (1 - output)))
    return weights


def mlp_derivative(layers: Layers, times: np.ndarray) -> np.ndarray:
    """Differentiate a tanh network by a reverse pass for each time and output."""
    n_out = layers[-1][0].shape[1]
    derivative = np.empty((len(times), n_out))
    for i, time in enumerate(times):
        activations = [np.array([time])]
        for weight, bias in layers[:-1]:
            activations.append(np.tanh(activations[-1] @ weight + bias))
        for k in range(n_out):
            cotangent = layers[-1][0][:, k]
            for (weight, _), a in zip(layers[-2::-1], activations[:0:-1], strict=True):
                cotangent = weight @ (cotangent * (1 - a * a))
            derivative[i, k] = cotangent[0]
    return derivative


def gradient_descent(
    X: np.ndarray, y: np.ndarray, theta: np.ndarray, *, rate: float, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Fit a line: every iteration reads all rows. Returns theta and the costs."""
    m = len(y)
    costs = np.empty(steps)
    for k in range(steps):
        theta = theta - rate / m * (X.T @ (X @ theta - y))
        costs[k] = np.sum((X @ theta - y) ** 2) / (2 * m)
    return theta, costs


def conv2d(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Correlate one image, shape (1, h, w, c_in), with kernels: stride 1, VALID."""
    (_, h, w, c_in), (kh, kw, _, c_out) = x.shape, kernel.shape
    out = np.zeros((1, h - kh + 1, w - kw + 1, c_out), x.dtype)
    for row in range(out.shape[1]):
        for column in range(out.shape[2]):
            for i in range(c_in):
                window = x[0, row : row + kh, column : column + kw, i]
                for k in range(c_out):
                    out[0, row, column, k] += np.sum(window * kernel[:, :, i, k])
    return out


def polynomial_fit(nodes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Find a polynomial's coefficients by solving with the Vandermonde matrix."""
    vandermonde = np.vander(nodes, increasing=True).astype(nodes.dtype)
    flat = np.linalg.solve(vandermonde, values.reshape(len(nodes), -1))
    return flat.reshape(values.shape)


def softmax(x: np.ndarray) -> np.ndarray:
    """Turn rows of scores into probabilities."""
    exponential = np.exp(x - x.max(-1, keepdims=True))
    return exponential / exponential.sum(-1, keepdims=True)


def softmax_jacobian(x: np.ndarray) -> np.ndarray:
    """Differentiate softmax of every row: diag(p) - p p', a matrix for each."""
    return np.stack([np.diag(p) - np.outer(p, p) for p in softmax(x)])


def softmax_vjp(x: np.ndarray, cotangent: np.ndarray) -> np.ndarray:
    """Multiply every row's Jacobian, formed in full, by a row of cotangents."""
    return np.einsum("mnr,mn->mr", softmax_jacobian(x), cotangent)
