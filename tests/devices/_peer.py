"""One of several processes: `python -m tests.devices._peer WHAT FLAGS`.

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
from tests.devices import _problem

LAST = "the others are left alone"


class Config(devices.Settings):
    """Settings of this program."""

    start: str | None = None
    """file to go on from"""


def descend(config):
    """Descend from a start; the first process writes state and losses to a file."""
    mesh = devices.mesh(config.devices)
    file, begin, state = Path(config.out, "state.npz"), 0, None
    params = _problem.PARAMS
    state = _problem.OPTIMIZER.init(params)
    tree = jax.tree.structure((params, state))
    if config.start is not None:
        saved = np.load(config.start)
        begin = int(saved["step"])
        leaves = [saved[str(k)] for k in range(tree.num_leaves)]
        params, state = jax.tree.unflatten(tree, leaves)
    steps = slice(begin, begin + _problem.STEPS // 2)
    batches = jax.tree.map(lambda x: x[steps], _problem.BATCHES)
    params, state = devices.replicate((params, state), mesh)
    found = _problem.descend(params, devices.shard(batches, mesh, axis=1), state=state)
    whole, parts = devices.gather((found, devices.shard(_problem.X, mesh, axis=1)))
    np.testing.assert_array_equal(parts, _problem.X)
    assert devices.any_process(jax.process_index() == jax.process_count() - 1)
    assert not devices.any_process(False)
    if devices.is_first():
        leaves = jax.tree.leaves((whole.params, whole.state))
        named = {str(k): leaf for k, leaf in enumerate(leaves)}
        np.savez(file, step=steps.stop, losses=whole.losses, **named)


def dies(config):
    """The last process is killed in the midst of steps; the others go on."""
    _steps(lambda: os.kill(os.getpid(), signal.SIGKILL))


def fails(config):
    """The last process has an error of its own."""

    def fail():
        raise OSError(LAST)

    _steps(fail)


def refuses(config):
    """All processes refuse the same setting."""
    msg = "--steps must be even"
    raise UsageError(msg)


def idle(config):
    """The last process is killed while no other waits for it."""
    _steps(lambda: None, most=5)
    if _is_last():
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def _steps(event, *, most=10**6):
    mesh = devices.mesh()
    x = devices.shard(np.ones(8 * mesh.size, np.float32), mesh)
    total = devices.replicate(np.float32(0), mesh)
    step = jax.jit(lambda total, x: total + x.mean())
    for k in range(most):
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
