"""The public functions: a pytree, its leaves by name, and one of the same leaves."""

import json
import os
import platform
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, SupportsIndex

import jax
import numpy as np
from jax.tree_util import DictKey
from jaxtyping import PyTree

import jnumerics
from jnumerics import _check
from jnumerics.workbench import devices
from jnumerics.workbench.checkpoint import _folder, _format
from jnumerics.workbench.checkpoint._leaves import Form, as_leaf, form_of, on_host
from jnumerics.workbench.checkpoint._names import Leaf, leaves_of, name_of

_MOST_TOLD = 8  # leaves that one message names


class Stored(NamedTuple):
    """What the newest good checkpoint of a folder holds, before it is a pytree.

    Attributes:
        path: The file.
        step: The step that it was saved at.
        arrays: What is stored of each leaf, by name: numbers, or bytes.
        notes: What was written with it.
        forms: What each leaf was.
        versions: Those of jnumerics, jax and python that wrote it.
    """

    path: Path
    step: int
    arrays: dict[str, np.ndarray]
    notes: dict[str, Any]
    forms: dict[str, Form]
    versions: dict[str, str]


def save(
    folder: os.PathLike | str,
    step: SupportsIndex,
    tree: PyTree,
    *,
    keep: SupportsIndex = 3,
) -> Path:
    """Save a pytree as the checkpoint of a step, whole or not at all.

    The file is written aside in the same folder, synced and renamed: whenever the
    process or the machine stops, the folder holds the checkpoints before or this one
    besides. Only then are those beyond the newest `keep` removed, and what a killed
    process left is removed before. One process at a time may save in a folder; of a run
    of several processes all call this, and the first writes.

    Cost: one copy of what lies on other devices; one pass for the digest (SHA-256), one
    for the disk.

    Args:
        folder: Where the checkpoints of this run lie; made where it is missing.
        step: From 0 on. A checkpoint of the same step is replaced.
        tree: Any pytree whose leaves are arrays of JAX or NumPy (of every dtype that
            JAX has, random keys, empty and strided ones) or Python's numbers
            (integers within 64 bits), strings and bytes. It must not hold functions:
            split those off first, as Equinox's `partition` and Flax's `nnx.split` do.
        keep: How many generations to keep, at least 1.

    Returns:
        The file's path, such as `folder/step-000001200.safetensors`.

    Raises:
        TypeError: If a leaf is none of the above, is traced, or has no values; if
            `step` or `keep` is not an integer, or `folder` no path.
        ValueError: If `step` or `keep` is out of range, or `folder` is an empty text;
            if it holds a good checkpoint of a later step, which `load` would take
            instead; if a leaf was deleted, two have the same path, or the paths and
            shapes of all take more than 16 MiB.
        OSError: If the file cannot be written; it names the folder, in which the older
            checkpoints are as they were.

    Example:
        >>> import tempfile, jax.numpy as jnp
        >>> folder = tempfile.mkdtemp()
        >>> save(folder, 1200, {"weight": jnp.ones((2, 3))}).name
        'step-000001200.safetensors'
    """
    return write(folder, step, tree, keep=keep, notes={})


def load(folder: os.PathLike | str, like: PyTree) -> tuple[int, PyTree]:
    """Load the newest good checkpoint of a folder as a pytree like another.

    Leaves are found by their path, whatever their container: an attribute `weight`, a
    dict's key "weight" and a named tuple's field are the same. Their dtypes and shapes
    must be those of `like`, whose values are not looked at. Where `like` is a dict, it
    may leave out entries of the file whole, so that parameters load from the checkpoint
    of a training run; inside an entry that it has every leaf must agree.

        model = init(key)
        step, loaded = checkpoint.load("run", {"params": model})

    A file that is truncated, corrupt or not from here is named in a warning, and the
    one before it is taken.

    Args:
        folder: Where `save` saved.
        like: Pytree of arrays, `jax.ShapeDtypeStruct` or Python's numbers and texts.

    Returns:
        The step, and the pytree: of `like`'s structure; JAX arrays with the sharding of
        `like`'s, or on the default device where it has none or was not committed to
        one; NumPy arrays and Python's types where `like` has those.

    Raises:
        FileNotFoundError: If the folder holds no checkpoint.
        TypeError: If leaves have another dtype, or `like` has one that `save` refuses;
            if `folder` is no path.
        ValueError: If no checkpoint is good, or `folder` is an empty text; if leaves
            have another shape, or are not those of the file; if JAX has a dtype with
            x64 only.
        OSError: If the folder cannot be read.

    Example:
        >>> import tempfile, jax.numpy as jnp
        >>> folder = tempfile.mkdtemp()
        >>> path = save(folder, 7, {"params": jnp.arange(3.0), "state": jnp.zeros(9)})
        >>> load(folder, {"params": jnp.zeros(3)})
        (7, {'params': Array([0., 1., 2.], dtype=float32)})
    """
    leaves = leaves_of("like", like)
    names = [leaf.name for leaf in leaves]

    def take(checkpoint: _format.Opened) -> Stored:
        _require_agreement(checkpoint.path, checkpoint.forms, leaves, like)
        return _stored(checkpoint, names)

    stored = _folder.newest(_as_folder(folder), take)
    return stored.step, _restored(stored, leaves, like)


