"""The plan: what is counted, what is chosen and why, and what is refused."""

import pickle
import re
from dataclasses import replace

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics import _table
from jnumerics.derivatives import SampleMixingError, jacobian, plan
from jnumerics.derivatives._dependence.rules import RULES
from jnumerics.derivatives._modes.ends import Reverse, make_problem
from jnumerics.derivatives._plan import memory
from jnumerics.derivatives._plan import plan as _plan
from jnumerics.derivatives._plan.cost import Cost
from jnumerics.derivatives._plan.result import Candidate
from jnumerics.derivatives._program.trace import trace

WIDE = np.random.default_rng(1).normal(size=(30, 50)).astype(np.float32) / 5
NARROW = np.random.default_rng(2).normal(size=(4, 200)).astype(np.float32) / 5
FEW = np.random.default_rng(3).normal(size=(3, 6)).astype(np.float32) / 2


def candidate(found, mode):
    return next(c for c in found.candidates if c.mode == mode)


def passes(found):
    return {c.mode: c.passes for c in found.candidates}


def dense(x):
    return WIDE @ x


def narrow(x):
    return jnp.sin(jnp.sin(NARROW @ x) @ NARROW)  # cut at the four sines


def second_difference(x):
    return x[2:] - 2 * x[1:-1] ** 2 + x[:-2]


def halved(x):
    return lax.while_loop(lambda y: jnp.sum(y) > 1e3, lambda y: y / 2, WIDE @ x)


@jax.custom_vjp
def by_loop(x):
    return x**3


def by_loop_bwd(x, g):
    # a true loop in the backward rule: it is linear and can be run, not transposed
    def step(state):
        return state[0] + 1, 3 * x**2 * state[1]

    return (lax.while_loop(lambda state: state[0] < 1, step, (0, g))[1],)


by_loop.defvjp(lambda x: (x**3, x), by_loop_bwd)


# what is counted


def test_each_end_takes_a_pass_for_each_of_its_components():
    found = plan(dense, jnp.ones(50))
    assert (found.target, found.samples) == ("jacobian", 1)
    assert (found.n_outputs, found.n_inputs) == (30, 50)
    assert passes(found) == {"reverse": 30, "forward": 50, "cut": 30, "compressed": 30}


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_operations_are_those_of_the_products(mode):
    # each pass multiplies W (30, 50) by a vector: 2 * 30 * 50; its direction is made
    # by at most four elementwise steps of at most 50 entries
    n = {"reverse": 30, "forward": 50}[mode]
    products = n * 2 * 30 * 50
    c = candidate(plan(dense, jnp.ones(50)), mode)
    assert products <= c.cost.operations <= products + n * 4 * 50


def test_weights_are_read_once_for_all_passes():
    # at least W, the directions and the answer; less than W for each of 30 passes
    c = candidate(plan(dense, jnp.ones(50)), "reverse")
    assert 4 * (30 * 50 + 30 * 30 + 30 * 50) <= c.cost.bytes < 30 * 4 * 30 * 50


def test_a_cut_counts_both_factors_and_their_product():
    # 4 passes back through W (4, 200), 4 forward through its transpose, and the product
    # (200, 4) @ (4, 200); elementwise: at most ten steps on either factor
    found = plan(narrow, jnp.ones(200))
    cut = candidate(found, "cut")
    assert cut.passes == 8
    products = 2 * (2 * 4 * 4 * 200) + 2 * 200 * 4 * 200
    assert products <= cut.cost.operations <= products + 10 * 2 * 4 * 200 * 2


def test_a_diagonal_by_a_cut_never_pays_for_the_full_product():
    jacobian_, diagonal = (
        candidate(plan(narrow, jnp.ones(200), target=t), "cut")
        for t in ("jacobian", "diagonal")
    )
    assert jacobian_.passes == diagonal.passes == 8
    saved = 2 * 200 * 4 * 200 - 2 * 4 * 200
    ratio = (jacobian_.cost.operations - diagonal.cost.operations) / saved
    assert 0.9 < ratio < 1.1


