"""Pure, jit-compiled numerical functions and tools for their derivatives.

| to ...                                       | use                           |
| -------------------------------------------- | ----------------------------- |
| turn scores into probabilities               | `jnumerics.softmax`           |
| correlate images with kernels                | `jnumerics.conv`              |
| fit and evaluate matrix-valued polynomials   | `jnumerics.polynomial`        |
| stack affine maps and nonlinearities         | `jnumerics.mlp`               |
| minimize a loss with any optax optimizer     | `jnumerics.descent`           |
| train one layer of sigmoids                  | `jnumerics.perceptron`        |
| fit a line by descent or by least squares    | `jnumerics.linear_regression` |
| take Jacobians at the lowest cost, proven    | `jnumerics.derivatives`       |
"""

from jnumerics import (
    conv,
    derivatives,
    descent,
    linear_regression,
    mlp,
    perceptron,
    polynomial,
    softmax,
)

__all__ = [
    "conv",
    "derivatives",
    "descent",
    "linear_regression",
    "mlp",
    "perceptron",
    "polynomial",
    "softmax",
]
