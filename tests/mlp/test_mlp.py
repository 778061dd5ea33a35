"""The seed's numbers, and values of `apply`."""

from functools import partial
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jnumerics import derivatives, mlp
from tests import reference
from tests.mlp._network import network

TIMES = np.array([1.0, 2.0, 3.2])


@pytest.mark.usefixtures("x64")
class TestSeed:
    """The derivative of a network 1-20-20-4 in time, for each output and each time."""

    @staticmethod
    def by_loops(params, times):
        """Reverse mode over every output of every sample, as the question had it."""
        derivative = jax.jit(jax.grad(lambda t, k: mlp.apply(params, t[None])[k]))
        return np.array([[derivative(t, k) for k in range(4)] for t in times])

    def test_one_jvp_for_the_whole_batch_is_the_loop_over_outputs_and_samples(self):
        params = network(1, 20, 20, 4)
        times = TIMES[:, None]
        _, derivative = jax.jvp(
            lambda t: mlp.apply(params, t), (times,), (np.ones_like(times),)
        )
        expected = self.by_loops(params, TIMES)
        np.testing.assert_allclose(derivative, expected, rtol=1e-12, atol=1e-14)

    def test_jacobian_of_each_sample_is_the_diagonal_of_the_full_one(self):
        params = network(1, 20, 20, 4)
        times = jnp.linspace(0.0, 4.0, 7)[:, None]
        per_sample = jax.vmap(jax.jacfwd(lambda t: mlp.apply(params, t)))(times)
        full = jax.jit(jax.jacrev(lambda t: mlp.apply(params, t)))(times)
        blocks = np.einsum("skse->ske", full)
        np.testing.assert_allclose(per_sample, blocks, rtol=1e-12, atol=1e-14)
        assert np.count_nonzero(full) == np.count_nonzero(blocks)

    def test_one_jvp_costs_two_evaluations_and_the_full_jacobian_the_square(self):
        params = network(1, 20, 20, 4)

        def batch(t):
            return mlp.apply(params, t)

        def tangent(t):
            return jax.jvp(batch, (t,), (jnp.ones_like(t),))

        def operations(fun, n):
            compiled = jax.jit(fun).lower(jnp.ones((n, 1))).compile()
            counted = compiled.cost_analysis()
            assert counted is not None
            return counted["flops"]

        full = jax.jacfwd(batch)

        of_tangent, of_full = operations(tangent, 100), operations(full, 100)
        assert of_tangent < 2.5 * operations(batch, 100)  # it has the value as well
        assert of_full > 3.5 * operations(full, 50)
        assert of_full > 30 * of_tangent

    def test_functions_stacked_on_a_tensor_of_times_take_one_pass(self):
        times = jnp.linspace(0.0, 4.0, 400).reshape(4, 100)
        functions = [jnp.sin, jnp.tanh, jnp.exp, jnp.square]
        slopes = [jnp.cos, lambda t: 1 / jnp.cosh(t) ** 2, jnp.exp, lambda t: 2 * t]

        def stacked(t):
            return jnp.stack([f(t[k]) for k, f in enumerate(functions)])

        derivative = derivatives.jacobian_diagonal(stacked)(times)
        expected = jnp.stack([f(times[k]) for k, f in enumerate(slopes)])
        np.testing.assert_allclose(derivative, expected, rtol=1e-12)
        assert derivatives.plan(stacked, times, target="diagonal").passes == 1

    def test_more_than_one_input_and_functions_stacked_keep_samples_apart(self):
        params = [network(2, 8, 3), network(2, 5, 3)]
        x = jax.random.normal(jax.random.key(2), (2, 6, 2))

        def stacked(x):
            return jnp.stack([mlp.apply(p, x[k]) for k, p in enumerate(params)])

        for j in range(2):
            direction = jnp.zeros_like(x).at[..., j].set(1.0)
            _, column = jax.jvp(stacked, (x,), (direction,))
            for k, p in enumerate(params):
                jacobians = jax.vmap(jax.jacfwd(partial(mlp.apply, p)))(x[k])
                np.testing.assert_allclose(column[k], jacobians[..., j], rtol=1e-12)


