"""Errors of use, and the folder for results."""

import tempfile
from pathlib import Path


class UsageError(Exception):
    """What the person who started the program can mend, said in one line."""


def output_folder(path: Path | str, name: str = "--out") -> Path:
    """Make a folder for results, and make sure that files can be written there.

    Args:
        path: The folder; a text that is empty, or blank, is none.
        name: What gave it: a flag, or a file and its key.

    Returns:
        The folder.

    Raises:
        UsageError: If it cannot be made or written to.
    """
    if not str(path).strip():
        msg = f"{name} must be a folder, got {str(path)!r}"
        raise UsageError(msg)
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except (OSError, ValueError) as e:  # of values, a path with a null character
        reason = e.strerror if isinstance(e, OSError) else e
        msg = f"{name} {path}: must be a folder that can be written to: {reason}"
        raise UsageError(msg) from None
