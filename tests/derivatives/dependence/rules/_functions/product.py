"""Products and convolutions."""

import jax.numpy as jnp

from tests.derivatives.dependence.rules._functions.values import conv, weights

PRODUCT = {
    "matrix times": ((3, 4), lambda x: x @ weights(4, 2)),
    "times matrix": ((3, 4), lambda x: weights(2, 3) @ x),
    "batched": ((3, 4, 2), lambda x: jnp.einsum("bij,bjk->bik", x, weights(3, 2, 5))),
    "batched, last": (
        (4, 2, 3),
        lambda x: jnp.einsum("ijb,bjk->bki", x, weights(3, 2, 5)),
    ),
    "batched, right": (
        (3, 4, 2),
        lambda x: jnp.einsum("bki,bij->bkj", weights(3, 5, 4), x),
    ),
    "contracts two": (
        (3, 4, 2),
        lambda x: jnp.einsum("ijk,ijl->kl", x, weights(3, 4, 2)),
    ),
    "outer": ((3,), lambda x: jnp.einsum("i,j->ij", x, weights(2))),
    "outer, right": ((3,), lambda x: jnp.einsum("i,j->ij", weights(2), x)),
    "contracts nothing": ((3, 0), lambda x: x @ jnp.ones((0, 2))),
    "gram": ((3, 2), lambda x: (x @ x.T)[0, 1]),
    "conv": ((2, 3, 7, 6), lambda x: conv(x, weights(4, 3, 3, 2), (1, 1), "SAME")),
    "conv strided": (
        (1, 2, 9, 7),
        lambda x: conv(x, weights(3, 2, 3, 2), (2, 3), "VALID"),
    ),
    "conv dilated": (
        (1, 1, 9, 8),
        lambda x: conv(
            x, weights(1, 1, 2, 3), (1, 2), ((1, 0), (2, 1)), rhs_dilation=(3, 2)
        )[..., :1],
    ),
    "conv transposed": (
        (1, 1, 4),
        lambda x: conv(x, weights(2, 1, 3), (1,), ((2, 1),), lhs_dilation=(2,)),
    ),
    "conv of holes": (
        (1, 1, 4),
        lambda x: conv(x, weights(1, 1, 1), (1,), ((1, 1),), lhs_dilation=(3,)),
    ),
    "conv cropped": ((1, 1, 7), lambda x: conv(x, weights(1, 1, 2), (2,), ((-1, -2),))),
    "conv in groups": (
        (2, 6, 5),
        lambda x: conv(x, weights(4, 3, 2), (1,), "VALID", feature_group_count=2),
    ),
    "conv depthwise": (
        (1, 3, 5),
        lambda x: conv(x, weights(6, 1, 2), (1,), "SAME", feature_group_count=3),
    ),
    "conv of batch groups": (
        (6, 2, 5),
        lambda x: conv(x, weights(4, 2, 2), (1,), "VALID", batch_group_count=2),
    ),
    "conv NHWC": (
        (2, 5, 4, 3),
        lambda x: conv(
            x,
            weights(2, 2, 3, 2),
            (1, 1),
            "VALID",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        ),
    ),
    "conv CWNH": (
        (3, 4, 2, 5),
        lambda x: conv(
            x,
            weights(2, 3, 2, 2),
            (1, 1),
            "SAME",
            dimension_numbers=("CWNH", "WIOH", "HNCW"),
        ),
    ),
    "conv without space": ((3, 4), lambda x: conv(x, weights(2, 4), (), ())),
    "conv of the kernel": (
        (4, 3, 3, 2),
        lambda x: conv(jnp.asarray(weights(2, 3, 5, 6)), x, (1, 1), "SAME"),
    ),
    "conv of the kernel, all in it": (
        (2, 1, 5),
        lambda x: conv(jnp.asarray(weights(1, 1, 3)), x, (1,), ((4, 4),)),
    ),
    "conv of the kernel over no images": (
        (2, 1, 3),
        lambda x: conv(jnp.ones((0, 1, 5)), x, (1,), "SAME"),
    ),
    "conv of the kernel over no features": (
        (2, 3),
        lambda x: conv(jnp.ones((2, 0, 5)), x[:, None][:, :0], (1,), "SAME"),
    ),
    "conv of the kernel beside the image": (
        (2, 1, 1),
        lambda x: conv(jnp.asarray(weights(1, 1, 4)), x, (1,), ((2, 2),)),
    ),
    "conv of the kernel, a tap on padding": (
        (2, 1, 3),
        lambda x: conv(jnp.ones((1, 1, 1)), x, (2,), ((3, 1),)),
    ),
    "conv of the kernel, dilated": (
        (2, 1, 3),
        lambda x: conv(
            jnp.asarray(weights(1, 1, 6)),
            x,
            (2,),
            ((3, 2),),
            rhs_dilation=(2,),
            lhs_dilation=(3,),
        ),
    ),
    "conv of the kernel in groups": (
        (4, 3, 2),
        lambda x: conv(
            jnp.asarray(weights(2, 6, 5)), x, (1,), "SAME", feature_group_count=2
        ),
    ),
    "conv of the kernel in batch groups": (
        (4, 2, 2),
        lambda x: conv(
            jnp.asarray(weights(6, 2, 5)), x, (1,), "SAME", batch_group_count=2
        ),
    ),
    "conv of the kernel HWIO": (
        (3, 2, 3, 2),
        lambda x: conv(
            jnp.asarray(weights(2, 5, 4, 3)),
            x,
            (1, 1),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        ),
    ),
    "convolve with a shorter": (
        (4,),
        lambda x: jnp.convolve(jnp.asarray(weights(9)), x),
    ),
}
