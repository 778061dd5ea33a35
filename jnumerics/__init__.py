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

A subject is imported when it is first used: `import jnumerics` alone costs nothing.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

__version__ = "0.1.0"

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

if TYPE_CHECKING:  # editors and type checkers see each name, and refuse others
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
else:

    def __getattr__(name: str) -> ModuleType:
        """Import a subject at its first use."""
        if name in __all__:
            return importlib.import_module(f"{__name__}.{name}")
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)


def __dir__() -> list[str]:
    """List the subjects, imported or not."""
    return sorted({*globals(), *__all__})
