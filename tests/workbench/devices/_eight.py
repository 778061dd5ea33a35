"""Meshes of eight devices, and what lies on them; run in a process of its own."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics.workbench import devices
from tests.workbench.devices import _problem

GATHERS = re.compile(r" (all-gather|all-to-all|collective-permute)\S*\(")


def check_descent():
    """Eight devices give the losses of one, each with its part of every batch."""
    alone = _problem.descend(_problem.PARAMS, _problem.BATCHES)
    for count in (1, 2, 4, 8):
        mesh = devices.mesh(count)
        params = devices.replicate(_problem.PARAMS, mesh)
        batches = devices.shard(_problem.BATCHES, mesh, axis=1)
        text = jax.jit(_problem.descend).lower(params, batches).compile().as_text()
        assert not GATHERS.search(text or "")
        assert ("all-reduce" in (text or "")) == (count > 1)
        descended = _problem.descend(params, batches)
        np.testing.assert_allclose(descended.losses, alone.losses, rtol=1e-6)
        for ours, theirs in zip(*map(jax.tree.leaves, (descended, alone)), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
        assert descended.params[0].weight.sharding.device_set == set(mesh.devices.flat)
        assert descended.params[0].weight.is_fully_replicated


def check_meshes():
    """A mesh holds the first devices, and no more than there are."""
    for count in (1, 3, 8):
        assert [*devices.mesh(count).devices] == jax.devices()[:count]
    assert devices.mesh().size == 8
    with pytest.raises(devices.DevicesError) as caught:
        devices.mesh(9, name="--devices")
    assert str(caught.value).startswith("--devices must be at most 8, as many devices")
    assert "XLA_FLAGS=--xla_force_host_platform_device_count=9" in str(caught.value)


def check_parts():
    """Every device has its part, of every dtype; they make up the whole again."""
    mesh = devices.mesh(4)
    keys = jax.random.split(jax.random.key(0), 8)
    batch = {
        "wide": np.arange(16.0).reshape(8, 2),  # float32 without x64
        "half": jnp.arange(8, dtype=jnp.bfloat16),
        "keys": keys,
        "empty": np.ones((0, 3), np.int32),
    }
    parts = devices.shard(batch, mesh)
    assert parts["wide"].dtype == np.float32
    for leaf in jax.tree.leaves(parts):
        shapes = {shard.data.shape[0] for shard in leaf.addressable_shards}
        assert shapes == {leaf.shape[0] // 4}
    whole = devices.gather(parts)
    assert isinstance(whole["half"], np.ndarray)
    for name in ("wide", "half", "empty"):
        np.testing.assert_array_equal(whole[name], batch[name])
    actual, expected = map(jax.random.key_data, (whole["keys"], keys))
    np.testing.assert_array_equal(actual, expected)
    inside = jax.jit(lambda x: devices.shard(x + 1, mesh))(np.zeros((8, 2)))
    assert inside.sharding.spec[0] in ("batch", ("batch",))


def check_refusals():
    """A batch that the devices do not divide is refused, with its place."""
    mesh = devices.mesh(4)
    for batch, message in (
        (
            {"x": np.ones((6, 2))},
            r"that 4 devices divide, got shape \(6, 2\) at \['x'\]",
        ),
        (np.float32(1), r"a first axis that 4 devices divide, got shape \(\)$"),
    ):
        with pytest.raises(ValueError, match=f"^`batch` must have .*{message}"):
            devices.shard(batch, mesh)
    with pytest.raises(ValueError, match=r"an axis 1 that 4 devices .* shape \(8, 2\)"):
        devices.shard(np.ones((8, 2)), mesh, axis=1)


if __name__ == "__main__":
    check_meshes()
    check_parts()
    check_refusals()
    check_descent()