def test_a_scan_counts_as_often_as_it_runs():
    def looped(steps):
        def fun(x):
            return lax.scan(lambda y, _: (WIDE.T @ (WIDE @ y), None), x, None, steps)[0]

        return candidate(plan(fun, jnp.ones(50)), "forward").cost.operations

    step = 50 * 2 * (2 * 30 * 50)  # 50 passes through both products
    assert looped(7) - looped(3) == pytest.approx(4 * step, rel=0.02)


def test_outputs_count_whether_or_not_they_depend_on_anything():
    found = plan(lambda x: (jnp.ones((2, 3)), x[:1] ** 2), jnp.ones(5))
    assert (found.n_outputs, found.n_inputs) == (7, 5)
    still = plan(lambda _: jnp.ones(3), jnp.ones(5))
    assert (still.n_outputs, still.n_inputs, still.passes) == (3, 5, 0)
    assert still.reason == "nothing depends on the inputs"


def test_trees_and_argnums_count_all_their_leaves():
    def fun(tree, k, y):
        return {"u": tree["a"] * k, "v": jnp.sum(tree["b"]) * y}

    tree = {"a": jnp.ones(3), "b": jnp.ones((2, 2))}
    assert plan(fun, tree, 2.0, jnp.ones(5)).n_inputs == 7
    found = plan(fun, tree, 2.0, jnp.ones(5), argnums=(0, 2))
    assert (found.n_outputs, found.n_inputs) == (8, 12)


# what is chosen


@pytest.mark.parametrize(
    ("fun", "n", "mode", "n_passes"),
    [
        (lambda x: jnp.sum(x**2), 40, "reverse", 1),
        (lambda x: jnp.sin(x) * jnp.ones(40), 1, "forward", 1),
        (dense, 50, "reverse", 30),
        (narrow, 200, "cut", 8),
        (second_difference, 200, "compressed", 3),
        (lambda x: x**3, 500, "compressed", 1),
    ],
    ids=["wide", "tall", "dense", "narrow", "stencil", "elementwise"],
)
def test_structure_decides(fun, n, mode, n_passes):
    found = plan(fun, jnp.ones(n) if n > 1 else jnp.ones(()))
    assert (found.mode, found.passes) == (mode, n_passes)
    assert found.choice is candidate(found, mode)


def test_nearly_equal_ends_go_to_reverse():
    found = plan(lambda x: x**3, jnp.ones(3))
    reverse, forward = candidate(found, "reverse"), candidate(found, "forward")
    assert forward.cost.seconds == pytest.approx(reverse.cost.seconds, rel=0.1)
    assert found.mode == "reverse"


def test_without_structure_the_other_modes_are_the_better_end():
    found = plan(dense, jnp.ones(50))
    for mode in ("cut", "compressed"):
        c = candidate(found, mode)
        assert (c.same_as, c.strategy) == ("reverse", found.strategy)
        assert c.note.endswith(": as reverse")


def test_what_cannot_be_transposed_goes_forward():
    found = plan(halved, jnp.ones(50))
    reverse = candidate(found, "reverse")
    assert found.mode == "forward"
    assert (reverse.strategy, reverse.passes) == (None, None)
    assert re.match(r"not through while at .*test_plan\.py:\d+", reverse.note)
    assert found.reason.startswith("reverse is not served: not through while")


def test_what_only_transposes_goes_back():
    found = plan(lambda x: by_loop(WIDE @ x), jnp.ones(50))
    assert found.mode == "reverse"
    assert candidate(found, "forward").strategy is None
    assert re.search(r"test_plan\.py:\d+", found.reason)


def test_a_plan_reads_shapes_alone():
    with jax.enable_x64(False):
        shape = jax.ShapeDtypeStruct((50,), jnp.float32)
        expected = str(plan(dense, jnp.ones(50)))
        assert str(plan(dense, np.zeros(50, np.float32))) == expected
        assert str(plan(dense, jnp.full(50, jnp.nan))) == expected
        seen = []
        jax.eval_shape(lambda x: seen.append(str(plan(dense, x))), shape)
        jax.jit(lambda x: seen.append(str(plan(dense, x))))(jnp.ones(50))
        assert seen == [expected, expected]


