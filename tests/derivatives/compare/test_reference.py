"""The reference that the modes of a comparison are measured against."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics.derivatives import compare_modes
from jnumerics.derivatives._compare import reference
from jnumerics.derivatives._compare.compare import Task
from tests.derivatives.compare._compare import AT, bottleneck, row


def test_difference_is_relative_to_each_leafs_largest_entry():
    truth = [(np.array([100.0, 1.0]),), (np.array([0.01]),)]
    actual = [(np.array([100.0, 2.0]),), (np.array([0.012]),)]
    assert reference.difference(actual, truth) == pytest.approx(0.2)


def test_equal_infinities_agree_and_nan_does_not_pass():
    truth = [(np.array([np.inf, 2.0]),)]
    assert reference.difference(truth, truth) == 0.0
    assert np.isnan(reference.difference([(np.array([np.inf, np.nan]),)], truth))


def test_wrong_derivative_shows_in_its_row(monkeypatch):
    derivative = Task.derivative

    def off(task, mode):
        run = derivative(task, mode)
        return (lambda x: 1.01 * run(x)) if mode == "forward" else run

    monkeypatch.setattr(Task, "derivative", off)
    measured = compare_modes(bottleneck, AT, repeats=1)
    assert row(measured, "forward").max_relative_difference == pytest.approx(0.01, 1e-3)
    assert row(measured, "reverse").max_relative_difference < 1e-5


def test_reference_is_the_derivative_in_float64(comparison):
    assert comparison.reference == "the derivative in float64"


def test_function_that_keeps_float32_is_compared_with_forward_mode():
    def keeps(x):
        return jnp.sin(x.astype(jnp.float32))

    measured = compare_modes(keeps, jnp.ones(4), repeats=1)
    said = "forward mode in the given dtype (the function keeps float32)"
    assert measured.reference == said
    assert said in re.sub(r"\s+", " ", str(measured))
    assert row(measured, "forward").max_relative_difference == 0.0


def test_reference_waits_for_a_result_before_it_reads_it(monkeypatch):
    def out_of_memory(_):  # what waiting raises, where reading would end the process
        msg = "Out of memory"
        raise RuntimeError(msg)

    monkeypatch.setattr(jax, "block_until_ready", out_of_memory)
    truth, kind = reference.find(jnp.sin, {"forward": jnp.cos}, (jnp.ones(2),))
    assert truth is None
    assert "does not run in float64: Out of memory" in kind


def test_reference_none_compares_nothing():
    measured = compare_modes(bottleneck, AT, reference=None, repeats=1)
    assert "Results were compared with nothing." in " ".join(str(measured).split())
    assert [m.max_relative_difference for m in measured.modes] == [None] * 4


def fails(*_):
    msg = "no such mode\nat all"
    raise ValueError(msg)


def identity(x):
    return x


def test_reference_is_the_first_mode_that_runs():
    ends = {"forward": fails, "reverse": identity}
    truth, kind = reference.find(fails, ends, (jnp.ones(2),))
    np.testing.assert_array_equal(truth, np.ones(2))
    assert kind == (
        "reverse mode in the given dtype (the function does not run in float64: "
        "no such mode)"
    )


def test_no_reference_where_no_mode_runs():
    truth, kind = reference.find(fails, {"forward": fails}, (jnp.ones(2),))
    assert truth is None
    assert kind.startswith("nothing (the function does not run in float64")


def test_reference_keeps_integers_and_doubles_complex_numbers():
    args = jnp.array([1, 0]), jnp.array([1j, 2], "complex64")
    truth, kind = reference.find(lambda k, z: z[k], {}, args)
    assert (truth.dtype, kind) == ("complex128", "the derivative in float64")
