"""Which form computes a convolution, and which its derivatives.

On CPUs the form goes by shapes, as measured there; elsewhere XLA has all of it. A
convolution is linear in the image and in the kernel, so each derivative is one again,
and has its own form: of the image's tangent, and of the kernel's, which in reverse mode
sums over the pixels. None of these reads more of the image than the kernel sees, so
that what a derivative is proven to depend on is exact.
"""

import math
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array

from jnumerics import _check
from jnumerics.conv._forms import (
    convolve,
    paired,
    shifted,
    unfolded,
    unfolded_by_rows,
)
from jnumerics.conv._options import AXES, Options, output_shape
from jnumerics.conv._winograd import winograd

Form = Callable[[Array, Array, Options], Array]

# Measured by the benchmark `conv2d_shapes` on an AMD EPYC and on an Intel Xeon: a form
# is taken up to the lower limit of the two. Up to 16 channels on both sides, XLA's
# convolution is another, slower one, but its kernel derivative is the faster. Before
# JAX 0.11 it was slow up to 32 channels out.
_FEW = 16
_IS_OLD = jax.__version_info__ < (0, 11)
_MOST_OUT = 32 if _IS_OLD else _FEW

# Below, XLA's 1x1 convolution beats its matrix product.
_LEAST_CONTRACTED = 17

# Columns of few channels pay for their memory; of small ones, pairing does not.
_MOST_IN = 4  # channels
_MOST_TAPS = 49 if _IS_OLD else 25  # kernel entries
_MOST_COLUMNS, _LEAST_PAIRED = 2**22, 2**16  # entries

# Of the kernel's derivative: each entry is used once for each output channel. Small
# columns are had at once, others by rows of the kernel.
_MOST_COLUMNS_OF_FEW = 40_000 if _IS_OLD else 20_000  # for each channel out
_MOST_COLUMNS_OF_MANY = 2**11 if _IS_OLD else 2**10
_SMALL_COLUMNS, _MOST_ROWS = 2**19, 7

# Below, the transforms cost more than the products that they save. They round what a
# tile holds, not what an output sees: too much beside a pixel 1e8 times the others.
_LEAST_WINOGRAD, _LEAST_PIXELS = 64, 256  # channels on both sides; output pixels

# Beyond, the convolution catches up; and the program grows.
_MOST_MULTIPLIED = 16
_MOST_SHIFTS = 64


def convolution(x: Array, kernel: Array, options: Options) -> Array:
    """Convolve, where checks are done."""
    shape = output_shape(x, kernel, options)
    if 0 in (*shape, *x.shape, *kernel.shape):
        return jnp.zeros(shape, x.dtype)  # lax refuses some of these
    return _convolution(x, kernel, options)


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _convolution(x: Array, kernel: Array, options: Options) -> Array:
    return _on_cpu(_form_of_value(x, kernel, options), x, kernel, options)


def _convolution_jvp(
    options: Options, primals: tuple[Array, Array], tangents: tuple
) -> tuple[Array, Array]:
    (x, kernel), (dx, dkernel) = primals, tangents
    terms = []
    if not isinstance(dx, SymbolicZero):
        form = _form_of_image_tangent(x, kernel, options)
        terms.append(_on_cpu(form, dx, kernel, options))
    if not isinstance(dkernel, SymbolicZero):
        form = _form_of_kernel_tangent(x, kernel, options)
        terms.append(_on_cpu(form, x, dkernel, options))
    return _convolution(x, kernel, options), sum(terms[1:], terms[0])


_convolution.defjvp(_convolution_jvp, symbolic_zeros=True)


def _on_cpu(form: Form, x: Array, kernel: Array, options: Options) -> Array:
    if form is convolve:
        return convolve(x, kernel, options)

    def there(x: Array, kernel: Array) -> Array:  # half precision is rounded once
        wide = _check.at_least_float32(x), _check.at_least_float32(kernel)
        return form(*wide, options).astype(x.dtype)

    def elsewhere(x: Array, kernel: Array) -> Array:
        return convolve(x, kernel, options)

    if form in (unfolded, unfolded_by_rows):  # the reverse pass unfolds again
        there = jax.checkpoint(there, prevent_cse=False)
    return jax.lax.platform_dependent(x, kernel, cpu=there, default=elsewhere)


