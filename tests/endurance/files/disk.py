"""A disk that is full, a folder that cannot be written to, one that vanishes."""

import contextlib
import io
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax

from jnumerics.workbench import checkpoint
from jnumerics.workbench.training import Training, train
from tests.endurance.outcome import Outcome, Work

TREE = {"x": np.arange(100_000.0)}
NOBODY = 65534
AS_NOBODY = f"""
import os, sys, jax
from jnumerics.workbench import checkpoint
jax.devices()  # what it imports may not be readable later
if os.getuid() == 0:  # whom no permission binds
    os.setgid({NOBODY})
    os.setuid({NOBODY})
try:
    checkpoint.save(sys.argv[1], 2, {{"x": 1.0}})
except OSError as e:
    print(type(e).__name__, e.filename, e)
"""


def failures(work: Work) -> Outcome:
    """Each failure names the folder and leaves the older checkpoints as they were."""
    wrong, writes, runs = [], 0, 0
    for name, folder, message in work.within(_failed()):
        writes += 1
        if not message or str(folder) not in message:
            wrong.append(f"{name}: the error does not name the folder: {message!r}")
        if not folder.is_dir():
            continue
        names = sorted(path.name for path in folder.iterdir())
        if names != ["step-000000001.safetensors"]:
            wrong.append(f"{name}: the folder holds {names}")
        elif not np.array_equal(checkpoint.load(folder, TREE)[1]["x"], TREE["x"]):
            wrong.append(f"{name}: the older checkpoint has changed")
    for name, trouble in work.within(TROUBLES.items()):
        runs += 1
        wrong += [f"{name} in a run: {line}" for line in _run_with(trouble)]
    what = "full disk, read-only folder, one that vanished, or is a file"
    figures = f"{writes} failed writes ({what}), {runs} runs that went on"
    return Outcome(figures, wrong)


def _failed() -> Iterator[tuple[str, Path, str]]:
    for limit in (0, 1, 64, 4096, 200_000, 799_999):
        folder = _folder()
        with most_bytes(limit):
            message = _message(folder)
        yield f"full at {limit} bytes", folder, message
    folder = _folder()
    folder.chmod(0o555)
    yield "read-only", folder, _as_nobody(folder)
    folder = _folder()
    shutil.rmtree(folder)
    folder.touch()
    yield "vanished, a file in its place", folder, _message(folder)
    yield "in what is a file", folder / "inner", _message(folder / "inner")
    yield "in /proc", Path("/proc/jnumerics"), _message(Path("/proc/jnumerics"))


@contextlib.contextmanager
def most_bytes(limit: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp())
    checkpoint.save(folder, 1, TREE)
    return folder


def _message(folder: Path) -> str:
    try:
        checkpoint.save(folder, 2, {"x": TREE["x"] + 1})
    except OSError as e:
        return str(e)
    return ""


def _as_nobody(folder: Path) -> str:
    """Save as a user whom the folder's permissions bind."""
    command = [sys.executable, "-c", AS_NOBODY, folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout or f"no error; {done.stderr}"


# --- runs -----------------------------------------------------------------------------


def _full(folder: Path) -> contextlib.AbstractContextManager[None]:
    del folder
    return most_bytes(300)


@contextlib.contextmanager
def _vanished(folder: Path) -> Iterator[None]:
    shutil.rmtree(folder)
    yield


@contextlib.contextmanager
def _a_file(folder: Path) -> Iterator[None]:
    moved = folder.rename(f"{folder}.kept")
    folder.touch()
    yield
    folder.unlink()
    moved.rename(folder)


OPTIMIZER = optax.sgd(0.1, momentum=0.9)  # one: the program is compiled once
TROUBLES = {"full disk": _full, "folder vanished": _vanished, "a file": _a_file}


def _loss(p: Any, x: Any) -> Any:
    return jnp.mean((p[None] - x) ** 2)


def _run(folder: Path | None, **options: Any) -> Training:
    return train(
        _loss,
        jnp.zeros(5),
        optimizer=OPTIMIZER,
        steps=60,
        data=np.arange(50.0, dtype=np.float32).reshape(10, 5),
        batch_size=4,
        report_every=10,
        checkpoint=folder,
        checkpoint_every=10,
        **options,
    )


def _run_with(trouble: Callable[[Path], Any]) -> list[str]:
    """A run with a trouble from step 30 on ends as others, and so does its resume."""
    folder, told = Path(tempfile.mkdtemp()), io.StringIO()
    with contextlib.redirect_stderr(told), contextlib.ExitStack() as stack:

        def callback(step: int, params: Any, losses: Any) -> None:
            if step == 30:
                stack.enter_context(trouble(folder))

        plain = np.asarray(_run(None).params)
        params = np.asarray(_run(folder, callback=callback).params)
        stack.close()
        resumed = np.asarray(_run(folder, resume=True).params)
    wrong = []
    if params.tobytes() != plain.tobytes():
        wrong.append("its parameters differ")
    if resumed.tobytes() != plain.tobytes():
        wrong.append("the parameters of its resume differ")
    if trouble is not _vanished and str(folder) not in told.getvalue():
        wrong.append(f"it does not tell the folder: {told.getvalue()[-500:]}")
    return wrong
