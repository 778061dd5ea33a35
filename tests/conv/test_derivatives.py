"""Derivatives of a convolution."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jnumerics import conv
from tests.conv._cases import CASE, draw


def lax_conv(x, kernel, stride=(1, 1), padding="VALID", dilation=(1, 1), groups=1):
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        stride,
        padding,
        rhs_dilation=dilation,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
        precision="highest",
    )


@pytest.mark.usefixtures("x64")
class TestDerivatives:
    @CASE
    @pytest.mark.slow
    def test_agree_with_those_of_lax_in_both_modes_and_layouts(self, case):
        x_shape, kernel_shape, options = case
        x, kernel = draw(0, *x_shape), draw(1, *kernel_shape)
        tangents = draw(2, *x_shape), draw(3, *kernel_shape)

        def nhwc(x, kernel):
            return conv.conv2d(x, kernel, **options)

        def nchw(x, kernel):
            x, kernel = jnp.moveaxis(x, 3, 1), jnp.transpose(kernel, (3, 2, 0, 1))
            return jnp.moveaxis(conv.conv2d(x, kernel, layout="NCHW", **options), 1, 3)

        def plain(x, kernel):
            return lax_conv(x, kernel, **options)

        @partial(jax.jit, static_argnums=0)
        def derivatives(fun, x, kernel, tangents):
            y, dy = jax.jvp(fun, (x, kernel), tangents)
            _, dy_of_x = jax.jvp(lambda x: fun(x, kernel), (x,), tangents[:1])
            cotangent = jnp.cos(jnp.arange(1.0, y.size + 1)).reshape(y.shape)

            def loss(x, kernel):
                return jnp.sum(fun(x, kernel) * cotangent)

            # One argument alone is another program: the other tangent is absent there.
            gradients = [jax.grad(loss, n)(x, kernel) for n in (0, 1, (0, 1))]
            return y, dy, dy_of_x, gradients

        expected = derivatives(plain, x, kernel, tangents)
        for fun in (nhwc, nchw):
            computed = derivatives(fun, x, kernel, tangents)
            chex.assert_trees_all_close(computed, expected, rtol=1e-10, atol=1e-12)

    @pytest.mark.parametrize(
        ("x_shape", "kernel_shape", "options"),
        [
            ((1, 3, 3, 1), (2, 2, 1, 1), {}),
            ((1, 3, 2, 2), (2, 1, 1, 2), {"groups": 2, "padding": "SAME"}),
            ((1, 2, 2, 2), (1, 1, 2, 2), {}),
            ((1, 1, 1, 17), (1, 1, 17, 1), {}),
            ((1, 1, 1, 1), (1, 1, 1, 17), {}),
            ((1, 2, 2, 2), (2, 1, 2, 1), {"padding": 1, "stride": 2}),
        ],
    )
    @pytest.mark.slow
    def test_match_finite_differences_to_second_order(
        self, x_shape, kernel_shape, options
    ):
        x, kernel = jnp.asarray(draw(0, *x_shape)), jnp.asarray(draw(1, *kernel_shape))
        check_grads(
            lambda x, kernel: conv.conv2d(x, kernel, **options) ** 2,
            (x, kernel),
            order=2,
            modes=("fwd", "rev"),
            atol=1e-5,
            rtol=1e-5,
        )

    @pytest.mark.parametrize(
        ("c_in", "c_out", "groups"), [(2, 2, 1), (20, 2, 1), (2, 20, 1), (2, 4, 2)]
    )
    @pytest.mark.parametrize("size", [1, 2])
    @pytest.mark.slow
    def test_of_complex_images_are_holomorphic(self, c_in, c_out, groups, size):
        x = draw(0, 1, 2, 3, c_in, dtype=complex)
        kernel = draw(1, size, size, c_in // groups, c_out, dtype=complex)
        dx = draw(2, *x.shape, dtype=complex)
        dkernel = draw(3, *kernel.shape, dtype=complex)

        def loss(x, kernel):
            return jnp.sum(conv.conv2d(x, kernel, groups=groups) ** 2)

        gradients = jax.grad(loss, (0, 1), holomorphic=True)(x, kernel)
        step = 1e-6
        for gradient, ends in (
            (np.sum(gradients[0] * dx), [(x + s * dx, kernel) for s in (step, -step)]),
            (
                np.sum(gradients[1] * dkernel),
                [(x, kernel + s * dkernel) for s in (step, -step)],
            ),
        ):
            difference = (loss(*ends[0]) - loss(*ends[1])) / (2 * step)
            np.testing.assert_allclose(gradient, difference, rtol=1e-7)

    @pytest.mark.parametrize(("c_in", "groups"), [(3, 1), (20, 1), (3, 3)])
    def test_of_half_precision_are_in_half_precision(self, c_in, groups):
        x = jnp.ones((1, 2, 2, c_in), jnp.bfloat16)
        kernel = jnp.ones((1, 1, c_in // groups, 3), jnp.bfloat16)
        gradients = jax.grad(
            lambda x, kernel: conv.conv2d(x, kernel, groups=groups).sum(), (0, 1)
        )(x, kernel)
        expected = jnp.full_like(x, 3 / groups), jnp.full_like(kernel, 4)
        chex.assert_trees_all_equal(gradients, expected)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize(
    ("x_shape", "kernel_shape"),
    [
        ((2, 12, 12, 20), (1, 1, 20, 20)),
        ((2, 12, 12, 3), (5, 5, 3, 40)),
        ((3, 100, 100, 3), (3, 3, 3, 40)),
    ],
    ids=["a product", "unfolded", "unfolded by rows"],
)
def test_half_precision_derivatives_are_rounded_once(x_shape, kernel_shape, dtype):
    args = draw(0, *x_shape).astype(dtype), draw(1, *kernel_shape).astype(dtype)
    tangents = tuple(np.sin(a.astype(np.float32)).astype(dtype) for a in args)

    def derivatives(*args):
        y, pull = jax.vjp(conv.conv2d, *args)
        pushes = [jax.jvp(conv.conv2d, args, t)[1] for t in _one_at_a_time(tangents)]
        return *pull(jnp.sin(y.astype(jnp.float32)).astype(y.dtype)), *pushes

    def in_float32(*args):
        wide = tuple(jnp.float32(a) for a in args)
        cotangent = jnp.sin(jnp.float32(conv.conv2d(*args))).astype(dtype)
        pull = jax.vjp(conv.conv2d, *wide)[1]
        pushes = [
            jax.jvp(conv.conv2d, wide, tuple(map(jnp.float32, t)))[1]
            for t in _one_at_a_time(tangents)
        ]
        return *pull(jnp.float32(cotangent)), *pushes

    eps = float(jnp.finfo(dtype).eps)
    for ours, exact in zip(derivatives(*args), in_float32(*args), strict=True):
        atol = 1e-5 * np.max(np.abs(exact))  # float32 sums in another order
        np.testing.assert_allclose(jnp.float32(ours), exact, rtol=0.51 * eps, atol=atol)


def _one_at_a_time(tangents):
    dx, dkernel = tangents
    return (dx, np.zeros_like(dkernel)), (np.zeros_like(dx), dkernel)
