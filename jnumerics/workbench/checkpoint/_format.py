"""The bytes of a checkpoint: a safetensors file whose header holds its own SHA-256.

The digest is the first entry of the header's metadata, hence at the same place in every
file: 64 digits in lower case. It is taken over the whole file, from the header's length
to the last byte of data, as if those digits were zeros. So every byte is covered: one
changed among the digits makes another digest; any other that is changed, missing or
added makes another sum. Any safetensors reader reads the file. The digest tells damage,
not forgery: the header is read by the library, which checks every offset.

The file is written here and not by the library, which holds it twice in memory, or
writes it under a name of its own that a killed process leaves behind.
"""

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

try:
    from safetensors import SafetensorError, safe_open
except ModuleNotFoundError as e:
    line = "safetensors is missing: pip install 'jnumerics[workbench]'"
    raise ModuleNotFoundError(line, name=e.name) from None

from jnumerics.workbench.checkpoint._leaves import (
    NATIVE,
    Form,
    bytes_of,
    is_sound,
    stored_form,
)

MOST_HEADER = 2**24  # bytes; some 100 000 leaves
_BEGIN = b'{"__metadata__":{"sha256":"'
_ZEROS = b"0" * 64
_AT = 8 + len(_BEGIN)  # of the digest in the file
_CHUNK = 2**20
_VERSION = 1
_DTYPES = {theirs: ours for ours, theirs in NATIVE.items()}
_MOST_AXES, _WIDEST = 64, 16  # of an array of NumPy; bytes of complex128


class RefusedError(Exception):
    """A file is no whole checkpoint; the reason."""


# writing


def dump(file: IO[bytes], tensors: Mapping[str, np.ndarray], about: Any) -> None:
    """Write contiguous arrays of native types, and what is said about them."""
    size = {name: array.dtype.itemsize for name, array in tensors.items()}
    order = sorted(tensors, key=lambda name: (-size[name], name))  # each is aligned
    views = [memoryview(bytes_of(tensors[name])) for name in order]
    begin = _header({name: tensors[name] for name in order}, about)
    digest = hashlib.sha256(begin)
    for view in views:
        digest.update(view)
    file.write(begin[:_AT] + digest.hexdigest().encode() + begin[_AT + 64 :])
    for view in views:
        file.write(view)


def _header(tensors: Mapping[str, np.ndarray], about: Any) -> bytes:
    entries, at = {}, 0
    for name, array in tensors.items():
        offsets = [at, at + array.nbytes]
        entries[name] = {
            "dtype": NATIVE[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": offsets,
        }
        at += array.nbytes
    text = json.dumps({"version": _VERSION, **about}, separators=(",", ":"))
    ours = json.dumps(text).encode()
    theirs = json.dumps(entries, separators=(",", ":")).encode()[1:]
    comma = b"," if entries else b""
    header = _BEGIN + _ZEROS + b'","jnumerics":' + ours + b"}" + comma + theirs
    header += b" " * (-len(header) % 8)  # so that the data are aligned
    if len(header) > MOST_HEADER:
        came = f"{len(header)} bytes of them"
        msg = f"`tree` must have names and notes of at most {MOST_HEADER}, got {came}"
        raise ValueError(msg)
    return len(header).to_bytes(8, "little") + header


# reading


class Opened(NamedTuple):
    """A whole checkpoint, its forms read and its data not yet."""

    path: Path
    step: int
    forms: dict[str, Form]
    notes: dict[str, Any]
    versions: dict[str, str]
    tensors: Any

    def array(self, name: str) -> np.ndarray:
        """Read what is stored of one leaf."""
        try:
            array = self.tensors.get_tensor(name)
        except (SafetensorError, OSError, ValueError) as e:
            raise RefusedError(_line(e)) from e
        if not is_sound(array, self.forms[name]):
            msg = f"the bytes of {name!r} have no meaning for its type"
            raise RefusedError(msg)
        return array


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """Open a checkpoint, whose every byte is what was written; else `RefusedError`."""
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(_regular(path))
            _verify(file)
            tensors: Any = safe_open(path, framework="numpy", backend="pread")
            stack.enter_context(tensors)
            if not os.path.samestat(os.fstat(file.fileno()), path.lstat()):
                msg = "it was replaced while it was read"
                raise RefusedError(msg)
            checkpoint = _about(path, tensors)
        except OSError as e:
            raise RefusedError(e.strerror or _line(e)) from e
        except SafetensorError as e:
            raise RefusedError(_line(e)) from e
        yield checkpoint


def _regular(path: Path) -> FileIO:
    """Open a file that is one: a pipe would block, a link may lead anywhere."""
    if path.is_symlink():
        msg = "it is a symbolic link"
        raise RefusedError(msg)
    if not path.is_file():
        msg = "it is no regular file"
        raise RefusedError(msg)
    return FileIO(str(path), opener=_open)


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0))


