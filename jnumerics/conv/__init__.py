r"""Two-dimensional convolution as networks use it: cross-correlation.

For one output channel $o$, at stride $s$ and dilation $d$, on the padded input,

$y_{n,u,v,o} = \sum_{i,j,c} x_{n,\, u s + i d,\, v s + j d,\, c} \, k_{i,j,c,o}$.

The kernel is not flipped, as in TensorFlow, PyTorch and ONNX. The general case is
`jax.lax.conv_general_dilated`, and GPUs and TPUs have no other. On CPUs five forms are
faster where shapes favor them, and are taken by shape, dtype and version of JAX alone;
value, input derivative and kernel derivative choose each for itself:

- Depthwise, one channel to a group, has nothing to contract: a sum of shifted copies of
  the input, one for each of the kernel's offsets.
- Unfolded into one matrix product (im2col): a 1x1 kernel, which needs no copies; few
  channels; and the kernel's derivative, where each copied entry meets many channels.
- Unfolded by rows of the kernel, where that takes much memory: a product for each.
- Paired: for more pixels of few channels, what two neighbors see is unfolded together.
  It multiplies by zero, so that an infinity or NaN reaches its neighbor as a NaN.
- Winograd's F(2, 3), float32 with a precision below "highest" alone: a 3x3 kernel
  between many channels, in 4/9 of the multiplications. Its rounding error is a small
  multiple of the sum's own, but measured against the largest entry of a 4x4 tile:
  beside a huge pixel, outputs that do not see it lose their digits.

All of these but XLA's own compute half precision in float32 and round it once.

Not offered: transposed convolution (the `jax.vjp` of this one), input dilation,
negative padding (slice the input).
"""

from jnumerics.conv._conv2d import conv2d

__all__ = ["conv2d"]
