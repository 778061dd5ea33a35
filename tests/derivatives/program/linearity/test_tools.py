"""Rules that are not linear, in the other derivative tools."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics import derivatives
from tests.derivatives.program.linearity._rules import (
    UNPROVEN,
    X,
    backward,
    cg,
    close,
    forward,
)


def test_modes_are_compared_where_a_rule_is_not_linear():
    comparison = derivatives.compare_modes(UNPROVEN["forward adds"], X, repeats=2)
    rows = {m.mode: m for m in comparison.modes}
    assert rows["forward"].max_relative_difference == 0
    assert "is not proven linear" in (rows["cut"].error or "")


def test_solvers_alone_leave_the_choice_to_the_cost():
    tall = jnp.asarray(np.random.default_rng(1).normal(size=(3, 40)))

    def fun(x):
        return cg(maxiter=2)(tall @ x)

    x = jnp.ones(40)
    plan = derivatives.plan(fun, x)
    assert plan.mode == "reverse"
    assert close(derivatives.jacobian(fun)(x), jax.jacrev(fun)(x))


def test_hessian_of_a_rule_that_is_not_linear_is_that_of_jax():
    rule = UNPROVEN["backward clips"]

    def fun(x):
        return jnp.sum(jnp.sin(rule(x)) * x)

    truth = jax.jacrev(jax.jacrev(fun))(X)
    assert close(derivatives.hessian(fun)(X), truth)
    assert close(derivatives.laplacian(fun)(X), np.trace(truth))


def through(rule):
    return lambda x: jnp.sum(jnp.sin(rule(x * x)) * x)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["forward adds", "forward squares", "backward decays"])
def test_second_derivatives_take_the_gradient_as_jax_does(name):
    fun = through(UNPROVEN[name])
    first = jax.jacfwd if name == "forward squares" else jax.jacrev  # as JAX serves it
    truth = jax.jacfwd(first(fun))(X)
    assert close(derivatives.hessian(fun)(X), truth)
    assert close(derivatives.hessian_diagonal(fun)(X), np.diagonal(truth))
    actual = derivatives.value_grad_and_laplacian(fun)(X)
    assert close(actual.laplacian, np.trace(truth))
    assert close(actual.gradient, first(fun)(X))


@pytest.mark.parametrize("target", ["hessian", "hessian_diagonal"])
def test_plan_of_second_order_names_where_the_gradient_is_not_linear(target):
    for name, mode in (("forward adds", "reverse"), ("forward squares", "forward")):
        plan = derivatives.plan(through(UNPROVEN[name]), X, target=target)
        assert f"its gradient by {mode} mode, as in JAX: " in plan.reason
        assert "linearity/_rules.py" in plan.reason


@pytest.mark.slow
def test_hessians_are_compared_where_a_rule_is_not_linear():
    def fun(x):
        return jnp.sum(UNPROVEN["forward adds"](x) ** 3)

    comparison = derivatives.compare_modes(fun, X, target="hessian", repeats=1)
    assert {m.max_relative_difference for m in comparison.modes} == {0}


@jax.custom_jvp
def twice(x):
    return x


twice.defjvp(lambda primals, tangents: (primals[0], 2 * tangents[0]))
ENTERED = {
    "that is linear": (lambda x, g: twice(jnp.cos(x) * g), X),
    "in a loop": (
        lambda x, g: lax.scan(lambda c, _: (twice(x * c), None), g, length=1)[0],
        X,
    ),
    "that is not linear, at its kink": (lambda _, g: jax.nn.relu(g), 0 * X),
}


@pytest.mark.parametrize("name", ENTERED)
def test_hessian_keeps_a_rule_that_cotangents_enter(name):
    rule, x = ENTERED[name]

    def fun(x):
        return jnp.sum(backward(rule)(x) ** 2)

    truth = jax.jacfwd(jax.jacrev(fun))(x)
    assert close(derivatives.hessian(fun)(x), truth)
    assert close(derivatives.laplacian(fun)(x), np.trace(truth))


@pytest.mark.parametrize("check", ["proof", None])
def test_backward_rule_that_sees_zeros_runs_as_in_jax(check):
    @jax.custom_vjp
    def both(x):
        return x, x

    def rule(_, cotangents):
        first, second = cotangents
        is_zero = isinstance(second, jax.custom_derivatives.SymbolicZero)
        return (3 * first if is_zero else first - second,)

    def forth(x):
        return (x.value, x.value), None

    both.defvjp(forth, rule, symbolic_zeros=True)

    def fun(x):
        return both(jnp.asarray(x))[0]

    for mode in ("auto", "reverse"):
        J = derivatives.jacobian(fun, mode=mode, check=check)(X)
        assert close(J, 3 * np.eye(3))
    with pytest.raises(ValueError, match="got 'forward'"):
        derivatives.jacobian(fun, mode="forward", check=check)(X)


@pytest.mark.parametrize("check", ["proof", None])
def test_backward_rule_that_is_not_complex_linear_runs_in_reverse(check):
    rule = backward(lambda x, g: g * x + 2 * jnp.conj(g))
    z = jnp.array([1 + 2j, 3 - 1j])

    def fun(z):
        return rule(1j * z)

    truth = jax.jacrev(fun, holomorphic=True)(z)
    J = derivatives.jacobian(fun, holomorphic=True, check=check)(z)
    np.testing.assert_allclose(J, truth)
    with pytest.raises(ValueError, match="got 'forward'"):
        derivatives.jacobian(fun, mode="forward", holomorphic=True, check=check)(z)
    holomorphic = backward(lambda x, g: g * x)
    pushed = derivatives.jacobian(holomorphic, mode="forward", holomorphic=True)
    np.testing.assert_allclose(pushed(z), np.diag(z))


def test_option_check_is_checked():
    for derivative in (derivatives.jacobian, derivatives.jacobian_diagonal):
        with pytest.raises(ValueError, match="`check` must be one of 'proof', None"):
            derivative(jnp.sin, check="probe")


def test_structures_of_several_leaves_get_one_basis_vector_in_all():
    rule = forward(lambda _, t: t + 1)

    def fun(tree):
        return {"s": rule(tree["a"]) * tree["b"].sum(), "p": rule(tree["b"])}

    tree = {"a": jnp.array(X), "b": jnp.ones((2, 2))}
    J, truth = derivatives.jacobian(fun)(tree), jax.jacfwd(fun)(tree)
    assert jax.tree.structure(J) == jax.tree.structure(truth)
    pairs = zip(jax.tree.leaves(J), jax.tree.leaves(truth), strict=True)
    assert all(close(a, b) for a, b in pairs)