def write(
    folder: os.PathLike | str,
    step: SupportsIndex,
    tree: PyTree,
    *,
    keep: SupportsIndex = 3,
    notes: Mapping[str, Any],
) -> Path:
    """Save a pytree as `save` does, and notes: whatever JSON can say, by name."""
    folder = _as_folder(folder)
    step = _check.integer("step", step, least=0, greatest=2**63 - 1)
    keep = _check.integer("keep", keep, least=1)
    _check_notes(notes)
    leaves = {
        leaf.name: on_host(leaf.place, leaf.value) for leaf in leaves_of("tree", tree)
    }
    about = {
        "step": step,
        "versions": _versions(),
        "notes": notes,
        "forms": {n: form for n, (form, _) in leaves.items() if not form.is_native},
    }
    tensors = {name: array for name, (_, array) in leaves.items()}
    if devices.is_first():
        dump = partial(_format.dump, tensors=tensors, about=about)
        _folder.put(folder, step, dump, keep)
    return folder / _folder.file_name(step)


def read(folder: os.PathLike | str) -> Stored:
    """Read the newest good checkpoint whole; see `load` for what is skipped, raised."""
    return _folder.newest(_as_folder(folder), lambda c: _stored(c, list(c.forms)))


def restore(stored: Stored, like: PyTree) -> PyTree:
    """Return what was read as a pytree like another, as `load` does."""
    leaves = leaves_of("like", like)
    _require_agreement(stored.path, stored.forms, leaves, like)
    return _restored(stored, leaves, like)


def generations(folder: os.PathLike | str) -> list[Path]:
    """Return the files of a folder that are named as checkpoints, the newest first.

    They may be corrupt. Of a folder that does not exist there are none.
    """
    folder = _as_folder(folder)
    return list(_folder.generations(folder)) if folder.exists() else []


def _as_folder(folder: Any) -> Path:
    try:
        path = Path(folder)
    except TypeError:
        msg = f"`folder` must be a path, got {type(folder).__name__}"
        raise TypeError(msg) from None
    if folder == "" or "\0" in str(path):  # an empty text would be the current folder
        msg = f"`folder` must be a path, got {folder!r}"
        raise ValueError(msg)
    return path


def _check_notes(notes: Any) -> None:
    try:
        json.dumps(notes)
    except (TypeError, ValueError, RecursionError) as e:
        msg = f"`notes` must hold what JSON can say, got something else: {e}"
        raise TypeError(msg) from None
    if not isinstance(notes, dict):
        msg = f"`notes` must be a dict, got {type(notes).__name__}"
        raise TypeError(msg)


def _versions() -> dict[str, str]:
    ours, python = jnumerics.__version__, platform.python_version()
    return {"jnumerics": ours, "jax": jax.__version__, "python": python}


def _stored(checkpoint: _format.Opened, names: list[str]) -> Stored:
    path, step, forms, notes, versions, _ = checkpoint
    arrays = {name: checkpoint.array(name) for name in names}
    return Stored(path, step, arrays, notes, forms, versions)


def _restored(stored: Stored, leaves: list[Leaf], like: PyTree) -> PyTree:
    values = [
        as_leaf(stored.arrays[name], stored.forms[name], value)
        for name, _, value in leaves
    ]
    return jax.tree.unflatten(jax.tree.structure(like), values)


def _require_agreement(
    path: Path, forms: Mapping[str, Form], leaves: list[Leaf], like: PyTree
) -> None:
    """Require the leaves of `like` to be those of a file, of the same forms."""
    types, others = [], []
    for name, place, value in leaves:
        wanted, form = form_of(place, value), forms.get(name)
        if form is None:
            others.append(f"`{place}` must be a leaf of {path}, got one that it lacks")
        elif not form.agrees(wanted):
            rest = f"{form.words()}, as in {path}, got {wanted.words()}"
            same_type = form.agrees(wanted._replace(shape=form.shape))
            (others if same_type else types).append(f"`{place}` must be {rest}")
    others += [
        f"`like` must have the leaf {name!r} of {path}, got none"
        for name in _left_out(forms, leaves, like)
    ]
    wrong = types + others
    if wrong:
        more = len(wrong) - _MOST_TOLD
        told = wrong[:_MOST_TOLD] + ([f"and {more} more"] if more > 0 else [])
        raise (ValueError if others else TypeError)("\n".join(told))


def _left_out(forms: Mapping[str, Form], leaves: list[Leaf], like: PyTree) -> list[str]:
    """Return the leaves of a file that `like` lacks, but those of entries not asked."""
    missing = forms.keys() - {leaf.name for leaf in leaves}
    if isinstance(like, Mapping):
        asked = {name_of((DictKey(key),)) for key in like}
        missing = {name for name in missing if name.split("/")[0] in asked}
    return sorted(missing)
