"""Frames over a pipe: a length, JSON with the arrays' types and shapes, their bytes."""

import json
import struct
from collections.abc import Sequence
from typing import IO, Any

import numpy as np

LENGTH = struct.Struct(">Q")


def send(pipe: IO[bytes], message: Any, arrays: Sequence[np.ndarray] = ()) -> None:
    """Write a frame."""
    arrays = [np.asarray(a, order="C") for a in arrays]
    kinds = [(a.dtype.str, a.shape) for a in arrays]
    head = json.dumps({"message": message, "arrays": kinds}).encode()
    pipe.write(LENGTH.pack(len(head)) + head)
    for a in arrays:
        pipe.write(a.tobytes())
    pipe.flush()


def receive(pipe: IO[bytes]) -> tuple[Any, list[np.ndarray]]:
    """Read a frame.

    Raises:
        EOFError: If the other side has gone.
    """
    (length,) = LENGTH.unpack(_exactly(pipe, LENGTH.size))
    head = json.loads(_exactly(pipe, length))
    arrays = [_array(pipe, np.dtype(kind), shape) for kind, shape in head["arrays"]]
    return head["message"], arrays


def _array(pipe: IO[bytes], dtype: np.dtype, shape: Sequence[int]) -> np.ndarray:
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    return np.frombuffer(bytearray(_exactly(pipe, size)), dtype).reshape(shape)


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    read = pipe.read(size)
    if len(read) < size:
        msg = "the pipe ended within a frame"
        raise EOFError(msg)
    return read
