"""One of several processes: `python -m tests.workbench.devices._peer WHAT FLAGS`.

The flags are those of `devices.Settings`; what each does is its docstring.
"""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

import jax
import numpy as np

from jnumerics.workbench import config, devices
from jnumerics.workbench.config import UsageError
from tests.workbench.devices import _problem

LAST = "the others are left alone"


class Config(devices.Settings):
    """Settings of this program."""

    steps: config.Count = 1
    """updates"""


def trains(config):
    """Train in a folder that all see; the first process writes what it came to."""
    mesh = devices.mesh(config.devices)
    trained = _problem.train(mesh, config.steps, folder=config.out)
    parts = devices.gather(devices.shard(_problem.X, mesh, axis=1))
    np.testing.assert_array_equal(parts, _problem.X)
    params, losses = devices.gather((trained.params, trained.losses))
    if devices.is_first():
        named = {str(k): leaf for k, leaf in enumerate(jax.tree.leaves(params))}
        np.savez(Path(config.out, "trained.npz"), losses=losses, **named)


def dies(config):
    """The last process is killed in the midst of steps; the others go on."""
    _steps(lambda: os.kill(os.getpid(), signal.SIGKILL))


def fails(config):
    """The last process has an error of its own."""

    def fail():
        raise OSError(LAST)

    _steps(fail)


def refuses(config):
    """Every process refuses the same; the last one is slow."""
    if _is_last():
        time.sleep(3)
    msg = "--steps must be even"
    raise UsageError(msg)


def nothing(config):
    """Nothing is done."""


def idle(config):
    """The last process is killed while no other waits for it."""
    _steps(lambda: None, limit=5)
    if _is_last():
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def _steps(event, *, limit=10**6):
    mesh = devices.mesh()
    x = devices.shard(np.ones(8 * mesh.size, np.float32), mesh)
    total = devices.replicate(np.float32(0), mesh)
    step = jax.jit(lambda total, x: total + x.mean())
    for k in range(limit):
        total = jax.block_until_ready(step(total, x))
        if k == 50 and _is_last():
            event()


def _is_last():
    return jax.process_index() == jax.process_count() - 1


def main(what, *argv):
    parser = argparse.ArgumentParser()
    file = Path(os.devnull)
    config.add_flags(parser, Config, file)
    settings = config.load(
        Config, file, config.given_flags(Config, parser.parse_args(argv))
    )
    with devices.joined_as(settings):
        globals()[what](settings)
        sys.stdout.write("done\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
