"""The form that a convolution takes: which, where, and right at its boundaries."""

import inspect

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics import conv, derivatives
from jnumerics.conv import _choice, _conv2d, _forms, _winograd
from jnumerics.conv._options import Options
from tests import reference
from tests.conv._cases import draw, to_nchw

PLAIN = Options((1, 1), ((0, 0), (0, 0)), (1, 1), 1, "NHWC", "highest")
SAME = PLAIN._replace(padding=((1, 1), (1, 1)))
LENIENT = SAME._replace(precision="high")
FORMS = ("value", "image_tangent", "kernel_tangent")
IS_OLD = jax.__version_info__ < (0, 11)  # its convolution is another one
NEAR = "paired" if IS_OLD else "convolve"
FAR = "unfolded_by_rows" if IS_OLD else "convolve"


def forms(x_shape, kernel_shape, options, dtype=jnp.float32):
    names = []

    def look(x, kernel):
        for name in FORMS:
            form = vars(_choice)[f"_form_of_{name}"](x, kernel, options)
            names.append(form.__name__)

    shapes = (jax.ShapeDtypeStruct(s, dtype) for s in (x_shape, kernel_shape))
    jax.eval_shape(look, *shapes)
    return names


@pytest.mark.parametrize(
    ("x_shape", "kernel_shape", "options", "expected"),
    [
        ((1, 28, 28, 3), (5, 5, 3, 16), PLAIN, "unfolded convolve convolve"),
        ((4, 56, 56, 3), (5, 5, 3, 16), PLAIN, "paired convolve convolve"),
        ((999, 56, 56, 3), (5, 5, 3, 16), PLAIN, "convolve convolve convolve"),
        ((4, 56, 56, 3), (8, 8, 3, 16), PLAIN, "convolve convolve convolve"),
        ((4, 56, 56, 3), (5, 5, 3, 33), PLAIN, f"convolve convolve {FAR}"),
        ((4, 56, 56, 3), (5, 5, 3, 49), PLAIN, "convolve convolve unfolded_by_rows"),
        ((4, 56, 56, 2), (3, 3, 2, 1), PLAIN, "convolve convolve convolve"),
        ((4, 56, 56, 5), (5, 5, 5, 16), PLAIN, "convolve convolve convolve"),
        ((8, 28, 28, 16), (3, 3, 16, 32), SAME, "convolve convolve convolve"),
        ((2, 28, 28, 1), (5, 5, 1, 40), SAME, "convolve convolve unfolded"),
        ((2, 28, 28, 1), (9, 1, 1, 40), SAME, "convolve convolve convolve"),
        ((4, 28, 28, 1), (3, 3, 1, 1), SAME, "shifted shifted convolve"),
        ((2, 56, 56, 3), (5, 5, 3, 24), PLAIN, f"{NEAR} convolve unfolded"),
        ((4, 56, 56, 3), (7, 7, 3, 16), PLAIN, f"{NEAR} convolve convolve"),
        ((2, 28, 28, 64), (3, 3, 64, 99), SAME, "convolve convolve convolve"),
        ((4, 7, 7, 512), (3, 3, 512, 999), SAME, "convolve convolve unfolded_by_rows"),
        ((1, 7, 7, 64), (3, 3, 64, 64), SAME, "convolve convolve unfolded"),
        ((2, 14, 14, 64), (3, 3, 64, 64), LENIENT, "winograd convolve convolve"),
        ((2, 14, 14, 64), (3, 3, 64, 64), SAME, "convolve convolve convolve"),
        ((1, 15, 17, 64), (3, 3, 64, 64), LENIENT, "convolve convolve convolve"),
        ((2, 14, 14, 63), (3, 3, 63, 64), LENIENT, "convolve convolve convolve"),
        ((2, 14, 14, 64), (3, 3, 64, 63), LENIENT, "convolve convolve convolve"),
        ((2, 14, 14, 64), (3, 2, 64, 64), LENIENT, "convolve convolve convolve"),
        ((8, 14, 14, 17), (1, 1, 17, 16), PLAIN, "unfolded convolve unfolded"),
        ((8, 14, 14, 16), (1, 1, 16, 17), PLAIN, "convolve unfolded unfolded"),
        ((8, 14, 14, 16), (3, 3, 1, 32), SAME._replace(groups=16), "shifted " * 3),
        ((8, 14, 14, 16), (3, 3, 8, 32), SAME._replace(groups=2), "convolve " * 3),
    ],
)  # fmt: skip
def test_form_goes_by_shape(x_shape, kernel_shape, options, expected):
    assert forms(x_shape, kernel_shape, options) == expected.split()


