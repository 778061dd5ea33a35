"""Derivative modes side by side: the comparison, and the command that prints it."""

import dataclasses
import functools
import io
import json
import pickle
import re
import subprocess
import sys
import types
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot
import numpy as np
import pytest

from jnumerics import mlp
from jnumerics.derivatives import SampleMixingError, compare_modes
from jnumerics.derivatives._compare import compare as _compare
from jnumerics.derivatives._compare import contenders, reference, timing
from jnumerics.derivatives._compare.compare import Task
from jnumerics.derivatives._compare.timing import Interrupted, Timing
from jnumerics.workbench import cli, lesson, plots
from jnumerics.workbench.commands import compare
from jnumerics.workbench.config import UsageError
from tests._schema import COMPARE, faults

PARAMS = mlp.init(jax.random.key(0), [40, 2, 30])


def bottleneck(x):
    return jnp.tanh(mlp.apply(PARAMS, x))


def wide(x):
    return jnp.sin(x * jnp.arange(200.0))


def dense(x):
    return jnp.cumsum(jnp.tanh(jnp.outer(x, x)), axis=0).sum(1)


def loop(x):
    """Reverse mode cannot run through a loop of unknown length."""
    return jax.lax.while_loop(lambda y: y.sum() < 9.0, lambda y: y * y.sum(), x)


AT = jnp.linspace(0.5, 1.0, 40)
ROWS = jnp.linspace(0.5, 1.0, 120).reshape(3, 40)


@pytest.fixture(scope="module")
def found():
    return compare_modes(bottleneck, AT, repeats=3)


@pytest.fixture(scope="module")
def of_batch():
    return compare_modes(bottleneck, ROWS, batch=True, repeats=2)


def row(comparison, mode) -> Any:
    (found,) = [m for m in comparison.modes if m.mode == mode]
    return found


def without_figures(result):
    return [k for k, v in result._asdict().items() if k not in ("mode", "error") and v]


# figures


def test_every_mode_has_its_figures(found):
    assert [m.mode for m in found.modes] == ["forward", "reverse", "cut", "compressed"]
    assert [m.passes for m in found.modes] == [40, 30, 4, 30]
    for m in found.modes:
        assert min(m.flops, m.bytes, m.compile_s, m.predicted_s) > 0
        assert isinstance(m.temp_bytes, int)
        assert len(m.run_s.runs) == 3
        assert m.times_evaluation == m.run_s.median / found.evaluation.median
        assert m.max_relative_difference < 1e-5
        assert m.error is None


def test_predicted_is_a_mode_that_keeps_to_the_bound(found):
    bounded = compare_modes(bottleneck, AT, repeats=1, max_bytes=2200)
    assert found.predicted == "cut"
    assert "`max_bytes` must be at least" in row(bounded, "cut").error
    assert row(bounded, bounded.predicted).run_s is not None


def test_circumstances_are_named(found):
    assert (found.function, found.shapes, found.dtypes) == (
        "bottleneck",
        ((40,),),
        ("float32",),
    )
    assert found.device == jax.devices()[0].device_kind
    assert found.versions["jax"] == jax.__version__


def test_cut_counts_fewer_operations_than_both_ends(found):
    flops = {m.mode: m.flops for m in found.modes}
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


def test_loops_are_counted_by_us(found):
    assert found.counted_by == "compiler"
    bounded = compared(bottleneck, AT, modes=["forward"], max_bytes=2000)
    assert bounded.counted_by == "jnumerics"
    assert "counted by jnumerics," in str(bounded)


# the verdict, on times that are made up


def compared(fun, *args, **options):
    """Compare as fast as can be: one run, no reference."""
    return compare_modes(fun, *args, **{"repeats": 1, "reference": None, **options})


def measured_as(monkeypatch, times, **options):
    """Compare with given runs of each mode."""
    asked = []

    def interleave(programs, repeats, **_):
        asked.extend(programs)
        return {
            name: Timing.from_runs(times.get(name, [1.0, 1.0])) for name in programs
        }

    monkeypatch.setattr(_compare, "interleave", interleave)
    return compared(bottleneck, AT, **options), asked


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


# modes without figures