@pytest.mark.usefixtures("x64")
class TestApply:
    @settings(max_examples=15, deadline=None)
    @given(
        sizes=st.lists(st.integers(1, 4), min_size=2, max_size=4),
        leading=st.lists(st.integers(0, 3), max_size=2),
    )
    def test_of_any_shape_agrees_with_numpy(self, sizes, leading):
        params = network(*sizes)
        x = np.random.default_rng(0).normal(size=(*leading, sizes[0]))
        y = mlp.apply(params, x)
        assert y.shape == (*leading, sizes[-1])
        np.testing.assert_allclose(y, reference.mlp(params, x), rtol=1e-12, atol=1e-14)

    def test_last_layer_is_linear(self):
        weight, bias = np.array([[100.0], [10.0]]), np.array([5.0])
        y = mlp.apply([(weight, bias)], np.array([3.0, 2.0]))
        np.testing.assert_array_equal(y, [325.0])

    def test_takes_another_activation(self):
        params, x = network(3, 5, 2), np.random.default_rng(0).normal(size=(4, 3))
        y = mlp.apply(params, x, activation=jax.nn.relu)
        expected = reference.mlp(params, x, lambda h: np.maximum(h, 0))
        np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-14)

    def test_takes_any_sequence_of_pairs(self):
        params, x = network(3, 5, 2), np.ones((4, 3))
        expected = mlp.apply(params, x)
        for same in (
            list(params),
            [(weight, bias) for weight, bias in params],
            [(np.asarray(w), np.asarray(b)) for w, b in params],
            [(np.matrix(w), np.asarray(b)) for w, b in params],
        ):
            np.testing.assert_array_equal(mlp.apply(same, x), expected)
        np.testing.assert_array_equal(mlp.apply(params, np.matrix(x)), expected)

    def test_of_integers_is_that_of_floats(self):
        params, x = network(3, 5, 2), np.arange(6).reshape(2, 3)
        np.testing.assert_array_equal(mlp.apply(params, x), mlp.apply(params, x * 1.0))
        ones = [(np.ones((3, 2), int), np.ones(2, int))]
        y = mlp.apply(ones, x)
        assert y.dtype == jnp.float64
        np.testing.assert_array_equal(y, [[4, 4], [13, 13]])

    def test_is_in_the_common_dtype_of_parameters_and_input(self):
        for dtype, other, common in (
            (jnp.bfloat16, jnp.bfloat16, jnp.bfloat16),
            (jnp.bfloat16, jnp.float32, jnp.float32),
            (jnp.float64, jnp.float32, jnp.float64),
            (jnp.float32, jnp.complex64, jnp.complex64),
            (jnp.complex64, jnp.float32, jnp.complex64),
        ):
            params = network(3, 5, 2, dtype=dtype)
            assert mlp.apply(params, jnp.ones((2, 3), other)).dtype == common
        mixed = [
            (jnp.ones((3, 2), jnp.float32), jnp.ones(2, jnp.bfloat16)),
            (jnp.ones((2, 1), jnp.bfloat16), jnp.ones(1, jnp.complex128)),
        ]
        assert mlp.apply(mixed, jnp.ones(3, jnp.float32)).dtype == jnp.complex128

    def test_every_layer_is_computed_in_the_common_dtype(self):
        first, second = network(3, 5, 2)
        single = mlp.Layer(*(a.astype(jnp.float32) for a in first))
        x = np.linspace(-1, 1, 3, dtype=np.float32)
        y = mlp.apply([single, second], x)
        wide = [np.asarray(a, float) for a in single]
        expected = reference.mlp([wide, second], x.astype(float))
        np.testing.assert_allclose(y, expected, rtol=1e-13)

    def test_of_complex_numbers_agrees_with_numpy(self):
        params = network(3, 4, 2, dtype=complex)
        rng = np.random.default_rng(0)
        x = rng.normal(size=(5, 3)) + 1j * rng.normal(size=(5, 3))
        expected = reference.mlp(params, x)
        np.testing.assert_allclose(mlp.apply(params, x), expected, rtol=1e-12)

    def test_activation_may_return_a_constant_numpy_array(self):
        params, x = network(3, 4, 2), np.ones((5, 3))
        ones: Any = np.ones((5, 4))
        y = mlp.apply(params, x, activation=lambda _: ones)
        weight, bias = params[1]
        np.testing.assert_allclose(y[0], weight.sum(0) + bias, rtol=1e-12)

    def test_activation_may_make_complex_numbers_real(self):
        params, x = network(3, 4, 2, dtype=complex), np.ones((5, 3))
        y = mlp.apply(params, x, activation=jnp.abs)
        expected = reference.mlp(params, x, np.abs)
        np.testing.assert_allclose(y, expected, rtol=1e-12)

    @pytest.mark.parametrize("activation", [jnp.tanh, jax.nn.softmax])
    def test_of_many_samples_is_that_of_each_alone(self, activation):
        params, x = (
            network(2, 6, 5, 3),
            np.random.default_rng(0).normal(size=(3, 25, 2)),
        )
        many = partial(mlp.apply, activation=activation)
        alone = jax.vmap(jax.vmap(many, (None, 0)), (None, 0))

        @partial(jax.jit, static_argnums=0)
        def both_ways(fun, params, x):
            y, pull = jax.vjp(fun, params, x)
            return jax.jvp(fun, (params, x), (params, x)), pull(jnp.sin(y))

        computed, expected = (both_ways(fun, params, x) for fun in (many, alone))
        chex.assert_trees_all_close(computed, expected, rtol=1e-11, atol=1e-12)

    @pytest.mark.parametrize("activation", vars(mlp)["_ELEMENTWISE"])
    def test_known_activations_are_elementwise(self, activation):
        x = np.linspace(-2.0, 2.0, 6).reshape(2, 3)
        np.testing.assert_array_equal(activation(x.T), activation(x).T)

    def test_of_no_samples_and_no_inputs_has_its_shape_and_derivative(self):
        params = network(3, 4, 2)
        assert mlp.apply(params, jnp.ones((0, 3))).shape == (0, 2)
        gradients = jax.grad(lambda p: mlp.apply(p, jnp.ones((0, 3))).sum())(params)
        chex.assert_trees_all_equal(gradients, jax.tree.map(jnp.zeros_like, params))
        bias = jnp.array([1.0, 2.0])
        y = mlp.apply([(jnp.zeros((0, 2)), bias)], jnp.zeros((3, 0)))
        np.testing.assert_array_equal(y, jnp.stack([bias] * 3))
