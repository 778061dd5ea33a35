r"""Two-dimensional convolution as networks use it: cross-correlation.

For one output channel $o$, at stride $s$ and dilation $d$, on the padded input,

$y_{n,u,v,o} = \sum_{i,j,c} x_{n,\, u s + i d,\, v s + j d,\, c} \, k_{i,j,c,o}$.

The kernel is not flipped, as in TensorFlow, PyTorch and ONNX. The general case is
`jax.lax.conv_general_dilated`; three forms of it are exact and faster, and are taken
by shape alone:

- A 1x1 kernel without padding is a matrix product over pixels. Where the sum is over
  few channels, the convolution is faster and stays; value, input derivative and
  kernel derivative choose each for itself.
- One channel to a group (depthwise) has nothing to contract: it is a sum of shifted
  copies of the input, one for each of the kernel's offsets, and so are its
  derivatives. Half precision is summed in float32.
- Small images of few channels, with few channels out, are unfolded along their width,
  then along their height, into one matrix product (im2col). Its derivatives are those
  of the general case.

Not offered: transposed convolution (the `jax.vjp` of this one), input dilation,
negative padding (slice the input).
"""

from jnumerics.conv._conv2d import conv2d

__all__ = ["conv2d"]
