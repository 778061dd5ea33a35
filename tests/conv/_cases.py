"""Convolutions of every form, shared by these tests."""

from typing import Any

import numpy as np
import pytest


def draw(seed, *shape, dtype: Any = np.float64):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    if np.issubdtype(dtype, np.complexfloating):
        x = x + 1j * rng.normal(size=shape)
    return x.astype(dtype)


def to_nchw(x, kernel):
    return np.moveaxis(x, 3, 1).copy(), np.transpose(kernel, (3, 2, 0, 1)).copy()


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