def test_mode_that_is_not_served_is_a_row_that_says_why():
    measured = compared(loop, jnp.ones(3))
    result = row(measured, "reverse")
    assert re.match(r"not through while at .*test_compare\.py:\d+$", result.error)
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


# the reference


def test_difference_is_relative_to_each_leafs_largest_entry():
    truth = [(np.array([100.0, 1.0]),), (np.array([0.01]),)]
    found = [(np.array([100.0, 2.0]),), (np.array([0.012]),)]
    assert reference.difference(found, truth) == pytest.approx(0.2)


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


def test_reference_is_the_derivative_in_float64(found):
    assert found.reference == "the derivative in float64"


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
    found, kind = reference.find(jnp.sin, {"forward": jnp.cos}, (jnp.ones(2),))
    assert found is None
    assert "does not run in float64: Out of memory" in kind


def test_reference_none_compares_nothing():
    measured = compare_modes(bottleneck, AT, reference=None, repeats=1)
    assert "Results were compared with nothing." in " ".join(str(measured).split())
    assert [m.max_relative_difference for m in measured.modes] == [None] * 4


# how it is shown


def test_table_keeps_to_100_columns(found, of_batch):
    for comparison in (found, of_batch):
        assert max(map(len, str(comparison).splitlines())) <= 100


def test_comparison_is_pickled_and_shown_in_one_line(found):
    assert pickle.loads(pickle.dumps(found)) == found
    verdict = "fastest abacus, as nothing else ran; predicted cut"
    alone = [m._replace(mode="abacus") for m in found.modes[:1]]
    shown = dataclasses.replace(found, modes=(*alone,), fastest="abacus", tie=False)
    assert repr(shown) == f"<ModeComparison of bottleneck: {verdict}>"


def test_html_holds_the_table_and_escapes():
    measured = compared(lambda x: x.sum(), jnp.ones(3))
    page = measured._repr_html_()  # pyright: ignore[reportPrivateUsage]
    assert page.startswith("<p>&lt;lambda&gt;(float32[3]) on ")
    assert "<table" in page
    assert "Predicted: reverse." in page


def test_json_has_its_schema(found):
    value = json.loads(found.to_json())
    assert faults(value, COMPARE) == []
    assert value["modes"][0]["run_s"]["runs"] == list(found.modes[0].run_s.runs)
    assert value["shapes"] == [[40]]


def test_json_of_a_mode_without_figures_has_nulls():
    value = json.loads(compared(loop, jnp.ones(3)).to_json())
    assert faults(value, COMPARE) == []
    assert value["modes"][1]["error"].startswith("not through while")
    assert without_figures(_compare.ModeResult(**value["modes"][1])) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"fastest": 1},
        {"tie": 1},
        {"modes": {}},
        {"device": None},
        {"shapes": [["3"]]},
        {"more": 1},
    ],
)
def test_schema_notices_what_is_wrong(found, wrong):
    assert faults({**json.loads(found.to_json()), **wrong}, COMPARE)


def test_figure_draws_each_program_once_with_its_quartiles(found):
    figure = plots.mode_comparison(found)
    times, memory = figure.axes
    labels = [t.get_text() for t in times.get_yticklabels()]
    assert labels == ["forward", "reverse, compressed", "cut"]
    assert len(memory.patches) == 3
    names = [t.get_text() for t in figure.legends[0].get_texts()]
    assert sorted(names) == ["measured, quartiles", "one evaluation", "predicted"]
    assert f"predicted {found.predicted}" in figure.get_suptitle()


def test_figure_of_modes_without_figures_says_so(tmp_path):
    measured = compared(loop, jnp.ones(3))
    figure = plots.mode_comparison(measured, tmp_path / "a.png")
    assert "no figures" in [t.get_text() for t in figure.axes[0].texts]
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_short_axis_of_times_has_at_least_two_ticks(monkeypatch):
    times = {mode: [3.1e-6, 3.2e-6] for mode in ("forward", "reverse", "cut", "")}
    judged, _ = measured_as(monkeypatch, times)
    modes = tuple(m._replace(predicted_s=None) for m in judged.modes)
    judged = dataclasses.replace(judged, modes=modes)
    axes = plots.mode_comparison(judged).axes[0]
    low, high = axes.get_xlim()
    assert len([t for t in axes.get_xticks() if low <= t <= high]) >= 2


