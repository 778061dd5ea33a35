"""Convolutions as products and shifted sums, beside XLA's own."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics.derivatives import laplacian
from jnumerics.derivatives._program.convolutions import by_taps, taps
from jnumerics.derivatives._program.jaxpr import as_function
from tests.derivatives._second import trace_of_hessian

random = np.random.default_rng(0)
LAYOUTS = [("NHWC", "HWIO", "NHWC"), ("NCHW", "OIHW", "NCHW"), ("HWNC", "IOHW", "CHWN")]
OPTIONS = [
    {"window_strides": (1, 1), "padding": "SAME"},
    {"window_strides": (2, 1), "padding": [(1, 2), (0, 3)]},
    {"window_strides": (1, 3), "padding": [(-1, 2), (2, -1)]},
    {"window_strides": (2, 2), "padding": "VALID", "rhs_dilation": (2, 1)},
    {"window_strides": (1, 2), "padding": [(2, 1), (3, 3)], "rhs_dilation": (1, 3)},
]


def rewritten(fun, *args):
    """Return the names of the rewritten equations, and their result."""
    jaxpr = jax.make_jaxpr(fun)(*args).jaxpr
    eqns = by_taps(jaxpr.eqns)
    results = as_function(eqns, jaxpr.invars, jaxpr.outvars)(*args)
    return [e.primitive.name for e in eqns], results[0]


def arrays(layout, *, images=9, read=3, made=2, dtype=float):
    sizes = {"N": images, "C": read, "H": 7, "W": 6}
    window = {"H": 3, "W": 2, "I": read, "O": made}
    pairs = zip((sizes, window), layout[:2], strict=True)
    shapes = ([lengths[axis] for axis in axes] for lengths, axes in pairs)
    return [jnp.asarray(random.normal(size=shape), dtype) for shape in shapes]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_products_and_shifted_sums_are_the_convolution(layout, options, x64):
    fun = functools.partial(
        lax.conv_general_dilated, dimension_numbers=layout, **options
    )
    x, kernel = arrays(layout)
    names, y = rewritten(fun, x, kernel)
    assert "conv_general_dilated" not in names
    np.testing.assert_allclose(y, fun(x, kernel), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "change",
    [{"images": 2}, {"made": 9, "read": 9}, {"read": 1}, {"dtype": jnp.bfloat16}],
    ids=str,
)
def test_others_stay_as_they_are(change):
    fun = functools.partial(
        lax.conv_general_dilated,
        window_strides=(1, 1),
        padding="SAME",
        dimension_numbers=LAYOUTS[0],
    )
    x, kernel = arrays(LAYOUTS[0], **{"dtype": "f"} | change)
    names, y = rewritten(fun, x, kernel)
    assert "conv_general_dilated" in names
    assert jnp.array_equal(y, fun(x, kernel))


@pytest.mark.slow
def test_a_laplacian_and_its_derivatives_go_by_taps(x64, monkeypatch):
    used = []
    convolve = taps.Taps.convolve
    spied = lambda self, *args: used.append(1) or convolve(self, *args)
    monkeypatch.setattr(taps.Taps, "convolve", spied)
    _, kernel = arrays(LAYOUTS[0])

    def fun(x, kernel):
        y = lax.conv_general_dilated(
            jnp.sin(x).reshape(1, 5, 4, 3),
            kernel,
            (1, 1),
            "SAME",
            dimension_numbers=LAYOUTS[0],
        )
        return jnp.sum(jnp.sin(y) * y[..., ::-1, :])

    x = jnp.asarray(random.normal(size=60))
    derivative = laplacian(fun, mode="collapsed")
    expected = lambda x, kernel: trace_of_hessian(lambda x: fun(x, kernel), x)
    for along in (lambda f, **_: f, jax.grad, jax.jacfwd):
        both = (along(f, argnums=1)(x, kernel) for f in (derivative, expected))
        np.testing.assert_allclose(*both, rtol=1e-9, atol=1e-9)
    assert used
