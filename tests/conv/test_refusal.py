"""What a convolution refuses."""

import numpy as np
import pytest

from jnumerics import conv


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