def test_figure_of_several_names_winners_ties_and_predictions(monkeypatch, tmp_path):
    times = {"forward": [9.0, 9.0], "reverse": [2.0, 2.0], "cut": [5.0, 5.0]}
    won, _ = measured_as(monkeypatch, times)
    tied = dataclasses.replace(won, function="tied", fastest=None, tie=True)
    other = dataclasses.replace(won, fastest="cut")
    figure = plots.mode_comparisons([won, tied, other], tmp_path / "a.png")
    (axes,) = figure.axes
    names = [t.get_text() for t in axes.get_yticklabels()]
    assert names == [won.function, "tied", won.function]
    texts = [t.get_text() for t in axes.texts]
    assert texts[:3] == ["forward, 40 passes", "reverse, 30 passes", "cut, 4 passes"]
    verdicts = ["reverse,\npredicted cut", "a tie", "cut,\nas predicted"]
    assert texts[3::4] == verdicts
    markers = [line for line in axes.lines if line.get_marker() == "o"]
    filled = [m.get_markerfacecolor() == m.get_color() for m in markers]
    assert filled == [0, 1, 0, 0, 0, 0, 0, 0, 1]
    multiples = [m.times_evaluation for m in won.modes if m.same_as is None]
    assert [np.asarray(m.get_xdata())[0] for m in markers[:3]] == pytest.approx(
        multiples
    )
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_figure_of_several_leaves_out_modes_that_did_not_run():
    figure = plots.mode_comparisons([compared(loop, jnp.ones(3))])
    texts = [t.get_text() for t in figure.axes[0].texts]
    assert texts[0].startswith("forward")
    assert len(texts) == 2


# bad input


def mixing(x):
    return x - x.mean(axis=0, keepdims=True)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("error", "options", "message"),
    [
        (ValueError, {"modes": ["sideways"]}, "`modes` must be one of 'forward', 'rev"),
        (
            ValueError,
            {"modes": ["full"]},
            "`modes` must be one of 'forward', 'reverse'",
        ),
        (
            ValueError,
            {"modes": "forward"},
            "`modes` must be a sequence of at least one",
        ),
        (ValueError, {"modes": []}, "`modes` must be a sequence of at least one mode"),
        (ValueError, {"repeats": 0}, "`repeats` must be at least 1, got 0"),
        (TypeError, {"repeats": 2.0}, "`repeats` must be an integer, got float"),
        (ValueError, {"max_bytes": 0}, "`max_bytes` must be at least 1, got 0"),
        (
            ValueError,
            {"reference": "float16"},
            "`reference` must be one of 'float64', N",
        ),
        (ValueError, {"argnums": 3}, "argnums"),
        (TypeError, {"modes": 3}, "`modes` must be a sequence of modes, got int"),
        (
            TypeError,
            {"modes": iter(["cut"])},
            "`modes` must be a sequence of modes, go",
        ),
        (TypeError, {"modes": {"cut"}}, "`modes` must be a sequence of modes, got set"),
        (TypeError, {"batch": "no"}, "`batch` must be True or False, got str"),
    ],
)
def test_compare_modes_refuses_wrong_options(error, options, message):
    with pytest.raises(error, match=re.escape(message)):
        compare_modes(bottleneck, AT, **options)


@pytest.mark.boundary
def test_compare_modes_refuses_what_is_no_function():
    with pytest.raises(TypeError, match="`fun` must be a function, got int"):
        compare_modes(3, AT)  # pyright: ignore[reportArgumentType]


def test_compare_modes_refuses_integers():
    with pytest.raises(TypeError, match="int32"):
        compare_modes(jnp.sin, jnp.arange(3))


def test_compare_modes_refuses_traced_arguments():
    with pytest.raises(
        TypeError, match="`args` must have values, got a tracer: compare"
    ):
        jax.jit(lambda x: compare_modes(bottleneck, x).evaluation.median)(AT)


def test_compare_modes_refuses_samples_that_mix():
    with pytest.raises(SampleMixingError, match=r"reduce_sum at .*test_compare.py:\d+"):
        compare_modes(mixing, ROWS, batch=True)


# the command

