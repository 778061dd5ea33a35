"""`python -m tests.workbench.checkpoint._peer FOLDER` and flags of several processes.

They save arrays that none of them has whole, and load them in other parts.
"""

import argparse
import sys

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from jnumerics.workbench import checkpoint, devices
from tests.workbench.checkpoint.same import assert_same

X = np.arange(48, dtype=np.float32).reshape(8, 6)


def placed(mesh, *axes):
    sharding = NamedSharding(mesh, PartitionSpec(*axes))
    keys = jax.random.split(jax.random.key(3), 8)
    return {
        "x": jax.device_put(X, sharding),
        "keys": jax.jit(lambda: keys, out_shardings=sharding)(),
        "all": devices.replicate(X, mesh),
        "own": np.arange(3),
        "weak": jax.jit(
            lambda: 2.5, out_shardings=NamedSharding(mesh, PartitionSpec())
        )(),
        "n": 7,
    }


def main(folder, *flags):
    parser = argparse.ArgumentParser()
    parser.add_argument("--coordinator")
    parser.add_argument("--processes", type=int)
    parser.add_argument("--process-id", type=int)
    with devices.joined(*vars(parser.parse_args(flags)).values()):
        mesh = devices.mesh()
        axis = mesh.axis_names[0]
        tree, other = placed(mesh, axis), placed(mesh)
        assert not tree["x"].is_fully_addressable
        checkpoint.save(folder, 5, tree)
        devices.any_process(False)  # the first one has written
        for like in (tree, other):
            step, loaded = checkpoint.load(folder, like)
            assert step == 5
            for name, leaf in loaded.items():
                assert getattr(leaf, "sharding", 0) == getattr(
                    like[name], "sharding", 0
                )
                assert_same(devices.gather(leaf), devices.gather(like[name]))
        sys.stdout.write("done\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
