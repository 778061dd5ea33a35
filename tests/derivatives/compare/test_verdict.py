"""The verdict of a comparison, on times that are made up."""

import jax.numpy as jnp
import numpy as np
import pytest

from tests.derivatives.compare._compare import (
    AT,
    bottleneck,
    compared,
    measured_as,
    row,
)


def dense(x):
    return jnp.cumsum(jnp.tanh(jnp.outer(x, x)), axis=0).sum(1)


NOISE = np.linspace(-1, 1, 20)


@pytest.mark.parametrize(
    ("forward", "reverse", "fastest", "said"),
    [
        (9 + NOISE, 3 + NOISE, "reverse", "reverse, 3 times faster than forward"),
        (3.2 + NOISE, 3 + NOISE, None, "a tie of reverse and forward, as the margin"),
        (3 + 0 * NOISE, 3 + 0 * NOISE, None, "a tie of forward and reverse, as the"),
        ([9.0], [3.0], None, "a tie of reverse and forward, as a single run"),
    ],
    ids=["clear win", "noise", "tie", "single run"],
)
def test_verdict_needs_a_margin_beyond_the_spread(
    forward, reverse, fastest, said, monkeypatch
):
    times = {"forward": [*forward], "reverse": [*reverse], "": [1.0] * len(forward)}
    modes = ["forward", "reverse"]
    judged, _ = measured_as(monkeypatch, times, modes=modes)
    assert (judged.fastest, judged.tie) == (fastest, fastest is None)
    assert f"Fastest: {said}" in str(judged)


def test_prediction_is_not_swayed_by_the_measurement(monkeypatch):
    times = {"cut": [9.0, 9.0], "forward": [1.0, 1.0], "reverse": [5.0, 5.0]}
    judged, _ = measured_as(monkeypatch, times)
    assert (judged.fastest, judged.predicted) == ("forward", "cut")


def test_same_program_is_measured_once_and_takes_no_part(monkeypatch):
    judged, asked = measured_as(monkeypatch, {"cut": [0.1, 0.1]})
    assert sorted(asked) == ["", "cut", "forward", "reverse"]
    copy, original = row(judged, "compressed"), row(judged, "reverse")
    assert copy == original._replace(mode="compressed", same_as="reverse")
    assert "The program of compressed is that of reverse." in str(judged)


@pytest.mark.parametrize(
    "modes", [["compressed", "reverse"], ["reverse", "compressed"]]
)
def test_original_is_named_whatever_the_order(modes):
    measured = compared(bottleneck, AT, modes=modes)
    assert [m.mode for m in measured.modes] == modes
    assert row(measured, "compressed").same_as == "reverse"
    assert row(measured, "reverse").same_as is None
    assert (measured.fastest, measured.tie) == ("reverse", False)


def test_first_stands_for_an_original_that_was_not_asked_for():
    measured = compared(dense, AT, modes=["cut", "compressed"])
    assert [m.same_as for m in measured.modes] == [None, "cut"]
    assert measured.predicted == measured.fastest == "cut"


def test_prediction_is_named_although_it_was_not_asked_for():
    assert compared(bottleneck, AT, modes=["forward"]).predicted == "cut"
