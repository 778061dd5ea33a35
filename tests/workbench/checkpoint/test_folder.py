"""A folder of generations: whole files alone, whatever stops the writing."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from jnumerics.workbench import checkpoint
from jnumerics.workbench.checkpoint import _folder
from tests.workbench.devices._run import run_together

TREE = {"x": np.arange(5000.0)}


def steps(folder):
    return [int(path.name[5:14]) for path in checkpoint.generations(folder)]


def save(folder, step, keep=3):
    return checkpoint.save(folder, step, {"x": TREE["x"] + step}, keep=keep)


# --- generations ----------------------------------------------------------------------


def test_the_newest_generations_are_kept_and_the_newest_loaded(tmp_path):
    for step in (3, 5, 10, 200):
        path = save(tmp_path, step)
    assert path == tmp_path / "step-000000200.safetensors"
    assert steps(tmp_path) == [200, 10, 5]
    step, tree = checkpoint.load(tmp_path, TREE)
    assert step == 200
    np.testing.assert_array_equal(tree["x"], TREE["x"] + 200)


def test_fewer_are_kept_where_fewer_are_asked_for(tmp_path):
    for step in range(4):
        save(tmp_path, step)
    save(tmp_path, 4, keep=1)
    assert steps(tmp_path) == [4]


def test_checkpoint_of_the_same_step_is_replaced(tmp_path):
    save(tmp_path, 7)
    checkpoint.save(tmp_path, 7, {"x": TREE["x"]})
    np.testing.assert_array_equal(checkpoint.load(tmp_path, TREE)[1]["x"], TREE["x"])


def test_checkpoint_before_a_good_one_is_refused(tmp_path):
    path = save(tmp_path, 7)
    with pytest.raises(ValueError, match=f"`step` must not be before .*{path}, got 6"):
        save(tmp_path, 6)
    assert steps(tmp_path) == [7]


def test_checkpoint_before_a_damaged_one_is_saved_and_loaded(tmp_path):
    save(tmp_path, 5, keep=1)
    path = save(tmp_path, 7)
    path.write_bytes(path.read_bytes()[:-1])
    save(tmp_path, 6, keep=1)
    assert steps(tmp_path) == [7, 6]
    with pytest.warns(UserWarning, match=f"skipped {path}"):
        assert checkpoint.load(tmp_path, TREE)[0] == 6
    save(tmp_path, 8, keep=1)
    assert steps(tmp_path) == [8]


def test_folder_is_made_and_what_is_not_ours_left(tmp_path):
    folder = tmp_path / "a" / "b"
    save(folder, 1)
    others = ["step-000000000.safetensors.part", ".hidden", "metrics.csv"]
    for name in others:
        (folder / name).write_text("theirs")
    (folder / "step-000000000.safetensors").mkdir()
    save(folder, 2, keep=1)
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [*others, "step-000000000.safetensors", "step-000000002.safetensors"]
    )


def test_what_a_killed_process_left_is_removed(tmp_path):
    left = tmp_path / ".step-000000001.safetensors.0123abcd.part"
    left.write_bytes(b"half of it")
    save(tmp_path, 2)
    assert not left.exists()
    assert steps(tmp_path) == [2]


def test_generation_that_cannot_be_removed_is_named_and_the_run_goes_on(
    tmp_path, monkeypatch
):
    old = save(tmp_path, 1)

    def refuse(path, **_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(old), "unlink", refuse)
    with pytest.warns(UserWarning, match=f"could not remove {old}: Permission denied"):
        save(tmp_path, 2, keep=1)
    assert steps(tmp_path) == [2, 1]


def test_older_generations_go_only_after_the_newer_is_synced(tmp_path, monkeypatch):
    save(tmp_path, 1)
    seen = []
    sync = os.fsync

    def watched(number):
        seen.append([path.name[-5:] for path in sorted(tmp_path.iterdir())])
        sync(number)

    monkeypatch.setattr(os, "fsync", watched)
    save(tmp_path, 2, keep=1)
    first, last = "step-000000001.safetensors"[-5:], ".part"
    assert seen == [[last, first], [first, first]]
    assert steps(tmp_path) == [2]


# --- what stops the writing -----------------------------------------------------------


def test_full_disk_is_an_error_and_the_older_checkpoints_are_as_they_were(tmp_path):
    save(tmp_path, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))  # Python ignores SIGXFSZ
    try:
        with pytest.raises(OSError, match=r"step 2 was not written: File.*") as caught:
            save(tmp_path, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.filename == str(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000001.safetensors"]
    assert checkpoint.load(tmp_path, TREE)[0] == 1


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_failing_disk_leaves_nothing_behind(call, tmp_path, monkeypatch):
    save(tmp_path, 1)

    def fail(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="step 2 was not written: Input/output error"):
        save(tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000001.safetensors"]


def test_folder_that_is_a_file_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    for folder in (path, path / "inner"):
        with pytest.raises(OSError, match="step 1 was not written") as caught:
            save(folder, 1)
        assert caught.value.filename == str(folder)


def test_folder_that_vanishes_is_an_error_that_names_it(tmp_path):
    def dump(file):
        file.write(b"half")
        shutil.rmtree(tmp_path)

    with pytest.raises(FileNotFoundError, match="step 1 was not written") as caught:
        _folder.put(tmp_path, 1, dump, 3)
    assert caught.value.filename == str(tmp_path)


def test_interrupted_writing_leaves_nothing_behind(tmp_path):
    def dump(file):
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _folder.put(tmp_path, 1, dump, 3)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.slow
def test_a_reader_meets_whole_checkpoints_while_they_are_replaced(tmp_path):
    save(tmp_path, 0)
    stop = threading.Event()

    def write():
        for step in range(1, 60):
            save(tmp_path, step, keep=2)
        stop.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not stop.is_set():
        step, tree = checkpoint.load(tmp_path, TREE)  # a warning would be an error
        np.testing.assert_array_equal(tree["x"], TREE["x"] + step)
    writer.join()
    assert checkpoint.load(tmp_path, TREE)[0] == 59


KILLED = """
import sys, numpy as np
from jnumerics.workbench import checkpoint
for step in range(1, 10**6):
    checkpoint.save(sys.argv[1], step, {"x": np.full(300_000, float(step))}, keep=2)
    print(step, flush=True)
"""


@pytest.mark.process
@pytest.mark.slow
def test_process_killed_while_it_writes_leaves_whole_checkpoints(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, tmp_path], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    while int(process.stdout.readline()) < 3:
        pass
    while not any(tmp_path.glob(".*.part")):
        pass
    process.send_signal(signal.SIGKILL)
    saved = [int(line) for line in process.communicate()[0].split()]
    step, tree = checkpoint.load(tmp_path, {"x": np.zeros(300_000)})
    assert step >= max(saved, default=3)
    assert (tree["x"] == step).all()
    save(tmp_path, step + 1)
    assert not any(tmp_path.glob(".*.part"))


@pytest.mark.process
@pytest.mark.slow
def test_processes_save_what_none_has_whole_and_load_it_in_other_parts(tmp_path):
    program = "-m", "tests.workbench.checkpoint._peer", str(tmp_path)
    for process in run_together(2, *program, devices=4):
        assert process.status == 0, process.err
        assert process.out.endswith("done\n")
    assert steps(tmp_path) == [5]
    like = {"x": np.zeros((8, 6), np.float32)}
    _, tree = checkpoint.load(tmp_path, like)
    np.testing.assert_array_equal(tree["x"].ravel(), np.arange(48))
