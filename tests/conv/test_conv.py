"""Values of a convolution, also of nothing."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jnumerics import conv
from tests import reference
from tests.conv._cases import CASE, draw, to_nchw


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
