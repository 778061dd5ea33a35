"""What a plan chooses and why."""

import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics.derivatives import jacobian, plan
from jnumerics.derivatives._modes.ends import Reverse
from jnumerics.derivatives._plan import memory
from jnumerics.derivatives._plan import plan as _plan
from jnumerics.derivatives._plan.cost import Cost
from jnumerics.derivatives._plan.result import Candidate
from jnumerics.derivatives._program.trace import trace
from tests.derivatives.plan._functions import (
    FEW,
    WIDE,
    by_loop,
    candidate,
    dense,
    halved,
    narrow,
    second_difference,
)

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
    chosen = plan(fun, jnp.ones(n) if n > 1 else jnp.ones(()))
    assert (chosen.mode, chosen.passes) == (mode, n_passes)
    assert chosen.choice is candidate(chosen, mode)


def test_nearly_equal_ends_go_to_reverse():
    chosen = plan(lambda x: x**3, jnp.ones(3))
    reverse, forward = candidate(chosen, "reverse"), candidate(chosen, "forward")
    assert forward.cost.seconds == pytest.approx(reverse.cost.seconds, rel=0.1)
    assert chosen.mode == "reverse"


def test_without_structure_the_other_modes_are_the_better_end():
    chosen = plan(dense, jnp.ones(50))
    for mode in ("cut", "compressed"):
        c = candidate(chosen, mode)
        assert (c.same_as, c.strategy) == ("reverse", chosen.strategy)
        assert c.note.endswith(": as reverse")


def test_what_cannot_be_transposed_goes_forward():
    chosen = plan(halved, jnp.ones(50))
    reverse = candidate(chosen, "reverse")
    assert chosen.mode == "forward"
    assert (reverse.strategy, reverse.passes) == (None, None)
    assert re.match(r"not through while at .*_functions\.py:\d+", reverse.note)
    assert chosen.reason.startswith("reverse is not served: not through while")


def test_what_only_transposes_goes_back():
    chosen = plan(lambda x: by_loop(WIDE @ x), jnp.ones(50))
    assert chosen.mode == "reverse"
    assert candidate(chosen, "forward").strategy is None
    assert re.search(r"test_plan\.py:\d+", chosen.reason)


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
    chosen = plan(lambda X: jnp.sin(X @ FEW.T), jnp.ones((500, 6)), target="batch")
    assert (chosen.samples, chosen.n_outputs, chosen.n_inputs) == (500, 3, 6)
    assert (chosen.mode, chosen.passes) == ("reverse", 3)
    assert candidate(chosen, "forward").passes == 6
    assert "samples share passes already" in candidate(chosen, "compressed").note
    assert str(chosen).startswith(
        "batch: 3 outputs by 6 inputs for each of 500 samples\n"
    )


def test_samples_are_cut_where_one_sample_is_narrow():
    W = jax.random.normal(jax.random.key(4), (2, 64)) / 8
    chosen = plan(lambda X: jnp.sin(X @ W.T) @ W, jnp.ones((100, 64)), target="batch")
    assert (chosen.mode, chosen.passes) == ("cut", 4)


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


# what is refused


def counted(*seconds):
    """Candidates that take so many seconds: reverse, forward, cut, compressed."""
    modes = "reverse", "forward", "cut", "compressed"
    return [
        Candidate(mode, Reverse(2), Cost(seconds=float(s)), passed=())
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
    choice = counted(1.0, forward, 3.0, 3.0)
    monkeypatch.setattr(_plan, "find_candidates", lambda *_: choice)
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
        pytest.param(lambda x: two_heads(halved_alone(x)), "forward", id="two heads"),
        pytest.param(
            lambda x: two_columns(x.at[:2].set(by_loop(x[:2]))),
            "reverse",
            id="two columns",
        ),
    ],
)
def test_long_lines_need_a_mode_that_is_served(fun, end):
    colored = candidate(plan(fun, jnp.ones(42)), "compressed")
    assert colored.same_as == end


def test_outputs_share_passes_where_inputs_share_few():
    colored = candidate(plan(lambda x: two_columns(x) ** 2, jnp.ones(82)), "compressed")
    note = "1 color of outputs, 2 columns apart"
    assert (colored.passes, colored.note) == (3, note)


def test_a_connection_around_a_part_is_split_off_where_that_is_narrower():
    chosen = plan(lambda x: narrow(x).at[:5].add(x[:5]), jnp.ones(200))
    assert candidate(chosen, "cut").passes == 2 * 4 + 1


def test_what_gathers_is_not_pulled_back_through_scatters():
    """Both ends take as many passes: a scatter takes seven times as long."""
    assert plan(jnp.sort, jnp.ones(1000)).mode == "forward"