def test_a_plan_is_made_once_for_each_shape_inside_jit():
    chex.clear_trace_counter()
    traced = chex.assert_max_traces(narrow, n=1)
    derivative = jax.jit(jacobian(traced))
    for k in range(3):
        derivative(jnp.full(200, float(k)))


# batches


def test_samples_share_their_passes():
    found = plan(lambda X: jnp.sin(X @ FEW.T), jnp.ones((500, 6)), target="batch")
    assert (found.samples, found.n_outputs, found.n_inputs) == (500, 3, 6)
    assert (found.mode, found.passes) == ("reverse", 3)
    assert candidate(found, "forward").passes == 6
    assert "samples share passes already" in candidate(found, "compressed").note
    assert str(found).startswith(
        "batch: 3 outputs by 6 inputs for each of 500 samples\n"
    )


def test_samples_are_cut_where_one_sample_is_narrow():
    W = jax.random.normal(jax.random.key(4), (2, 64)) / 8
    found = plan(lambda X: jnp.sin(X @ W.T) @ W, jnp.ones((100, 64)), target="batch")
    assert (found.mode, found.passes) == ("cut", 4)


# memory


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_more_memory_means_more_passes_at_a_time(mode):
    target = trace(lambda x: jnp.tanh(WIDE.T @ jnp.sin(WIDE @ x)), (jnp.ones(50),))
    with pytest.raises(ValueError, match="`max_bytes` must be at least") as caught:
        _plan.choose(target, mode=mode, max_bytes=1)
    match = re.search(r"at least (\d+) for one \w+ pass, got 1$", str(caught.value))
    assert match is not None
    least = int(match.group(1))
    chunks = [
        _plan.choose(target, mode=mode, max_bytes=b).chunk or 0
        for b in (least, 2 * least, 4 * least, 1 << 30)
    ]
    assert chunks == sorted(chunks)
    assert chunks[0] == 1
    assert chunks[-1] == 50
    with pytest.raises(ValueError, match=f"got {least - 1}"):
        _plan.choose(target, mode=mode, max_bytes=least - 1)


def test_without_a_bound_nothing_is_chunked():
    assert plan(dense, jnp.ones(50)).chunk is None


# what a person reads


def test_the_table_shows_each_candidate_and_the_choice():
    found = plan(narrow, jnp.ones(200))
    title, table, reason = str(found).split("\n\n")
    header, rule, *lines = table.splitlines()
    rows = [line for line in lines if line[0] != " "]  # the note may go on below
    assert title == "jacobian: 200 outputs by 200 inputs"
    columns = ["mode", "passes", "operations", "bytes", "predicted", "note"]
    assert header.split() == columns
    assert set(rule) == {"─", " "}
    assert [row.split()[0] for row in rows] == list(passes(found))
    marked = [row for row in rows if " * " in row]
    cut = found.choice
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
    found = plan(narrow, jnp.ones(200))
    assert f"test_plan.py:{line}" in found.choice.note
    assert f"test_plan.py:{line}" in str(found)


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


@pytest.mark.parametrize("target", ["jacobian", "diagonal"])
def test_a_plan_fits_in_100_columns(target):
    def residual(x):
        return x + jnp.sin(narrow(x)) * x[0]

    text = str(plan(residual, jnp.ones(200), target=target))
    assert max(map(len, text.splitlines())) <= 100


def test_notebooks_show_a_table():
    html = plan(narrow, jnp.ones(200))._repr_html_()  # pyright: ignore[reportPrivateUsage]
    assert html.count("<tr>") == 5
    assert "<td>cut *</td>" in html


# what is refused


