"""Memory of a long run: it grows with the losses alone."""

import contextlib
import gc
import os
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jnumerics.workbench.training import train
from tests.endurance.outcome import Outcome, Work

MIB = 2**20


class Used(NamedTuple):
    """Bytes of the process, bytes of Python's objects, and arrays of JAX."""

    resident: int
    objects: int
    arrays: int


def _used() -> Used:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    resident = pages * os.sysconf("SC_PAGE_SIZE")
    return Used(resident, tracemalloc.get_traced_memory()[0], len(jax.live_arrays()))


def loss(params: Any, x: Any) -> Any:
    return jnp.mean((x @ params["w"] - 1.0) ** 2)


def growth(work: Work) -> Outcome:
    """Train in many chunks, each reported, and compare a quarter with the end."""
    early, late = work.count // 4, work.count
    seen = _used_at((early, late), work.count)
    resident, objects, arrays = (
        b - a for a, b in zip(seen[early], seen[late], strict=True)
    )
    wrong = []
    losses = 4 * (late - early)
    if objects > 3 * losses + 50_000:  # two copies while they grow
        wrong.append(f"Python's objects grew by {objects} bytes")
    if arrays > 0:
        wrong.append(f"{arrays} more arrays of JAX live")
    if resident > 8 * MIB:
        wrong.append(f"the process grew by {resident / MIB:.1f} MiB")
    figures = (
        f"{work.count:,} chunks: from the {early}th on the process grew by "
        f"{resident / MIB:.1f} MiB, Python's objects by {objects / 1000:.0f} kB "
        f"(losses {losses / 1000:.0f} kB), JAX's arrays by {arrays}"
    )
    return Outcome(figures, wrong)


def _used_at(moments: tuple[int, ...], steps: int) -> dict[int, Used]:
    seen: dict[int, Used] = {}

    def look(step: int, params: Any, losses: np.ndarray) -> None:
        if step == moments[0]:
            tracemalloc.start()  # from here on: it makes tracing and compiling slow
        if step in moments:
            seen[step] = _used()

    x = np.random.default_rng(0).normal(size=(64, 100)).astype(np.float32)
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        train(
            loss,
            {"w": jnp.zeros((100, 100))},
            optimizer=optax.sgd(0.01, momentum=0.9),
            steps=steps,
            data=x,
            batch_size=8,
            report_every=1,
            checkpoint=tempfile.mkdtemp(),
            checkpoint_every=max(steps // 20, 1),
            callback=look,
        )
    tracemalloc.stop()
    return seen
