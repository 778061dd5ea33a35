"""Arguments that `train` refuses, before anything is compiled."""

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jnumerics.workbench import training
from tests.workbench.training._problem import X, Y, loss, start, train

GRAMMAR = re.compile(r"`[^`]+` must .+, got .+", re.DOTALL)
LATER = np.zeros(3, np.float32)


def batches(step):
    return X[:4], Y[: 4 + step]


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("changes", "error", "begins"),
    [
        ({"fun": 3}, TypeError, "`loss`"),
        ({"fun": lambda p, b: p["w"]}, ValueError, "`loss` must return a real scalar"),
        (
            {"fun": lambda p, b: (b[1][0], 2.0, 3.0)},
            TypeError,
            "`loss` must return a real",
        ),
        ({"fun": lambda p, b: ("1", 2)}, TypeError, "`loss` must return a real scalar"),
        (
            {"fun": lambda p, b: (loss(p, b), {"note": "hi"})},
            TypeError,
            r"`loss's aux\['note'\]` must be an array, got ",
        ),
        ({"fun": lambda p, b: None}, TypeError, "`loss` must return a real scalar"),
        (
            {"params": {"w": jnp.arange(3), "b": 0.0}},
            TypeError,
            r"`params\['w'\]` must",
        ),
        ({"params": {"w": "text", "b": 0.0}}, TypeError, r"`params\['w'\]` must"),
        ({"optimizer": optax.sgd}, TypeError, "`optimizer` must be an optax optimizer"),
        ({"steps": -1}, ValueError, "`steps` must be at least 0"),
        ({"steps": 2.0}, TypeError, "`steps` must be an integer"),
        ({"steps": 2**31}, ValueError, "`steps` must be at most"),
        ({"data": None}, TypeError, "`data` must hold arrays"),
        ({"data": ()}, TypeError, "`data` must hold arrays"),
        ({"data": iter([(X, Y)])}, TypeError, "`data` must be .*iterator"),
        ({"data": (b for b in [X])}, TypeError, "`data` must be .*iterator"),
        ({"data": (X, "labels")}, TypeError, r"`data\[1\]` must be an array"),
        ({"data": (X, [1.0])}, ValueError, r"`data\[1\]\[0\]` must have a first"),
        ({"data": (X, Y[1:])}, ValueError, r"`data\[1\]` must .* 22, as `data\[0\]`"),
        (
            {"data": (X[:0], Y[:0])},
            ValueError,
            r"`data\[0\]` must have a first axis wit",
        ),
        (
            {"data": (np.float32(1), Y)},
            ValueError,
            r"`data\[0\]` must have a first axis",
        ),
        ({"data": lambda k: (X[:3], Y[:3])}, ValueError, r"`data\[0\]` must have .* 4"),
        ({"data": lambda k: ("a", Y)}, TypeError, r"`data\[0\]` must be an array"),
        ({"data": batches, "batch_size": None}, ValueError, "`data` must .* at step 1"),
        ({"batch_size": 0}, ValueError, "`batch_size` must be at least 1"),
        ({"batch_size": 23}, ValueError, "`batch_size` must be at most 22"),
        ({"batch_size": 4.0}, TypeError, "`batch_size` must be an integer"),
        ({"key": 3}, TypeError, "`key` must be a JAX random key"),
        ({"key": jax.random.split(jax.random.key(0))}, ValueError, "`key` must be one"),
        ({"report_every": 0}, ValueError, "`report_every` must be at least 1"),
        ({"checkpoint_every": 0}, ValueError, "`checkpoint_every` must be at least 1"),
        ({"keep": 0}, ValueError, "`keep` must be at least 1"),
        ({"checkpoint": 3}, TypeError, "`checkpoint` must be a path"),
        ({"checkpoint": "a\0b"}, ValueError, "`checkpoint` must be a folder"),
        ({"checkpoint": "/proc/nowhere"}, ValueError, "`checkpoint` must be a folder"),
        ({"resume": True}, ValueError, "`checkpoint` must be a folder where `resume`"),
        ({"config": "rate"}, TypeError, "`config` must be a mapping of names"),
        ({"config": {"f": len}}, TypeError, "`config` must be .*JSON"),
        ({"resume": "yes"}, TypeError, "`resume` must be True or False"),
        ({"stop": 3}, TypeError, "`stop` must be a function"),
        ({"evaluate": 3}, TypeError, "`evaluate` must be a function"),
        ({"callback": 3}, TypeError, "`callback` must be a function"),
        ({"evaluate": lambda p: LATER}, ValueError, "`evaluate` must return a pytree"),
        ({"evaluate": lambda p: "fine"}, TypeError, "`evaluate` must return a pytree"),
        ({"evaluate": lambda p: 1j}, TypeError, "`evaluate` must return a pytree"),
    ],
)
def test_wrong_argument_is_named(changes: dict[str, Any], error, begins):
    with pytest.raises(error, match=f"^{begins}") as caught:
        train(**({"steps": 2, "report_every": 1} | changes))
    assert GRAMMAR.fullmatch(str(caught.value))


def test_wrong_shapes_are_found_before_the_loss_is_compiled():
    def never(params, batch):
        raise AssertionError

    for changes in ({"data": (X, Y[1:])}, {"batch_size": 23}, {"keep": 0}):
        with pytest.raises(ValueError, match="must"):
            train(3, fun=never, **changes)


def test_batches_of_one_array_are_told_without_a_name():
    told = r"like the first, float32 \(4, 3\), got float32 \(5, 3\) at step 1$"
    with pytest.raises(ValueError, match=told):
        train(
            2,
            fun=lambda p, x: jnp.mean((x @ p["w"]) ** 2),
            data=lambda step: X[: 4 + step],
            batch_size=None,
        )


def test_run_inside_of_jit_is_refused():
    with pytest.raises(TypeError, match=r"^`params` must have values, got traced ones"):
        jax.jit(lambda p: train(3, params=p).losses)(start())


def test_errors_of_the_users_functions_are_theirs():
    mine = "mine"

    def fails(*_):
        raise KeyError(mine)

    for name in ("callback", "evaluate", "stop"):
        with pytest.raises(KeyError, match="mine"):
            train(3, **{name: fails})
    with pytest.raises(KeyError, match="mine"):
        train(3, data=fails)


def test_non_finite_error_is_an_arithmetic_error():
    assert issubclass(training.NonFiniteError, ArithmeticError)
    assert loss(start(), (X, Y)) > 0
