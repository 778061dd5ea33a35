"""A run: the updates, what is due between them, and what it returns."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jnumerics import descent
from jnumerics.workbench import training
from tests.descent._losses import OPTIMIZERS
from tests.workbench.training._problem import (
    MOMENTUM,
    ROWS,
    X,
    Y,
    batches,
    by_hand,
    loss,
    same_bits,
    start,
    train,
)


def recorded(**options):
    """Run, and return what the callback was given."""
    seen = []
    train(callback=lambda *args: seen.append(args), **options)
    return seen


# updates


def test_updates_are_those_of_a_loop_with_the_same_permutations():
    params, losses = by_hand(12)
    run = train(12)
    np.testing.assert_allclose(run.losses, losses, rtol=1e-5)
    for name, leaf in params.items():
        np.testing.assert_allclose(run.params[name], leaf, rtol=1e-4, atol=1e-6)
    assert run.step == 12


def test_bits_are_those_of_minimize():
    rows = np.stack([*batches(12)])
    one = descent.minimize(
        loss, start(), optimizer=MOMENTUM, steps=12, batches=(X[rows], Y[rows])
    )
    run = train(12, report_every=5)
    assert same_bits((run.params, run.state, run.losses), tuple(one))


def test_state_of_a_run_continues_in_minimize():
    run, rows = train(9), np.stack([*batches(12)])[9:]
    rest = descent.minimize(
        loss, run.params, optimizer=MOMENTUM, steps=3, state=run.state,
        batches=(X[rows], Y[rows]),
    )  # fmt: skip
    assert same_bits(rest.params, train(12).params)


@pytest.mark.parametrize("report_every", [1, 2, 5, 7, 100])
def test_chunks_of_any_length_are_the_same_run(report_every):
    assert same_bits(train(12, report_every=report_every), train(12))


def test_the_same_run_twice_is_the_same():
    assert same_bits(train(12), train(12))


def test_another_key_is_another_run():
    assert not same_bits(train(12), train(12, key=jax.random.key(8)))


@pytest.mark.slow
@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize("name", ["adam", "lbfgs", "backtracking"])
def test_optimizers_with_extra_arguments_run_as_in_minimize(name):
    optimizer, rows = OPTIMIZERS[name](), np.stack([*batches(6)])
    one = descent.minimize(
        loss, start(), optimizer=optimizer, steps=6, batches=(X[rows], Y[rows])
    )
    run = train(6, optimizer=optimizer, report_every=4)
    np.testing.assert_allclose(run.losses, one.losses, rtol=1e-5)


def test_no_steps_return_the_start():
    run = train(0)
    assert run.losses.shape == (0,)
    assert same_bits(run.params, start())
    assert run.step == 0


def test_data_without_a_batch_size_are_one_batch():
    whole = train(5, batch_size=None)
    one = descent.minimize(
        lambda p: loss(p, (X, Y)), start(), optimizer=MOMENTUM, steps=5
    )
    np.testing.assert_allclose(whole.losses, one.losses, rtol=1e-6)


def test_numbers_are_parameters_and_keep_no_weak_type():
    run = training.train(
        lambda p, b: jnp.mean((p - b) ** 2), 0, optimizer=optax.sgd(0.1), steps=3,
        data=np.arange(4.0, dtype=np.float32),
    )  # fmt: skip
    assert run.params.dtype == jnp.float32
    assert not run.params.weak_type


def test_one_compilation_serves_chunks_of_all_lengths_and_later_runs():
    traced = []

    def counted(params, batch):
        traced.append(1)
        return loss(params, batch)

    train(12, fun=counted, report_every=5)
    first = len(traced)
    train(23, fun=counted, report_every=3)
    assert len(traced) == first


@pytest.mark.process
@pytest.mark.slow
def test_eight_devices_give_the_run_of_one_and_arrays_stay_where_they_lie(tmp_path):
    flags = "--xla_force_host_platform_device_count=8"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.workbench.training._alone",
            "shared",
            str(tmp_path),
        ],
        env=os.environ | {"XLA_FLAGS": flags},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# what is due between updates


def test_callback_gets_the_step_the_parameters_and_all_losses():
    seen = recorded(steps=12, report_every=5)
    assert [step for step, _, _ in seen] == [5, 10, 12]
    for step, params, losses in seen:
        run = train(step)
        assert same_bits((params, losses), (run.params, run.losses))


def test_losses_of_a_callback_stay_as_they_were():
    (_, _, early), *_ = recorded(steps=5_000, report_every=100)
    assert early.shape == (100,)
    assert same_bits(early, train(100).losses)
    with pytest.raises(ValueError, match="read-only"):
        early[0] = 0.0


def test_run_ends_where_stop_says_so():
    asked = []

    def stop(step, losses, evaluation):
        asked.append((step, len(losses), evaluation))
        return evaluation["w"] >= 0.0 and step >= 6

    run = train(
        100, report_every=3, stop=stop, evaluate=lambda p: {"w": jnp.sum(p["w"] ** 2)}
    )
    assert [(step, n) for step, n, _ in asked] == [(3, 3), (6, 6)]
    assert asked[1][2]["w"] == jnp.sum(train(6).params["w"] ** 2)
    assert same_bits(run, train(6))


def test_evaluation_sees_the_parameters_after_the_step():
    seen = []
    train(7, report_every=4, evaluate=lambda p: seen.append(p) or {})
    assert same_bits(seen, [train(4).params, train(7).params])


def test_a_batch_of_all_rows_is_permuted():
    whole = train(3, data=lambda _: (X, Y), batch_size=ROWS)
    np.testing.assert_allclose(
        train(3, batch_size=ROWS).losses, whole.losses, rtol=1e-5
    )


def test_training_is_shown_in_a_notebook_as_a_table_and_a_curve():
    losses = np.array([4.0, 1.0, np.nan, 2.0])
    run = training.Training({"w": np.zeros((2, 3)), "b": 0.0}, None, losses, 4)
    page = run._repr_html_()  # pyright: ignore[reportPrivateUsage]
    for text in ("7 in 2 leaves", "4, update 1", "1, update 2", "2, update 4", "<svg"):
        assert text in page
    nothing = run._replace(losses=np.zeros(0), step=0)
    assert "<svg" not in nothing._repr_html_()  # pyright: ignore[reportPrivateUsage]
