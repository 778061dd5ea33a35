"""A disk that is full, a folder that cannot be written to, one that vanishes."""

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jnumerics.workbench import checkpoint
from tests.endurance.outcome import Outcome, Work

TREE = {"x": np.arange(100_000.0)}
NOBODY = 65534
AS_NOBODY = """
import sys
from jnumerics.workbench import checkpoint
try:
    checkpoint.save(sys.argv[1], 2, {"x": 1.0})
except OSError as e:
    print(type(e).__name__, e.filename, e)
"""


def failures(work: Work) -> Outcome:
    """Each failure names the folder and leaves the older checkpoints as they were."""
    wrong, count = [], 0
    for name, folder, message in work.within(_failed()):
        count += 1
        if not message or str(folder) not in message:
            wrong.append(f"{name}: the error does not name the folder: {message!r}")
        if not folder.is_dir():
            continue
        names = sorted(path.name for path in folder.iterdir())
        if names != ["step-000000001.safetensors"]:
            wrong.append(f"{name}: the folder holds {names}")
        elif not np.array_equal(checkpoint.load(folder, TREE)[1]["x"], TREE["x"]):
            wrong.append(f"{name}: the older checkpoint has changed")
    what = "full disk at various bytes, read-only folder, folder that vanished or is a file"
    return Outcome(f"{count} failed writes ({what})", wrong)


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
    """Save as a user whom the folder's permissions bind; root is not bound."""
    user = NOBODY if os.getuid() == 0 else None
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, folder],
        user=user, capture_output=True, text=True, check=False,
        env={**os.environ, "HOME": "/", "JAX_PLATFORMS": "cpu"},
    )  # fmt: skip
    return done.stdout or f"no error; {done.stderr}"
