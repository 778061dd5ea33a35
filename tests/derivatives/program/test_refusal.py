"""What has no derivative is refused alike by every tool, in the user's own terms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics.derivatives import (
    batch_jacobian,
    check_derivatives,
    dependence,
    divergence,
    hessian_diagonal,
    jacobian,
    jacobian_diagonal,
    laplacian,
    plan,
    value_grad_and_laplacian,
)

pytestmark = pytest.mark.boundary

APPLIED = [
    jacobian,
    batch_jacobian,
    jacobian_diagonal,
    divergence,
    hessian_diagonal,
    laplacian,
    value_grad_and_laplacian,
]
DIRECT = [dependence, plan, check_derivatives]
TOOLS = {tool.__name__: lambda f, *a, tool=tool: tool(f)(*a) for tool in APPLIED}
TOOLS |= {tool.__name__: tool for tool in DIRECT}

every_tool = pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
every_tool_that_traces = pytest.mark.parametrize(
    "name", [name for name in TOOLS if name != "check_derivatives"]
)


@every_tool
def test_a_function_that_needs_values_is_named_by_its_line(tool):
    match = r"`fun` must be traceable.* at .*test_refusal\.py:\d+"
    with pytest.raises(TypeError, match=match):
        tool(lambda x: x if x.sum() > 0 else -x, jnp.ones(3))


@every_tool_that_traces
def test_a_callback_is_named_by_its_line(name):
    def fun(x):
        return jax.pure_callback(np.sin, x, x)

    match = r"`fun` must be free of .*callback at .*test_refusal\.py:\d+"
    with pytest.raises(TypeError, match=match):
        TOOLS[name](fun, jnp.ones(3))


@every_tool
def test_integers_have_no_derivative(tool):
    with pytest.raises(TypeError, match=r"`fun` must return .* got dtype int32"):
        tool(lambda x: jnp.argmax(x), jnp.ones(3))


@every_tool
def test_what_is_no_function_is_refused(tool):
    with pytest.raises(TypeError, match="`fun` must be a function, got int"):
        tool(3, jnp.ones(3))


@every_tool_that_traces
def test_arguments_without_arrays_are_refused(name):
    with pytest.raises(ValueError, match="`argnums` must select at least one array"):
        TOOLS[name](lambda _: jnp.ones(3), {"none": None})


@pytest.mark.parametrize("tool", [jacobian_diagonal, divergence])
def test_a_diagonal_of_complex_numbers_is_refused(tool):
    with pytest.raises(TypeError, match="must return real numbers for a diagonal"):
        tool(lambda x: lax.complex(x, x))(jnp.ones(3))