def _verify(file: FileIO) -> None:
    """Compare the digest in a file with that of its bytes, in little memory."""
    begin = file.read(_AT + 64)
    if not _BEGIN.startswith(begin[8:_AT]):
        msg = "it is no checkpoint of jnumerics: no digest begins its header"
        raise RefusedError(msg)
    if len(begin) < _AT + 64:
        msg = f"it is truncated: it has {len(begin)} bytes"
        raise RefusedError(msg)
    length = int.from_bytes(begin[:8], "little")
    if length > MOST_HEADER:
        msg = f"its header claims {length} bytes, more than {MOST_HEADER}"
        raise RefusedError(msg)
    digest, chunk = hashlib.sha256(begin[:_AT] + _ZEROS), bytearray(_CHUNK)
    while count := file.readinto(chunk):
        digest.update(memoryview(chunk)[:count])
    if digest.hexdigest().encode() != begin[_AT:]:
        msg = "it is truncated or corrupt: its SHA-256 is not the one that it holds"
        raise RefusedError(msg)


def _about(path: Path, tensors: Any) -> Opened:
    """Read what the header says, and require that it fits the tensors."""
    try:
        about = json.loads((tensors.metadata() or {})["jnumerics"])
        forms = {name: Form(*_stored(tensors, name)) for name in tensors.offset_keys()}
        if about["version"] != _VERSION:
            msg = f"it is of version {about['version']!r}, this reads {_VERSION}"
            raise RefusedError(msg)
        for name, (dtype, shape, generator) in about["forms"].items():
            form = Form(str(dtype), tuple(shape), str(generator))
            if not (_is_shape(form.shape) and stored_form(form, forms[name])):
                msg = f"{name!r} is stored as another type or shape than it says"
                raise RefusedError(msg)
            forms[name] = form
        parts = about["notes"], about["versions"]
        if type(about["step"]) is not int or {*map(type, parts)} != {dict}:
            msg = "its header lacks the step, the notes or the versions"
            raise RefusedError(msg)
        return Opened(path, about["step"], forms, *parts, tensors)
    except (LookupError, ValueError, TypeError, AttributeError, OverflowError) as e:
        msg = f"its header makes no sense: {_line(e)}"
        raise RefusedError(msg) from e
    except RecursionError as e:
        msg = "its header is nested too deeply"
        raise RefusedError(msg) from e


def _is_shape(shape: tuple[int, ...]) -> bool:
    """Whether NumPy makes an array of this shape, of whatever type; empty ones too."""
    is_short = len(shape) <= _MOST_AXES and {*map(type, shape)} <= {int}
    if not (is_short and all(0 <= size < 2**63 for size in shape)):
        return False
    return math.prod(filter(None, shape)) < 2**63 // _WIDEST


def _stored(tensors: Any, name: str) -> tuple[str, tuple[int, ...]]:
    part = tensors.get_slice(name)
    shape = tuple(part.get_shape())
    if not _is_shape(shape):
        msg = f"{name!r} has a shape that no array has"
        raise RefusedError(msg)
    return _DTYPES[part.get_dtype()], shape


def _line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:200] + "..."
