"""Meshes of devices, and arrays on them: shares of a batch, copies of the rest.

A mesh has one axis, "batch". Its type is automatic: the compiler chooses how what is
computed lies on it, from how the arguments do.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jnumerics import _check
from jnumerics.workbench._usage import UsageError

AXIS = "batch"
VIRTUAL = "XLA_FLAGS=--xla_force_host_platform_device_count={} in the environment"


class DevicesError(UsageError, ValueError):
    """A number that the devices do not allow: of themselves, or of samples."""


def mesh(count: int | None = None, *, name: str = "`count`") -> Mesh:
    """Return the mesh of all devices, or of the first ones.

    Where several processes have joined, these are the devices of all of them, and each
    process takes part with as many. All have to call this, at about the same time: it
    connects them.

    Args:
        count: How many devices, of all processes together; None takes all.
        name: What the message calls that number: a flag, for instance.

    Returns:
        A mesh with the one axis "batch".

    Raises:
        TypeError: If `count` is no integer.
        ValueError: If it is less than 1; as a `DevicesError`, one that a script ends
            with in one line, if it is more than there are devices, or if the processes
            do not divide it.

    Example:
        >>> mesh(1).axis_names
        ('batch',)
    """
    here = jax.devices()
    if count is None:
        chosen = here
    else:
        count = _check.integer("count", count, least=1)
        chosen = _first(here, count, name)
    kinds = (AxisType.Auto,)
    made = jax.make_mesh((len(chosen),), (AXIS,), axis_types=kinds, devices=chosen)
    if jax.process_count() > 1:
        _meet(made)
    return made


def _meet(mesh: Mesh) -> None:
    """Let processes connect now: they wait for each other's first sum only so long.

    gloo gives up after half a minute, and what is compiled before may take longer in
    one process than in another.
    """
    multihost_utils.sync_global_devices("jnumerics.devices.mesh")
    ones = shard(np.ones(mesh.size, np.float32), mesh)
    whole = NamedSharding(mesh, PartitionSpec())
    jax.jit(jax.numpy.sum, out_shardings=whole)(ones).block_until_ready()


def _first(here: list[Any], count: int, name: str) -> list[Any]:
    """Return so many devices, of each process equally many."""
    processes = jax.process_count()
    if count > len(here):
        ways = VIRTUAL.format(-(-count // processes))
        on_cpu = " makes so many of the CPU"
        each = " for each process" if processes > 1 else ""
        msg = (
            f"{name} must be at most {len(here)}, as many devices as there are, got "
            f"{count}: {ways}{on_cpu}{each}"
        )
        raise DevicesError(msg)
    if count % processes:
        msg = f"{name} must be a multiple of the {processes} processes, got {count}"
        raise DevicesError(msg)
    by_process: dict[int, list[Any]] = {}
    for device in here:
        by_process.setdefault(device.process_index, []).append(device)
    each = count // processes
    if any(len(own) < each for own in by_process.values()):
        least = processes * min(map(len, by_process.values()))
        msg = f"{name} must be at most {least}, as many in each process, got {count}"
        raise DevicesError(msg)
    return [d for own in by_process.values() for d in own[:each]]


def shard(batch: Any, mesh: Mesh, *, axis: int = 0) -> Any:
    """Divide the arrays of a batch among the devices of a mesh, along their first axis.

    Args:
        batch: A pytree of arrays. Where several processes have joined, each passes the
            same whole batch, and puts its part on its own devices. Under `jax.jit` the
            compiler is told that the arrays lie so.
        mesh: The mesh.
        axis: The axis of samples, where it is not the first: 1 for batches that lie in
            a stack, one for each step.

    Returns:
        The same tree, of arrays that lie on the mesh; leaves that already do stay.

    Raises:
        ValueError: As a `DevicesError`, if a leaf has no such axis, or one that the
            devices do not divide.
        TypeError: If `axis` is no integer, or a leaf no array.

    Example:
        >>> shard({"x": np.ones((6, 2))}, mesh(1))["x"].shape
        (6, 2)
    """
    axis = _check.integer("axis", axis, least=0)
    spec = PartitionSpec(*[None] * axis, mesh.axis_names)

    def place(path: Any, x: Any) -> jax.Array:
        if not hasattr(x, "shape"):
            x = _check.array("batch", x)
        _require_divided(path, x.shape, axis, mesh.size)
        return _placed(x, NamedSharding(mesh, spec))

    return jax.tree_util.tree_map_with_path(place, batch)


def _require_divided(path: Any, shape: tuple[int, ...], axis: int, size: int) -> None:
    if len(shape) <= axis or shape[axis] % size:
        which = "a first axis" if axis == 0 else f"an axis {axis}"
        divided = "" if size == 1 else f" that {size} devices divide"
        where = jax.tree_util.keystr(path)
        at = f" at {where}" if where else ""
        msg = f"`batch` must have {which}{divided}, got shape {tuple(shape)}{at}"
        raise DevicesError(msg)


def replicate(tree: Any, mesh: Mesh) -> Any:
    """Put a copy of every array on every device of a mesh: parameters, for instance.

    Args:
        tree: A pytree; leaves that are no arrays (a number, a function) stay as they
            are. Where several processes have joined, each passes the same arrays.
        mesh: The mesh.

    Returns:
        The same tree, of arrays that lie on the mesh.

    Example:
        >>> replicate(np.ones(2), mesh(1)).is_fully_replicated
        True
    """
    whole = NamedSharding(mesh, PartitionSpec())
    return _of_arrays(lambda x: _placed(x, whole), tree)


def gather(tree: Any) -> Any:
    """Return every array of a tree whole, in the memory of this process: as NumPy's.

    Where several processes have joined, each has to call it: they exchange the parts of
    what is sharded among them.

    Args:
        tree: A pytree; leaves that are no arrays stay as they are.

    Returns:
        The same tree of NumPy's arrays; random keys remain arrays of JAX, on one device
        of this process.

    Example:
        >>> gather(shard(np.arange(3.0), mesh(1)))
        array([0., 1., 2.], dtype=float32)
    """
    return _of_arrays(_whole, tree)


def _of_arrays(fun: Callable[[Any], Any], tree: Any) -> Any:
    arrays = jax.Array, np.ndarray, np.generic
    return jax.tree.map(lambda x: fun(x) if isinstance(x, arrays) else x, tree)


def _placed(x: Any, sharding: NamedSharding) -> jax.Array:
    """Put an array on a mesh."""
    if not _check.is_concrete(x):
        return jax.lax.with_sharding_constraint(x, sharding)
    if _is_key(x):
        data = _placed(jax.random.key_data(x), _of_data(sharding, x))
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(x))
    is_elsewhere = isinstance(x, jax.Array) and not x.is_fully_addressable
    if sharding.is_fully_addressable or is_elsewhere:
        return jax.device_put(x, sharding)
    host = np.asarray(x)  # the same in each process, which copies its parts alone
    host = host.astype(jax.dtypes.canonicalize_dtype(host.dtype), copy=False)
    return jax.make_array_from_callback(host.shape, sharding, host.__getitem__)


def _of_data(sharding: NamedSharding, keys: jax.Array) -> NamedSharding:
    """Return the sharding of keys' numbers, which stand behind the keys' own axes."""
    spec = (*sharding.spec, *[None] * (keys.ndim - len(sharding.spec)))
    return NamedSharding(sharding.mesh, PartitionSpec(*spec))


def _whole(x: Any) -> Any:
    if _is_key(x):
        data = _whole(jax.random.key_data(x))
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(x))
    is_here = not isinstance(x, jax.Array) or x.is_fully_addressable
    if is_here or x.is_fully_replicated:
        return np.asarray(x)
    return multihost_utils.process_allgather(x, tiled=True)


def _is_key(x: Any) -> bool:
    return isinstance(x, jax.Array) and jax.numpy.issubdtype(
        x.dtype, jax.dtypes.prng_key
    )
