"""Checkpoints of long runs: any pytree of arrays, saved whole or not at all.

`save` writes one file for each step that it is given, `load` takes the newest that is
good. The files are safetensors: parameters load into other frameworks by

    safetensors.numpy.load_file("run/step-000001200.safetensors")

under names that join the path of a leaf by "/", such as "params/0/weight"; types that
safetensors' readers do not share (complex128, float8, int4, random keys) are there as
bytes or numbers. Nothing is pickled: a file cannot run code.

The file's header holds a SHA-256 over header and data, so that any flipped bit and
any truncation is detected; it proves no authorship. `write`, `read`, `restore` and
`generations` are what `training` builds on: the same with notes beside the pytree.

Not offered: a file for each process, writing in the background, remote storage.
"""

from jnumerics.workbench.checkpoint._checkpoint import (
    Stored,
    generations,
    load,
    read,
    restore,
    save,
    write,
)

__all__ = ["Stored", "generations", "load", "read", "restore", "save", "write"]