MODULE = """
import jax
import jax.numpy as jnp

number = 3

def tall(x):
    return jnp.sin(x).sum()

def pair(x, y):
    return x * y

def keeps(x):
    return x.astype(jnp.float32) * 2

def mixing(x):
    return x - x.mean(axis=0)

@jax.jit
def inner(x):
    return {}["no such key"] * x

def breaks(x):
    return jax.lax.map(inner, x)

def refuses(x):
    raise ValueError("this shape has no name")

def leaves(x):
    raise SystemExit(3)

def speaks(x):
    print("a word")
    return jnp.sin(x)
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "own_functions.py"
    path.write_text(MODULE)
    return path


@pytest.fixture
def run(capsys, monkeypatch, file):
    """The command in this process, from the folder of the module."""
    monkeypatch.chdir(file.parent)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, file.stem, raising=False)

    def run(*argv):
        status = cli.main(["compare", *argv])
        return status, *capsys.readouterr()

    return run


def test_command_prints_the_table_and_writes_json_and_figure(run, tmp_path):
    figures = [str(tmp_path / name) for name in ("a.json", "a.png")]
    flags = ["--json", figures[0], "--plot", figures[1], "--repeats", "2"]
    status, out, err = run("own_functions:tall", "--shape", "9", *flags)
    assert (status, err) == (0, "")
    assert out.startswith("tall(float32[9]) on ")
    assert max(map(len, out.splitlines())) <= 100
    value = json.loads((tmp_path / "a.json").read_text())
    assert faults(value, COMPARE) == []
    assert len(value["modes"][0]["run_s"]["runs"]) == 2
    assert matplotlib.pyplot.imread(tmp_path / "a.png").shape[1] > 1000


def test_command_takes_several_shapes_a_dtype_modes_and_a_bound(run, tmp_path):
    flags = ["--dtype", "float64", "--modes", "forward,reverse", "--max-bytes", "9999"]
    json_file = tmp_path / "a.json"
    shapes = ["--shape", "(2, 3)", "--shape", "()"]
    argv = ["own_functions.py:pair", *shapes, *flags, "--repeats", "1"]
    status, out, _ = run(*argv, "--json", str(json_file))
    assert status == 0
    assert out.startswith("pair(float64[2, 3], float64[]) on ")
    assert [m["mode"] for m in json.loads(json_file.read_text())["modes"]] == [
        "forward",
        "reverse",
    ]


def test_command_compares_batches(run):
    argv = ["jax.numpy:sin", "--shape", "3x4", "--batch", "--repeats", "1"]
    status, out, _ = run(*argv)
    assert status == 0
    assert re.findall(r"^\w+(?=  )", out, flags=re.MULTILINE)[1:] == [
        "forward", "reverse", "cut", "full",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["nosuch:f"], "no module 'nosuch' here, expected one that can be imported"),
        (["nosuch.py:f"], "no file 'nosuch.py', expected a Python file, or a module"),
        ([".own_functions:f"], "no file '.own_functions', expected a Python file, or a"),
        (["own_functions:f"], "own_functions has no function 'f': it has tall, pair, "),
        (["own_functions.py:number"], "own_functions.py:number must be a function, got"),
        (["own_functions"], "a function is written MODULE:FUNCTION, got 'own_functions'"),
        (["own_functions:pair"], "own_functions:pair with --shape 3: pair() missing 1 "),
        (["own_functions:pair", "--shape", "4"], "own_functions:pair with --shape 4 -"),
        (["jax.numpy:linalg.inv"], "jax.numpy:linalg.inv with --shape 3: "),
        (["own_functions:tall", "--shape", "-3"], "--shape must be such as 784 or 32,7"),
        (["own_functions:tall", "--dtype", "int8"], "--dtype must be one of float32, "),
        (["own_functions:tall", "--modes", "up"], "--modes must be among forward, rever"),
        (["own_functions:tall", "--modes", "full"], "--modes must be among forward, rev"),
        (["own_functions:tall", "--repeats", "0"], "--repeats must be an integer from "),
        (["own_functions:tall", "--max-bytes", "x"], "--max-bytes must be an integer"),
        (["own_functions:tall", "--platform", "abacus"], "platform 'abacus' is not her"),
        (["own_functions:tall", "--json", "no/a"], "--json no/a: must be a file that c"),
        (["own_functions:tall", "--plot", "a.gif"], "--plot a.gif: must end in one of"),
        (["own_functions:mixing", "--batch"], "own_functions:mixing with --shape 3: "),
    ],
)  # fmt: skip
def test_what_the_user_can_mend_is_one_line_and_status_2(run, argv, line):
    status, out, err = run(*argv, "--shape", "3")
    assert (status, out) == (2, "")
    assert err.startswith("jnumerics: error: ")
    assert line in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("words.txt", "words", "words.txt must be a Python file"),
        ("open.py", "def f(x:\n", "open.py:f: '(' was never closed (open.py, line 1)"),
    ],
)
def test_file_that_is_no_python_is_one_line(run, tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    status, out, err = run(f"{tmp_path / name}:f", "--shape", "3")
    assert (status, out) == (2, "")
    assert err == f"jnumerics: error: {tmp_path}/{said}\n"


def test_plot_without_matplotlib_is_one_line_before_anything_is_measured(
    run, monkeypatch
):
    monkeypatch.setattr(lesson, "has_matplotlib", lambda: False)
    status, _, err = run("own_functions:tall", "--shape", "3", "--plot", "a.png")
    assert status == 2
    assert "--plot needs matplotlib: pip install" in err


def test_exception_inside_the_function_shows_its_own_frames_alone(run):
    status, out, err = run("own_functions.py:breaks", "--shape", "3")
    assert (status, out) == (1, "")
    lines = err.splitlines()
    assert lines[0] == "Traceback, your code only:"
    assert lines[-1] == "KeyError: 'no such key'"
    frames = re.findall(r'File "(.*)", line \d+, in (\w+)', err)
    assert [name for _, name in frames] == ["breaks", "inner"]
    assert all(path.endswith("own_functions.py") for path, _ in frames)


def test_exception_of_the_persons_own_that_speaks_of_shapes_is_no_misfit(run):
    status, _, err = run("own_functions.py:refuses", "--shape", "3")
    assert status == 1
    assert err.splitlines()[-1] == "ValueError: this shape has no name"
    assert "in refuses" in err


def test_module_whose_own_import_fails_shows_where(run, tmp_path):
    (tmp_path / "needs.py").write_text("import no_such_package\n")
    status, _, err = run(f"{tmp_path / 'needs.py'}:f", "--shape", "3")
    assert status == 1
    assert re.search(r'needs\.py", line 1, in <module>', err)
    assert err.endswith("No module named 'no_such_package'\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("784", (784,)), ("32, 784", (32, 784)), ("32x784", (32, 784)), ("[3]", (3,)),
     ("(3,)", (3,)), ("()", ()), ("", ()), ("0", (0,))],
)  # fmt: skip
def test_shapes_are_read_as_people_write_them(text, expected):
    assert compare.shape(text) == expected


@pytest.mark.parametrize(
    "text", ["7x", "a", "3,,4", "-1", "3.5", "(3", "3 4", "9" * 5000]
)
def test_other_shapes_are_refused(text):
    with pytest.raises(UsageError, match="--shape must be such as 784 or 32,784 or"):
        compare.shape(text)


def test_exit_inside_the_function_is_shown_as_an_exception(run):
    status, out, err = run("own_functions:leaves", "--shape", "3")
    assert (status, out) == (1, "")
    assert err.splitlines()[-1] == "SystemExit: 3"
    assert err.count("File ") == err.count("own_functions.py") == 1


def test_exit_of_a_module_on_import_is_shown_as_an_exception(run, tmp_path):
    (tmp_path / "script.py").write_text("import sys\nsys.exit()\n")
    status, _, err = run(f"{tmp_path / 'script.py'}:f", "--shape", "3")
    assert status == 1
    assert re.search(r'script\.py", line 2', err)


def test_json_to_the_standard_output_stands_there_alone(run):
    argv = ["own_functions:speaks", "--shape", "3", "--repeats", "2", "--json", "-"]
    status, out, err = run(*argv)
    assert status == 0
    assert faults(json.loads(out), COMPARE) == []
    assert "a word" in err
    assert "Fastest: " in err


@pytest.fixture
def ctrl_c(monkeypatch):
    """Interrupt the measurement at its so-and-so-manieth run of a program."""

    def at(run):
        runs = iter(range(1, run))
        shortest = timing.shortest

        def measured(program, calls):
            if next(runs, None) is None:
                raise KeyboardInterrupt
            return shortest(program, calls)

        monkeypatch.setattr(timing, "shortest", measured)

    return at


def test_ctrl_c_keeps_the_runs_until_then(ctrl_c):
    ctrl_c(3 + 2 * 3 + 2)  # one of each to warm up, two rounds, and one more run
    with pytest.raises(Interrupted) as caught:
        compare_modes(bottleneck, AT, modes=("forward", "reverse"), repeats=9)
    found = caught.value.found
    assert [len(m.run_s.runs) for m in found.modes] == [2, 2]
    assert [m.max_relative_difference for m in found.modes] == [None, None]
    assert found.reference == "nothing"


def test_ctrl_c_before_every_mode_has_run_keeps_nothing(ctrl_c):
    ctrl_c(2)
    with pytest.raises(KeyboardInterrupt) as caught:
        compare_modes(bottleneck, AT, repeats=9)
    assert not hasattr(caught.value, "found")


def test_ctrl_c_while_results_are_compared_keeps_all_runs(monkeypatch):
    def find(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(reference, "find", find)
    with pytest.raises(Interrupted) as caught:
        compare_modes(bottleneck, AT, modes=("cut",), repeats=2)
    assert [len(m.run_s.runs) for m in caught.value.found.modes] == [2]
    assert caught.value.found.reference == "nothing"


def test_command_after_ctrl_c_prints_and_writes_what_was_measured(
    run, ctrl_c, tmp_path
):
    ctrl_c(3 + 2 * 3 + 1)
    files = ["--json", str(tmp_path / "a.json"), "--plot", str(tmp_path / "a.svg")]
    argv = ["own_functions:tall", "--shape", "9", "--modes", "forward,reverse"]
    status, out, err = run(*argv, *files)
    assert status == 130
    assert out.startswith("tall(float32[9]) on ")
    assert err == "jnumerics: interrupted after 2 of 20 runs\n"
    value = json.loads((tmp_path / "a.json").read_text())
    assert faults(value, COMPARE) == []
    assert "<svg" in (tmp_path / "a.svg").read_text()


def test_command_after_ctrl_c_before_any_run_is_one_line(run, ctrl_c):
    ctrl_c(1)
    found = run("own_functions:tall", "--shape", "9")
    assert found == (130, "", "jnumerics: interrupted\n")


def test_files_are_written_although_nobody_reads_the_table(monkeypatch, file, tmp_path):
    class Closed(io.StringIO):
        def write(self, _):
            raise BrokenPipeError

    monkeypatch.chdir(file.parent)
    monkeypatch.setattr(sys, "stdout", Closed())
    argv = ["own_functions.py:tall", "--shape", "9", "--repeats", "1"]
    status = cli.main(["compare", *argv, "--json", str(tmp_path / "a.json")])
    assert status == 141
    assert faults(json.loads((tmp_path / "a.json").read_text()), COMPARE) == []


COMMANDS = {
    "right": ["own_functions.py:tall", "--shape", "5", "--repeats", "2"],
    "breaks": ["own_functions.py:breaks", "--shape", "5"],
    "missing": ["nosuch:f", "--shape", "5"],
}


@pytest.fixture(scope="module")
def processes(file):
    """Several commands, each in a process of its own, at the same time."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    started = {
        name: subprocess.Popen(
            [sys.executable, "-m", "jnumerics", "compare", *argv],
            cwd=file.parent,
            **options,
        )
        for name, argv in COMMANDS.items()
    }
    texts = {name: process.communicate() for name, process in started.items()}
    return {name: (started[name].returncode, *texts[name]) for name in started}


