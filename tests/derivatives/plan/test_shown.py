"""What a person reads of a plan, and what is kept of it."""

import pickle
import re
from dataclasses import replace

import jax.numpy as jnp
import pytest

from jnumerics import _table
from jnumerics.derivatives import plan
from jnumerics.derivatives._dependence.rules import RULES
from jnumerics.derivatives._modes.ends import make_problem
from jnumerics.derivatives._program.trace import trace
from tests.derivatives.plan._functions import (
    dense,
    halved,
    narrow,
    passes,
    second_difference,
)

# what a person reads


def test_the_table_shows_each_candidate_and_the_choice():
    chosen = plan(narrow, jnp.ones(200))
    title, table, reason = str(chosen).split("\n\n")
    header, rule, *lines = table.splitlines()
    rows = [line for line in lines if line[0] != " "]  # the note may go on below
    assert title == "jacobian: 200 outputs by 200 inputs"
    columns = ["mode", "passes", "operations", "bytes", "predicted", "note"]
    assert header.split() == columns
    assert set(rule) == {"─", " "}
    assert [row.split()[0] for row in rows] == list(passes(chosen))
    marked = [row for row in rows if " * " in row]
    cut = chosen.choice
    figures = (
        _table.count(cut.cost.operations),
        _table.memory(cut.cost.bytes),
        _table.seconds(cut.cost.seconds),
    )
    assert len(marked) == 1
    assert re.match(r"cut \* +8 +" + " +".join(map(re.escape, figures)), marked[0])
    assert re.match(
        r"cut: predicted \d+\.\d times faster than reverse; 4 wide at \w+,\s", reason
    )


def test_a_cut_names_the_users_line():
    line = narrow.__code__.co_firstlineno + 1
    chosen = plan(narrow, jnp.ones(200))
    assert f"_functions.py:{line}" in chosen.choice.note
    assert f"_functions.py:{line}" in str(chosen)


def test_a_mode_that_is_not_served_has_no_figures():
    row = next(
        line
        for line in str(plan(halved, jnp.ones(50))).splitlines()
        if line.startswith("reverse")
    )
    assert row.split()[1:5] == ["-", "-", "-", "-"]
    assert "not through while" in row


def test_equal_ends_are_called_equal():
    assert plan(lambda x: x**3, jnp.ones(3)).reason == (
        "3 passes, predicted as fast as forward"
    )


def test_one_is_singular():
    text = str(plan(lambda x: jnp.sum(x) ** 2, jnp.ones(40)))
    assert text.startswith("jacobian: 1 output by 40 inputs\n")
    assert "reverse: 1 pass, predicted" in text
    assert "1 color of inputs" in str(plan(lambda x: x**3, jnp.ones(9)))


def test_a_row_that_shares_no_pass_is_told_beside_the_colors():
    text = str(plan(lambda x: jnp.append(x**2, x.sum()), jnp.ones(40)))
    assert re.search(r"compressed +2 .* 1 color of inputs, 1 row apart\n", text)


@pytest.mark.parametrize("target", ["jacobian", "diagonal"])
def test_a_plan_fits_in_100_columns(target):
    def residual(x):
        return x + jnp.sin(narrow(x)) * x[0]

    text = str(plan(residual, jnp.ones(200), target=target))
    assert max(map(len, text.splitlines())) <= 100


def test_notebooks_show_a_table():
    chosen = plan(narrow, jnp.ones(200))
    html = chosen._repr_html_()  # pyright: ignore[reportPrivateUsage]
    assert html.count("<tr>") == 5
    assert ">cut *</td>" in html
    assert "jacobian: 200 outputs by 200 inputs" in html


def test_notebooks_show_a_reason_escaped():
    chosen = replace(plan(narrow, jnp.ones(200)), reason="a < b & c")
    html = chosen._repr_html_()  # pyright: ignore[reportPrivateUsage]
    assert "cut: a &lt; b &amp; c" in html


# what is kept of a plan


@pytest.mark.parametrize(
    ("fun", "target"),
    [
        (narrow, "jacobian"),
        (second_difference, "jacobian"),
        (halved, "jacobian"),
        (jnp.sin, "diagonal"),
        (jnp.sin, "batch"),
    ],
)
def test_pickled_plan_reads_the_same_and_holds_no_program(fun, target):
    n = {halved: 50, narrow: 200}.get(fun, 9)
    chosen = plan(fun, jnp.ones(n), target=target)
    text = pickle.dumps(chosen)
    assert b"jax" not in text
    loaded = pickle.loads(text)
    assert (str(loaded), repr(loaded)) == (str(chosen), repr(chosen))
    assert passes(loaded) == passes(chosen)


def test_pickled_plan_is_not_run():
    loaded = pickle.loads(pickle.dumps(plan(dense, jnp.ones(50))))
    problem = make_problem(trace(dense, [jnp.ones(50)]))
    with pytest.raises(ValueError, match="made where it is run, got one that was pick"):
        loaded.strategy.terms(problem, {}, None)


def test_plan_is_shown_in_one_line():
    chosen = plan(second_difference, jnp.ones(9))
    title = "jacobian: 7 outputs by 9 inputs"
    assert repr(chosen) == f"<Plan for {title}; {chosen.mode}, {chosen.passes} passes>"
    assert max(len(repr(c)) for c in chosen.candidates) < 300


def test_plan_names_what_was_joined_for_want_of_a_rule(monkeypatch):
    rule, parameters = RULES["transpose"]
    assert "joined" not in str(plan(lambda x: x.T * 2, jnp.ones((3, 4))))
    monkeypatch.setitem(RULES, "transpose", (rule, parameters - {"permutation"}))
    shown = str(plan(lambda x: x.T * 2, jnp.ones((3, 4))))
    assert (
        "joined for want of a rule: transpose at tests/derivatives/plan/test_shown.py:"
        in shown
    )
