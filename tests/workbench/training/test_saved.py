"""Runs that are resumed, and folders that do not suit."""

import errno
import warnings

import jax
import numpy as np
import optax
import pytest

from jnumerics.workbench import checkpoint, training
from jnumerics.workbench._usage import UsageError
from tests.workbench.training._problem import (
    KEY,
    MOMENTUM,
    X,
    Y,
    files,
    loss,
    same_bits,
    start,
    train,
    with_aux,
)


class EndError(Exception):
    """What ends a run in these tests."""


def ending_at(step):
    def callback(now, *_):
        if now == step:
            raise EndError

    return callback


def broken(folder, step, **options):
    with pytest.raises(EndError):
        train(checkpoint=folder, callback=ending_at(step), **options)


EVERY = {"report_every": 3, "checkpoint_every": 5}


@pytest.mark.parametrize("at", [3, 6, 9, 12, 15])
def test_broken_run_ends_as_the_unbroken_one(tmp_path, at):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    options = {"fun": with_aux, "evaluate": lambda p: {"b": p["b"]}, **EVERY}
    expected = train(17, checkpoint=whole, **options)
    broken(parts, at, steps=17, **options)
    run = train(17, checkpoint=parts, resume=True, **options)
    assert same_bits(run, expected)
    assert files(parts) == files(whole)


def test_run_in_steps_of_every_length_is_the_unbroken_one(tmp_path):
    for steps in (1, 2, 3, 5, 8, 13, 14, 17):
        run = train(steps, checkpoint=tmp_path, resume=True, **EVERY)
    assert same_bits(run, train(17))


def test_other_intervals_are_the_same_run(tmp_path):
    broken(tmp_path, 9, steps=17, **EVERY)
    run = train(17, checkpoint=tmp_path, resume=True, report_every=2)
    assert same_bits(run, train(17))


def test_finished_run_is_returned_as_it_was(tmp_path):
    first = train(7, checkpoint=tmp_path, **EVERY)
    before = files(tmp_path)
    called = []
    again = train(7, checkpoint=tmp_path, resume=True, callback=called.append, **EVERY)
    assert same_bits(again, first)
    assert called == []
    assert files(tmp_path) == before


def test_run_that_was_stopped_stays_so(tmp_path):
    options = {"stop": lambda step, losses, _: step >= 6, "checkpoint": tmp_path}
    first = train(17, **options, **EVERY)
    again = train(17, resume=True, **options, **EVERY)
    assert first.step == again.step == 6
    assert same_bits(again, first)


def test_resume_without_a_checkpoint_starts_afresh_and_says_so(tmp_path, capsys):
    run = train(7, checkpoint=tmp_path / "new", resume=True)
    assert (
        f"no checkpoint in {tmp_path / 'new'}: begun at step 0"
        in capsys.readouterr().err
    )
    assert same_bits(run, train(7))


def test_resume_says_from_where(tmp_path, capsys):
    train(5, checkpoint=tmp_path)
    train(7, checkpoint=tmp_path, resume=True)
    assert "resumed at step 5 from " in capsys.readouterr().err


def test_corrupt_checkpoint_is_skipped(tmp_path):
    train(15, checkpoint=tmp_path, **EVERY)
    newest = checkpoint.generations(tmp_path)[0]
    newest.write_bytes(newest.read_bytes()[:-1])
    with pytest.warns(UserWarning, match="skipped .*truncated"):
        run = train(17, checkpoint=tmp_path, resume=True, **EVERY)
    assert same_bits(run, train(17))


def test_as_many_checkpoints_are_kept_as_asked(tmp_path):
    train(17, checkpoint=tmp_path, checkpoint_every=2, keep=2)
    names = [path.name for path in checkpoint.generations(tmp_path)]
    assert names == ["step-000000017.safetensors", "step-000000016.safetensors"]


def test_checkpoint_holds_what_a_model_and_a_reader_need(tmp_path):
    run = train(7, checkpoint=tmp_path)
    step, loaded = checkpoint.load(tmp_path, {"params": start()})
    assert step == 7
    assert same_bits(loaded["params"], run.params)
    stored = checkpoint.read(tmp_path)
    assert stored.notes["position"] == {"epoch": 1, "batch": 2}
    assert stored.notes["settings"]["steps"] == 7
    assert stored.notes["run"]["batch_size"] == 4
    assert stored.versions["jax"] == jax.__version__


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"key": jax.random.key(1)}, ValueError, r"`key` must be .*\[0, 7\].*got.*1\]"),
        ({"batch_size": 5}, ValueError, "`batch_size` must be 4, as in .*, got 5"),
        (
            {"data": (X[1:], Y[1:])},
            ValueError,
            r"`data` must be \[0\] float32 \(22, 3\), .*got \[0\] float32 \(21, 3\)",
        ),
        ({"optimizer": optax.sgd(0.1)}, ValueError, "`state` must have the leaf "),
        ({"params": start() | {"c": 0.0}}, ValueError, r"`params\['c'\]` must be "),
        ({"steps": 4}, ValueError, "`steps` must be at least 6, .*, got 4"),
        (
            {"config": {"rate": 0.1, "sizes": (1, 2)}},
            ValueError,
            r"`config` must be {'rate': 0.05}, as in .*, got {'rate': 0.1}",
        ),
        ({"config": None}, ValueError, "`config` must be {'rate.*, got None"),
    ],
)
def test_resumed_run_that_would_be_another_is_refused(
    tmp_path, changes, error, message
):
    config = {"rate": 0.05, "sizes": (1, 2)}
    train(6, checkpoint=tmp_path, config=config)
    same = {"steps": 9, "checkpoint": tmp_path, "resume": True, "config": config}
    with pytest.raises(error, match=message) as raised:
        train(**(same | changes))
    assert isinstance(raised.value, UsageError)  # a line of a script