@pytest.mark.process
def test_process_prints_the_table(processes):
    status, out, err = processes["right"]
    assert (status, err) == (0, "")
    assert out.startswith("tall(float32[5]) on ")


@pytest.mark.process
def test_process_shows_no_frames_but_the_users(processes):
    status, out, err = processes["breaks"]
    assert (status, out) == (1, "")
    assert err.count("File ") == err.count("own_functions.py") == 2


@pytest.mark.process
def test_process_leaves_no_traceback_of_a_missing_module(processes):
    status, out, err = processes["missing"]
    assert (status, out) == (2, "")
    assert re.fullmatch(r"jnumerics: error: no module 'nosuch' here, .*\n", err)


def test_named_module_whose_own_import_fails_shows_where(run, tmp_path, monkeypatch):
    (tmp_path / "named_needs.py").write_text("import no_such_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    status, _, err = run("named_needs:f", "--shape", "3")
    assert status == 1
    assert re.search(r'named_needs\.py", line 1, in <module>', err)


@pytest.mark.parametrize("analysis", [None, {}, {"flops": -1.0}])
def test_a_compiler_that_does_not_count_leaves_it_to_us(analysis):
    program: Any = types.SimpleNamespace(
        cost_analysis=lambda: analysis, as_text=lambda: "add(1, 2)"
    )
    assert contenders.counter([program]) == "jnumerics"
    program.cost_analysis = lambda: {"flops": 3.0}
    assert contenders.counter([program]) == "compiler"
    assert contenders.compilers_count(program) == (3.0, 0.0)


def fails(*_):
    msg = "no such mode\nat all"
    raise ValueError(msg)


def identity(x):
    return x


def test_reference_is_the_first_mode_that_runs():
    ends = {"forward": fails, "reverse": identity}
    found, kind = reference.find(fails, ends, (jnp.ones(2),))
    np.testing.assert_array_equal(found, np.ones(2))
    assert kind == (
        "reverse mode in the given dtype (the function does not run in float64: "
        "no such mode)"
    )


def test_no_reference_where_no_mode_runs():
    found, kind = reference.find(fails, {"forward": fails}, (jnp.ones(2),))
    assert found is None
    assert kind.startswith("nothing (the function does not run in float64")


def test_reference_keeps_integers_and_doubles_complex_numbers():
    args = jnp.array([1, 0]), jnp.array([1j, 2], "complex64")
    found, kind = reference.find(lambda k, z: z[k], {}, args)
    assert (found.dtype, kind) == ("complex128", "the derivative in float64")


def test_why_there_are_no_figures_is_told_once_for_each_program(found):
    modes = (
        _compare.ModeResult("reverse", error="no room"),
        _compare.ModeResult("cut", same_as="reverse", error="no room"),
    )
    text = str(dataclasses.replace(found, modes=modes, tie=False, fastest=None))
    assert text.count("no room") == 1


def power(n, x):
    return x**n


def test_a_partial_function_has_the_name_of_what_it_completes():
    assert compared(functools.partial(power, 2), jnp.ones(3)).function == "power"


def test_a_file_imports_what_lies_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "lies_beside.py").write_text("def f(x):\n    return x\n")
    (tmp_path / "imports_it.py").write_text("from lies_beside import f\n")
    assert compare.load(f"{tmp_path / 'imports_it.py'}:f")(3) == 3


def test_a_missing_function_is_told_with_those_that_are_public(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "has_two.py").write_text("def f(x): ...\ndef _g(x): ...\n")
    with pytest.raises(UsageError, match=r"has no function 'h': it has f$"):
        compare.load(f"{tmp_path / 'has_two.py'}:h")


def test_names_in_the_figure_of_several_stand_on_the_roomier_side(monkeypatch):
    times = {"forward": [9.0, 9.0], "reverse": [2.0, 2.0], "cut": [5.0, 5.0]}
    won, _ = measured_as(monkeypatch, times)
    (axes,) = plots.mode_comparisons([won]).axes
    assert [t.get_horizontalalignment() for t in axes.texts[:3]] == [
        "right",
        "left",
        "right",
    ]


def test_axis_of_equal_times_spans_a_little_more_than_them(monkeypatch):
    times = {mode: [3.1e-6, 3.2e-6] for mode in ("forward", "reverse", "cut", "")}
    judged, _ = measured_as(monkeypatch, times)
    modes = tuple(m._replace(predicted_s=None) for m in judged.modes)
    judged = dataclasses.replace(judged, modes=modes)
    low, high = plots.mode_comparison(judged).axes[0].get_xlim()
    assert high / low == pytest.approx(8)
