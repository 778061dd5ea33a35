"""Derivative modes side by side: their figures, the samples, modes without figures."""

import dataclasses
import functools
import re
import types
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from jnumerics import mlp
from jnumerics.derivatives import compare_modes
from jnumerics.derivatives._compare import compare as _compare
from jnumerics.derivatives._compare import contenders
from jnumerics.derivatives._compare.compare import Task
from tests.derivatives.compare._compare import (
    AT,
    ROWS,
    bottleneck,
    compared,
    loop,
    row,
    without_figures,
)


def wide(x):
    return jnp.sin(x * jnp.arange(200.0))


# figures


def test_every_mode_has_its_figures(comparison):
    assert [m.mode for m in comparison.modes] == [
        "forward",
        "reverse",
        "cut",
        "compressed",
    ]
    assert [m.passes for m in comparison.modes] == [40, 30, 4, 30]
    for m in comparison.modes:
        assert min(m.flops, m.bytes, m.compile_s, m.predicted_s) > 0
        assert isinstance(m.temp_bytes, int)
        assert len(m.run_s.runs) == 3
        assert m.times_evaluation == m.run_s.median / comparison.evaluation.median
        assert m.max_relative_difference < 1e-5
        assert m.error is None


def test_predicted_is_a_mode_that_keeps_to_the_bound(comparison):
    bounded = compare_modes(bottleneck, AT, repeats=1, max_bytes=2200)
    assert comparison.predicted == "cut"
    assert "`max_bytes` must be at least" in row(bounded, "cut").error
    assert row(bounded, bounded.predicted).run_s is not None


def test_circumstances_are_named(comparison):
    assert (comparison.function, comparison.shapes, comparison.dtypes) == (
        "bottleneck",
        ((40,),),
        ("float32",),
    )
    assert comparison.device == jax.devices()[0].device_kind
    assert comparison.versions["jax"] == jax.__version__


def test_cut_counts_fewer_operations_than_both_ends(comparison):
    flops = {m.mode: m.flops for m in comparison.modes}
    assert flops["cut"] < 0.7 * min(flops["forward"], flops["reverse"])


def test_winner_of_a_large_margin_is_named_and_predicted():
    modes = ["forward", "reverse"]
    measured = compare_modes(wide, jnp.float32(1.0), modes=modes, reference=None)
    assert measured.fastest == measured.predicted == "forward"
    assert not measured.tie


def test_pytrees_and_several_arguments_are_compared():
    def fun(params, scale, x):
        return {"y": scale * mlp.apply(params, x), "n": x.sum()}

    params = mlp.init(jax.random.key(0), [3, 2])
    measured = compare_modes(
        fun, params, jnp.float32(2.0), jnp.ones(3), argnums=(0, 1), repeats=2
    )
    assert row(measured, "forward").passes == 9
    assert row(measured, "reverse").passes == 2
    assert all(
        row(measured, m.mode).max_relative_difference < 1e-6 for m in measured.modes
    )


def test_only_modes_asked_for_are_measured_once_each():
    measured = compared(bottleneck, AT, modes=["cut", "reverse", "cut"])
    assert [m.mode for m in measured.modes] == ["cut", "reverse"]


def test_loops_are_counted_by_us(comparison):
    assert comparison.counted_by == "compiler"
    bounded = compared(bottleneck, AT, modes=["forward"], max_bytes=2000)
    assert bounded.counted_by == "jnumerics"
    assert "counted by jnumerics," in str(bounded)


# modes without figures


def test_mode_that_is_not_served_is_a_row_that_says_why():
    measured = compared(loop, jnp.ones(3))
    result = row(measured, "reverse")
    assert re.match(r"not through while at .*_compare\.py:\d+$", result.error)
    assert without_figures(result) == []
    assert (measured.fastest, measured.tie) == ("forward", False)
    assert "forward, as nothing else ran" in str(measured)
    assert f"reverse has no figures: {result.error}" in str(measured)


def test_mode_that_fails_leaves_the_others_alone(monkeypatch):
    derivative = Task.derivative

    def fails(task, mode):
        return unlucky if mode == "forward" else derivative(task, mode)

    def unlucky(x):
        msg = "out of luck\nand more"
        raise RuntimeError(msg)

    monkeypatch.setattr(Task, "derivative", fails)
    measured = compared(bottleneck, AT)
    assert row(measured, "forward").error == "out of luck"
    assert without_figures(row(measured, "forward")) == []
    assert row(measured, "cut").run_s is not None


def test_no_mode_below_the_bound_is_neither_a_win_nor_a_tie():
    measured = compared(bottleneck, AT, max_bytes=8)
    reasons = [m.error or "" for m in measured.modes]
    assert all(reason.startswith("`max_bytes` must be at") for reason in reasons)
    assert (measured.fastest, measured.tie) == (None, False)
    assert "Fastest: none, no mode ran." in str(measured)


# samples


def test_batch_compares_the_full_jacobians_blocks_too(of_batch):
    assert [m.mode for m in of_batch.modes] == ["forward", "reverse", "cut", "full"]
    assert [m.passes for m in of_batch.modes] == [40, 30, 4, 12]
    assert max(m.max_relative_difference for m in of_batch.modes) < 1e-5
    assert of_batch.predicted == "cut"


def test_full_jacobian_beyond_the_bound_is_a_row_that_says_so():
    measured = compared(bottleneck, ROWS, batch=True, modes=["full"], max_bytes=30_000)
    (result,) = measured.modes
    # 90 x 120 numbers of 4 bytes
    assert result.error == "the full Jacobian takes 42.2 KiB, more than 29.3 KiB"


def test_full_jacobian_may_not_take_more_in_between_either():
    measured = compared(bottleneck, ROWS, batch=True, modes=["full"], max_bytes=43_300)
    assert re.fullmatch(
        "the temporary memory takes .* KiB, more than 42.3 KiB",
        row(measured, "full").error,
    )


# the command


@pytest.mark.parametrize("analysis", [None, {}, {"flops": -1.0}])
def test_a_compiler_that_does_not_count_leaves_it_to_us(analysis):
    program: Any = types.SimpleNamespace(
        cost_analysis=lambda: analysis, as_text=lambda: "add(1, 2)"
    )
    assert contenders.counter([program]) == "jnumerics"
    program.cost_analysis = lambda: {"flops": 3.0}
    assert contenders.counter([program]) == "compiler"
    assert contenders.compilers_count(program) == (3.0, 0.0)


def test_why_there_are_no_figures_is_told_once_for_each_program(comparison):
    modes = (
        _compare.ModeResult("reverse", error="no room"),
        _compare.ModeResult("cut", same_as="reverse", error="no room"),
    )
    text = str(dataclasses.replace(comparison, modes=modes, tie=False, fastest=None))
    assert text.count("no room") == 1


def power(n, x):
    return x**n


def test_a_partial_function_has_the_name_of_what_it_completes():
    assert compared(functools.partial(power, 2), jnp.ones(3)).function == "power"


def test_modes_are_measured_compiled_where_jit_is_disabled():
    with jax.disable_jit():
        comparison = compare_modes(jnp.sin, jnp.ones(3), repeats=1)
    times = comparison.modes[0].run_s
    assert times is not None
    assert times.runs
