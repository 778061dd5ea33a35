"""The errors that `conv` promises."""

import jax.numpy as jnp

from tests.package._promises.arguments import conv

IMAGE, KERNEL = jnp.ones((2, 5, 5, 3)), jnp.ones((3, 3, 3, 4))
PROMISES = {
    ("conv.conv2d", TypeError): {
        "`x` or `kernel` is not an array of numbers": [
            lambda: conv.conv2d("text", KERNEL),
            lambda: conv.conv2d(IMAGE, [[1.0]]),
        ],
        "`stride`, `dilation`, `groups` or `padding` is not made of integers": [
            lambda: conv.conv2d(IMAGE, KERNEL, stride=1.5),
            lambda: conv.conv2d(IMAGE, KERNEL, dilation=(1, 1.5)),
            lambda: conv.conv2d(IMAGE, KERNEL, groups=1.5),
            lambda: conv.conv2d(IMAGE, KERNEL, padding=0.5),
        ],
    },
    ("conv.conv2d", ValueError): {
        "a rank is not 4": [
            lambda: conv.conv2d(IMAGE[0], KERNEL),
            lambda: conv.conv2d(IMAGE, KERNEL[0]),
        ],
        "channels and groups do not match": [
            lambda: conv.conv2d(IMAGE, KERNEL[:, :, :2]),
            lambda: conv.conv2d(IMAGE, KERNEL, groups=2),
        ],
        "an option is out of its range": [
            lambda: conv.conv2d(IMAGE, KERNEL, stride=0),
            lambda: conv.conv2d(IMAGE, KERNEL, dilation=0),
            lambda: conv.conv2d(IMAGE, KERNEL, padding="FULL"),
            lambda: conv.conv2d(IMAGE, KERNEL, layout="HWCN"),
            lambda: conv.conv2d(IMAGE, KERNEL, precision="most"),
        ],
    },
}