def _form_of_value(x: Array, kernel: Array, options: Options) -> Form:
    c_in, c_out, taps = _sizes(kernel, options)
    if _is_depthwise(x, kernel, options):
        return shifted
    if options.groups > 1:
        return convolve
    if _is_pointwise(kernel, options):
        return unfolded if c_in >= _LEAST_CONTRACTED else convolve
    n_entries, pixels = _columns(x, kernel, options), _pixels(x, kernel, options)
    if c_in <= _MOST_IN and 1 < c_out <= _MOST_OUT and taps <= _MOST_TAPS:
        if n_entries <= _LEAST_PAIRED:
            return unfolded
        is_dilated = options.dilation[1] > 1
        return paired if n_entries <= _MOST_COLUMNS and not is_dilated else convolve
    is_wide = min(c_in, c_out) >= _LEAST_WINOGRAD
    pays = is_wide and _LEAST_PIXELS <= pixels < math.inf
    is_plain = options.stride == options.dilation == (1, 1)
    rows, columns = (kernel.shape[k] for k in AXES[options.layout].kernel[:2])
    is_exact = jax.lax.Precision(options.precision) == jax.lax.Precision.HIGHEST
    serves = rows == columns == 3 and x.dtype == jnp.float32 and not is_exact
    if pays and is_plain and serves:
        return winograd
    return convolve


def _form_of_image_tangent(x: Array, kernel: Array, options: Options) -> Form:
    _, c_out, _ = _sizes(kernel, options)
    if _is_depthwise(x, kernel, options):
        return shifted
    is_product = options.groups == 1 and _is_pointwise(kernel, options)
    # Of few channels the columns would serve reverse mode, two to three times as fast;
    # forward mode along many directions would take three to ten times as long.
    return unfolded if is_product and c_out >= _LEAST_CONTRACTED else convolve


def _form_of_kernel_tangent(x: Array, kernel: Array, options: Options) -> Form:
    c_in, c_out, _ = _sizes(kernel, options)
    is_last = options.layout == "NHWC"
    if _is_depthwise(x, kernel, options):
        return shifted if options.groups > 1 else convolve
    if options.groups > 1:
        return convolve
    if _is_pointwise(kernel, options):
        is_wide = c_out >= _LEAST_CONTRACTED and c_in <= 8 * c_out
        pays = is_wide or c_in <= 32 if is_last else is_wide and c_in > 32
        return unfolded if pays else convolve
    n_entries = _columns(x, kernel, options)
    is_short = kernel.shape[0] <= _MOST_ROWS
    limit = _MOST_COLUMNS_OF_FEW if c_in <= _MOST_IN else _MOST_COLUMNS_OF_MANY
    fits = n_entries <= limit * c_out
    if is_last and max(c_in, c_out) > _FEW and is_short and fits:
        return unfolded if n_entries <= _SMALL_COLUMNS else unfolded_by_rows
    return convolve


def _sizes(kernel: Array, options: Options) -> tuple[int, int, int]:
    """Return the channels in (of a group) and out, and the entries of a pair."""
    height, width, c_in, c_out = (kernel.shape[k] for k in AXES[options.layout].kernel)
    return c_in, c_out, height * width


def _is_depthwise(x: Array, kernel: Array, options: Options) -> bool:
    c_in = x.shape[AXES[options.layout].channel]
    _, c_out, taps = _sizes(kernel, options)
    limit = _MOST_MULTIPLIED if c_in > 1 else 1
    return options.groups == c_in and c_out <= limit * c_in and taps <= _MOST_SHIFTS


def _is_pointwise(kernel: Array, options: Options) -> bool:
    return _sizes(kernel, options)[2] == 1 and options.padding == ((0, 0), (0, 0))


def _pixels(x: Array, kernel: Array, options: Options) -> int | float:
    """Count the output's pixels; infinite where the batch is a symbol."""
    shape = output_shape(x, kernel, options)
    size = math.prod(shape[k] for k in (0, *AXES[options.layout].spatial))
    return size if isinstance(size, int) else math.inf


def _columns(x: Array, kernel: Array, options: Options) -> int | float:
    """Count the entries of an unfolded image."""
    c_in, _, taps = _sizes(kernel, options)
    return _pixels(x, kernel, options) * taps * c_in
