"""Derivatives of arrays that lie on four devices; run in a process of its own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec, auto_axes

from jnumerics.derivatives import (
    batch_jacobian,
    dependence,
    divergence,
    hessian,
    jacobian,
    jacobian_diagonal,
    laplacian,
)

MODES = ("forward", "reverse", "cut", "compressed", "auto")
SPLIT = PartitionSpec("samples")
WEIGHTS = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
X = np.random.default_rng(1).normal(size=(8, 3)).astype(np.float32)


def layer(x):
    return jnp.tanh(x @ WEIGHTS)


def every_mode(x):
    return {mode: jacobian(layer, mode=mode)(x) for mode in MODES}


def check(axis_type, by_mode):
    mesh = jax.make_mesh((4,), ("samples",), axis_types=(axis_type,))
    with jax.set_mesh(mesh):
        x = jax.device_put(X, NamedSharding(mesh, SPLIT))
        blocks = jax.jit(batch_jacobian(layer))(x)
        jacobians = by_mode(x)
    expected = np.asarray(jax.jacrev(layer)(X))
    np.testing.assert_allclose(blocks, np.einsum("njnk->njk", expected), atol=1e-6)
    assert blocks.sharding.spec[0] == "samples", blocks.sharding
    for mode, J in jacobians.items():
        np.testing.assert_allclose(J, expected, atol=1e-6, err_msg=mode)


def on_shards(fun, in_axes, out_axes):
    mesh = jax.make_mesh((2, 2), ("a", "b"), axis_types=(AxisType.Auto,) * 2)
    in_specs, out_specs = PartitionSpec(*in_axes), PartitionSpec(*out_axes)
    return jax.shard_map(
        fun, mesh=mesh, in_specs=in_specs, out_specs=out_specs, check_vma=False
    )


@jax.custom_vjp
def with_hidden_sum(x):
    return jnp.sin(x)


with_hidden_sum.defvjp(
    lambda x: (jnp.sin(x), x), lambda x, g: (jax.lax.psum(g, "a") * jnp.cos(x),)
)


@jax.custom_vjp
def with_rule(x):
    return jnp.sin(x)


with_rule.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (g * jnp.cos(x),))


# functions of shards, the mesh axes that split x and the result, whether samples mix
ON_SHARDS = [
    (jnp.sin, "a", "a", False),
    (jnp.sin, [("a", "b")], [("a", "b")], False),
    (lambda x: 2 * x, [("a", "b")], [("b", "a")], True),
    (jnp.sin, [], [], False),
    (lambda x: jax.lax.psum(x**2, "b"), [None, "b"], [], False),
    (lambda x: jax.lax.psum(x**2, "a"), "a", [], True),
    (lambda x: jax.lax.ppermute(x, "b", [(0, 1)]), [None, "b"], [None, "b"], False),
    (lambda x: jax.lax.ppermute(x, "a", [(0, 1)]), "a", "a", True),
    (
        lambda x: jax.lax.all_gather(x, "b", axis=1, tiled=True)[:, ::2],
        [None, "b"],
        [None, "b"],
        False,
    ),
    (
        lambda x: jax.lax.all_gather(x, "b", axis=1).sum(1),
        [None, "b"],
        [None, "b"],
        False,
    ),
    (lambda x: jax.lax.all_gather(x, "a", axis=0, tiled=True)[::2], "a", "a", True),
    (
        lambda x: jax.lax.all_to_all(x, "b", 1, 1, tiled=True),
        [None, "b"],
        [None, "b"],
        False,
    ),
    (lambda x: jax.lax.all_to_all(x, "b", 0, 1, tiled=True), [None, "b"], ["b"], True),
    (
        lambda x: jax.lax.psum_scatter(x, "b", scatter_dimension=1, tiled=True),
        [],
        [None, "b"],
        False,
    ),
    (
        lambda x: jax.lax.psum_scatter(x[:, :2], "b", scatter_dimension=1),
        [],
        [None],
        False,
    ),
    (lambda x: jax.lax.psum_scatter(x, "a", tiled=True), [], "a", True),
    (lambda x: x * jax.lax.axis_index("a"), "a", "a", False),
    (lambda x: jnp.roll(x, jax.lax.axis_index("b"), 0), [None, "b"], [None, "b"], True),
    (lambda x: x - x.mean(0), "a", "a", True),
    (lambda x: jnp.cumsum(x, axis=1), "a", "a", False),
    (lambda x: with_hidden_sum(2 * x), "a", "a", True),
    (lambda x: with_rule(2 * x), "a", "a", False),
]


def check_shards():
    """Boxes of functions on shards hold the Jacobian, and are no larger by samples."""
    x = jnp.asarray(np.pad(X, ((0, 0), (0, 1))))
    for fun, in_axes, out_axes, mixes in ON_SHARDS:
        sharded = on_shards(fun, in_axes, out_axes)
        expected = np.asarray(jax.jit(jax.jacrev(sharded))(x))
        boxes = dependence(sharded, x)
        for *out, i, j in np.argwhere(expected):
            assert np.all(boxes.lower[tuple(out)] <= (i, j)), (in_axes, out_axes, out)
            assert np.all(boxes.upper[tuple(out)] >= (i, j)), (in_axes, out_axes, out)
        assert boxes.independent_along(0) is not mixes, (in_axes, out_axes)
        if mixes:
            lost = boxes.loss(0)
            assert lost is not None
            assert "unknown" not in lost.line, (in_axes, out_axes)
        np.testing.assert_allclose(jacobian(sharded)(x), expected, atol=1e-6)


def energy(x):
    return jnp.sum(jnp.sin(x[:, 1:] * x[:, :-1]))


def rotated(x):
    return jax.lax.ppermute(jnp.sin(x), "samples", [(0, 1), (1, 2), (2, 3), (3, 0)])


def centered(x):
    return x**2 - jax.lax.pmean(x, "samples")


def narrowed(x):
    """Devices exchange what is behind its narrowest place, where no cut may be."""
    return jnp.sin(rotated(x).sum() * WEIGHTS.ravel()[:6])


# what is differentiated on each device, by ours and by JAX
IN_SHARDS = [
    *((jacobian(layer, mode=mode), jax.jacfwd(layer)) for mode in MODES),
    (jacobian(rotated, mode="forward"), jax.jacfwd(rotated)),
    (jacobian(rotated, mode="reverse"), jax.jacrev(rotated)),
    (jacobian(centered, mode="forward"), jax.jacfwd(centered)),
    (jacobian(centered, mode="reverse"), jax.jacrev(centered)),
    (jacobian(narrowed, mode="cut"), jax.jacrev(narrowed)),
    (jacobian(layer, mode="forward", max_bytes=2000), jax.jacfwd(layer)),
    (batch_jacobian(layer), jax.vmap(jax.jacfwd(layer))),
    (hessian(energy), jax.hessian(energy)),
    (jacobian_diagonal(jnp.sin), jnp.cos),
    (lambda x: divergence(jnp.sin)(x)[None], lambda x: jnp.cos(x).sum()[None]),
    (
        lambda x: laplacian(energy)(x)[None],
        lambda x: jnp.einsum("ijij->", jax.hessian(energy)(x))[None],
    ),
]


def check_in_shards():
    """Derivatives that are taken on each device are those of JAX there."""
    mesh = jax.make_mesh((4,), ("samples",), axis_types=(AxisType.Auto,))
    on = {"mesh": mesh, "in_specs": SPLIT, "out_specs": SPLIT}
    for k, (ours, of_jax) in enumerate(IN_SHARDS):
        actual, expected = (jax.jit(jax.shard_map(f, **on))(X) for f in (ours, of_jax))
        np.testing.assert_allclose(actual, expected, atol=1e-5, err_msg=str(k))


def check_note():
    """What JAX refuses on a mesh with explicit axes says what to do."""
    mesh = jax.make_mesh((4,), ("samples",), axis_types=(AxisType.Explicit,))
    x = jax.device_put(X, NamedSharding(mesh, SPLIT))
    said = r"explicit axes \('samples',\)[^`]*`jax.sharding.auto_axes`"
    with pytest.raises(Exception, match=said):
        jacobian(layer)(x)


if __name__ == "__main__":
    assert jax.device_count() == 4
    check_shards()
    check_in_shards()
    check(AxisType.Auto, jax.jit(every_mode))
    check(AxisType.Explicit, auto_axes(every_mode, out_sharding=SPLIT))
    check_note()
    spread = jax.device_put(X, jax.devices()[3])
    np.testing.assert_allclose(jacobian_diagonal(jnp.sin)(spread), np.cos(X), atol=1e-6)
