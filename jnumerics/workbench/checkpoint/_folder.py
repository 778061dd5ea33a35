"""A folder of checkpoints: generations, the newest good one, and writing the next."""

import contextlib
import errno
import os
import re
import secrets
import stat
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TypeVar

from jnumerics.workbench.checkpoint._format import Opened, RefusedError, opened

_NAME = re.compile(r"step-([0-9]+)\.safetensors")
_ASIDE = re.compile(r"\.step-[0-9]+\.safetensors\.[0-9a-f]{8}\.part")
Result = TypeVar("Result")


def file_name(step: int) -> str:
    """Return the name of a step's file."""
    return f"step-{step:09d}.safetensors"


def generations(folder: Path) -> dict[Path, int]:
    """Return what is named as a checkpoint, with its step, the newest first.

    Raises:
        OSError: If the folder cannot be read.
    """
    matches = {path: _NAME.fullmatch(path.name) for path in folder.iterdir()}
    steps = {path: int(match[1]) for path, match in matches.items() if match}
    return dict(sorted(steps.items(), key=lambda item: (item[1], item[0]))[::-1])


# reading


def newest(folder: Path, use: Callable[[Opened], Result]) -> Result:
    """Return what `use` makes of the newest good checkpoint; name those that are not.

    A file that is gone since it was listed was replaced by a newer one: list again.

    Raises:
        FileNotFoundError: If there is no checkpoint.
        ValueError: If none is good; what `use` raises.
        OSError: If the folder cannot be read.
    """
    refused: list[str] = []
    is_listed_again = True
    while is_listed_again:
        refused, is_listed_again = [], False
        for path, step in _listed(folder).items():
            try:
                with _named(path, step) as checkpoint:
                    result = use(checkpoint)
            except RefusedError as reason:
                if os.path.lexists(path):
                    refused.append(f"{path}: {reason}")
                else:
                    is_listed_again = True
                continue
            for line in refused:
                warnings.warn(f"skipped {line}", stacklevel=3)  # where `load` is called
            return result
    reasons = "; ".join(refused)
    msg = f"`folder` must hold a checkpoint that is whole, got none: {reasons}"
    raise ValueError(msg)


def _listed(folder: Path) -> dict[Path, int]:
    try:
        candidates = generations(folder)
    except FileNotFoundError:
        candidates = {}
    if not candidates:
        msg = f"`folder` must hold a checkpoint, got {str(folder)!r}, which holds none"
        raise FileNotFoundError(msg)
    return candidates


@contextlib.contextmanager
def _named(path: Path, step: int) -> Iterator[Opened]:
    with opened(path) as checkpoint:
        if checkpoint.step != step or path.name != file_name(step):
            msg = f"it holds step {checkpoint.step}, which its name does not say"
            raise RefusedError(msg)
        yield checkpoint


# writing


def put(folder: Path, step: int, dump: Callable[[IO[bytes]], None], keep: int) -> None:
    """Write the checkpoint of a step, then remove those beyond the newest `keep`.

    Written aside, synced, renamed, the folder synced: at any moment each name stands
    for a whole file or for none.

    Raises:
        ValueError: If a later step's good checkpoint is there: it would be loaded.
        OSError: If it cannot be written; it names the folder.
    """
    with _told(folder, step):
        _make(folder)
        for path in folder.iterdir():
            if _ASIDE.fullmatch(path.name):  # of a process that was killed
                _remove(path)
        _refuse_before_a_later_one(folder, step)
        _write(folder, file_name(step), dump)
        older = [path for path, k in generations(folder).items() if k < step]
        for path in [path for path in older if _is_file(path)][keep - 1 :]:
            _remove(path)


@contextlib.contextmanager
def _told(folder: Path, step: int) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        msg = f"the checkpoint of step {step} was not written: {e.strerror or e}"
        raise OSError(e.errno or errno.EIO, msg, str(folder)) from e


def _make(folder: Path) -> None:
    """Make a folder, and sync those that it was made in."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        _sync(path.parent)


def _refuse_before_a_later_one(folder: Path, step: int) -> None:
    for path, later in generations(folder).items():
        if later <= step:
            return
        with contextlib.suppress(RefusedError), _named(path, later):
            msg = f"`step` must not be before that of {path}, got {step}"
            raise ValueError(msg)


def _write(folder: Path, name: str, dump: Callable[[IO[bytes]], None]) -> None:
    aside = folder / f".{name}.{secrets.token_hex(4)}.part"
    try:
        with aside.open("xb") as file:
            dump(file)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(folder / name)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise
    _sync(folder)


def _sync(folder: Path) -> None:
    """Make the names in a folder as safe as the files that they stand for."""
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _is_file(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return stat.S_ISREG(path.lstat().st_mode)
    return False


def _remove(path: Path) -> None:
    """Remove a file that is not needed; where that fails, say so and go on."""
    try:
        path.unlink(missing_ok=True)
    except OSError as e:
        warnings.warn(f"could not remove {path}: {e.strerror}", stacklevel=5)
