"""Checkpoints that somebody made by hand, with a right digest."""

import hashlib
import json

BEGIN = '{"__metadata__":{"sha256":"'
AT = 8 + len(BEGIN)
ABOUT = {"version": 1, "step": 5, "notes": {}, "versions": {}, "forms": {}}
NAME = "step-000000005.safetensors"


def entry(dtype, shape, begin, end):
    """What a header says of one tensor."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def forged(entries, *, about=None, data=b"", tail="}", length=None):
    """Return a file's bytes; `about` is what jnumerics says, a dict or a text."""
    text = about if isinstance(about, str) else json.dumps(ABOUT | (about or {}))
    header = f'{BEGIN}{"0" * 64}","jnumerics":{json.dumps(text)}}}'
    tensors = json.dumps(entries)[1:-1]
    header = (header + ("," + tensors if entries else "") + tail).encode()
    count = len(header) if length is None else length
    return signed(count.to_bytes(8, "little") + header + data)


def signed(data):
    """Put the right digest into a file."""
    zeros = data[:AT] + b"0" * 64 + data[AT + 64 :]
    digest = hashlib.sha256(zeros).hexdigest().encode()
    return data[:AT] + digest + data[AT + 64 :]


TWO = {"x": entry("U8", [2], 0, 2)}


def of_form(dtype, shape, generator="", tensor=TWO["x"], data=b"12"):
    """A file that says what its one tensor was."""
    forms = {"x": [dtype, shape, generator]}
    return forged({"x": tensor}, about={"forms": forms}, data=data)


WORDS = entry("U32", [2], 0, 8)
REFUSED = {
    "offsets overlap": forged(
        TWO | {"y": entry("U8", [2], 1, 3)}, data=b"123"
    ),
    "offsets leave a gap": forged(
        TWO | {"y": entry("U8", [2], 3, 5)}, data=b"12345"
    ),
    "an offset is negative": forged({"x": entry("U8", [2], -2, 0)}, data=b"12"),
    "an offset is huge": forged({"x": entry("U8", [2], 2**63, 2**63 + 2)}, data=b"12"),
    "offsets are backwards": forged({"x": entry("U8", [2], 2, 0)}, data=b"12"),
    "bytes are left over": forged(TWO, data=b"123"),
    "a shape is gigantic": forged(
        {"x": entry("F32", [2**40], 0, 2**42)}, data=b"12"
    ),
    "a shape overflows": forged({"x": entry("F32", [2**62, 2**62], 0, 0)}),
    "an empty shape overflows": forged({"x": entry("F32", [0, 2**62, 9], 0, 0)}),
    "there are too many axes": forged({"x": entry("U8", [1] * 10**5, 0, 1)}, data=b"1"),
    "the type is unknown": forged({"x": entry("F99", [2], 0, 2)}, data=b"12"),
    "the type is none that is written": forged(
        {"x": entry("F8_E4M3", [2], 0, 2)}, data=b"12"
    ),
    "the header claims 2^63 bytes": forged(TWO, data=b"12", length=2**63),
    "the header claims a gigabyte": forged(TWO, data=b"12", length=2**30),
    "the header ends early": forged(TWO, data=b"12", length=100),
    "the header is empty": forged(TWO, data=b"12", length=0),
    "what is said nests deeply": forged(TWO, about='{"a":' * 10**5, data=b"12"),
    "the header nests deeply": forged(TWO, tail=',"z":' + "[" * 10**5, data=b"12"),
    "what is said is no JSON": forged(TWO, about="NaN'", data=b"12"),
    "what is said is a list": forged(TWO, about="[]", data=b"12"),
    "what is said is a number": forged(TWO, about="NaN", data=b"12"),
    "the step is a text": forged(TWO, about={"step": "5"}, data=b"12"),
    "the step is True": forged(TWO, about={"step": True}, data=b"12"),
    "the step is another": forged(TWO, about={"step": 6}, data=b"12"),
    "the notes are a list": forged(TWO, about={"notes": []}, data=b"12"),
    "the version is to come": forged(TWO, about={"version": 2}, data=b"12"),
    "a form is of no tensor": forged(
        TWO, about={"forms": {"y": ["int4", [2], ""]}}, data=b"12"
    ),
    "a form is a number": forged(TWO, about={"forms": {"x": 3}}, data=b"12"),
    "the forms are a list": forged(TWO, about={"forms": ["x"]}, data=b"12"),
    "a form is of objects": of_form("object", [2]),
    "a form is larger than its bytes": of_form("int4", [2**70]),
    "a form has long numbers": of_form("int4", [int("9" * 4000)] * 300),
    "a form has texts": of_form("int4", ["2"]),
    "an empty form overflows": of_form(
        "int4", [0, 2**62, 2**62], tensor=entry("U8", [0], 0, 0), data=b""
    ),
    "a form is negative": of_form("int4", [-1, -2]),
    "a generator is a path": of_form("key<fry>", [], "../../etc", WORDS, b"1" * 8),
    "a generator is another": of_form("key<fry>", [], "rbg", WORDS, b"1" * 8),
    "a key lacks numbers": of_form(
        "key<fry>", [], "threefry2x32", entry("U32", [3], 0, 12), b"1" * 12
    ),
    "a boolean is 2": forged({"x": entry("BOOL", [2], 0, 2)}, data=b"\0\2"),
    "a text is none": of_form("Python str", [], data=b"\xff\xfe"),
}  # fmt: skip
