"""What an update is, and how a descent is continued."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jnumerics import descent
from tests import reference
from tests.descent._losses import CENTER, OPTIMIZERS, stepwise, valley


def line(p, batch):
    return jnp.mean((p["slope"] * batch["x"] + p["offset"] - batch["y"]) ** 2)


def line_batches(steps):
    x = np.linspace(-1, 1, 4 * steps, dtype=np.float32).reshape(steps, 4)
    return {"x": x, "y": 3 * x + 0.5}


# what an update is


@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.slow
def test_updates_are_those_of_a_python_loop(name):
    start, optimizer = jnp.zeros(3), OPTIMIZERS[name]()
    expected = jax.jit(partial(stepwise, valley, optimizer=optimizer, steps=5))(start)
    obtained = descent.minimize(valley, start, optimizer=optimizer, steps=5)
    data = partial(
        jax.tree.map,
        lambda x: np.asarray(
            jax.random.key_data(x)
            if jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
            else x
        ),
    )
    chex.assert_trees_all_close(
        data(tuple(obtained)), data(expected), rtol=2e-4, atol=2e-5
    )


def test_sgd_agrees_with_numpy():
    A = np.array([[3.0, 1.0], [1.0, 2.0]])
    expected, losses = reference.descend(
        lambda p: p @ A @ p / 2, lambda p: A @ p, [1.0, -1.0], rate=0.1, steps=9
    )
    obtained = descent.minimize(
        lambda p: p @ jnp.asarray(A, p.dtype) @ p / 2,
        jnp.array([1.0, -1.0]),
        optimizer=optax.sgd(0.1),
        steps=9,
    )
    np.testing.assert_allclose(obtained.params, expected, rtol=1e-5)
    np.testing.assert_allclose(obtained.losses, losses, rtol=1e-5)


@pytest.mark.usefixtures("standard_promotion")
def test_lbfgs_reaches_the_minimum_in_few_steps():
    result = descent.minimize(valley, jnp.zeros(3), optimizer=optax.lbfgs(), steps=15)
    np.testing.assert_allclose(result.params, CENTER, atol=1e-5)


def test_losses_are_those_before_each_update():
    def square(p):
        return (p - 3) ** 2

    result = descent.minimize(square, 0.0, optimizer=optax.sgd(0.25), steps=3)
    np.testing.assert_allclose(result.losses, [9.0, 2.25, 0.5625], rtol=1e-6)
    assert square(result.params) < result.losses[-1]


def test_update_k_sees_batch_k():
    seen = descent.minimize(
        lambda p, batch: p * batch["a"] + batch["b"][1],
        0.0,
        optimizer=optax.sgd(1.0),
        steps=3,
        batches={
            "a": np.array([1.0, 10.0, 100.0], np.float32),
            "b": np.eye(3, dtype=np.float32),
        },
    )
    np.testing.assert_array_equal(seen.params, -111.0)
    np.testing.assert_array_equal(seen.losses, [0.0, -9.0, -1100.0])


@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize("kind", ["backtracking", "zoom"])
def test_a_line_search_of_complex_parameters_sees_the_gradient_of_jax(kind):
    # along u the loss has the slope Re(g u): by the conjugate of g, a step uphill in
    # the imaginary part looks like one downhill
    search = {
        "backtracking": optax.scale_by_backtracking_linesearch(
            30, slope_rtol=0.9, store_grad=True
        ),
        "zoom": optax.scale_by_zoom_linesearch(30),
    }[kind]
    goal, start = jnp.array([3j, 1 + 2j]), jnp.zeros(2, jnp.complex64)

    def loss(z):
        return jnp.sum(jnp.abs(z - goal) ** 2)

    d = descent.minimize(
        loss, start, optimizer=optax.chain(optax.sgd(8.0), search), steps=1
    )
    # as of real and imaginary part by themselves
    alike = descent.minimize(
        lambda p: loss(jax.lax.complex(p[0], p[1])),
        jnp.zeros((2, 2)),
        optimizer=optax.chain(optax.sgd(8.0), search),
        steps=1,
    )
    x, y = alike.params
    np.testing.assert_allclose(d.params, jax.lax.complex(x, y), rtol=1e-5)
    assert loss(d.params) < 0.8 * loss(start)


@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize("name", ["lbfgs", "backtracking"])
def test_a_line_search_sees_the_batch_of_its_update(name):
    def loss(p, batch):
        return jnp.sum((p - batch) ** 2 * jnp.array([1.0, 3.0]))

    batches, optimizer = jnp.array([[1.0, 2.0], [-3.0, 1.0]]), OPTIMIZERS[name]()
    start = jnp.zeros(2)
    first = jax.jit(partial(stepwise, optimizer=optimizer, steps=1), static_argnums=0)
    expected, _, value = first(jax.tree_util.Partial(loss, batch=batches[0]), start)
    obtained = descent.minimize(
        loss, start, optimizer=optimizer, steps=1, batches=batches[:1]
    )
    np.testing.assert_allclose(obtained.params, expected, rtol=1e-5)
    np.testing.assert_allclose(obtained.losses, value, rtol=1e-6)


def test_one_step_is_differentiable_in_its_batch():
    def moved(batch):
        return descent.minimize(
            lambda p, b: p * b**2, 1.0, optimizer=optax.sgd(1.0), steps=1, batches=batch
        ).params

    for mode in (jax.jacfwd, jax.jacrev):
        np.testing.assert_allclose(mode(moved)(jnp.array([3.0])), [-6.0])


def test_batches_of_random_keys_and_integers_reach_the_loss(key):
    keys = jax.random.split(key, 4)
    labels = np.arange(4)

    def loss(p, batch):
        noise = jax.random.normal(batch["key"])
        return (p - noise) ** 2 + jnp.where(batch["label"] == 2, 100.0, 0.0)

    result = descent.minimize(
        loss,
        0.0,
        optimizer=optax.sgd(0.0),
        steps=4,
        batches={"key": keys, "label": labels},
    )
    noise = jax.vmap(jax.random.normal)(keys)
    np.testing.assert_allclose(
        result.losses, noise**2 + 100.0 * (labels == 2), rtol=1e-6
    )


def test_no_steps_change_nothing():
    start = jnp.array([1.0, 2.0])
    optimizer = optax.sgd(0.1, momentum=0.9)
    result = descent.minimize(jnp.sum, start, optimizer=optimizer, steps=0)
    chex.assert_trees_all_equal(result.params, start)
    chex.assert_trees_all_equal(result.state, optimizer.init(start))
    assert result.losses.shape == (0,)


# continuing


@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize(
    "name", ["momentum", "chain", "lbfgs", "noisy", "every second"]
)
@pytest.mark.parametrize("pieces", [(2, 3, 2), (0, 2, 3)])
@pytest.mark.slow
def test_steps_in_pieces_are_the_same_bits(name, pieces):
    minimize = partial(descent.minimize, valley, optimizer=OPTIMIZERS[name]())
    whole = minimize(jnp.zeros(3), steps=sum(pieces))
    part, losses = minimize(jnp.zeros(3), steps=0), []
    for n in pieces:
        part = minimize(part.params, steps=n, state=part.state)
        losses.append(part.losses)
    chex.assert_trees_all_equal((part.params, part.state), (whole.params, whole.state))
    np.testing.assert_array_equal(jnp.concatenate(losses), whole.losses)


def test_batches_in_pieces_are_the_same_bits():
    minimize = partial(descent.minimize, line, optimizer=optax.sgd(0.1, momentum=0.5))
    start, batches = {"slope": 0.0, "offset": 0.0}, line_batches(5)
    whole = minimize(start, steps=5, batches=batches)
    first = minimize(start, steps=2, batches=jax.tree.map(lambda x: x[:2], batches))
    rest = minimize(
        first.params,
        steps=3,
        state=first.state,
        batches=jax.tree.map(lambda x: x[2:], batches),
    )
    chex.assert_trees_all_equal(rest.params, whole.params)
    np.testing.assert_array_equal(jnp.append(first.losses, rest.losses), whole.losses)
