"""A convolution under transformations, and exported."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics import conv
from jnumerics.conv import _choice
from tests.conv._cases import CASES, draw, to_nchw

BOTH_LAYOUTS = pytest.mark.parametrize("layout", ["NHWC", "NCHW"])


class TestTransformations:
    @pytest.mark.parametrize(
        ("c_in", "c_out", "groups", "size"),
        [(2, 4, 1, 2), (2, 4, 2, 2), (20, 4, 1, 1), (2, 20, 1, 1)],
    )
    def test_vmap_over_images_and_kernels_is_a_loop(self, c_in, c_out, groups, size):
        x = draw(0, 3, 2, 4, 5, c_in, dtype=np.float32)
        kernel = draw(1, 3, size, size, c_in // groups, c_out, dtype=np.float32)

        def fun(x, kernel):
            return conv.conv2d(x, kernel, groups=groups)

        def gradients(x, kernel):
            return jax.grad(lambda *a: jnp.sum(fun(*a) ** 2), (0, 1))(x, kernel)

        for f in (fun, gradients):
            loop = [f(*pair) for pair in zip(x, kernel, strict=True)]
            stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *loop)
            chex.assert_trees_all_close(
                jax.vmap(f)(x, kernel), stacked, rtol=1e-4, atol=1e-5
            )
        over_kernels = jax.vmap(fun, (None, 0))(x[0], kernel)
        expected = jnp.stack([fun(x[0], k) for k in kernel])
        np.testing.assert_allclose(over_kernels, expected, rtol=1e-4, atol=1e-5)

    def test_a_shape_is_traced_once_however_its_options_are_written(self, monkeypatch):
        counted = chex.assert_max_traces(vars(_choice)["convolve"], n=1)
        monkeypatch.setattr(_choice, "convolve", counted)
        x, kernel = jnp.ones((1, 11, 13, 5)), jnp.ones((2, 2, 5, 3))
        for two in (2, (2, 2), [2, 2], np.int64(2)):
            conv.conv2d(x, kernel, stride=two, padding=((0, 1), (0, 1)))
        conv.conv2d(x, kernel, stride=2, padding=[[0, 1], [0, 1]])
        with pytest.raises(AssertionError, match="traced > 1 times"):
            conv.conv2d(x, kernel, stride=3)

    @pytest.mark.parametrize("case", ["same", "depthwise", "1x1, many"])
    @BOTH_LAYOUTS
    def test_lowers_for_every_platform(self, case, layout):
        x_shape, kernel_shape, options = CASES[case]
        x, kernel = np.ones(x_shape, np.float32), np.ones(kernel_shape, np.float32)
        if layout == "NCHW":
            x, kernel = to_nchw(x, kernel)

        def loss(x, kernel):
            return jnp.sum(conv.conv2d(x, kernel, layout=layout, **options))

        fun = jax.jit(jax.value_and_grad(loss, (0, 1)))
        exported = jax.export.export(fun, platforms=["cpu", "cuda", "tpu"])
        assert exported(x, kernel).platforms == ("cpu", "cuda", "tpu")

    @pytest.mark.parametrize("precision", ["default", "high", jax.lax.Precision.HIGH])
    @pytest.mark.parametrize(("c_in", "size"), [(3, 2), (5, 2), (20, 1)])
    def test_precision_reaches_the_product(self, precision, c_in, size):
        x, kernel = jnp.ones((1, 3, 3, c_in)), jnp.ones((size, size, c_in, 3))

        def text(**options):
            return str(
                jax.make_jaxpr(lambda x, k: conv.conv2d(x, k, **options))(x, kernel)
            )

        name = str(getattr(precision, "name", precision)).upper()
        assert name in text(precision=precision).replace("HIGHEST", "")
        assert "HIGHEST" in text()

    def test_a_constant_kernel_costs_no_product_of_tangents(self):
        x, kernel = jnp.ones((1, 3, 3, 20)), jnp.ones((1, 1, 20, 20))

        def products(argnums):
            loss = jax.grad(lambda *a: jnp.sum(conv.conv2d(*a) ** 2), argnums)
            exported = jax.export.export(jax.jit(loss), platforms=["cpu"])(x, kernel)
            return exported.mlir_module().count("stablehlo.dot_general")

        assert [products(0), products(1), products((0, 1))] == [2, 2, 3]


@pytest.mark.boundary  # a symbolic size is no int
@pytest.mark.parametrize(
    ("kernel_shape", "groups"),
    [
        ((3, 3, 3, 2), 1),
        ((3, 3, 3, 20), 1),
        ((1, 1, 3, 2), 1),
        ((2, 2, 1, 3), 3),
        ((3, 3, 64, 64), 1),
    ],
)
def test_a_batch_of_symbolic_size_is_exported(kernel_shape, groups):
    kernel = np.ones(kernel_shape, np.float32)
    c_in = kernel_shape[2] * groups
    shape = jax.export.symbolic_shape(f"n,5,6,{c_in}")
    images = jax.ShapeDtypeStruct(shape, jnp.float32)

    def value_and_gradients(x):
        def loss(x, kernel):
            return jnp.sum(conv.conv2d(x, kernel, groups=groups) ** 2)

        return jax.value_and_grad(loss, (0, 1))(x, kernel)

    exported = jax.export.export(jax.jit(value_and_gradients))(images)
    x = np.ones((2, 5, 6, c_in), np.float32)
    expected = value_and_gradients(x)
    chex.assert_trees_all_close(exported.call(x), expected, rtol=1e-6)
