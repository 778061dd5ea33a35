"""What `init` draws."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics import mlp


class TestInit:
    @pytest.mark.parametrize("dtype", [None, "float32", jnp.bfloat16, complex])
    def test_draws_the_stated_scale_and_zero_biases(self, dtype, key):
        first, second = mlp.init(key, (400, 300, 2), dtype=dtype)
        assert first.weight.shape == (400, 300)
        assert second.weight.shape == (300, 2)
        weight = np.asarray(first.weight, complex)
        # 120,000 draws: their mean square is within 1 %, their mean within 4 sigma.
        np.testing.assert_allclose(np.mean(np.abs(weight) ** 2), 1 / 400, rtol=0.02)
        np.testing.assert_allclose(np.mean(weight), 0, atol=4 / (400**0.5 * 346))
        if dtype is complex:
            np.testing.assert_allclose(np.var(np.real(weight)), 1 / 800, rtol=0.03)
        np.testing.assert_array_equal(first.bias, jnp.zeros_like(first.bias))

    def test_has_the_dtype_asked_for(self, key):
        for dtype in (jnp.bfloat16, jnp.float16, np.float32, "complex64"):
            for leaf in jax.tree.leaves(mlp.init(key, (2, 3), dtype=dtype)):
                assert leaf.dtype == dtype
        with pytest.raises(
            ValueError, match="`dtype` must be a type that JAX has with"
        ):
            mlp.init(key, (2, 3), dtype=np.float64)
        with jax.enable_x64(True):
            layer, *_ = mlp.init(key, (2, 3))
            assert layer.weight.dtype == jnp.float64

    @pytest.mark.parametrize(
        "sizes", [np.array([2, 3]), jnp.array([2, 3]), [jnp.asarray(2), np.int64(3)]]
    )
    def test_takes_legacy_keys_and_arrays_of_sizes(self, sizes, key):
        typed = mlp.init(key, (2, 3))
        legacy = mlp.init(jax.random.key_data(key), sizes)
        chex.assert_trees_all_equal(typed, legacy)

    def test_layers_are_drawn_apart(self, key):
        first, second = mlp.init(key, (3, 3, 3))
        assert np.max(np.abs(first.weight - second.weight)) > 0.1
