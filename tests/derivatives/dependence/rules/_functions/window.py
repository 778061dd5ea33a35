"""Windows."""

import jax.numpy as jnp

from tests.derivatives.dependence.rules._functions.values import pooled

WINDOW = {
    "average pool": (
        (2, 7, 6),
        pooled(
            "add", window_dimensions=(1, 3, 2), window_strides=(1, 2, 2), padding="SAME"
        ),
    ),
    "dilated": (
        (9,),
        pooled(
            "add",
            window_dimensions=(1,),
            window_strides=(2,),
            padding="VALID",
            window_dilation=(3,),
        ),
    ),
    "of holes": (
        (4,),
        pooled(
            "add",
            window_dimensions=(1,),
            window_strides=(1,),
            padding=((1, 1),),
            base_dilation=(2,),
        ),
    ),
    "spread": (
        (4, 3),
        pooled(
            "add",
            window_dimensions=(3, 1),
            window_strides=(1, 1),
            padding=((2, 2), (0, 0)),
            base_dilation=(2, 1),
        ),
    ),
    "long": (
        (40, 2),
        pooled("add", window_dimensions=(13, 1), window_strides=(3, 1), padding="SAME"),
    ),
    "larger than all": (
        (3, 2),
        pooled("add", window_dimensions=(5, 1), window_strides=(1, 1), padding="VALID"),
    ),
    "of the same, some padding": (
        (3, 2),
        lambda x: pooled(
            "add",
            window_dimensions=(1, 2),
            window_strides=(1, 1),
            padding=((0, 0), (3, 3)),
        )(jnp.broadcast_to(x[:, :1], (3, 4))),
    ),
    "all padding": (
        (3, 2),
        pooled(
            "add",
            window_dimensions=(2, 1),
            window_strides=(1, 1),
            padding=((3, 3), (0, 0)),
        ),
    ),
}
