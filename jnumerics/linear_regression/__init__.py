r"""Linear regression: find $\theta$ with $X \theta \approx y$.

One sample in each row of $X$, shape `(m, n)`; a constant term is a column of ones. The
cost is the sum of squared errors over $2 m$,

$J(\theta) = \lVert X \theta - y \rVert^2 / (2 m), \qquad
\nabla J = X^\top (X \theta - y) / m$.

| to ...                                  | use                |
| --------------------------------------- | ------------------ |
| evaluate $J$                            | `cost`             |
| approach the minimum by descent         | `gradient_descent` |
| find it at once                         | `solve`            |

Real numbers only. Not offered: regularization, weights (multiply the rows of $X$ and
$y$ by their square roots), and the answer of smallest norm where there are many.
"""

from jnumerics.linear_regression._gradient_descent import (
    GradientDescent,
    cost,
    gradient_descent,
)
from jnumerics.linear_regression._solve import solve

__all__ = ["GradientDescent", "cost", "gradient_descent", "solve"]