@pytest.mark.usefixtures("x64")
def test_winograd_is_for_float32_without_stride_or_dilation_alone():
    shapes = (2, 20, 20, 64), (3, 3, 64, 64)
    assert forms(*shapes, LENIENT)[0] == "winograd"
    for name in ("stride", "dilation"):
        assert forms(*shapes, LENIENT._replace(**{name: (1, 2)}))[0] == "convolve"
    for dtype in (jnp.bfloat16, jnp.float16, jnp.complex64, jnp.float64):
        assert forms(*shapes, LENIENT, dtype)[0] == "convolve"


def test_a_huge_pixel_does_not_disturb_outputs_that_do_not_see_it():
    x = draw(0, 1, 16, 16, 64, dtype=np.float32)
    x[0, 7, 7] = 1e8
    kernel = draw(1, 3, 3, 64, 64, dtype=np.float32)
    expected = reference.conv2d(x.astype(np.float64), kernel.astype(np.float64))
    away = np.ones(expected.shape[1:3], bool)
    away[5:8, 5:8] = False
    np.testing.assert_allclose(
        conv.conv2d(x, kernel)[0][away], expected[0][away], rtol=1e-5, atol=1e-4
    )


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize(
    ("size", "pads"),
    [
        ((1, 1), ((1, 1), (1, 1))),
        ((1, 2), ((2, 0), (3, 2))),
        ((3, 4), ((0, 0), (0, 0))),
        ((4, 5), ((4, 1), (0, 2))),
        ((7, 6), ((1, 1), (1, 1))),
    ],
)
@pytest.mark.slow
def test_winograd_of_any_size_and_padding_is_the_sum(size, pads, layout):
    x, kernel = draw(0, 2, *size, 3), draw(1, 3, 3, 3, 5)
    options = PLAIN._replace(padding=pads, layout=layout)
    expected = reference.conv2d(x, kernel, padding=pads)
    if layout == "NCHW":
        (x, kernel), expected = to_nchw(x, kernel), np.moveaxis(expected, 3, 1)
    y = jax.jit(_winograd.winograd, static_argnums=2)(x, kernel, options)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize(
    ("kernel_size", "stride"),
    [
        ((1, 1), (1, 1)),
        ((3, 3), (1, 1)),
        ((2, 5), (2, 3)),
        ((4, 2), (3, 2)),
        ((2, 3), (1, 5)),
        ((3, 4), (2, 1)),
    ],
)
@pytest.mark.slow
@pytest.mark.parametrize("form", ["paired", "unfolded", "unfolded_by_rows"])
def test_unfolded_forms_of_any_stride_and_size_are_the_sum(
    kernel_size, stride, layout, form
):
    kernel = draw(1, *kernel_size, 3, 2)
    for width in (5, 6, 9):
        for dilation, pads in ((1, ((0, 0), (0, 0))), (2, ((2, 1), (3, 2)))):
            x = draw(0, 2, 7, width, 3)
            options = Options(stride, pads, (dilation, 1), 1, layout, "highest")
            rules = {"stride": stride, "padding": pads, "dilation": (dilation, 1)}
            expected = reference.conv2d(x, kernel, **rules)
            args = x, kernel
            if layout == "NCHW":
                args, expected = to_nchw(x, kernel), np.moveaxis(expected, 3, 1)
            y = jax.jit(vars(_forms)[form], static_argnums=2)(*args, options)
            np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)