@pytest.mark.boundary
def test_plan_refuses_samples_that_mix():
    line = r"reduce_sum at .*test_plan\.py:\d+"
    with pytest.raises(SampleMixingError, match=line):
        plan(lambda X: X - X.mean(axis=0, keepdims=True), FEW, target="batch")
    assert plan(lambda X: X - X.mean(axis=0, keepdims=True), FEW).n_inputs == 18


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("x", "match"),
    [
        (np.arange(3), r"`args\[0\]` must be real to be differentiated.*int"),
        (1j, "set holomorphic=True"),
        ([1.0, b"a"], r"`args\[0\]\[1\]` must be an array, got bytes"),
    ],
)
def test_plan_refuses_types_without_a_derivative(x, match):
    with pytest.raises(TypeError, match=match):
        plan(lambda x: x, x)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("fun", "match"),
    [
        (3, "`fun` must be a function, got int"),
        (lambda x: x > 0, "must return real or complex numbers, got dtype bool"),
        (lambda _: None, "must return an array"),
        (lambda x: x * float(x[0]), r"test_plan\.py:\d+"),
    ],
)
def test_plan_refuses_functions_without_a_derivative(fun, match):
    with pytest.raises(TypeError, match=match):
        plan(fun, jnp.ones(3))


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("fun", "options", "match"),
    [
        (dense, {"target": "rows"}, "`target` must be one of 'jacobian', 'batch', "),
        (dense, {"target": "diagonal"}, "must return its argument's tree and shapes"),
        (dense, {"target": "batch"}, "must have 50 samples along axis 0"),
        (jnp.sum, {"target": "batch"}, "must have the axis out_axis=0"),
        (dense, {"argnums": 1}, "`argnums` must be below the number of arguments"),
    ],
)
def test_plan_refuses_what_does_not_fit_its_target(fun, options, match):
    with pytest.raises(ValueError, match=match):
        plan(fun, jnp.ones(50), **options)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("fun", "mode"),
    [(halved, "reverse"), (lambda x: by_loop(WIDE @ x), "forward")],
    ids=["while", "custom_vjp"],
)
def test_plan_says_why_a_mode_is_refused(fun, mode):
    target = trace(fun, (jnp.ones(50),))
    match = rf"`mode` must be one that serves `fun`, got '{mode}': not through .*py:\d+"
    with pytest.raises(ValueError, match=match):
        _plan.choose(target, mode=mode)


@pytest.mark.boundary
def test_plan_says_why_no_mode_is_left():
    def both(x):  # only back, and then only forward
        return by_loop(halved(x))

    with pytest.raises(ValueError, match=r"reverse: .*while.*; forward: .*"):
        plan(both, jnp.ones(50))


def test_the_mode_of_a_plan_that_is_not_served_has_no_way():
    found = replace(plan(halved, jnp.ones(50)), mode="reverse")
    with pytest.raises(ValueError, match="plan's mode 'reverse' is not served"):
        _ = found.strategy


def test_a_rule_that_jax_cannot_transpose_leaves_forward_mode():
    def combined(a, b):
        return a + 2 * b

    @jax.custom_jvp
    def fun(x):
        return lax.reduce(x, np.float32(0), combined, (0,))

    fun.defjvp(lambda xs, ts: (fun(*xs), fun(*ts)))
    found = plan(fun, jnp.ones((3, 4)))
    assert found.mode == "forward"
    assert candidate(found, "reverse").strategy is None
    assert candidate(found, "reverse").note.startswith("JAX refuses: ")
    assert found.reason.endswith(candidate(found, "reverse").note)


def counted(*seconds):
    """Candidates that take so many seconds: reverse, forward, cut, compressed."""
    modes = "reverse", "forward", "cut", "compressed"
    return [
        Candidate(mode, Reverse(2), Cost(seconds=s))
        for mode, s in zip(modes, seconds, strict=True)
    ]


@pytest.mark.parametrize(
    ("seconds", "mode"),
    [
        ((1.0, 0.95, 2.0, 2.0), "reverse"),
        ((1.0, 0.85, 2.0, 2.0), "forward"),
        ((1.0, 2.0, 0.95, 2.0), "reverse"),
        ((1.0, 2.0, 0.85, 0.8), "compressed"),
        ((1.0, 0.8, 0.75, 2.0), "forward"),
        ((1.0, 0.8, 0.7, 2.0), "cut"),
    ],
)
def test_another_mode_is_taken_where_it_is_predicted_well_below(
    monkeypatch, seconds, mode
):
    monkeypatch.setattr(_plan, "find_candidates", lambda *_: counted(*seconds))
    assert plan(dense, jnp.ones(50)).mode == mode


