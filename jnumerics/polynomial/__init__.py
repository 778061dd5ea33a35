r"""Polynomials whose coefficients are scalars, vectors, matrices or any array.

$p(y) = \sum_{k=0}^{n-1} A_k y^k$ is known by its coefficients $A_k$ or by its values
$V_i = p(x_i)$ at $n$ distinct nodes $x_i$, real or complex. Both are stacked along the
first axis, in shape `(n, *shape)`.

| to ...                                  | use           | method               |
| --------------------------------------- | ------------- | -------------------- |
| find the coefficients from values       | `fit`         | Björck and Pereyra   |
| evaluate from the coefficients          | `evaluate`    | Horner               |
| evaluate from the values, more accurate | `interpolate` | barycentric formula  |

No linear system is solved: the Vandermonde matrix of 12 equispaced nodes has condition
number $10^9$, which costs nine digits. Derivatives with respect to nodes, values,
coefficients and points are closed forms, in both modes and to every order: with $D$ the
differentiation matrix of the nodes, moving the nodes by $dx$ acts on the polynomial
as changing the values by $-(D V) \, dx$.

Not offered: least-squares fits with more nodes than coefficients, other bases than
powers, and confluent nodes (values together with derivatives).
"""

from jnumerics.polynomial._evaluate import evaluate
from jnumerics.polynomial._fit import fit
from jnumerics.polynomial._interpolate import interpolate

__all__ = ["evaluate", "fit", "interpolate"]
