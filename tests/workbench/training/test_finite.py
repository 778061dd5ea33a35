"""Losses, gradients and parameters that are not finite."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jnumerics.workbench import checkpoint, training
from jnumerics.workbench.training import _finite
from tests.workbench.training._problem import (
    MOMENTUM,
    X,
    Y,
    batches,
    loss,
    same_bits,
    start,
    train,
)

LEAVES = {"a": [jnp.ones(2), jnp.ones(3)], "b": jnp.ones(())}


def made(at):
    """Batches, of which the one of the step `at` is to spoil the loss."""

    def batch(step):
        rows = [*batches(step + 1)][step]
        return X[rows], Y[rows], np.bool_(step == at)

    return batch


def spoiled(spoil):
    def fun(params, batch):
        x, y, is_now = batch
        return spoil(params, loss(params, (x, y)), is_now)

    return fun


NOT_A_NUMBER = spoiled(lambda _, value, now: value * jnp.where(now, jnp.nan, 1.0))
INFINITE = spoiled(lambda _, value, now: value + jnp.where(now, jnp.inf, 0.0))
STEEP = spoiled(
    lambda p, value, now: value * jnp.sqrt(p["w"][1] * 0 + jnp.where(now, 0.0, 1.0))
)
SPOILED = [(NOT_A_NUMBER, "['b']"), (INFINITE, ""), (STEEP, "['w']")]


def caught(fun, at, **options):
    options = {"data": made(at), "batch_size": None, "fun": fun} | options
    with pytest.raises(training.NonFiniteError) as error:
        train(**options)
    return error.value


@pytest.mark.parametrize(("at", "report_every"), [(7, 4), (0, 1), (7, 100), (11, 4)])
@pytest.mark.parametrize(("fun", "leaf"), SPOILED, ids=["loss", "alone", "gradient"])
def test_error_names_step_leaf_and_last_finite_loss(fun, leaf, at, report_every):
    error = caught(fun, at, steps=12, report_every=report_every)
    assert isinstance(error, ArithmeticError)
    assert (error.step, error.leaf) == (at, leaf)
    clean = train(at)
    assert same_bits(error.params, clean.params)
    known = [*clean.losses, *([error.loss] if np.isfinite(error.loss) else [])]
    assert error.last_loss == (known[-1] if known else None)
    assert f"at step {at}; " in str(error)
    if leaf:
        assert f"`params{leaf}`" in str(error)


def test_gradient_that_an_optimizer_would_hide_is_found():
    # the sign of an infinite gradient moves the parameters as any other does
    error = caught(STEEP, 3, steps=9, optimizer=optax.sign_sgd(0.01))
    assert (error.step, error.leaf) == (3, "['w']")
    assert np.isfinite(error.loss)


def test_parameters_that_overflow_are_found_at_the_last_step_too():
    error = caught(
        loss, None, data=(X, Y), batch_size=4, steps=1, optimizer=optax.sgd(jnp.inf)
    )
    assert error.step == 0
    assert error.leaf in ("['b']", "['w']")
    assert "`params['b']` must stay finite" in str(error)
    assert same_bits(error.params, start())


def test_leaves_are_counted():
    def fun(params, batch):
        return sum(jnp.sum(jnp.sqrt(x * 0)) for x in jax.tree.leaves(params))

    with pytest.raises(training.NonFiniteError) as error:
        training.train(fun, LEAVES, optimizer=MOMENTUM, steps=3, data=jnp.ones(1))
    assert error.value.leaf == "['a'][0]"
    assert "`params['a'][0]`" in str(error.value)
    assert "and 2 other leaves" in str(error.value)


def test_parameter_that_was_infinite_from_the_start_is_let_be():
    params = start() | {"mask": jnp.array([0.0, -jnp.inf])}
    run = train(5, params=params)
    assert same_bits(run.losses, train(5).losses)


def test_last_finite_parameters_are_saved(tmp_path):
    caught(NOT_A_NUMBER, 7, steps=12, report_every=4, checkpoint=tmp_path)
    step, saved = checkpoint.load(
        tmp_path, {"params": start(), "losses": np.empty(7, np.float32)}
    )
    clean = train(7)
    assert step == 7
    assert same_bits(saved, {"params": clean.params, "losses": clean.losses})
    # and with data that are mended it goes on from there
    run = train(
        12, data=made(None), batch_size=None, fun=NOT_A_NUMBER, checkpoint=tmp_path,
        resume=True,
    )  # fmt: skip
    assert same_bits(run.params, train(12).params)


def test_error_can_be_pickled():
    error = caught(NOT_A_NUMBER, 2, steps=5)
    again = pickle.loads(pickle.dumps(error))
    assert (again.step, again.leaf, str(again)) == (2, "['b']", str(error))


def test_replay_that_finds_nothing_ends(monkeypatch):
    """Sums of some devices are not the same twice."""
    answers = iter([False])
    monkeypatch.setattr(_finite, "is_finite", lambda _: next(answers, True))
    with pytest.raises(training.NonFiniteError, match=r"did not come again in a repl"):
        train(12)
