"""Booleans, strings and callables as arguments are static; numbers are traced."""

import dataclasses
import functools

import equinox
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jnumerics.derivatives import (
    batch_jacobian,
    check_derivatives,
    compare_modes,
    dependence,
    divergence,
    hessian,
    jacobian,
    jacobian_diagonal,
    laplacian,
    plan,
    value_and_jacobian,
)

X = jnp.array([0.5, 1.0, 2.0])


def scaled(x, scale=1.0, train=True, kind="sine", activation=jnp.tanh, extra=None):
    """A function whose Python decides by its static arguments."""
    assert type(train) is bool
    assert extra is None
    y = {"sine": jnp.sin, "cosine": jnp.cos}[kind](x)
    return scale * (activation(y) if train else y)


STATIC = {"train": False, "kind": "cosine", "activation": jnp.exp, "extra": None}
TRUTH = np.diag(-2 * np.sin(X))

APPLIED = {
    "jacobian": (jacobian, TRUTH),
    "value_and_jacobian": (
        lambda f: lambda *a, **k: value_and_jacobian(f)(*a, **k)[1],
        TRUTH,
    ),
    "batch_jacobian": (batch_jacobian, np.diagonal(TRUTH)),
    "probe": (functools.partial(batch_jacobian, check="probe"), np.diagonal(TRUTH)),
    "jacobian_diagonal": (jacobian_diagonal, np.diagonal(TRUTH)),
    "divergence": (divergence, np.trace(TRUTH)),
}
OF_A_SUM = {
    "hessian": (hessian, np.diag(-2 * np.cos(X))),
    "laplacian": (laplacian, np.sum(-2 * np.cos(X))),
}
each_applied = pytest.mark.parametrize("name", APPLIED)


@each_applied
def test_static_arguments_are_passed_by_name(name):
    tool, truth = APPLIED[name]
    derivative = tool(scaled)(X, scale=2.0, **STATIC)
    np.testing.assert_allclose(derivative, truth, rtol=1e-6)


@each_applied
def test_static_arguments_are_passed_by_position(name):
    tool, truth = APPLIED[name]
    derivative = tool(scaled)(X, 2, False, "cosine", jnp.exp, None)
    np.testing.assert_allclose(derivative, truth, rtol=1e-6)


@pytest.mark.parametrize("name", OF_A_SUM)
def test_second_derivatives_take_static_arguments(name):
    tool, truth = OF_A_SUM[name]
    derivative = tool(lambda *a, **k: scaled(*a, **k).sum())(X, scale=2.0, **STATIC)
    np.testing.assert_allclose(derivative, truth, rtol=1e-6)


def test_plan_and_dependence_take_named_arguments():
    assert plan(scaled, X, scale=2.0, target="diagonal", **STATIC).target == "diagonal"
    assert dependence(scaled, X, scale=2.0, **STATIC).is_elementwise


def test_check_derivatives_takes_named_arguments():
    assert check_derivatives(scaled, X, scale=2.0, **STATIC).passed


@pytest.mark.parametrize("options", [{}, {"batch": True}, {"target": "batch"}])
def test_compare_modes_takes_named_arguments(options):
    comparison = compare_modes(scaled, X, scale=2.0, repeats=1, **options, **STATIC)
    assert [m.error for m in comparison.modes] == [None] * 4
    assert max(m.max_relative_difference or 0 for m in comparison.modes) < 1e-5


def test_another_static_argument_compiles_again_and_a_number_does_not():
    traced = []

    def fun(x, factor, train):
        traced.append(train)
        return factor * x if train else -factor * x

    derivative = jacobian(fun)
    entries = [
        derivative(X, k, t)[0, 0].item()
        for k, t in [(1, True), (2, True), (2, False), (3, True)]
    ]
    assert entries == [1, 2, -2, 3]
    assert traced == [True, False]


def test_equal_callables_share_a_program():
    class Shift:
        def apply(self, x):
            return x + 1

    traced, shift = [], Shift()

    def fun(x, then):
        traced.append(1)
        return then(x) ** 2

    derivative = jacobian_diagonal(fun)
    for _ in range(3):  # each access makes a new bound method, equal to the others
        derivative(X, shift.apply)
    assert len(traced) == 1


@dataclasses.dataclass
class Unhashable:
    """A callable with a value of its own, which can be changed."""

    factor: float

    def __call__(self, x):
        return self.factor * x**2


def test_a_static_callable_that_cannot_be_hashed_is_told_by_its_identity():
    derivative = jacobian_diagonal(lambda x, f: f(x))
    entries = [derivative(X, Unhashable(k))[1].item() for k in (1.0, 2.0)]
    assert entries == [2, 4]


def test_another_array_of_a_static_argument_is_seen():
    class Model:
        def __init__(self):
            self.weight = jnp.ones(3)

        def __call__(self, x):
            return self.weight * x

    traced, model = [], Model()

    def fun(x, model):
        traced.append(1)
        return model(x)

    derivative = jacobian_diagonal(fun)
    entries = []
    for weight in (1.0, 1.0, 2.0, 2.0):
        if weight != model.weight[0]:
            model.weight = jnp.full(3, weight)
        entries.append(derivative(jnp.ones(3), model)[0].item())
    assert entries == [1, 1, 2, 2]
    assert len(traced) == 2


