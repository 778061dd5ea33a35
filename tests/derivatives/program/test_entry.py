"""What a function holds besides its arguments: another array compiles again."""

import functools
import types
from typing import Any

import equinox
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jnumerics.derivatives import (
    batch_jacobian,
    divergence,
    hessian,
    jacobian,
    jacobian_diagonal,
    laplacian,
    value_and_jacobian,
)
from jnumerics.derivatives._program import entry
from tests.derivatives.program._changes import X, check_a_change_is_seen

WEIGHT = jnp.ones(3)


class Model:
    def __init__(self, weight):
        self.weight = weight
        self.layers = [{"bias": jnp.zeros(3)}]
        self.calls = 0
        self.others: Any = None

    def apply(self, x):
        self.calls += 1  # of Python: no reason to compile again
        return self.weight * x**2 + self.layers[0]["bias"] * x

    __call__ = apply


class Slotted:
    __slots__ = ("weight",)

    def __init__(self, weight):
        self.weight = weight


def of_a_variable():
    weight = jnp.ones(3)

    def change():
        nonlocal weight
        weight = 2 * weight

    return lambda x: weight * x**2, change


def of_an_inner_function():
    weight = jnp.ones(3)
    inner = lambda x: weight * x**2

    def change():
        nonlocal weight
        weight = 2 * weight

    return jax.vmap(lambda x: inner(x[None] * jnp.ones(3))[0]), change


def of_a_global():
    def change():
        global WEIGHT
        WEIGHT = 2 * WEIGHT

    return lambda x: WEIGHT * x**2, change


def of_an_object(method):
    def make():
        model = Model(jnp.ones(3))

        def change():
            model.weight = 2 * model.weight

        return getattr(model, method), change

    return make


def of_a_wrapped_object():
    model = Model(jnp.ones(3))

    @functools.wraps(model.apply)
    def fun(x):
        return model.apply(x)

    def change():
        model.weight = 2 * model.weight

    return functools.partial(fun), change


def of_a_container():
    held = {"layers": [Model(jnp.ones(3))]}

    def change():
        held["layers"][0] = Model(jnp.full(3, 2.0))

    return lambda x: held["layers"][0](x), change


def of_slots():
    holder = Slotted(np.ones(3, np.float32))

    def change():
        holder.weight = np.full(3, 2.0, np.float32)

    return lambda x: holder.weight * x**2, change


def of_a_flax_module():
    class Scaled(nnx.Module):
        def __init__(self):
            self.weight = nnx.Param(jnp.ones(3))

        def __call__(self, x):
            return self.weight[...] * x**2

    model = Scaled()

    def change():
        model.weight[...] = 2 * model.weight[...]

    return model, change


def of_typed(source):
    def make():
        net = types.ModuleType("net")
        vars(net).update(jnp=jnp, weight=jnp.ones(3))
        exec("def apply(x):\n    return weight * x**2\n", vars(net))
        names = {"net": net, "apply": net.apply}

        def change():
            vars(net)["weight"] = 2 * net.weight

        return eval(source, names), change

    return make


def of_a_derivative():
    fun, change = of_a_variable()
    return jax.vmap(jacobian(lambda x: fun(x * jnp.ones(3))[0] * x / 3)), change


CHANGED = {
    "variable": of_a_variable,
    "inner function": of_an_inner_function,
    "global": of_a_global,
    "instance": of_an_object("__call__"),
    "method": of_an_object("apply"),
    "wrapped": of_a_wrapped_object,
    "container": of_a_container,
    "slots": of_slots,
    "flax": of_a_flax_module,
    "derivative": of_a_derivative,
    "typed at a prompt": of_typed("apply"),
    "imported by name": of_typed("lambda x: apply(x)"),
    "of a module": of_typed("lambda x: net.apply(x)"),
}


@pytest.mark.parametrize("make", CHANGED.values(), ids=CHANGED)
def test_another_array_gives_another_derivative(make):
    check_a_change_is_seen(make)


TOOLS = {
    "jacobian": jacobian,
    "value_and_jacobian": value_and_jacobian,
    "batch_jacobian": batch_jacobian,
    "divergence": divergence,
    "hessian": lambda f: hessian(lambda x: f(x).sum()),
    "laplacian": lambda f: laplacian(lambda x: f(x).sum()),
}


@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_every_derivative_sees_a_change(tool):
    fun, change = of_an_object("apply")()
    derivative = tool(fun)
    before = derivative(X)
    change()
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, 2 * b, rtol=1e-6),
        derivative(X),
        before,
    )


def test_a_training_step_of_flax_is_seen():
    model = nnx.Sequential(
        nnx.Linear(3, 4, rngs=nnx.Rngs(0)), jnp.tanh, nnx.Linear(4, 2, rngs=nnx.Rngs(1))
    )
    derivative = jacobian(model)
    derivative(X)
    gradient = nnx.grad(lambda m: jnp.sum(m(X) ** 2))(model)
    state = nnx.state(model, nnx.Param)
    stepped = jax.tree.map(lambda p, g: p - 0.1 * g, state, gradient)
    nnx.update(model, stepped)
    np.testing.assert_allclose(derivative(X), jax.jacrev(model)(X), rtol=1e-5)


def test_the_way_out_compiles_once():
    """A module's state as an argument: nothing to detect, nothing to compile again."""
    model = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    graph, state = nnx.split(model)
    traced = []

    def fun(x, state):
        traced.append(1)
        return nnx.merge(graph, state)(x)

    derivative = jacobian(fun)
    for factor in (1.0, 2.0, 3.0):
        other = jax.tree.map(lambda p, k=factor: k * p, state)
        np.testing.assert_allclose(
            derivative(X, other), factor * model.kernel[...].T, rtol=1e-6
        )
    assert len(traced) == 1


def test_the_same_arrays_compile_once():
    model, traced = Model(jnp.ones(3)), []

    def fun(x):
        traced.append(1)
        return model.apply(x)

    derivative = jacobian(fun)
    for _ in range(3):
        derivative(X)
    model.calls = 100  # a number: documented as unseen
    derivative(X)
    assert len(traced) == 1


def test_numbers_that_change_go_unseen_as_documented():
    factor = 1.0

    def fun(x):
        return factor * x

    derivative = jacobian_diagonal(fun)
    first = derivative(X)
    factor = 2.0
    np.testing.assert_array_equal(derivative(X), first)
    assert "go unseen" in (jacobian.__doc__ or "")


def test_large_and_circular_holders_are_walked_in_bounds():
    model = Model(jnp.ones(3))
    others = [Model(np.ones(1)) for _ in range(10**4)]
    model.others = {"child": model, "numbers": list(range(10**6)), "models": others}
    held = entry.held(model.apply)
    assert any(value is model.weight for value in held.values)
    assert len(held.values) < 3 * entry.LIMIT


def test_an_emptied_holder_counts_as_changed():
    held = [jnp.ones(3)]
    places = entry.held(lambda x: held[0] * x)
    assert entry.is_unchanged(places)
    held.clear()
    assert not entry.is_unchanged(places)


def test_an_equinox_module_that_is_replaced_is_seen():
    model = equinox.nn.Linear(3, 2, key=jax.random.key(0))

    def fun(x):
        return model(x)

    derivative = jacobian(fun)
    derivative(X)
    model = jax.tree.map(lambda p: 2 * p, model)
    np.testing.assert_allclose(derivative(X), model.weight, rtol=1e-6)
