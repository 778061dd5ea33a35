from functools import partial
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from jnumerics import conv
from jnumerics.conv import _forms
from tests import reference


def draw(seed, *shape, dtype: Any = np.float64):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    if np.issubdtype(dtype, np.complexfloating):
        x = x + 1j * rng.normal(size=shape)
    return x.astype(dtype)


def to_nchw(x, kernel):
    return np.moveaxis(x, 3, 1).copy(), np.transpose(kernel, (3, 2, 0, 1)).copy()


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


# x, kernel, options; the forms are told apart by shape, so each has its rows.
CASES = {
    "3x2": ((2, 5, 7, 3), (3, 2, 3, 4), {}),
    "same": ((2, 5, 7, 3), (2, 4, 3, 2), {"padding": "SAME"}),
    "same, stride": ((1, 6, 7, 2), (3, 2, 2, 3), {"padding": "SAME", "stride": (2, 3)}),
    "lower": ((1, 6, 7, 2), (2, 4, 2, 3), {"padding": "SAME_LOWER", "stride": (1, 2)}),
    "pads, dilation": (
        (1, 4, 6, 2),
        (2, 3, 2, 3),
        {"padding": ((2, 0), (1, 3)), "dilation": (3, 2)},
    ),
    "many channels": (
        (1, 6, 7, 5),
        (3, 2, 5, 3),
        {"padding": ((2, 0), (1, 3)), "stride": (2, 1), "dilation": (1, 2)},
    ),
    "groups": ((2, 5, 4, 4), (3, 2, 2, 6), {"groups": 2, "padding": ((1, 1), (1, 1))}),
    "depthwise": ((2, 5, 6, 3), (3, 2, 1, 3), {"groups": 3}),
    "depthwise, multiplied": (
        (2, 5, 6, 3),
        (2, 3, 1, 6),
        {"groups": 3, "stride": (2, 1), "padding": ((0, 1), (2, 0))},
    ),
    "depthwise, dilation": (
        (1, 7, 6, 2),
        (3, 2, 1, 2),
        {"groups": 2, "dilation": (2, 3), "padding": "SAME"},
    ),
    "depthwise, wide multiplied": ((1, 4, 4, 2), (2, 2, 1, 40), {"groups": 2}),
    "depthwise, large": ((1, 11, 10, 2), (9, 8, 1, 2), {"groups": 2}),
    "one channel": ((2, 5, 6, 1), (3, 2, 1, 1), {}),
    "one channel to many": ((2, 5, 6, 1), (3, 2, 1, 5), {}),
    "1x1, few": ((2, 3, 4, 3), (1, 1, 3, 2), {}),
    "1x1, few to many": ((2, 3, 4, 3), (1, 1, 3, 20), {}),
    "1x1, many to few": ((2, 3, 4, 40), (1, 1, 40, 2), {}),
    "1x1, many": ((2, 3, 4, 40), (1, 1, 40, 20), {}),
    "1x1, stride": ((2, 5, 6, 20), (1, 1, 20, 3), {"stride": (2, 3)}),
    "1x1, padding": ((2, 3, 4, 20), (1, 1, 20, 3), {"padding": ((1, 1), (1, 1))}),
    "1x1, groups": ((2, 3, 4, 4), (1, 1, 2, 6), {"groups": 2}),
    "1x1, depthwise": ((2, 3, 4, 4), (1, 1, 1, 4), {"groups": 4}),
}
CASE = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
BOTH_LAYOUTS = pytest.mark.parametrize("layout", ["NHWC", "NCHW"])