@pytest.mark.parametrize(
    ("forward", "reason"),
    [
        (1.0, "2 passes, predicted as fast as forward"),
        (1.049, "2 passes, predicted as fast as forward"),
        (1.06, "2 passes, predicted 1.1 times faster than forward"),
        (2.0, "2 passes, predicted 2.0 times faster than forward"),
    ],
)
def test_ends_a_twentieth_apart_are_not_as_fast_as_each_other(
    forward, reason, monkeypatch
):
    found = counted(1.0, forward, 3.0, 3.0)
    monkeypatch.setattr(_plan, "find_candidates", lambda *_: found)
    assert plan(dense, jnp.ones(50)).reason == reason


def test_the_cheapest_mode_that_keeps_to_the_bound_is_taken(monkeypatch):
    needs = {"cut": 100, "reverse": 50, "forward": 15, "compressed": 10}
    monkeypatch.setattr(_plan, "find_candidates", lambda *_: counted(1, 4, 0.5, 3))
    monkeypatch.setattr(memory, "_chunk", lambda p, _: (needs[p.mode], None))
    target = trace(dense, (jnp.ones(50),))
    taken = [_plan.choose(target, max_bytes=n).mode for n in (100, 50, 20, 10)]
    assert taken == ["cut", "reverse", "compressed", "compressed"]
    with pytest.raises(ValueError, match="must be at least 10 for one compressed pass"):
        _plan.choose(target, max_bytes=5)


def two_heads(x):
    return jnp.concatenate([x**2, jnp.stack([jnp.sum(x**2), jnp.sum(x**3)])])


def two_columns(x):
    return jnp.sum(x[2:].reshape(-1, 4) ** 2, axis=1) * x[0] + x[1]


def halved_alone(x):
    return lax.while_loop(lambda y: jnp.sum(y) > 1e3, lambda y: y / 2, x)


@pytest.mark.parametrize(
    ("fun", "end"),
    [
        (lambda x: two_heads(halved_alone(x)), "forward"),
        (lambda x: two_columns(x.at[:2].set(by_loop(x[:2]))), "reverse"),
    ],
)
def test_long_lines_need_a_mode_that_is_served(fun, end):
    found = candidate(plan(fun, jnp.ones(42)), "compressed")
    assert found.same_as == end


def test_outputs_share_passes_where_inputs_share_few():
    found = candidate(plan(lambda x: two_columns(x) ** 2, jnp.ones(82)), "compressed")
    assert (found.passes, found.note) == (3, "1 color of outputs")


def test_a_connection_around_a_part_is_split_off_where_that_is_narrower():
    found = plan(lambda x: narrow(x).at[:5].add(x[:5]), jnp.ones(200))
    assert candidate(found, "cut").passes == 2 * 4 + 1


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
    found = plan(fun, jnp.ones(n), target=target)
    text = pickle.dumps(found)
    assert b"jax" not in text
    kept = pickle.loads(text)
    assert (str(kept), repr(kept)) == (str(found), repr(found))
    assert passes(kept) == passes(found)


def test_pickled_plan_is_not_run():
    kept = pickle.loads(pickle.dumps(plan(dense, jnp.ones(50))))
    problem = make_problem(trace(dense, [jnp.ones(50)]))
    with pytest.raises(ValueError, match="made where it is run, got one that was pick"):
        kept.strategy.terms(problem, {}, None)


def test_plan_is_shown_in_one_line():
    found = plan(second_difference, jnp.ones(9))
    title = "jacobian: 7 outputs by 9 inputs"
    assert repr(found) == f"<Plan for {title}; {found.mode}, {found.passes} passes>"
    assert max(len(repr(c)) for c in found.candidates) < 300


def test_plan_names_what_was_joined_for_want_of_a_rule(monkeypatch):
    rule, parameters = RULES["transpose"]
    assert "joined" not in str(plan(lambda x: x.T * 2, jnp.ones((3, 4))))
    monkeypatch.setitem(RULES, "transpose", (rule, parameters - {"permutation"}))
    shown = str(plan(lambda x: x.T * 2, jnp.ones((3, 4))))
    assert (
        "joined for want of a rule: transpose at tests/derivatives/plan/test_plan.py:"
        in shown
    )
