"""Where a script computes: platforms, meshes of devices, processes.

A script that many devices share places its parameters on all of them and a part of each
batch on each, and computes as it would on one: JAX's compiler divides the work.

>>> import numpy as np
>>> devices = mesh()
>>> weights = replicate(np.ones(3), devices)
>>> batch = shard(np.ones((8 * devices.size, 3)), devices)
>>> (batch @ weights).shape == (8 * devices.size,)
True

Several processes, on one machine or on many, are one program with the devices of all of
them: inside of `joined`, `mesh` spans them. All processes run the same program, and
what each holds besides sharded arrays is the same; the first one alone writes
(`is_first`), after all have gathered what is to be written (`gather`).
"""

from jnumerics.workbench.devices._mesh import (
    DevicesError,
    gather,
    mesh,
    replicate,
    shard,
)
from jnumerics.workbench.devices._platform import (
    PLATFORMS,
    available,
    cores,
    counts,
    cpu,
    names,
    precision,
    select,
)
from jnumerics.workbench.devices._processes import any_process, is_first, joined
from jnumerics.workbench.devices._settings import Settings, joined_as

__all__ = [
    "PLATFORMS",
    "DevicesError",
    "Settings",
    "any_process",
    "available",
    "cores",
    "counts",
    "cpu",
    "gather",
    "is_first",
    "joined",
    "joined_as",
    "mesh",
    "names",
    "precision",
    "replicate",
    "select",
    "shard",
]
