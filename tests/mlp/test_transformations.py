"""`apply` under transformations."""

from functools import partial
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jnumerics import mlp
from tests.mlp._network import network


class TestTransformations:
    @pytest.mark.usefixtures("x64")
    @pytest.mark.parametrize("dtype", [float, complex])
    @pytest.mark.slow
    def test_derivatives_match_finite_differences_to_second_order(self, dtype):
        params = network(2, 2, 1, dtype=dtype)
        x = jnp.array([0.3, -1.2], dtype)
        check_grads(
            mlp.apply,
            (params, x),
            order=2,
            modes=("fwd", "rev"),
            atol=1e-5,
            rtol=1e-5,
        )

    def test_vmap_over_parameters_is_an_ensemble(self):
        keys = jax.random.split(jax.random.key(0), 3)
        ensemble = jax.vmap(lambda key: mlp.init(key, (2, 4, 1)))(keys)
        x = jnp.ones((5, 2))
        y = jax.vmap(mlp.apply, (0, None))(ensemble, x)
        for k, key in enumerate(keys):
            expected = mlp.apply(mlp.init(key, (2, 4, 1)), x)
            np.testing.assert_allclose(y[k], expected, rtol=1e-5, atol=1e-6)

    def test_a_shape_and_an_activation_are_traced_once(self):
        params = network(3, 5, 2)
        activation: Any = chex.assert_max_traces(lambda h: 2 * h, n=1)
        for same in (params, list(params), jax.tree.map(np.asarray, params)):
            mlp.apply(same, jnp.ones((11, 3)), activation=activation)
        with pytest.raises(AssertionError, match="traced > 1 times"):
            mlp.apply(params, jnp.ones((12, 3)), activation=activation)

    def test_activation_may_close_over_a_traced_value(self):
        params, x = network(3, 5, 2), jnp.ones((4, 3))

        def loss(slope):
            return mlp.apply(params, x, activation=lambda h: slope * h).sum()

        value = jax.jit(jax.grad(loss))(2.0)
        np.testing.assert_allclose(value, loss(1.0) - loss(0.0), rtol=1e-5)

    def test_init_and_apply_lower_for_every_platform(self):
        params, x = network(3, 5, 2), jnp.ones((4, 3))
        platforms = ["cpu", "cuda", "tpu"]
        for fun, *args in (
            (mlp.apply, params, x),
            (lambda key: mlp.init(key, (3, 5, 2)), jax.random.key(0)),
        ):
            exported = jax.export.export(jax.jit(fun), platforms=platforms)(*args)
            assert exported.platforms == tuple(platforms)

    @pytest.mark.boundary  # a symbolic size is no int
    def test_a_batch_of_symbolic_size_is_exported(self):
        params, x = network(2, 6, 3), jnp.ones((70, 2))
        symbolic = jax.ShapeDtypeStruct(jax.export.symbolic_shape("n,2"), jnp.float32)
        exported = jax.export.export(jax.jit(partial(mlp.apply, params)))(symbolic)
        np.testing.assert_allclose(
            exported.call(x), mlp.apply(params, x), rtol=1e-5, atol=1e-6
        )

    @pytest.mark.parametrize("precision", ["default", "high", jax.lax.Precision.HIGH])
    @pytest.mark.parametrize("n_samples", [4, 100])
    def test_precision_reaches_the_product(self, precision, n_samples):
        params, x = network(3, 5, 2), jnp.ones((n_samples, 3))

        def text(**options):
            return str(jax.make_jaxpr(lambda x: mlp.apply(params, x, **options))(x))

        name = str(getattr(precision, "name", precision)).upper()
        assert name in text(precision=precision)
        assert "HIGHEST" not in text(precision=precision)
        assert "HIGHEST" in text()

    @pytest.mark.parametrize(
        ("sizes", "n_samples", "activation", "shape"),
        [
            ((3, 5, 2), 100, jnp.tanh, "[5,100]"),
            ((3, 5, 2), 100, jax.nn.softmax, "[100,5]"),
            ((3, 5, 2), 10, jnp.tanh, "[10,5]"),
            ((3, 50, 2), 100, jnp.tanh, "[100,50]"),
            ((30, 5, 2), 100, jnp.tanh, "[100,5]"),
        ],
    )
    def test_only_many_samples_of_thin_networks_lie_along_the_last_axis(
        self, sizes, n_samples, activation, shape
    ):
        params, x = network(*sizes), jnp.ones((n_samples, sizes[0]))
        fun = partial(mlp.apply, params, activation=activation)
        assert f"{shape} = dot_general" in str(jax.make_jaxpr(fun)(x))
