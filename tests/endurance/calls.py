"""One right call of every public function, and what is wrong for each argument."""

import tempfile
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import optax
from hypothesis.strategies import SearchStrategy

from jnumerics.workbench import checkpoint
from jnumerics.workbench.training import train
from tests.endurance import values as v
from tests.package._promises.arguments import (
    KEY,
    ROWS,
    THETA,
    X3,
    Y,
    conv,
    derivatives,
    descent,
    linear_regression,
    mlp,
    perceptron,
    polynomial,
    softmax,
)  # fmt: skip

Wrong = dict[str, SearchStrategy[Any]]


class Case(NamedTuple):
    """A function of named arguments, right ones, and a strategy of wrong ones each."""

    call: Callable[..., Any]
    valid: dict[str, Any]
    wrong: Wrong


def square(p: Any) -> Any:
    return jnp.sum(p**2)


def on_batch(p: Any, x: Any) -> Any:
    return jnp.sum((p - x) ** 2)


LAYERS = mlp.init(KEY, (3, 4, 2))
IMAGE, KERNEL = jnp.ones((2, 5, 5, 3)), jnp.ones((3, 3, 3, 4))
SCORES = {"x": v.real_array(v.ranks_but_from(1))}
AXIS: Wrong = {"axis": v.no_integer | v.integers_outside(-1, 0)}
CONV: Wrong = {
    "x": v.number_array(v.ranks_but(4)),
    "kernel": v.number_array(v.ranks_but(4)),
    "stride": v.no_integer_or_pair(least=1),
    "dilation": v.no_integer_or_pair(least=1),
    "groups": v.no_integer | v.integers_outside(1, 2**31 - 1),
    "padding": v.no_padding,
    "layout": v.no_option,
    "precision": v.no_precision,
}
FIT: Wrong = {
    "weights": v.real_array(v.ranks_but(1)),
    "X": v.real_array(v.ranks_but(2)),
    "y": v.real_array(v.ranks_but(1, 2)),
}
PROBLEM: Wrong = {
    "X": v.real_array(v.ranks_but(2)),
    "y": v.real_array(v.ranks_but(1, 2)),
    "theta": v.real_array(v.ranks_but(1)),
}
STEPS: Wrong = {"steps": v.no_integer | v.integers_outside(0, 2**31 - 1)}
INIT = {"key": v.no_key, "dtype": v.no_float_dtype}
SIZES = {"n_in": v.no_integer | v.integers_outside(0, 2**31 - 1)}


def subjects() -> dict[str, Case]:
    """The cases of the subjects; at least one for each public function."""
    return _of_scores() | _of_polynomials() | _of_layers() | _of_fits()


def _of_scores() -> dict[str, Case]:
    return {
        "softmax.softmax": Case(softmax.softmax, {"x": X3, "axis": -1}, SCORES | AXIS),
        "softmax.log_softmax": Case(
            softmax.log_softmax, {"x": X3, "axis": -1}, SCORES | AXIS
        ),
        "softmax.jacobian": Case(softmax.jacobian, {"x": X3}, SCORES),
        "softmax.jvp": Case(
            softmax.jvp, {"x": X3, "tangent": X3},
            SCORES | {"tangent": v.real_array(v.shapes_but(X3.shape))},
        ),
        "softmax.vjp": Case(
            softmax.vjp, {"x": X3, "cotangent": X3},
            SCORES | {"cotangent": v.real_array(v.shapes_but(X3.shape))},
        ),
        "softmax.cross_entropy": Case(
            softmax.cross_entropy, {"logits": ROWS, "labels": np.array([0, 1, 2, 0])},
            {"logits": v.real_array(v.leading_axes_but(4)),
             "labels": v.real_array(v.shapes_but((4,), (4, 3)))},
        ),
        "conv.conv2d": Case(
            conv.conv2d,
            {"x": IMAGE, "kernel": KERNEL, "stride": 1, "dilation": 1, "groups": 1,
             "padding": "SAME", "layout": "NHWC", "precision": "highest"},
            CONV,
        ),
    }  # fmt: skip


