"""Which batch an update sees."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jnumerics.workbench import training
from tests.workbench.training._problem import KEY, X, Y, batches, same_bits, train

NOTHING = optax.sgd(0.0)


def seen(steps, size, batch_size, folder):
    """The rows that each update was given: `aux` of each, from the metrics."""
    training.train(
        lambda params, batch: (params * 0.0, batch), 0.0,
        optimizer=NOTHING, steps=steps, data=np.arange(size), batch_size=batch_size,
        key=KEY, report_every=1, checkpoint=folder,
    )  # fmt: skip
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return np.stack([json.loads(line)["aux"] for line in lines])


@pytest.mark.parametrize(("size", "batch_size"), [(8, 4), (9, 4), (5, 5), (7, 1)])
def test_an_epoch_has_each_sample_once_but_for_the_remainder(
    size, batch_size, tmp_path
):
    per_epoch = size // batch_size
    epochs = seen(3 * per_epoch, size, batch_size, tmp_path).reshape(3, -1)
    for epoch in epochs:
        assert len(np.unique(epoch)) == per_epoch * batch_size
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_order_is_that_of_the_rule(tmp_path):
    np.testing.assert_array_equal(
        seen(12, 22, 4, tmp_path), np.stack([*batches(12, size=22, batch_size=4)])
    )


def test_without_a_key_the_key_is_that_of_zero():
    assert same_bits(train(6, key=None), train(6, key=jax.random.key(0)))


def test_raw_key_is_the_typed_one():
    raw = jax.random.key_data(KEY)
    assert same_bits(train(6, key=raw), train(6, key=KEY))


def test_any_pytree_of_samples_is_divided_into_batches():
    keys = jax.random.split(KEY, 6)
    data = {"key": keys, "label": np.arange(6), "none": None}

    def loss(params, batch):
        noise = jax.vmap(jax.random.normal)(batch["key"])
        return jnp.mean((params - noise) ** 2) + jnp.any(batch["label"] == 2).astype(
            float
        )

    run = training.train(
        loss, 0.0, optimizer=NOTHING, steps=3, data=data, batch_size=2, key=KEY
    )
    noise = np.asarray(jax.vmap(jax.random.normal)(keys))
    rows = np.stack([*batches(3, size=6, batch_size=2)])
    expected = np.mean(noise[rows] ** 2, 1) + (rows == 2).any(1)
    np.testing.assert_allclose(run.losses, expected, rtol=1e-5)


# batches that a function makes


def made(step):
    rows = [*batches(step + 1)][step]
    return X[rows], Y[rows]


@pytest.mark.parametrize("report_every", [3, 100])
def test_batches_of_a_function_are_those_of_their_steps(report_every):
    run = train(9, data=made, batch_size=None, report_every=report_every)
    assert same_bits(run, train(9))


def test_function_is_called_once_for_each_step_and_for_no_other():
    calls = []
    train(7, data=lambda k: calls.append(k) or made(k), batch_size=4, report_every=3)
    assert calls == [0, 1, 2, 3, 4, 5, 6]


def test_function_may_return_arrays_of_jax_and_numbers():
    def data(step):
        return jnp.full(2, step, jnp.float32), step * 2

    run = training.train(
        lambda p, b: p * 0 + jnp.sum(b[0]) + b[1].astype(p.dtype), 0.0,
        optimizer=NOTHING, steps=70, data=data,
    )  # fmt: skip
    np.testing.assert_array_equal(run.losses, 4.0 * np.arange(70))


def test_function_that_returns_another_shape_is_told_the_step():
    def data(step):
        return np.zeros(3 if step < 5 else 4, np.float32)

    with pytest.raises(ValueError, match=r"float32 \(3,\).*got.*\(4,\).* at step 5"):
        training.train(
            lambda p, b: p + jnp.sum(b), 0.0, optimizer=NOTHING, steps=9, data=data
        )
