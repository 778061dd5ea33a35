"""Oracles in NumPy float64, written without JAX: short, slow and plainly right."""

from fractions import Fraction
from typing import Any

import numpy as np


def softmax(x, axis=-1):
    """Probabilities of scores; -inf is a class masked out."""
    x = np.asarray(x, np.float64)
    e = np.exp(x - np.max(x, axis, keepdims=True, initial=-np.inf))
    return e / np.sum(e, axis, keepdims=True)


def softmax_jacobian(x):
    """diag(p) - p p', one matrix for each row."""
    p = softmax(x)
    diagonal = np.einsum("...i,ij->...ij", p, np.eye(p.shape[-1]))
    return diagonal - np.einsum("...i,...j->...ij", p, p)


def cross_entropy(logits, probabilities):
    """Mean of -sum y log p over rows, with 0 log 0 = 0."""
    x = np.asarray(logits, np.float64)
    largest = np.max(x, -1, keepdims=True)
    log_p = x - largest - np.log(np.sum(np.exp(x - largest), -1, keepdims=True))
    y = np.asarray(probabilities, np.float64)
    return -np.mean(np.sum(y * np.where(y == 0, 0, log_p), -1))


def mlp(params, x, activation=np.tanh):
    """Affine maps joined by the activation; the last layer is linear."""
    *hidden, (weight, bias) = params
    for w, b in hidden:
        x = activation(np.asarray(x) @ np.asarray(w) + np.asarray(b))
    return np.asarray(x) @ np.asarray(weight) + np.asarray(bias)


def conv2d(
    x, kernel, stride=(1, 1), padding=((0, 0), (0, 0)), dilation=(1, 1), groups=1
):
    """Cross-correlation, NHWC and HWIO, as one sum over the kernel's offsets.

    Padding is the number of zeros before and after each of the two axes, or "SAME" or
    "SAME_LOWER", by TensorFlow's formula.
    """
    (n, *size, c_in), (*k, _, c_out) = x.shape, kernel.shape
    extent = [(k[i] - 1) * dilation[i] + 1 for i in range(2)]
    if isinstance(padding, str):
        lower, pads = padding == "SAME_LOWER", []
        for i in range(2):
            out = -(-size[i] // stride[i])
            total = max((out - 1) * stride[i] + extent[i] - size[i], 0)
            pads.append(sorted((total // 2, total - total // 2), reverse=lower))
        padding = pads
    dtype = np.result_type(x.dtype, kernel.dtype, np.float64)
    padded = np.pad(x.astype(dtype), ((0, 0), *map(tuple, padding), (0, 0)))
    rows, columns = (
        max((padded.shape[1 + i] - extent[i]) // stride[i] + 1, 0) for i in range(2)
    )
    y = np.zeros((n, rows, columns, c_out), dtype)
    for u, v in np.ndindex(rows, columns):
        for i, j in np.ndindex(*k):
            row, column = (
                u * stride[0] + i * dilation[0],
                v * stride[1] + j * dilation[1],
            )
            pixel = padded[:, row, column]
            for g in range(groups):
                inputs = slice(g * c_in // groups, (g + 1) * c_in // groups)
                outputs = slice(g * c_out // groups, (g + 1) * c_out // groups)
                y[:, u, v, outputs] += pixel[:, inputs] @ kernel[i, j, :, outputs]
    return y


def bjorck_pereyra(nodes, values):
    """Coefficients in ascending powers, nodes taken in the given order."""
    x, c = np.asarray(nodes), np.array(values)
    n, column = len(x), (slice(None), *(None,) * (c.ndim - 1))
    for k in range(1, n):
        c[k:] = (c[k:] - c[k - 1 : -1]) / (x[k:] - x[:-k])[column]
    for k in range(n - 2, -1, -1):
        c[k:-1] -= x[k] * c[k + 1 :]
    return c


def exact_coefficients(nodes, values):
    """The same in rational numbers, without rounding: an object array of Fractions."""
    fractions = np.frompyfunc(Fraction, 1, 1)
    return bjorck_pereyra(fractions(nodes), fractions(values))


def lagrange(nodes, values, y):
    """Sum of values times Lagrange's basis polynomials at one point, in any numbers."""
    total: Any = 0
    for j in range(len(nodes)):
        basis: Any = 1
        for k in range(len(nodes)):
            if k != j:
                basis = basis * (y - nodes[k]) / (nodes[j] - nodes[k])
        total = total + basis * values[j]
    return total


def gradient_descent(X, y, theta, learning_rate, steps):
    """Least squares by descent: theta and the cost after every update."""
    m, costs = len(y), []
    for _ in range(steps):
        theta = theta - learning_rate / m * (X.T @ (X @ theta - y))
        residual = X @ theta - y
        costs.append(residual @ residual / (2 * m))
    return theta, np.array(costs)


def descend(loss, gradient, params, rate, steps):
    """Plain gradient descent: the last parameters and the loss before every update."""
    params, losses = np.array(params), []
    for _ in range(steps):
        losses.append(loss(params))
        params = params - rate * gradient(params)
    return params, np.array(losses)


def perceptron(weights, X):
    """Sigmoid of X @ weights."""
    return 1 / (1 + np.exp(-(X @ weights)))


def train_perceptron(weights, X, y, steps):
    """The weights after full-batch updates at rate 1."""
    for _ in range(steps):
        o = perceptron(weights, X)
        weights = weights + X.T @ ((y - o) * o * (1 - o))
    return weights