def _of_polynomials() -> dict[str, Case]:
    nodes = np.array([0.0, 1.0, 3.0])
    return {
        "polynomial.fit": Case(
            polynomial.fit, {"nodes": nodes, "values": X3},
            {"nodes": v.number_array(v.shapes_but((3,))) | v.no_nodes(3),
             "values": v.number_array(v.first_axes_but(3))},
        ),
        "polynomial.evaluate": Case(
            polynomial.evaluate, {"coefficients": X3, "y": 1.5},
            {"coefficients": v.number_array(v.first_axes_in(0)), "y": v.no_array},
        ),
        "polynomial.interpolate": Case(
            polynomial.interpolate, {"nodes": nodes, "values": X3, "y": 1.5},
            {"nodes": v.number_array(v.shapes_but((3,))) | v.no_nodes(3),
             "values": v.number_array(v.first_axes_but(3)), "y": v.no_array},
        ),
    }  # fmt: skip


def _of_layers() -> dict[str, Case]:
    return {
        "mlp.init": Case(
            mlp.init, {"key": KEY, "sizes": (3, 2), "dtype": None},
            INIT | {"sizes": v.no_sizes},
        ),
        "mlp.apply": Case(
            mlp.apply,
            {"params": LAYERS, "x": ROWS, "activation": jnp.tanh,
             "precision": "highest"},
            {"params": v.no_layers(LAYERS), "activation": v.no_function,
             "x": v.number_array(v.last_axes_but(3)),
             "precision": v.no_precision},
        ),
        "descent.minimize": Case(
            descent.minimize,
            {"loss": on_batch, "params": X3, "optimizer": optax.sgd(0.1), "steps": 4,
             "batches": ROWS, "state": None},
            STEPS | {"loss": v.no_loss, "params": v.no_parameters,
                     "optimizer": v.no_optimizer,
                     "batches": v.no_leaf | v.arrays_of(v.first_axes_but(4)),
                     "state": v.no_leaf | v.arrays_of(v.shapes_but())},
        ),
    }  # fmt: skip


def _of_fits() -> dict[str, Case]:
    theta = {"theta": THETA, "X": ROWS, "y": Y}
    weights = {"weights": THETA, "X": ROWS, "y": Y}
    return {
        "perceptron.init": Case(
            perceptron.init, {"key": KEY, "n_in": 3, "dtype": None}, INIT | SIZES
        ),
        "perceptron.apply": Case(
            perceptron.apply, {"weights": THETA, "X": ROWS},
            {"weights": FIT["weights"], "X": v.real_array(v.last_axes_but(3))},
        ),
        "perceptron.loss": Case(perceptron.loss, weights, FIT),
        "perceptron.fit": Case(
            perceptron.fit, weights | {"steps": 2, "learning_rate": 1.0},
            FIT | STEPS | {"learning_rate": v.real_array(v.ranks_but(0))},
        ),
        "linear_regression.cost": Case(linear_regression.cost, theta, PROBLEM),
        "linear_regression.gradient_descent": Case(
            linear_regression.gradient_descent,
            theta | {"learning_rate": 0.1, "steps": 2},
            PROBLEM | STEPS | {"learning_rate": v.real_array(v.ranks_but(0))},
        ),
        "linear_regression.solve": Case(
            linear_regression.solve, {"X": jnp.eye(4, 3), "y": Y},
            {"X": v.real_array(v.ranks_but(2)),
             "y": v.real_array(v.first_axes_but(4) | v.ranks_but(1, 2))},
        ),
    }  # fmt: skip


# --- derivatives ----------------------------------------------------------------------


def _at(maker: Callable[..., Any]) -> Callable[..., Any]:
    """Make a derivative and evaluate it, all arguments by name."""
    return lambda fun, x, **options: maker(fun, **options)(x)


