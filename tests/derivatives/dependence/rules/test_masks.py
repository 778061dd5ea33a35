"""Masks of floats: what is known of them must not depend on a platform's rounding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics.derivatives._dependence.result import dependence

F32 = np.float32


def decides(mask):
    """Whether a mask is known where it selects."""
    boxes = dependence(lambda x: jnp.where(mask(), x, x[::-1]), jnp.ones(4))
    return boxes.widths.max() == 1


class TestMasksOfFloats:
    @pytest.mark.parametrize(
        "mask",
        [
            # Flushed to zero, or not: a product, a constant, a conversion, a quotient.
            pytest.param(
                lambda: jnp.full(4, 1e-30, "float32") * F32(1e-12) > 0,
                id="product underflows",
            ),
            pytest.param(lambda: jnp.full(4, 1e-40, "float32") > 0, id="subnormal"),
            pytest.param(
                lambda: jnp.full(4, 1e-40, "float32").astype(bool),
                id="subnormal to bool",
            ),
            pytest.param(lambda: jnp.full(4, 1e-6, "float16") > 0, id="subnormal half"),
            pytest.param(
                lambda: jnp.full(4, 1e-6, "float32").astype("float16") > 0,
                id="cast to subnormal half",
            ),
            pytest.param(
                lambda: jnp.full(4, 2.0**-100, "float32") / F32(2.0**100) > 0,
                id="quotient is subnormal",
            ),
            pytest.param(
                lambda: jnp.full(4, 1.5 * 2.0**-126, "float32") - F32(2.0**-126) > 0,
                id="difference is subnormal",
            ),
            # Constants that a compiler may combine first.
            pytest.param(
                lambda: (
                    (jnp.full(4, -(2.0**24), "float32") + F32(2**24)) + F32(1) > 0.5
                ),
                id="sum rounds",
            ),
            pytest.param(
                lambda: (
                    (jnp.full(4, 2.0**100, "float32") * F32(2.0**-100)) * F32(2.0**-100)
                    > 0
                ),
                id="underflow depends on the order",
            ),
            # Fused or not.
            pytest.param(
                lambda: (
                    jnp.full(4, 1 + 2.0**-12, "float32") * F32(1 + 2.0**-12)
                    - F32((1 + 2.0**-12) ** 2)
                    > 0
                ),
                id="fused product and difference",
            ),
            # More digits than the dtype has, or not.
            pytest.param(
                lambda: (
                    lax.iota("bfloat16", 4) * jnp.bfloat16(100.5) > jnp.bfloat16(100)
                ),
                id="bfloat16 product rounds",
            ),
            pytest.param(
                lambda: (
                    jnp.array([257.0, 1, 2, 3]).astype("bfloat16").astype("float32")
                    > 256.5
                ),
                id="cast to bfloat16 rounds",
            ),
            pytest.param(lambda: jnp.full(4, jnp.nan) > 0, id="nan"),
        ],
    )
    def test_are_unknown_where_platforms_may_differ(self, mask):
        assert not decides(mask)

    @pytest.mark.usefixtures("x64")
    def test_are_unknown_where_doubles_are_flushed_or_fused(self):
        tiny, near = np.float64(1e-300), 1 + np.float64(2.0**-27)
        assert not decides(lambda: jnp.full(4, tiny) * 1e-12 > 0)
        assert not decides(lambda: jnp.full(4, near) * near - near * near > 0)
        assert decides(lambda: jnp.full(4, near) * near - near * near > -1e-9)

    @pytest.mark.parametrize(
        "mask",
        [
            pytest.param(lambda: jnp.arange(4.0) * 0.5 - 1.0 > 0, id="halves less one"),
            pytest.param(lambda: jnp.linspace(0.0, 1.0, 4) < 0.5, id="linspace"),
            pytest.param(lambda: 1e-9 * jnp.arange(4.0) > 2.5e-9, id="tiny multiples"),
            pytest.param(
                lambda: (
                    jnp.abs(jnp.arange(4.0)[:, None] - jnp.arange(4.0)[None])[1] <= 1.0
                ),
                id="differences",
            ),
            pytest.param(
                lambda: jnp.maximum(0.3 * jnp.arange(4.0), 0.5) > 0.4, id="maximum"
            ),
            pytest.param(lambda: jnp.eye(4)[2] > 0, id="eye"),
            pytest.param(
                lambda: jnp.arange(4, dtype="bfloat16") % 2 == 0,
                id="bfloat16 remainder",
            ),
            pytest.param(
                lambda: jnp.where(jnp.arange(4) > 1, 0.0, -jnp.inf) < -1,
                id="minus infinity",
            ),
            pytest.param(
                lambda: jax.nn.relu(jnp.arange(4) - 1) > 0, id="relu of integers"
            ),
        ],
    )
    def test_are_known_where_all_agree(self, mask):
        assert decides(mask)

    def test_do_not_hang_on_the_long_double(self, monkeypatch):
        monkeypatch.setattr(np, "longdouble", None)
        assert decides(lambda: jnp.arange(4.0) * 0.5 - 1.0 > 0)

    def test_keep_the_error_of_what_enters_a_loop_or_a_branch(self):
        def near():
            return 3 * jnp.full(4, 0.1)

        def by_scan(bound):
            return lax.scan(lambda c, v: (c, v > bound), 0, near())[1]

        def by_cond(bound):
            return lax.cond(True, lambda v: v > bound, lambda v: v > 1, near())

        for mask in (by_scan, by_cond):
            assert not decides(lambda mask=mask: mask(F32(0.3)))
            assert decides(lambda mask=mask: mask(F32(0.2)))

    def test_columns_of_rounded_floats_are_unknown(self):
        def fun(x, i):
            first = jnp.round(3 * jnp.full((4, 1), 0.1) * 10)
            index = jnp.concatenate([first, i], 1).astype(int)
            return x[index[:, 0], index[:, 1]]

        boxes = dependence(fun, jnp.ones((4, 4)), jnp.ones((4, 1)))
        assert boxes.widths.min() == 4
