"""Meshes, and arrays that lie on them."""

import jax
import numpy as np
import pytest

from jnumerics.workbench import devices
from jnumerics.workbench.config import UsageError
from tests.workbench.devices._run import run


@pytest.mark.process
@pytest.mark.slow
def test_eight_devices_share_a_descent_and_lose_nothing():
    done = run("-W", "error", "-m", "tests.workbench.devices._eight", devices=8)
    assert done.status == 0, done.err


@pytest.mark.process
@pytest.mark.slow
def test_derivatives_of_a_shared_batch_stay_where_its_samples_are():
    done = run("-m", "tests.workbench.devices._derivatives", devices=8)
    assert done.status == 0, done.err


def test_more_devices_than_there_are_are_refused_with_the_way_to_virtual_ones():
    count = jax.device_count() + 1
    way = f"XLA_FLAGS=--xla_force_host_platform_device_count={count} in the environment"
    with pytest.raises(
        ValueError, match=rf"^`count` must be at most .*, got {count}: {way}"
    ):
        devices.mesh(count)
    with pytest.raises(UsageError, match=r"^--devices must be at most"):
        devices.mesh(count, name="--devices")


@pytest.mark.boundary
@pytest.mark.parametrize(("count", "error"), [(0, ValueError), (1.0, TypeError)])
def test_a_number_of_devices_is_a_positive_integer(count, error):
    with pytest.raises(error, match=r"^`count` must be "):
        devices.mesh(count)


@pytest.mark.boundary
@pytest.mark.parametrize("batch", ["text", None, [len]])
def test_a_batch_is_a_tree_of_arrays(batch):
    mesh = devices.mesh(1)
    if batch is None:
        assert devices.shard(batch, mesh) is None
    else:
        with pytest.raises(TypeError, match=r"^`batch` must be an array, got "):
            devices.shard(batch, mesh)


def test_what_is_no_array_is_the_same_on_every_device():
    tree = {"weights": np.ones(2), "rate": 0.1, "activation": np.tanh, "none": None}
    placed = devices.replicate(tree, devices.mesh(1))
    assert isinstance(placed["weights"], jax.Array)
    assert {**placed, "weights": 0} == {**tree, "weights": 0}
    back = devices.gather(placed)
    assert isinstance(back["weights"], np.ndarray)
    assert {**back, "weights": 0} == {**tree, "weights": 0}