def _with(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda fun, x, **options: function(fun, x, **options)


MODES: Wrong = {"mode": v.no_option, "check": v.no_check, "max_bytes": v.no_bytes}
SHARED: Wrong = {
    "fun": v.no_function | v.no_differentiable,
    "x": v.no_arrays | v.integer_arrays,
    "argnums": v.no_argnums,
}


def _derivative(
    maker: Callable[..., Any], fun: Callable[..., Any], wrong: Wrong, x: Any = X3
) -> Case:
    return Case(_at(maker), {"fun": fun, "x": x}, SHARED | wrong)


def _tool(name: str, **wrong: SearchStrategy[Any]) -> Case:
    call = _with(getattr(derivatives, name))
    return Case(call, {"fun": jnp.sin, "x": X3}, SHARED | wrong)


def tools() -> dict[str, Case]:
    """The cases of `derivatives`."""
    d, check = derivatives, {"check": v.no_check}
    formats = MODES | {"format": v.no_option}
    flags = {"has_aux": v.no_boolean, "holomorphic": v.no_boolean}
    axes = {"in_axis": v.no_integer, "out_axis": v.no_integer}
    lines = MODES | {"directions": v.no_directions(3)}
    return {
        "derivatives.jacobian": _derivative(d.jacobian, jnp.sin, formats | flags),
        "derivatives.value_and_jacobian": _derivative(
            d.value_and_jacobian, jnp.sin, formats | flags
        ),
        "derivatives.hessian": _derivative(d.hessian, square, formats),
        "derivatives.batch_jacobian": _derivative(
            d.batch_jacobian, jnp.sin, MODES | axes, ROWS
        ),
        "derivatives.jacobian_diagonal": _derivative(
            d.jacobian_diagonal, jnp.sin, check
        ),
        "derivatives.divergence": _derivative(d.divergence, jnp.sin, check),
        "derivatives.hessian_diagonal": _derivative(d.hessian_diagonal, square, check),
        "derivatives.laplacian": _derivative(d.laplacian, square, lines),
        "derivatives.value_grad_and_laplacian": _derivative(
            d.value_grad_and_laplacian, square, lines
        ),
        "derivatives.plan": _tool("plan", target=v.no_option),
        "derivatives.dependence": _tool("dependence"),
        "derivatives.compare_modes": _tool(
            "compare_modes",
            target=v.no_option,
            modes=v.no_modes,
            batch=v.no_boolean,
            repeats=v.no_integer | v.integers_outside(1, 2**31 - 1),
            max_bytes=v.no_bytes,
            reference=v.no_option,
        ),
        "derivatives.check_derivatives": _tool("check_derivatives", key=v.no_key),
    }


# --- the workbench --------------------------------------------------------------------


def workbench() -> dict[str, Case]:
    """The cases of what keeps long runs."""
    folder = tempfile.mkdtemp()
    checkpoint.save(folder, 3, {"p": X3})
    run = {
        "loss": on_batch, "params": X3, "optimizer": optax.sgd(0.1), "steps": 4,
        "data": ROWS, "batch_size": 2, "key": KEY, "report_every": 2,
        "checkpoint": None, "checkpoint_every": 2, "keep": 3, "resume": False,
        "stop": None, "evaluate": None, "callback": None,
        "config": None,
    }  # fmt: skip
    positive = v.no_integer | v.integers_outside(1, 2**31 - 1)
    return {
        "checkpoint.save": Case(
            checkpoint.save,
            {"folder": folder, "step": 3, "tree": {"p": X3}, "keep": 3},
            {"folder": v.no_path, "tree": v.no_leaf_to_save,
             "step": v.no_integer | v.integers_outside(3, 2**63 - 1),
             "keep": v.no_integer | v.integers_outside(1, 2**31 - 1)},
        ),
        "checkpoint.load": Case(
            checkpoint.load, {"folder": folder, "like": {"p": X3}},
            {"folder": v.no_path,
             "like": v.no_leaf
             | v.arrays_of(v.shapes_but((3,))).map(lambda x: {"p": x})},
        ),
        "training.train": Case(
            train, run,
            STEPS
            | dict.fromkeys(("report_every", "checkpoint_every", "keep"), positive)
            | dict.fromkeys(("stop", "evaluate", "callback"), v.no_function_or_none)
            | {"loss": v.no_loss_or_aux, "params": v.no_parameters,
               "optimizer": v.no_optimizer, "data": v.no_data,
               "batch_size": v.no_integer_or_none | v.integers_outside(1, 4),
               "key": v.no_key, "checkpoint": v.no_path, "resume": v.no_boolean,
               "config": v.no_config},
        ),
    }  # fmt: skip
