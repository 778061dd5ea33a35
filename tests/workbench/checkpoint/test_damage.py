"""Every damage is seen: flipped bits, truncations, and files made to harm."""

import os
import resource
import time
import tracemalloc

import jax
import numpy as np
import pytest

from jnumerics.workbench import checkpoint
from tests.workbench.checkpoint.forged import NAME, REFUSED, TWO, forged

TREE = {
    "w": np.arange(6.0, dtype=np.float32).reshape(2, 3),
    "k": jax.random.key(0),
    "z": np.array([1 + 2j]),
    "e": np.zeros((0, 3)),
    "n": 5,
}


@pytest.fixture
def two(tmp_path):
    """A folder of an older and a newer checkpoint, and the newer one's path."""
    checkpoint.save(tmp_path, 1, TREE)
    return tmp_path, checkpoint.save(tmp_path, 2, TREE)


def step_taken(folder, path, data):
    """Write a file; return the step that is loaded, and the warnings."""
    path.write_bytes(data)
    with pytest.warns(UserWarning, match="^skipped ") as caught:
        step, _ = checkpoint.load(folder, TREE)
    return step, [str(warning.message) for warning in caught]


def test_flipped_bit_is_seen_and_the_older_checkpoint_taken(two):
    folder, path = two
    data = path.read_bytes()
    for bit in range(0, 8 * len(data), 8 * len(data) // 40):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        step, messages = step_taken(folder, path, damaged)
        assert step == 1, bit
        assert len(messages) == 1
        assert messages[0].startswith(f"skipped {path}: it")


def test_every_bit_of_the_digest_and_the_length_is_covered(two):
    folder, path = two
    data = path.read_bytes()
    for bit in [*range(64), *range(8 * 34, 8 * 100, 9)]:
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        assert step_taken(folder, path, damaged)[0] == 1, bit


def test_truncation_is_seen_and_so_is_what_was_appended(two):
    folder, path = two
    data = path.read_bytes()
    for count in range(0, len(data), len(data) // 40):
        assert step_taken(folder, path, data[:count])[0] == 1, count
    assert step_taken(folder, path, data + b"\0")[0] == 1


@pytest.mark.parametrize("size", [40, 80, 4000])
def test_foreign_file_is_called_so_whatever_its_size(two, size):
    folder, path = two
    _, (message,) = step_taken(folder, path, b"a foreign file. " * (size // 16))
    assert "it is no checkpoint of jnumerics" in message


@pytest.mark.parametrize("case", REFUSED)
def test_hostile_file_is_refused(case, tmp_path):
    (tmp_path / NAME).write_bytes(REFUSED[case])
    start = time.perf_counter()
    tracemalloc.start()
    with pytest.raises(ValueError, match=rf"must hold .* whole, got none: .*{NAME}: "):
        checkpoint.read(tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64e6
    assert time.perf_counter() - start < 5


def test_name_of_a_leaf_is_no_path(tmp_path):
    tensors = {"../../x": TWO["x"], "/etc/passwd": {**TWO["x"], "data_offsets": [2, 4]}}
    (tmp_path / NAME).write_bytes(forged(tensors, data=b"1234"))
    stored = checkpoint.read(tmp_path)
    assert {*stored.arrays} == {*tensors}
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_file_that_claims_what_it_has_not_takes_no_memory(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(forged(TWO, data=b"12"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    os.truncate(path, 2**27)  # a hole
    with pytest.raises(ValueError, match="SHA-256"):
        checkpoint.read(tmp_path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64e3  # in KiB


def test_what_is_no_regular_file_is_named_and_skipped(tmp_path):
    path = checkpoint.save(tmp_path, 1, TREE)
    (tmp_path / "step-000000002.safetensors").mkdir()
    (tmp_path / "step-000000003.safetensors").symlink_to(path)
    (tmp_path / "step-000000004.safetensors").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "step-000000005.safetensors")
    (tmp_path / "step-6.safetensors").write_bytes(path.read_bytes())
    (tmp_path / "step-000000007.safetensors").write_bytes(b"")
    (tmp_path / "step-0000000008.safetensors").write_bytes(path.read_bytes())
    for other in ("model.safetensors", "step-9.npz", "step--1.safetensors", "notes"):
        (tmp_path / other).write_bytes(b"not ours")
    with pytest.warns(UserWarning, match="^skipped ") as caught:
        assert checkpoint.load(tmp_path, TREE)[0] == 1
    messages = [str(warning.message) for warning in caught]
    steps = [m.partition("step-")[2].partition(".")[0].lstrip("0") for m in messages]
    assert steps == [*"8765432"]
    assert "symbolic link" in messages[4]
    assert "no regular file" in messages[3]
    assert "truncated" in messages[1]


def test_unreadable_file_is_named_and_skipped(two, monkeypatch):
    folder, path = two
    opened = os.open

    def refuse(name, *args, **kwargs):  # as for another user than root
        if str(name) == str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(name, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.warns(UserWarning, match=f"skipped {path}: Permission denied"):
        assert checkpoint.load(folder, TREE)[0] == 1


def test_none_good_is_an_error_that_names_all(two):
    folder, path = two
    for each in folder.iterdir():
        each.write_bytes(each.read_bytes()[:-1])
    older = path.with_name("step-000000001.safetensors")
    with pytest.raises(ValueError, match=f"{path}: .*corrupt.*; {older}: .*corrupt"):
        checkpoint.load(folder, TREE)


@pytest.mark.parametrize("name", [".", "missing"])
def test_no_checkpoint_is_an_error_of_its_own(name, tmp_path):
    with pytest.raises(FileNotFoundError, match="`folder` must hold a checkpoint, got"):
        checkpoint.load(tmp_path / name, TREE)
    assert checkpoint.generations(tmp_path / name) == []
