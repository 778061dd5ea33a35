"""What a descent refuses."""

import traceback
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jnumerics import descent
from tests.descent._losses import Module, Weights, custom


class Plain:
    def __repr__(self):
        return "plain"


def minimize_sum(params: Any = 1.0, **changes: Any):
    options = {"optimizer": optax.sgd(0.1), "steps": 2}
    return descent.minimize(changes.pop("loss", jnp.sum), params, **options | changes)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        (
            {"w": 10**400},
            ValueError,
            r"`params\['w'\]` must be in the range of a float, got",
        ),
        (
            {"w": jnp.arange(3)},
            TypeError,
            r"`params\['w'\]` must hold floating-point numbers, got dtype int32",
        ),
        (
            [1.0, True],
            TypeError,
            r"`params\[1\]` must hold floating-point numbers, got dtype bool",
        ),
        (Weights(1.0, "relu"), TypeError, r"`params.second` must be an array, got str"),
        (Module(jax.nn.relu, "tanh"), TypeError, r"`params.weight` must be an array"),
        (
            {"k": jax.random.key(0)},
            TypeError,
            r"`params\['k'\]` must hold floating-point",
        ),
        (
            np.array([None]),
            TypeError,
            "`params` must hold numbers that JAX has, got dtype object",
        ),
    ],
)
def test_params_that_are_not_floats_are_rejected(params, error, message):
    with pytest.raises(error, match=message):
        minimize_sum(params)


@pytest.mark.boundary
@pytest.mark.parametrize(
    "optimizer", [optax.sgd, 0.1, None, SimpleNamespace(init=optax.sgd(0.1).init)]
)
def test_what_is_not_an_optimizer_is_rejected(optimizer):
    with pytest.raises(TypeError, match="`optimizer` must be an optax optimizer, got"):
        minimize_sum(optimizer=optimizer)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("steps", "error", "message"),
    [
        (-1, ValueError, "`steps` must be at least 0, got -1"),
        (2**31, ValueError, "`steps` must be at most 2147483647, got 2147483648"),
        (2.0, TypeError, "`steps` must be an integer, got float"),
        (True, TypeError, "`steps` must be an integer, got bool"),
    ],
)
def test_steps_that_are_not_a_count_are_rejected(steps, error, message):
    with pytest.raises(error, match=message):
        minimize_sum(steps=steps)


@pytest.mark.boundary
def test_a_loss_that_is_not_a_function_is_rejected():
    with pytest.raises(TypeError, match="`loss` must be a function, got float"):
        minimize_sum(loss=1.0)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("loss", "error", "message"),
    [
        pytest.param(
            lambda p: p[None],
            ValueError,
            r"`loss` must return a real scalar, got shape \(1,\)",
            id="vector",
        ),
        pytest.param(
            lambda p: (p, p),
            TypeError,
            "`loss` must return a real scalar, got tuple",
            id="tuple",
        ),
        pytest.param(
            lambda _: None,
            TypeError,
            "`loss` must return a real scalar, got NoneType",
            id="nothing",
        ),
        pytest.param(
            lambda p: jax.lax.complex(p, p),
            TypeError,
            "`loss` must return a real scalar, got dtype complex64",
            id="complex",
        ),
        pytest.param(
            lambda _: 10**400,
            ValueError,
            "`loss` must be in the range of JAX's integers, .*got an",
            id="huge integer",
        ),
        pytest.param(
            lambda p: p > 0,
            TypeError,
            "`loss` must return a real scalar, got dtype bool",
            id="boolean",
        ),
        pytest.param(
            lambda p: p.astype(int),
            TypeError,
            "`loss` must return a real scalar, got dtype int32",
            id="integer",
        ),
    ],
)
def test_a_loss_that_is_not_a_real_scalar_is_rejected(loss, error, message):
    with pytest.raises(error, match=message):
        minimize_sum(loss=loss)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("batches", "error", "message"),
    [
        (
            {"x": np.ones(3), "y": np.ones((2, 3))},
            ValueError,
            r"`batches\['x'\]` must have a leading axis of size 2, got shape \(3,\)",
        ),
        (
            (1.0,),
            ValueError,
            r"`batches\[0\]` must have a leading axis of size 2, got shape \(\)",
        ),
        ("ab", TypeError, "`batches` must be an array, got str"),
    ],
)
def test_batches_without_the_leading_axis_are_rejected(batches, error, message):
    with pytest.raises(error, match=message):
        minimize_sum(loss=lambda p, _: p, batches=batches)


