"""What a run saves, and what has to be the same where it goes on."""

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import PyTree

from jnumerics.workbench import checkpoint
from jnumerics.workbench._usage import UsageError
from jnumerics.workbench.training._order import told

_NAMES = {
    "`like['params']": "`params",
    "`like['state']": "`state",
    "`like['losses']": "`losses",
}
_OF_FILE = r"`\1` must have the leaf '"


class FolderError(UsageError, ValueError):
    """A folder, or a run in it, that does not suit; a script ends in one line."""


class Point(NamedTuple):
    """From where a run goes on."""

    step: int
    params: PyTree
    state: PyTree
    losses: np.ndarray


def folder_for(path: Any, resume: bool) -> Path | None:
    """Return the folder of a run: made, writable, and without checkpoints or wanted."""
    if path is None:
        if resume:
            msg = "`checkpoint` must be a folder where `resume` is True, got None"
            raise ValueError(msg)
        return None
    if path == "":
        msg = "`checkpoint` must be a path, got ''"
        raise ValueError(msg)
    try:
        folder = Path(path)
    except TypeError:
        msg = f"`checkpoint` must be a path, got {type(path).__name__}"
        raise TypeError(msg) from None
    try:
        if jax.process_index() == 0:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        held = checkpoint.generations(folder)
    except (OSError, ValueError) as e:  # of values, a path with a null character
        reason = e.strerror if isinstance(e, OSError) else e
        must = "must be a folder that can be written to"
        msg = f"`checkpoint` {must}, got {path}: {reason}"
        raise FolderError(msg) from None
    if held and not resume:
        msg = (
            f"`checkpoint` must be a folder without checkpoints, got {path}, which "
            f"holds {held[0].name}: `resume=True` (--resume) goes on from there"
        )
        raise FolderError(msg)
    return folder


def save(
    folder: Path, point: Point, *, keep: int, notes: Mapping[str, Any]
) -> str | None:
    """Save where a run is; return the reason where that failed."""
    tree = {"params": point.params, "state": point.state, "losses": point.losses}
    try:
        checkpoint.write(folder, point.step, tree, keep=keep, notes={**notes})
    except OSError as e:
        cause = e.__cause__ if isinstance(e.__cause__, OSError) else e
        reason = f"{cause.strerror or cause} ({os.fspath(folder)})"
        return f"the checkpoint of step {point.step:,} was not written: {reason}"
    return None


def stored(folder: Path) -> checkpoint.Stored | None:
    """Return the newest good checkpoint, if there is any checkpoint."""
    try:
        newest = checkpoint.read(folder) if checkpoint.generations(folder) else None
    except ValueError as e:  # none of them is good
        raise FolderError(str(e)) from None
    if jax.process_count() > 1:
        seen = np.asarray(newest.step if newest else -1)
        steps = multihost_utils.process_allgather(seen)
        if np.any(steps != steps[0]):
            must = "must be a folder that all processes see"
            msg = f"`checkpoint` {must}, got {folder} with steps {steps.tolist()}"
            raise FolderError(msg)
    return newest


def restored(saved: checkpoint.Stored, fresh: Point) -> Point:
    """Return where a run was, with parameters and state like fresh ones."""
    losses = np.empty(saved.step, fresh.losses.dtype)
    like = {"params": fresh.params, "state": fresh.state, "losses": losses}
    try:
        tree = checkpoint.restore(saved, like)
    except (TypeError, ValueError) as e:
        text = str(e)
        for place, name in _NAMES.items():
            text = text.replace(place, name)
        text = re.sub("`like` must have the leaf '(params|state)/", _OF_FILE, text)
        raise FolderError(text) from None
    return Point(saved.step, tree["params"], tree["state"], tree["losses"])


def notes(feeder: Any, step: int, asked: Any) -> dict[str, Any]:
    """Return what is noted beside: what decides the batches, where, and the rest."""
    per_epoch = feeder.feed.per_epoch
    epoch, batch = divmod(step, per_epoch) if per_epoch else (0, step)
    settings = ("steps", "report_every", "checkpoint_every", "keep")
    return {
        "run": feeder.notes,
        "position": {"epoch": epoch, "batch": batch},
        "settings": {name: getattr(asked, name) for name in settings},
    }


def require_same(saved: checkpoint.Stored, notes: Mapping[str, Any]) -> None:
    """Require what decides the batches to be what it was."""
    before = saved.notes.get("run")
    if before is None:
        msg = (
            f"`checkpoint` must be a folder of a run, got {saved.path}, which another "
            "program saved: `checkpoint.load` reads it"
        )
        raise FolderError(msg)
    for name, value in notes["run"].items():
        was, now = _different(before.get(name), value)
        if was != now:
            if name == "data":
                was, now = told(was), told(now)
            msg = (
                f"`{name}` must be {was}, as in {saved.path}, which is resumed, got "
                f"{now}"
            )
            raise FolderError(msg)


def _different(was: Any, now: Any) -> tuple[Any, Any]:
    """Return two values, or of two mappings what differs."""
    if not (isinstance(was, dict) and isinstance(now, dict)):
        return was, now
    names = [k for k in {**was, **now} if was.get(k) != now.get(k)]
    before, after = ({k: x[k] for k in names if k in x} for x in (was, now))
    return before, after
