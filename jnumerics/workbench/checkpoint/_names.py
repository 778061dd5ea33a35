"""Leaves by name: the path of a leaf in its pytree as one text.

A name joins the keys of the path by "/", such as "params/0/weight". It does not say
whether a key is an index, an attribute or a dict's: containers of the same keys hold
the same names.
"""

import re
from typing import Any, NamedTuple

import jax
from jax.tree_util import DictKey, FlattenedIndexKey, GetAttrKey, SequenceKey
from jaxtyping import PyTree


class Leaf(NamedTuple):
    """One leaf of a pytree: its name in a file, its place in words, what it is."""

    name: str
    place: str
    value: Any


def leaves_of(word: str, tree: PyTree) -> list[Leaf]:
    """Return the leaves of a pytree by name; `word` is what its messages call it."""
    pairs, _ = jax.tree_util.tree_flatten_with_path(tree)
    leaves = [
        Leaf(name_of(path), word + jax.tree_util.keystr(path), value)
        for path, value in pairs
    ]
    seen: dict[str, str] = {}
    for leaf in leaves:
        if leaf.name in seen:
            both = f"{seen[leaf.name]} and {leaf.place}"
            msg = f"`{word}` must have leaves of different paths, got {both}"
            raise ValueError(msg)
        seen[leaf.name] = leaf.place
    return leaves


def name_of(path: tuple[Any, ...]) -> str:
    """Join the keys of a path, each escaped so that two paths of a tree never clash.

    A string that reads as an index, or as the file's own entry, begins with "~s"; a key
    that is neither string nor integer is written as Python does, behind "~r".
    """
    return "/".join(map(_text, path))


def _text(entry: Any) -> str:
    if isinstance(entry, SequenceKey):
        return str(entry.idx)
    if isinstance(entry, GetAttrKey):
        return _escaped(entry.name)
    if not isinstance(entry, DictKey | FlattenedIndexKey):
        return "~r" + _escaped(str(entry))
    key = entry.key
    if isinstance(key, str) and _is_text(key):
        is_taken = re.fullmatch(r"-?[0-9]+", key) or key == "__metadata__"
        return ("~s" if is_taken else "") + _escaped(key)
    is_integer = isinstance(key, int) and not isinstance(key, bool)
    return str(key) if is_integer else "~r" + _escaped(ascii(key))


def _is_text(key: str) -> bool:
    """Whether a key can be written as UTF-8: half a surrogate pair cannot."""
    return key.isascii() or not re.search("[\ud800-\udfff]", key)


def _escaped(text: str) -> str:
    """Escape "~" and "/" as JSON pointers do (RFC 6901)."""
    return text.replace("~", "~0").replace("/", "~1")