@pytest.mark.boundary
@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_integers_that_jax_would_wrap_are_rejected_in_batches(dtype):
    times = np.array([3, 1_700_000_000_000], dtype)
    message = r"`batches\['t'\]` must be in the range of JAX's integers, .*, got 17000"
    with pytest.raises(ValueError, match=message):
        minimize_sum(loss=lambda p, b: p * b["t"], batches={"t": times})


def test_integers_of_64_bits_reach_the_loss_where_jax_has_them(x64):
    times = np.array([3, 1_700_000_000_000])
    losses = minimize_sum(
        loss=lambda p, b: p * b["t"].astype(float),
        optimizer=optax.sgd(0.0),
        batches={"t": times},
    ).losses
    np.testing.assert_array_equal(losses, times)


@pytest.mark.boundary
@pytest.mark.parametrize("state", [(), optax.sgd(0.1, momentum=0.9).init(jnp.ones(2))])
def test_the_state_of_another_descent_is_rejected(state):
    with pytest.raises(ValueError, match="`state` must be that of an earlier descent"):
        minimize_sum(jnp.ones(3), optimizer=optax.sgd(0.1, momentum=0.9), state=state)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("wanted", "came", "difference"),
    [
        (jnp.ones(3), jnp.ones(2), r"\{'': \(3,\)\}, got \{'': \(2,\)\}"),
        (
            {"a": jnp.ones(3)},
            {"b": jnp.ones(3)},
            r"\{\"\['a'\]\": \(3,\)\}, got \{\"\['b",
        ),
        (
            (jnp.ones(3),),
            [jnp.ones(3)],
            r"PyTreeDef\(\(\*,\)\), got PyTreeDef\(\[\*\]\)",
        ),
        (
            Module(jnp.ones(3), "a"),
            Module(jnp.ones(3), "b"),
            "PyTreeDef.*'a'.*, got Py.*'b'",
        ),
        (
            Module(jnp.ones(3), Plain()),
            Module(jnp.ones(3), Plain()),
            "got the same with other",
        ),
    ],
)
def test_states_that_differ_are_told_apart_in_what_is_printed(wanted, came, difference):
    optimizer = custom(lambda _: wanted, lambda grad, state, _=None: (grad, state))
    with pytest.raises(ValueError, match=f"parameters like these, of .*{difference}"):
        minimize_sum(jnp.ones(3), optimizer=optimizer, state=came)


@pytest.mark.boundary
def test_a_state_that_is_not_arrays_is_rejected():
    with pytest.raises(TypeError, match="`state` must be an array, got str"):
        minimize_sum(state="fresh")


@pytest.mark.boundary
def test_an_optimizer_that_changes_shapes_is_rejected():
    growing = custom(
        lambda _: jnp.zeros(1),
        lambda grad, state, _=None: (grad, jnp.append(state, 0.0)),
    )
    with pytest.raises(
        ValueError, match="`optimizer` must keep parameters and state in their shapes"
    ):
        minimize_sum(optimizer=growing)


@pytest.mark.boundary
def test_an_exception_in_the_loss_shows_the_users_frames():
    def innermost(p):
        msg = "mine"
        raise RuntimeError(msg)

    with pytest.raises(RuntimeError, match="mine") as caught:
        minimize_sum(loss=lambda p: innermost(p))
    frames = [frame.name for frame in traceback.extract_tb(caught.tb)]
    assert frames[-2:] == ["<lambda>", "innermost"]