def test_config_is_noted_and_the_same_goes_on(tmp_path):
    config = {"rate": 0.05, "sizes": (1, 2)}
    train(6, checkpoint=tmp_path, config=config)
    noted = checkpoint.read(tmp_path).notes["run"]["config"]
    assert noted == {"rate": 0.05, "sizes": [1, 2]}
    assert train(9, checkpoint=tmp_path, resume=True, config=config).step == 9


def test_folder_that_no_run_wrote_is_not_resumed(tmp_path):
    checkpoint.save(tmp_path, 3, {"params": start()})
    match = r"^`checkpoint` must be a folder of a run, got .*: `checkpoint.load` reads"
    with pytest.raises(training.FolderError, match=match):
        train(9, checkpoint=tmp_path, resume=True)


def test_folder_of_broken_checkpoints_ends_a_script_in_a_line(tmp_path):
    (tmp_path / "step-000000010.safetensors").write_text("junk")
    with pytest.raises(ValueError, match=r"step-000000010") as raised:
        train(9, checkpoint=tmp_path, resume=True)
    assert isinstance(raised.value, UsageError)


def test_folder_that_holds_checkpoints_is_refused(tmp_path):
    train(6, checkpoint=tmp_path)
    with pytest.raises(
        ValueError, match=r"`checkpoint` must be .*resume=True"
    ) as error:
        train(9, checkpoint=tmp_path)
    assert isinstance(error.value, UsageError)  # a line of a script


def test_file_in_place_of_the_folder_is_refused(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(
        ValueError, match="`checkpoint` must be a folder that can be wr"
    ):
        train(9, checkpoint=file)


def test_run_goes_on_where_a_checkpoint_cannot_be_written(
    tmp_path, monkeypatch, capsys
):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path))

    train(5, checkpoint=tmp_path)
    monkeypatch.setattr(checkpoint, "write", full)
    run = train(12, checkpoint=tmp_path, resume=True, checkpoint_every=4)
    assert same_bits(run, train(12))
    err = capsys.readouterr().err
    assert err.count("the checkpoint of step 8 was not written: No space left") == 1
    assert err.count("the run goes on") == 1  # at its end it does not
    monkeypatch.undo()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert checkpoint.read(tmp_path).step == 5


def test_folder_without_a_name_is_refused():
    with pytest.raises(ValueError, match="`checkpoint` must be a path, got ''"):
        train(9, checkpoint="")


def test_metrics_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "metrics.csv").write_bytes(b"\xff\n")
    with pytest.raises(ValueError, match="`checkpoint` must be a folder whose metrics"):
        train(9, checkpoint=tmp_path)


def test_metrics_of_another_run_are_overwritten(tmp_path):
    (tmp_path / "metrics.csv").write_text("step,loss\n999,1.0\n")
    train(3, checkpoint=tmp_path)
    assert "999" not in files(tmp_path)[0]


def test_sixteen_bit_losses_are_resumed(tmp_path):
    def half(params, batch):
        return loss(params, batch).astype("bfloat16")

    broken(tmp_path, 6, fun=half, steps=12, **EVERY)
    run = train(12, fun=half, checkpoint=tmp_path, resume=True, **EVERY)
    assert run.losses.dtype == np.dtype("bfloat16")
    assert same_bits(run, train(12, fun=half))


def test_random_keys_in_the_state_are_resumed(tmp_path):
    noisy = optax.chain(optax.add_noise(0.01, 0.5, jax.random.key(3)), MOMENTUM)
    options = {"optimizer": noisy, "checkpoint": tmp_path}
    with jax.numpy_dtype_promotion("standard"):
        expected = train(9, optimizer=noisy)
        train(4, **options)
        run = train(9, resume=True, **options)
    assert same_bits(run.params, expected.params)
    assert KEY.shape == ()


def test_training_is_exported():
    assert training.train(
        loss, start(), optimizer=MOMENTUM, steps=0, data=(X, Y)
    )._fields == ("params", "state", "losses", "step")
