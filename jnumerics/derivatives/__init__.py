"""Derivatives at the lowest cost, proven right.

One tangent program, three analyses, one plan: the derivative's own program is read as a
flat list of equations (`_program`), and proven linear in the tangents
(`_program/linearity`); boxes prove which outputs may depend on which inputs
(`_dependence`), and a minimum cut finds the narrowest place between them (`_modes`);
the plan counts forward mode, reverse mode, the cut and shared passes, and takes the
cheapest (`_plan`).

| to ...                             | use                                         |
| ---------------------------------- | ------------------------------------------- |
| take a Jacobian, or a Hessian      | `jacobian`, `value_and_jacobian`, `hessian` |
| take each sample's in a batch      | `batch_jacobian`                            |
| take the diagonal, or its sum      | `jacobian_diagonal`, `divergence`           |
| take second derivatives, summed    | `laplacian`, `value_grad_and_laplacian`     |
| take each of them                  | `hessian_diagonal`                          |
| see what depends on what           | `dependence`                                |
| see the cheapest mode, and why     | `plan`                                      |
| measure the modes side by side     | `compare_modes`                             |
| test a function's derivative rules | `check_derivatives`                         |
"""

from jnumerics.derivatives._batch import batch_jacobian
from jnumerics.derivatives._cheapest import plan
from jnumerics.derivatives._compare.compare import ModeComparison, compare_modes
from jnumerics.derivatives._dependence.result import Dependence, dependence
from jnumerics.derivatives._dependence.samples import SampleMixingError
from jnumerics.derivatives._diagonal import (
    divergence,
    hessian_diagonal,
    jacobian_diagonal,
)
from jnumerics.derivatives._hessian import hessian
from jnumerics.derivatives._jacobian import jacobian, value_and_jacobian
from jnumerics.derivatives._laplacian import (
    ValueGradLaplacian,
    laplacian,
    value_grad_and_laplacian,
)
from jnumerics.derivatives._plan.result import Plan
from jnumerics.derivatives._verify.check import DerivativeCheck, check_derivatives

__all__ = [
    "Dependence",
    "DerivativeCheck",
    "ModeComparison",
    "Plan",
    "SampleMixingError",
    "ValueGradLaplacian",
    "batch_jacobian",
    "check_derivatives",
    "compare_modes",
    "dependence",
    "divergence",
    "hessian",
    "hessian_diagonal",
    "jacobian",
    "jacobian_diagonal",
    "laplacian",
    "plan",
    "value_and_jacobian",
    "value_grad_and_laplacian",
]
