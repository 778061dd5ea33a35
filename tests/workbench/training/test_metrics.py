"""What a run reports: the two files, and the lines."""

import csv
import io
import json
import re

import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics.workbench.training import _metrics, _progress
from tests.endurance.files.disk import most_bytes
from tests.workbench.training._problem import BATCH, files, train, with_aux

NOTES = {
    "scalars": jnp.float32(0.1),
    "half": jnp.bfloat16(0.5),
    "nan": jnp.float32(jnp.nan),
    "many": jnp.arange(2.0),
}


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_rows_hold_step_loss_aux_and_evaluation(tmp_path):
    run = train(
        7, fun=with_aux, report_every=3, checkpoint=tmp_path,
        evaluate=lambda p: {"norm": {"w": jnp.sum(p["w"] ** 2)}},
    )  # fmt: skip
    table, lines = files(tmp_path)
    rows = rows_of(table)
    assert [row["step"] for row in rows] == ["3", "6", "7"]
    assert [*rows[0]] == ["step", "loss", "aux.root", "evaluation.norm.w"]
    for row in rows:
        value = run.losses[int(row["step"]) - 1]
        assert np.float32(row["loss"]) == value
        assert np.float32(row["aux.root"]) == np.sqrt(value)
    assert np.float32(rows[-1]["evaluation.norm.w"]) == np.sum(run.params["w"] ** 2)
    objects = [json.loads(line) for line in lines.splitlines()]
    assert [o["step"] for o in objects] == [3, 6, 7]
    assert len(objects[0]["aux.seen"]) == BATCH  # an array, as a list


def test_aux_is_that_of_the_last_update_of_the_step(tmp_path):
    # the root of the loss before that update, on its batch
    run = train(9, fun=with_aux, report_every=1, checkpoint=tmp_path)
    roots = [float(row["aux.root"]) for row in rows_of(files(tmp_path)[0])]
    np.testing.assert_allclose(np.square(roots), run.losses, rtol=1e-6)


def test_numbers_are_written_in_the_digits_of_their_dtype(tmp_path):
    metrics = _metrics.Metrics(tmp_path, 0, print)
    metrics.append(_metrics.row(1, np.float32(0.1), evaluation=NOTES))
    table, lines = files(tmp_path)
    assert rows_of(table)[0] == {
        "step": "1", "loss": "0.1", "evaluation.half": "0.5",
        "evaluation.nan": "nan", "evaluation.scalars": "0.1",
    }  # fmt: skip
    assert json.loads(lines) == {
        "step": 1, "loss": 0.1, "evaluation.half": 0.5, "evaluation.many": [0.0, 1.0],
        "evaluation.nan": None, "evaluation.scalars": 0.1,
    }  # fmt: skip


def test_new_column_is_empty_in_earlier_rows(tmp_path):
    metrics = _metrics.Metrics(tmp_path, 0, print)
    metrics.append(_metrics.row(1, np.float32(1.0)))
    metrics.append(_metrics.row(2, np.float32(2.0), evaluation={'odd "name",\n': 3}))
    assert rows_of(files(tmp_path)[0]) == [
        {"step": "1", "loss": "1.0", 'evaluation.odd "name",': ""},
        {"step": "2", "loss": "2.0", 'evaluation.odd "name",': "3"},
    ]


@pytest.mark.parametrize("torn", ["", "30,0.", '{"step": 3'])
def test_rows_behind_a_checkpoint_are_cut(tmp_path, torn):
    metrics = _metrics.Metrics(tmp_path, 0, print)
    for step in (10, 20, 30):
        metrics.append(_metrics.row(step, np.float32(step)))
    for name in ("metrics.csv", "metrics.jsonl"):
        with (tmp_path / name).open("a") as file:
            file.write(torn)
    _metrics.Metrics(tmp_path, 20, print).append(_metrics.row(25, np.float32(0.5)))
    table, lines = files(tmp_path)
    assert table == "step,loss\n10,10.0\n20,20.0\n25,0.5\n"
    assert [json.loads(line)["step"] for line in lines.splitlines()] == [10, 20, 25]


def test_rows_that_cannot_be_written_are_written_later(tmp_path):
    said = []
    folder = tmp_path / "run"
    folder.mkdir()
    metrics = _metrics.Metrics(folder, 0, said.append)
    metrics.append(_metrics.row(1, np.float32(1.0)))
    folder.rename(tmp_path / "away")
    metrics.append(_metrics.row(2, np.float32(2.0)))
    metrics.append(_metrics.row(3, np.float32(3.0)))
    (tmp_path / "away").rename(folder)
    metrics.append(_metrics.row(4, np.float32(4.0)))
    table, lines = files(folder)
    assert table == "step,loss\n1,1.0\n2,2.0\n3,3.0\n4,4.0\n"
    assert len(lines.splitlines()) == 4
    assert len(said) == 1
    assert "the metrics cannot be written" in said[0]


# lines


def test_lines_tell_step_loss_rate_and_time_left(capsys):
    train(30, report_every=10, evaluate=lambda p: {"w": p["w"][0]})
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 3
    assert re.match(r"step 10 of 30: loss \S+, evaluation\.w \S+", lines[0])
    assert re.search(r", \S+ steps/s, \d+ s left$", lines[1])
    assert re.search(r"step 30 of 30: .*, \S+ steps/s$", lines[2])


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("name", ["xterm-256color", "dumb"])
def test_terminal_has_a_bar_with_loss_and_rate(monkeypatch, name):
    pytest.importorskip("rich")
    terminal = Terminal()
    monkeypatch.setenv("TERM", name)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("sys.stderr", terminal)
    train(30, report_every=10, evaluate=lambda p: {"w": p["w"][0]})
    text = terminal.getvalue()
    assert "30/30" in text
    assert re.search(r"loss \S+", text)
    assert "evaluation.w" in text


def test_reader_that_is_gone_does_not_end_a_run(monkeypatch):
    class Gone(io.StringIO):
        def write(self, _):
            raise BrokenPipeError

    monkeypatch.setattr("sys.stderr", Gone())
    assert train(3).step == 3


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(41.3, "41 s"), (300.0, "5 min"), (12e3, "3 h 20 min"), (532_800.0, "6 d 4 h")],
)
def test_time_left_is_short(seconds, words):
    assert _progress.duration(seconds) == words


def test_half_written_rows_are_neither_doubled_nor_left(tmp_path):
    """JSON rows are the longer ones: a full disk stops them first."""
    said = []
    metrics = _metrics.Metrics(tmp_path, 0, said.append)
    with most_bytes(100):
        for step in range(1, 9):
            metrics.append(_metrics.row(step, np.float32(0.1)))
    assert len(said) == 1
    metrics.append(_metrics.row(9, np.float32(0.1)))
    table, lines = files(tmp_path)
    steps = [int(row["step"]) for row in rows_of(table)]
    assert steps == [json.loads(line)["step"] for line in lines.splitlines()]
    assert steps == list(range(1, 10))


def test_table_that_was_removed_is_begun_again(tmp_path):
    metrics = _metrics.Metrics(tmp_path, 0, print)
    metrics.append(_metrics.row(1, np.float32(0.1)))
    (tmp_path / "metrics.csv").unlink()
    metrics.append(_metrics.row(2, np.float32(0.1)))
    assert [row["step"] for row in rows_of(files(tmp_path)[0])] == ["2"]