@pytest.mark.usefixtures("x64")
class TestValues:
    @CASE
    @pytest.mark.parametrize("dtype", [np.float64, np.complex128])
    def test_agrees_with_numpy(self, case, dtype):
        x_shape, kernel_shape, options = case
        x, kernel = draw(0, *x_shape, dtype=dtype), draw(1, *kernel_shape, dtype=dtype)
        pads = {"padding": ((0, 0), (0, 0))} | options
        expected = reference.conv2d(x, kernel, **pads)
        y = conv.conv2d(x, kernel, **options)
        assert y.dtype == dtype
        np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-13)
        y = conv.conv2d(*to_nchw(x, kernel), layout="NCHW", **options)
        np.testing.assert_allclose(
            y, np.moveaxis(expected, 3, 1), rtol=1e-12, atol=1e-13
        )

    @settings(max_examples=25, deadline=None)
    @given(data=st.data())
    def test_of_any_shape_and_options_agrees_with_numpy(self, data):
        def two(low, high):
            return data.draw(st.tuples(*[st.integers(low, high)] * 2))

        groups, c_in, c_out = (data.draw(st.integers(1, 2)) for _ in range(3))
        x = draw(0, data.draw(st.integers(0, 2)), *two(0, 6), groups * c_in)
        kernel = draw(1, *two(1, 3), c_in, groups * c_out)
        names = st.sampled_from(["VALID", "SAME", "SAME_LOWER"])
        padding = (
            data.draw(names) if data.draw(st.booleans()) else (two(0, 2), two(0, 2))
        )
        options = {"stride": two(1, 3), "dilation": two(1, 2), "groups": groups}
        y = conv.conv2d(x, kernel, padding=padding, **options)
        pads = ((0, 0), (0, 0)) if padding == "VALID" else padding
        expected = reference.conv2d(x, kernel, padding=pads, **options)
        np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-13)

    def test_kernel_is_not_flipped_nor_height_and_width_swapped(self):
        x = np.arange(12.0).reshape(1, 3, 4, 1)
        kernel = np.array([[1.0, 10.0, 100.0]]).reshape(1, 3, 1, 1)
        row = np.array([0 + 10 + 200.0, 1 + 20 + 300.0])
        expected = np.stack([row, row + 4 * 111, row + 8 * 111])
        y = conv.conv2d(x, kernel)
        np.testing.assert_array_equal(y, expected.reshape(1, 3, 2, 1))

    def test_same_puts_the_odd_pixel_at_the_end_and_same_lower_at_the_start(self):
        x, kernel = np.ones((1, 2, 3, 1)), np.ones((2, 2, 1, 1))
        same = [[4.0, 4.0, 2.0], [2.0, 2.0, 1.0]]
        lower = [[1.0, 2.0, 2.0], [2.0, 4.0, 4.0]]
        y = conv.conv2d(x, kernel, padding="SAME")[0, :, :, 0]
        np.testing.assert_array_equal(y, same)
        y = conv.conv2d(x, kernel, padding="SAME_LOWER")[0, :, :, 0]
        np.testing.assert_array_equal(y, lower)

    def test_of_a_batch_is_that_of_each_image(self):
        x, kernel = draw(0, 3, 5, 6, 2), draw(1, 3, 2, 2, 4)
        y = conv.conv2d(x, kernel)
        for image, expected in zip(x, y, strict=True):
            np.testing.assert_allclose(
                conv.conv2d(image[None], kernel)[0], expected, rtol=1e-12, atol=1e-14
            )

    def test_pairs_may_be_integers_lists_and_arrays(self):
        x, kernel = draw(0, 1, 7, 8, 1), draw(1, 2, 2, 1, 1)
        expected = conv.conv2d(
            x, kernel, stride=(2, 2), dilation=(2, 2), padding=((1, 1), (1, 1))
        )
        for two, pads in (
            (2, 1),
            (np.int64(2), np.int32(1)),
            ([2, 2], [[1, 1], [1, 1]]),
            (np.array([2, 2]), np.ones((2, 2), int)),
            (np.array(2), np.array(1)),
            (jnp.array([2, 2]), jnp.ones((2, 2), int)),
            (jnp.array(2), [jnp.array([1, 1]), (jnp.array(1), np.array(1))]),
        ):
            y = conv.conv2d(x, kernel, stride=two, dilation=two, padding=pads)
            np.testing.assert_array_equal(y, expected)

    def test_of_integers_is_that_of_floats(self):
        x, kernel = np.arange(12).reshape(1, 3, 4, 1), np.ones((2, 2, 1, 1), bool)
        y = conv.conv2d(x, kernel)
        assert y.dtype == jnp.float64
        np.testing.assert_array_equal(y, conv.conv2d(x * 1.0, kernel * 1.0))

    def test_is_in_the_common_dtype(self):
        for dtype, other, common in (
            (jnp.bfloat16, jnp.bfloat16, jnp.bfloat16),
            (jnp.bfloat16, jnp.float32, jnp.float32),
            (jnp.float32, jnp.complex64, jnp.complex64),
            (jnp.complex64, jnp.float64, jnp.complex128),
        ):
            for c_in, groups in ((20, 1), (3, 3)):
                x = jnp.ones((1, 4, 4, c_in), dtype)
                kernel = jnp.ones((1, 1, c_in // groups, 3), other)
                y = conv.conv2d(x, kernel, groups=groups)
                assert y.dtype == common
                assert np.all(np.asarray(y, complex) == c_in / groups)

    def test_half_precision_depthwise_is_summed_in_float32(self):
        x = jnp.ones((1, 8, 8, 2), jnp.bfloat16)
        kernel = jnp.full((8, 8, 1, 2), 1 / 3, jnp.bfloat16)
        expected = 64 * float(kernel[0, 0, 0, 0])  # bfloat16 sums would stall at 21.25
        y = conv.conv2d(x, kernel, groups=2)
        np.testing.assert_array_equal(y, jnp.full((1, 1, 1, 2), expected, jnp.bfloat16))


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


class TestNothing:
    @pytest.mark.parametrize(
        ("x_shape", "kernel_shape", "options", "y_shape"),
        [
            ((0, 5, 6, 3), (3, 2, 3, 4), {}, (0, 3, 5, 4)),
            ((0, 5, 6, 3), (1, 1, 3, 4), {}, (0, 5, 6, 4)),
            ((0, 5, 6, 3), (2, 2, 1, 3), {"groups": 3}, (0, 4, 5, 3)),
            ((2, 0, 6, 3), (1, 2, 3, 4), {}, (2, 0, 5, 4)),
            ((2, 0, 6, 3), (3, 2, 3, 4), {"padding": "SAME"}, (2, 0, 6, 4)),
            ((2, 0, 6, 3), (3, 2, 3, 4), {"padding": 2}, (2, 2, 9, 4)),
            ((2, 5, 6, 0), (3, 2, 0, 4), {}, (2, 3, 5, 4)),
            ((2, 5, 6, 0), (3, 2, 0, 4), {"groups": 2}, (2, 3, 5, 4)),
            ((2, 5, 6, 0), (1, 1, 0, 4), {"stride": 2}, (2, 3, 3, 4)),
            ((2, 5, 6, 3), (3, 2, 3, 0), {}, (2, 3, 5, 0)),
            ((2, 5, 6, 3), (6, 2, 3, 4), {}, (2, 0, 5, 4)),
            ((2, 5, 6, 3), (2, 2, 3, 4), {"dilation": 9, "padding": 1}, (2, 0, 0, 4)),
            ((2, 5, 6, 3), (2, 7, 1, 3), {"groups": 3}, (2, 4, 0, 3)),
            ((2, 5, 6, 3), (0, 2, 3, 4), {}, (2, 6, 5, 4)),
            ((2, 5, 6, 3), (0, 2, 3, 4), {"dilation": 2}, (2, 6, 4, 4)),
        ],
    )
    def test_gives_an_empty_or_zero_output_and_zero_derivatives(
        self, x_shape, kernel_shape, options, y_shape
    ):
        x, kernel = jnp.ones(x_shape), jnp.ones(kernel_shape)

        def fun(x, kernel):
            return conv.conv2d(x, kernel, **options)

        y, pullback = jax.vjp(fun, x, kernel)
        np.testing.assert_array_equal(y, np.zeros(y_shape))
        gradients = pullback(jnp.ones(y_shape))
        chex.assert_trees_all_equal(
            gradients, (jnp.zeros_like(x), jnp.zeros(kernel_shape))
        )
        _, dy = jax.jvp(fun, (x, kernel), (x, kernel))
        np.testing.assert_array_equal(dy, np.zeros(y_shape))
        x, kernel = to_nchw(x, kernel)
        y = conv.conv2d(x, kernel, layout="NCHW", **options)
        assert y.shape == (y_shape[0], y_shape[3], *y_shape[1:3])


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
        counted = chex.assert_max_traces(vars(_forms)["_convolve"], n=1)
        monkeypatch.setattr(_forms, "_convolve", counted)
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

    @pytest.mark.parametrize(("c_in", "rows"), [(5, 6), (3, 1200)])
    def test_only_small_images_of_few_channels_are_one_matrix_product(self, c_in, rows):
        def text(*shape):
            kernel = np.ones((3, 3, shape[-1], 4), np.float32)
            return str(jax.make_jaxpr(conv.conv2d)(np.ones(shape, np.float32), kernel))

        assert text(1, 6, 12, 3).count("dot_general[") == 1
        assert "conv_general_dilated" not in text(1, 6, 12, 3)
        assert "conv_general_dilated" in text(1, rows, 12, c_in)

    def test_a_constant_kernel_costs_no_product_of_tangents(self):
        x, kernel = jnp.ones((1, 3, 3, 20)), jnp.ones((1, 1, 20, 20))

        def products(argnums):
            loss = jax.grad(lambda *a: jnp.sum(conv.conv2d(*a) ** 2), argnums)
            return str(jax.make_jaxpr(loss)(x, kernel)).count("dot_general[")

        assert [products(0), products(1), products((0, 1))] == [2, 2, 3]


@pytest.mark.boundary
class TestRejects:
    X, KERNEL = np.ones((1, 5, 6, 4)), np.ones((3, 2, 4, 6))

    @pytest.mark.parametrize("name", ["stride", "dilation"])
    @pytest.mark.parametrize(
        ("value", "error", "message"),
        [
            (0, ValueError, "`{}` must be at least 1, got 0"),
            (-1, ValueError, "`{}` must be at least 1, got -1"),
            ((1, 0), ValueError, r"`{}\[1\]` must be at least 1, got 0"),
            ((1, 2, 3), ValueError, "`{}` must be a pair of integers"),
            (1.0, TypeError, "`{}` must be an integer, got float"),
            ("2", TypeError, "`{}` must be an integer, got str"),
            (None, TypeError, "`{}` must be an integer, got NoneType"),
            (True, TypeError, "`{}` must be an integer, got bool"),
            ((1, 2.0), TypeError, r"`{}\[1\]` must be an integer, got float"),
        ],
    )
    def test_steps(self, name, value, error, message):
        with pytest.raises(error, match=message.format(name)):
            conv.conv2d(self.X, self.KERNEL, **{name: value})

    @pytest.mark.parametrize(
        ("padding", "error", "message"),
        [
            ("same", ValueError, "one of 'VALID', 'SAME', 'SAME_LOWER', got 'same'"),
            (-1, ValueError, "must be at least 0, got -1"),
            (1.5, TypeError, "must be an integer, got float"),
            (((1, -1), (0, 0)), ValueError, r"`padding\[0\]\[1\]` must be at least 0"),
            ((1, 2), ValueError, r"`padding\[0\]` must be a pair of integers, got 1"),
            (((1, 1),), ValueError, r"must be \(\(top, bottom\), \(left, right\)\)"),
            (((1, 1), (1, 1.0)), TypeError, r"`padding\[1\]\[1\]` must be an integer"),
        ],
    )
    def test_padding(self, padding, error, message):
        with pytest.raises(error, match=message):
            conv.conv2d(self.X, self.KERNEL, padding=padding)

    @pytest.mark.parametrize(
        ("groups", "error", "message"),
        [
            (0, ValueError, "`groups` must be at least 1, got 0"),
            (3, ValueError, "`groups` must divide the 4 channels of `x`, got 3"),
            (2.0, TypeError, "`groups` must be an integer, got float"),
        ],
    )
    def test_groups(self, groups, error, message):
        with pytest.raises(error, match=message):
            conv.conv2d(self.X, self.KERNEL, groups=groups)

    def test_groups_that_do_not_divide_the_output_channels(self):
        message = "`groups` must divide the 6 output channels of `kernel`, got 4"
        with pytest.raises(ValueError, match=message):
            conv.conv2d(self.X, np.ones((3, 2, 1, 6)), groups=4)

    def test_channels_that_do_not_match(self):
        message = r"`kernel` must have an axis 2 of size 4, got shape \(3, 2, 3, 6\)"
        with pytest.raises(ValueError, match=message):
            conv.conv2d(self.X, np.ones((3, 2, 3, 6)))
        with pytest.raises(ValueError, match="`kernel` must have an axis 1 of size 5"):
            conv.conv2d(self.X, self.KERNEL, layout="NCHW")
        with pytest.raises(ValueError, match="`kernel` must have an axis 2 of size 2"):
            conv.conv2d(self.X, self.KERNEL, groups=2)

    @pytest.mark.parametrize("shape", [(5, 6, 4), (5, 6), (), (1, 1, 5, 6, 4)])
    def test_other_ranks(self, shape):
        with pytest.raises(ValueError, match="`x` must have rank 4, got shape"):
            conv.conv2d(np.ones(shape), self.KERNEL)
        with pytest.raises(ValueError, match="`kernel` must have rank 4, got shape"):
            conv.conv2d(self.X, np.ones(shape))

    @pytest.mark.parametrize("value", [[[1.0]], "image", None])
    def test_what_is_no_array(self, value):
        with pytest.raises(TypeError, match="`x` must be an array, got"):
            conv.conv2d(value, self.KERNEL)
        with pytest.raises(TypeError, match="`kernel` must be an array, got"):
            conv.conv2d(self.X, value)

    def test_unknown_options(self):
        with pytest.raises(ValueError, match="`layout` must be one of 'NHWC', 'NCHW'"):
            conv.conv2d(self.X, self.KERNEL, layout="nhwc")
        with pytest.raises(ValueError, match="`precision` must be one of 'default'"):
            conv.conv2d(self.X, self.KERNEL, precision="best")


@pytest.mark.boundary  # a symbolic size is no int
@pytest.mark.parametrize(
    ("kernel_shape", "groups"),
    [((3, 3, 3, 2), 1), ((1, 1, 3, 2), 1), ((2, 2, 1, 3), 3)],
)
def test_a_batch_of_symbolic_size_is_exported(kernel_shape, groups):
    kernel = np.ones(kernel_shape, np.float32)
    images = jax.ShapeDtypeStruct(jax.export.symbolic_shape("n,5,6,3"), jnp.float32)
    fun = jax.jit(lambda x: conv.conv2d(x, kernel, groups=groups))
    exported = jax.export.export(fun)(images)
    x = np.ones((2, 5, 6, 3), np.float32)
    np.testing.assert_allclose(exported.call(x), fun(x), rtol=1e-6)
