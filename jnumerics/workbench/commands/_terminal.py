"""The standard streams: what they cannot encode, and a reader that is gone."""

import codecs
import contextlib
import os
import sys
import unicodedata
from collections.abc import Iterator

_PLAIN = {"─": "-", "│": "|", "┼": "+", "µ": "u", "·": ".", "▒": "+", "█": "#"}
_HANDLER = "jnumerics.plain"
_DEFAULTS = ("strict", "surrogateescape", "backslashreplace")  # not asked for by name


@contextlib.contextmanager
def plain_where_needed() -> Iterator[None]:
    """Let the streams write in ASCII what their encoding lacks, such as lines and µ."""
    changed = []
    for stream in (sys.stdout, sys.stderr):
        if getattr(stream, "errors", None) in _DEFAULTS:
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:
                changed.append((reconfigure, stream.errors))
                reconfigure(errors=_HANDLER)
    try:
        yield
    finally:
        for reconfigure, errors in changed:
            with contextlib.suppress(ValueError, OSError):  # closed, or no reader
                reconfigure(errors=errors)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(map(_in_ascii, text)), error.end


def _in_ascii(character: str) -> str:
    if character in _PLAIN:
        return _PLAIN[character]
    parts = unicodedata.normalize("NFKD", character)
    return parts.encode("ascii", "ignore").decode() or "?"


codecs.register_error(_HANDLER, _plain)


def flush() -> None:
    """Write what is buffered, so that a fault shows here and not when Python ends."""
    if sys.stdout is not None:
        sys.stdout.flush()


def drop() -> None:
    """Send to nowhere what a stream still holds and cannot write."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
