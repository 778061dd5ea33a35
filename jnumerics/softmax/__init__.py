r"""Softmax of scores, its logarithm, and products with its Jacobian in closed form.

With $p = \mathrm{softmax}(x)$, the Jacobian of one row of scores is the symmetric
$J = \mathrm{diag}(p) - p p^\top$, so $J v = J^\top v = p \odot (v - p^\top v)$ needs
$O(n)$ operations, and the logarithm has $\mathrm{d} \log p = t - p^\top t$. Both
rules hold in forward and reverse mode and to any order.

What the values decide:

- A score of -inf is a class that is masked out: probability 0, logarithm -inf, and
  no influence on a derivative. Scores of any finite size are fine.
- A row of -inf alone has no distribution: it is NaN, value and derivatives, as in
  `jax.nn.softmax` and SciPy; zeros would pass for probabilities that do not sum to
  one. A row with +inf or NaN is NaN as well. Other rows are not touched.

Half-precision scores are computed in float32 and rounded once, at the end. Not
offered: scores by axis for `jacobian`, `jvp`, `vjp` and `cross_entropy`, which take
the classes last; weights and label smoothing, which are products with the labels.
"""

from jnumerics.softmax._functions import (
    cross_entropy,
    jacobian,
    jvp,
    log_softmax,
    softmax,
    vjp,
)

__all__ = ["cross_entropy", "jacobian", "jvp", "log_softmax", "softmax", "vjp"]