TOOLS = {
    "jacobian": lambda f: jacobian(f)(X),
    "hessian": lambda f: hessian(lambda x: f(x).sum())(X),
    "batch_jacobian": lambda f: batch_jacobian(f)(X),
    "divergence": lambda f: divergence(f)(X),
    "laplacian": lambda f: laplacian(lambda x: f(x).sum())(X),
    "plan": lambda f: plan(f, X),
    "dependence": lambda f: dependence(f, X),
    "compare_modes": lambda f: compare_modes(f, X, repeats=1),
    "compare_modes of a batch": lambda f: compare_modes(f, X, repeats=1, batch=True),
    "check_derivatives": lambda f: check_derivatives(f, X),
}
UNHASHABLE = {
    "instance": Unhashable(2.0),
    "its method": Unhashable(2.0).__call__,
    "partial": functools.partial(lambda w, x: w * x**2, np.ones(3, np.float32)),
    "partial of an instance": functools.partial(Unhashable(2.0)),
}


@pytest.mark.parametrize("fun", UNHASHABLE.values(), ids=UNHASHABLE)
@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_what_cannot_be_hashed_is_a_function_too(tool, fun):
    tool(fun)


# modules


def mlp():
    return equinox.nn.MLP(3, 2, 4, 1, activation=jax.nn.relu, key=jax.random.key(0))


def test_an_equinox_module_is_an_argument():
    model = mlp()
    J = jacobian(lambda x, m: m(x))(X, model)
    np.testing.assert_allclose(J, jax.jacrev(model)(X), rtol=1e-6)


def test_a_derivative_by_a_module_nests_as_its_arrays():
    model = mlp()
    J = jacobian(lambda m, x: m(x), mode="reverse")(model, X)
    arrays, rest = equinox.partition(model, equinox.is_inexact_array)
    truth = jax.jacrev(lambda a: equinox.combine(a, rest)(X))(arrays)
    assert jax.tree.structure(J) == jax.tree.structure(truth)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5), J, truth)


@pytest.mark.parametrize("tool", [hessian, laplacian])
def test_second_derivatives_by_a_module(tool):
    def fun(m, x):
        return jnp.sum(m(x) ** 2)

    model = equinox.nn.Linear(3, 2, key=jax.random.key(0))
    derivative = tool(fun)(model, X)
    diagonal = 2 * jnp.stack([X**2] * 2).sum() + 4
    if tool is hessian:
        full = derivative.weight.weight.reshape(6, 6), derivative.bias.bias
        derivative = sum(jnp.trace(block) for block in full)
    np.testing.assert_allclose(derivative, diagonal, rtol=1e-5)


def test_other_tools_take_a_module():
    model = mlp()
    assert plan(lambda m, x: m(x), model, X).n_outputs == 2
    assert check_derivatives(lambda x, m: m(x), X, model).passed
    comparison = compare_modes(lambda x, m: m(x), X, model, repeats=1)
    assert all(m.error is None for m in comparison.modes)


def test_a_flax_module_is_an_argument():
    model = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    graph, state = nnx.split(model)
    J = jacobian(lambda s, x: nnx.merge(graph, s)(x))(state, X)
    kernel = jax.tree.leaves(J)[-1]
    np.testing.assert_allclose(kernel[0, :, 0], X, rtol=1e-6)
    np.testing.assert_allclose(
        jacobian(lambda x, m: m(x))(X, model), model.kernel[...].T, rtol=1e-6
    )


# shapes and numbers


@pytest.mark.parametrize("target", ["jacobian", "batch", "diagonal"])
def test_a_plan_needs_shapes_alone(target):
    shape = jax.ShapeDtypeStruct((3,), jnp.float32)
    chosen = plan(scaled, shape, scale=shape, target=target)
    assert str(chosen) == str(plan(scaled, X, scale=X, target=target))


def test_dependence_needs_shapes_alone():
    shape, third = (jax.ShapeDtypeStruct((n,), jnp.complex64) for n in (4, 3))
    boxes = dependence(lambda x, y: jnp.diff(x) * y["a"], shape, {"a": third})
    assert boxes.upper[:, 0].tolist() == [1, 2, 3]


@pytest.mark.boundary
def test_a_derivative_needs_values():
    with pytest.raises(TypeError, match=r"`args\[0\]` must be an array, got Shape"):
        jacobian(jnp.sin)(jax.ShapeDtypeStruct((3,), jnp.float32))


@pytest.mark.boundary
@pytest.mark.parametrize("argument", [True, "text", jnp.tanh])
@pytest.mark.parametrize("name", ["jacobian", "plan", "check_derivatives"])
def test_nothing_is_differentiated_by_what_is_static(name, argument):
    call = {"jacobian": lambda f, *a: jacobian(f, 1)(*a)} | {
        tool.__name__: functools.partial(tool, argnums=1)
        for tool in (plan, check_derivatives)
    }
    with pytest.raises(TypeError, match=r"`args\[1\]` must be an array, got "):
        call[name](lambda x, _: x, X, argument)


@pytest.mark.whole
@pytest.mark.parametrize("name", ["args", "kwargs", "fun", "self", "mode"])
def test_named_arguments_may_have_any_name(name):
    J = jacobian(lambda x, **named: x * named[name])(jnp.ones(2), **{name: 2.0})
    np.testing.assert_array_equal(J, 2 * np.eye(2))