def test_a_stride_beyond_the_image_costs_paired_pixels_no_memory():
    stride = 1, 2**31 - 1
    options = PLAIN._replace(stride=stride)
    x, kernel = draw(0, 2, 3, 4, 2), draw(1, 2, 3, 2, 3)
    expected = reference.conv2d(x, kernel, stride=stride)
    args = x.astype(np.float32), kernel.astype(np.float32)
    y = jax.jit(_forms.paired, static_argnums=2)(*args, options)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_winograd_is_nearly_as_accurate_as_lax():
    x = draw(0, 1, 12, 12, 256, dtype=np.float32)
    kernel = draw(1, 3, 3, 256, 8, dtype=np.float32)
    args = jnp.asarray(x), jnp.asarray(kernel), SAME
    exact = reference.conv2d(
        x.astype(np.float64), kernel.astype(np.float64), padding=SAME.padding
    )

    def error(y):
        return np.sqrt(np.mean((np.asarray(y, np.float64) - exact) ** 2))

    ours, lax = error(_winograd.winograd(*args)), error(_forms.convolve(*args))
    assert ours < 3 * lax
    assert ours < 1e-6 * np.sqrt(np.mean(exact**2))


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize(
    ("x_shape", "kernel_shape", "options"),
    [
        ((2, 13, 12, 64), (3, 3, 64, 65), {"padding": "SAME"}),
        ((4, 31, 30, 3), (5, 4, 3, 7), {"stride": (1, 2), "padding": 1}),
        ((2, 100, 100, 3), (3, 3, 3, 24), {"padding": 1}),
        ((2, 9, 8, 5), (3, 2, 5, 20), {"padding": 1, "dilation": 2, "stride": (2, 1)}),
    ],
)
@pytest.mark.slow
def test_value_and_derivatives_to_second_order_are_those_of_lax(
    x_shape, kernel_shape, options, layout
):
    args = draw(0, *x_shape, dtype=np.float32), draw(1, *kernel_shape, dtype=np.float32)
    if layout == "NCHW":
        args = to_nchw(*args)
    tangents = tuple(np.cos(a) for a in args)

    def quantities(fun):
        def loss(*args):
            return jnp.sum(jnp.sin(fun(*args) / 8))

        push = jax.jvp(jax.grad(loss, (0, 1)), args, tangents)
        many = jax.vmap(fun, (0, None))(np.stack([args[0], tangents[0]]), args[1])
        return fun(*args), push, many

    def plain(x, kernel):
        full = _full(x, kernel, layout, options)
        return _forms.convolve(x, kernel, full)

    ours = quantities(lambda x, k: conv.conv2d(x, k, layout=layout, **options))
    chex.assert_trees_all_close(ours, quantities(plain), rtol=1e-3, atol=1e-3)


def _full(x, kernel, layout, options):
    """Return what conv2d makes of its options."""
    parameters = inspect.signature(conv.conv2d).parameters.values()
    named = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    values = (named | {"layout": layout} | options).values()
    return vars(_conv2d)["_checked"](x, kernel, tuple(values))[2]


@pytest.mark.parametrize(
    ("x_shape", "kernel_shape"),
    [
        ((2, 7, 7, 64), (3, 3, 64, 64)),
        ((4, 56, 56, 3), (5, 5, 3, 16)),
        ((1, 8, 8, 3), (3, 3, 3, 4)),
        ((2, 8, 8, 20), (1, 1, 20, 20)),
        ((2, 8, 8, 4), (3, 3, 4, 20)),
    ],
)
def test_other_platforms_convolve(x_shape, kernel_shape):
    x, kernel = np.ones(x_shape, np.float32), np.ones(kernel_shape, np.float32)

    def gradients(x, kernel):
        def loss(x, kernel):
            return jnp.sum(conv.conv2d(x, kernel) ** 2)

        return jax.value_and_grad(loss, (0, 1))(x, kernel)

    def text(*platforms):
        fun = jax.jit(gradients)
        exported = jax.export.export(fun, platforms=platforms)
        return exported(x, kernel).mlir_module()

    for platform in ("cuda", "tpu"):
        assert "stablehlo.dot_general" not in text(platform)
        assert text(platform).count("stablehlo.convolution") == 3
    assert text("cpu").count("stablehlo.convolution") < 3


def test_dependence_is_that_of_the_kernel_in_every_form():
    for c_in, c_out in ((1, 2), (64, 64), (2, 20)):
        kernel = np.ones((3, 3, c_in, c_out), np.float32)

        def summed(x, kernel=kernel):
            wide = jnp.broadcast_to(x[..., None], (*x.shape, kernel.shape[2]))
            return conv.conv2d(wide, kernel, padding="SAME").sum(-1)

        boxes = derivatives.dependence(summed, jnp.ones((1, 20, 21)))
        np.testing.assert_array_equal(boxes.lower[0, 4, 7], [0, 3, 6])
        np.testing.assert_array_equal(boxes.upper[0, 4, 7], [0, 5, 8])
