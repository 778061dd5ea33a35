"""`jnumerics check`."""

import json

import pytest

from tests._schema import CHECK, faults

pytestmark = pytest.mark.usefixtures("file")


def test_derivatives_that_are_right_pass(run):
    status, out, err = run("check", "own_functions:tall", "--shape", "5")
    assert (status, err) == (0, "")
    assert out.startswith("tall(float32[5])\n\ncheck ")
    assert out.endswith("\n\nderivatives passed\n")


def test_derivatives_that_are_wrong_are_status_1(run):
    argv = ["check", "own_functions.py:wrong", "--shape", "3x2", "--json", "a.json"]
    status, out, err = run(*argv)
    assert (status, err) == (1, "")
    assert "NOT PASSED: Taylor remainder" in out
    with open("a.json") as file:
        value = json.load(file)
    assert faults(value, CHECK) == []
    assert value["passed"] is False
    assert value["reason"].startswith("Taylor remainder: order 1.00")


def test_gradients_derivatives_are_checked(run):
    argv = ["check", "own_functions:third", "--shape", "4", "--target", "hessian"]
    status, out, _ = run(*argv, "--json", "-")
    assert status == 0
    value = json.loads(out)
    assert faults(value, CHECK) == []
    assert (value["target"], value["passed"]) == ("hessian", True)


def test_each_of_several_arguments_is_checked(run):
    shapes = ["--shape", "2", "--shape", "2", "--dtype", "int32", "--dtype", "float64"]
    argv = ["check", "own_functions:weighted", *shapes, "--argnums", "1"]
    status, out, _ = run(*argv)
    assert status == 0
    assert "the arguments are double" in out


def test_seeds_draw_other_points(run):
    argv = ["check", "own_functions.py:wrong", "--shape", "3", "--seed"]
    (first, again, other) = (run(*argv, seed)[1] for seed in ("1", "1", "2"))
    assert first == again != other


def test_linear_function_has_no_order_in_json(run):
    _, out, _ = run("check", "jax.numpy:negative", "--shape", "3", "--json", "-")
    value = json.loads(out)
    assert faults(value, CHECK) == []
    assert value["order"] is None
