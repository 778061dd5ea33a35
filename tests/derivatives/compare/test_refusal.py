"""What a comparison refuses."""

import re

import jax
import jax.numpy as jnp
import pytest

from jnumerics.derivatives import SampleMixingError, compare_modes
from tests.derivatives.compare._compare import AT, ROWS, bottleneck


def mixing(x):
    return x - x.mean(axis=0, keepdims=True)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("error", "options", "message"),
    [
        (ValueError, {"modes": ["sideways"]}, "`modes` must be one of 'forward', 'rev"),
        (
            ValueError,
            {"modes": ["full"]},
            "`modes` must be one of 'forward', 'reverse'",
        ),
        (
            ValueError,
            {"modes": "forward"},
            "`modes` must be a sequence of at least one",
        ),
        (ValueError, {"modes": []}, "`modes` must be a sequence of at least one mode"),
        (ValueError, {"repeats": 0}, "`repeats` must be at least 1, got 0"),
        (TypeError, {"repeats": 2.0}, "`repeats` must be an integer, got float"),
        (ValueError, {"max_bytes": 0}, "`max_bytes` must be at least 1, got 0"),
        (
            ValueError,
            {"reference": "float16"},
            "`reference` must be one of 'float64', N",
        ),
        (ValueError, {"argnums": 3}, "argnums"),
        (TypeError, {"modes": 3}, "`modes` must be a sequence of modes, got int"),
        (
            TypeError,
            {"modes": iter(["cut"])},
            "`modes` must be a sequence of modes, go",
        ),
        (TypeError, {"modes": {"cut"}}, "`modes` must be a sequence of modes, got set"),
        (TypeError, {"batch": "no"}, "`batch` must be True or False, got str"),
    ],
)
def test_compare_modes_refuses_wrong_options(error, options, message):
    with pytest.raises(error, match=re.escape(message)):
        compare_modes(bottleneck, AT, **options)


@pytest.mark.boundary
def test_compare_modes_refuses_what_is_no_function():
    with pytest.raises(TypeError, match="`fun` must be a function, got int"):
        compare_modes(3, AT)  # pyright: ignore[reportArgumentType]


def test_compare_modes_refuses_integers():
    with pytest.raises(TypeError, match="int32"):
        compare_modes(jnp.sin, jnp.arange(3))


def test_compare_modes_refuses_traced_arguments():
    with pytest.raises(
        TypeError, match="`args` must have values, got a tracer: compare"
    ):
        jax.jit(lambda x: compare_modes(bottleneck, x).evaluation.median)(AT)


def test_compare_modes_refuses_samples_that_mix():
    with pytest.raises(SampleMixingError, match=r"reduce_sum at .*test_refusal.py:\d+"):
        compare_modes(mixing, ROWS, batch=True)
