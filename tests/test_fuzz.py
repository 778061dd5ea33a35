"""The fuzzer: its bounded run, and that it can be trusted."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from tests.fuzz import coverage
from tests.fuzz.check import Failure, Outcome
from tests.fuzz.faults.listed import FAULTS
from tests.fuzz.interpret import Interpreter
from tests.fuzz.programs.program import Assign, Define, Program
from tests.fuzz.programs.shrink import script, shrunk
from tests.fuzz.work import Finding, Report


def run(*arguments):
    """Run a module of the fuzzer in a process of its own: four devices, float64."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=Path(__file__).parents[1],
        env={k: v for k, v in os.environ.items() if not k.startswith("PYTEST")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.process
def test_random_programs_have_right_derivatives_by_every_way():
    finished = run("tests.fuzz", "--programs", "150", "--seed", "0", "--workers", "1")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    last = finished.stdout.splitlines()[-1]
    assert last.startswith("seed 0: 150 programs")
    assert ", 0 wrong, " in last


@pytest.mark.slow
@pytest.mark.process
def test_the_interpreter_evaluates_as_xla_does():
    finished = run("tests.fuzz.interpret", "--programs", "13", "--seed", "1")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.stdout.rstrip().endswith("13 programs, 0 differ")


@pytest.mark.slow
@pytest.mark.process
def test_a_fault_in_a_rule_is_found_and_ends_with_status_0():
    finished = run("tests.fuzz.faults", "--only", "rev does not", "--workers", "1")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.stdout.splitlines()[-1].startswith("1 of 1 faults found")


@pytest.mark.slow
@pytest.mark.process
def test_a_fault_that_is_not_found_ends_with_status_1():
    finished = run("tests.fuzz.faults", "--only", "rev does not", "--programs", "0")
    assert finished.returncode == 1, finished.stderr
    assert "NOT FOUND rev does not reverse" in finished.stdout


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_fits_the_source_once_and_compiles(fault):
    compile(fault.source(), fault.file, "exec")


def test_there_are_forty_faults_of_different_names():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 40


# --- shrinking ------------------------------------------------------------------------

SHAPE = (3,)
PROGRAM = Program(
    leaves=((SHAPE, "float64"),),
    statements=(
        Assign("v1", "jnp.sin(x0)", SHAPE, "float64"),
        Define(
            "f2",
            ("a3",),
            (
                Assign("v4", "jnp.cos(a3)", SHAPE, "float64"),
                Assign("v5", "lax.rev(v4, (0,))", SHAPE, "float64"),
            ),
            "v5",
        ),
        Assign("v6", "f2(v1)", SHAPE, "float64"),
        Assign("v7", "jnp.exp(v6)", SHAPE, "float64"),
    ),
    results=("v7",),
)


def test_shrinking_keeps_what_fails_and_drops_the_rest():
    small = shrunk(PROGRAM, lambda program: "lax.rev" in program.body())
    assert "lax.rev" in small.body()
    for gone in ("sin", "cos", "exp"):
        assert gone not in small.body()


def test_a_script_runs_as_it_is_printed():
    text = script(PROGRAM, "jacobian cut dense").partition("\nfrom jnumerics")[0]
    scope = {}
    exec(text.replace('jax.config.update("jax_enable_x64", True)', ""), scope)
    expected = np.exp(np.cos(np.sin(scope["x"]))[::-1])
    np.testing.assert_allclose(
        scope["fun"](scope["x"], scope["k"]), expected, rtol=1e-6
    )


def test_the_printed_function_is_the_one_that_is_checked():
    x, k = PROGRAM.arguments(0)
    with jax.enable_x64(True):
        y = PROGRAM.function()(x, k)
    np.testing.assert_allclose(y, np.exp(np.cos(np.sin(x))[::-1]), rtol=1e-12)


# --- reports --------------------------------------------------------------------------


def test_reports_of_two_batches_add_up():
    first, second = Report(programs=2), Report(programs=3, independent=1)
    second.wrong.append(Finding("movement", 7, "dependence", "outside"))
    first.add(second)
    assert (first.programs, first.independent, len(first.wrong)) == (5, 1, 1)


def test_an_outcome_without_a_failure_is_right():
    assert not Outcome().wrong
    assert Outcome(wrong=[Failure("batch", "mixes")]).wrong


def test_coverage_names_the_rules_that_did_not_occur():
    jaxpr = jax.make_jaxpr(lambda x: jax.lax.rev(x, (0,)))(np.ones(3))
    counts = coverage.empty()
    coverage.record(counts, jaxpr.eqns[0], True)
    *_, missing = lines = coverage.lines(counts)
    assert "rev: 1; dimensions {0}" in lines
    assert "rev," not in missing
    assert "transpose" in missing


def test_what_an_interpreter_returns_has_the_shape_and_dtype_of_the_jaxpr():
    jaxpr = jax.make_jaxpr(lambda x: (x.sum(), x > 0))(np.ones((2, 3), np.float32))
    total, mask = Interpreter(jaxpr, is_strict=True)(np.ones((2, 3), np.float32))
    assert (total.dtype, mask.dtype, mask.shape) == (np.float32, bool, (2, 3))
