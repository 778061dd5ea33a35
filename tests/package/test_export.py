"""Every public function lowers for CPU, GPU and TPU, without the hardware."""

import re
from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import export

from jnumerics import (
    conv,
    derivatives,
    descent,
    linear_regression,
    mlp,
    perceptron,
    polynomial,
    softmax,
)
from jnumerics.derivatives._plan.second import choose
from tests import test_contract

pytestmark = pytest.mark.whole

PLATFORMS = ("cpu", "cuda", "tpu")
HOST_ONLY = {  # they plan, measure or check, and return no arrays
    "derivatives.check_derivatives",
    "derivatives.compare_modes",
    "derivatives.dependence",
    "derivatives.plan",
}

KEY = jax.random.key(0)
SCORES = np.array([[0.3, -1.2, 2.0], [1.0, 0.0, -0.5]], np.float32)
IMAGE = np.linspace(-1, 1, 72, dtype=np.float32).reshape(1, 6, 6, 2)
KERNEL = np.linspace(0, 1, 36, dtype=np.float32).reshape(3, 3, 2, 2)
NODES = np.array([0.1, 0.5, 0.2, 0.9], np.float32)
VALUES = np.arange(16, dtype=np.float32).reshape(4, 2, 2)
POINTS = np.array([0.15, 0.5], np.float32)
X = np.array([[1, 5], [1, 2], [1, 4], [1, 5]], np.float32)
Y = np.array([1, 6, 4, 2], np.float32)
ZERO = np.zeros(2, np.float32)
NETWORK = mlp.init(KEY, (3, 4, 2))
NARROW = mlp.init(KEY, (6, 5, 1, 5, 6))
WIDE = np.linspace(-1, 1, 6, dtype=np.float32)
PRODUCT = re.compile(r"stablehlo\.(dot|dot_general|convolution|dynamic_conv)\b")
HIGHEST = re.compile(
    r"precision = \[HIGHEST, HIGHEST\]|"
    r"precision_config = \[(#stablehlo<precision HIGHEST>(, )?){2}\]"
)
MULTIPLY = ("conv.conv2d", "mlp.apply", "perceptron.fit", "linear_regression.solve")


def valley(p):
    return jnp.sum((p - 1) ** 2) + jnp.prod(p)


def squares(x):
    return jnp.sin(x) * x


minimize = partial(descent.minimize, valley, optimizer=optax.sgd(0.1, momentum=0.9))
descend = partial(linear_regression.gradient_descent, learning_rate=0.01)

CALLS = {  # function, arguments; what follows a space tells several calls apart
    "softmax.softmax": (softmax.softmax, SCORES),
    "softmax.log_softmax": (softmax.log_softmax, SCORES),
    "softmax.jacobian": (softmax.jacobian, SCORES),
    "softmax.jvp": (softmax.jvp, SCORES, SCORES),
    "softmax.vjp": (softmax.vjp, SCORES, SCORES),
    "softmax.cross_entropy": (softmax.cross_entropy, SCORES, np.array([0, 2])),
    "softmax.cross_entropy rows": (softmax.cross_entropy, SCORES, np.eye(3)[:2]),
    "conv.conv2d": (conv.conv2d, IMAGE, KERNEL),
    "conv.conv2d 1x1": (conv.conv2d, IMAGE, KERNEL[:1, :1]),
    "conv.conv2d depthwise": (
        partial(conv.conv2d, groups=2, stride=2, padding="SAME"),
        IMAGE,
        KERNEL[:, :, :1],
    ),
    "polynomial.fit": (polynomial.fit, NODES, VALUES),
    "polynomial.evaluate": (polynomial.evaluate, VALUES, POINTS),
    "polynomial.interpolate": (polynomial.interpolate, NODES, VALUES, POINTS),
    "mlp.init": (partial(mlp.init, sizes=(3, 4, 2)), KEY),
    "mlp.apply": (mlp.apply, NETWORK, SCORES),
    "descent.minimize": (partial(minimize, steps=3), ZERO),
    "descent.minimize one step": (partial(minimize, steps=1), ZERO),
    "perceptron.init": (partial(perceptron.init, n_in=3), KEY),
    "perceptron.apply": (perceptron.apply, ZERO, X),
    "perceptron.loss": (perceptron.loss, ZERO, X, Y),
    "perceptron.fit": (partial(perceptron.fit, steps=3), ZERO, X, Y),
    "linear_regression.cost": (linear_regression.cost, ZERO, X, Y),
    "linear_regression.gradient_descent": (partial(descend, steps=3), X, Y, ZERO),
    "linear_regression.gradient_descent compressed": (
        partial(descend, steps=300),
        np.tile(X, (100, 1)),
        np.tile(Y, 100),
        ZERO,
    ),
    "linear_regression.solve": (linear_regression.solve, X, Y),
    "derivatives.jacobian": (derivatives.jacobian(squares), SCORES),
    "derivatives.value_and_jacobian": (derivatives.value_and_jacobian(squares), ZERO),
    "derivatives.hessian": (derivatives.hessian(valley), ZERO),
    "derivatives.batch_jacobian": (derivatives.batch_jacobian(squares), SCORES),
    "derivatives.jacobian_diagonal": (derivatives.jacobian_diagonal(squares), ZERO),
    "derivatives.divergence": (derivatives.divergence(squares), ZERO),
    "derivatives.hessian_diagonal": (derivatives.hessian_diagonal(valley), ZERO),
    "derivatives.laplacian": (derivatives.laplacian(valley), ZERO),
    "derivatives.laplacian nested": (
        derivatives.laplacian(valley, mode="nested"),
        ZERO,
    ),
    "derivatives.value_grad_and_laplacian": (
        derivatives.value_grad_and_laplacian(valley),
        ZERO,
    ),
}


def test_every_public_function_is_exported():
    called = {name.split()[0] for name in CALLS}
    assert called | HOST_ONLY == set(test_contract.PUBLIC)


@pytest.mark.parametrize("name", CALLS)
def test_function_lowers_for_every_platform(name):
    fun, *args = CALLS[name]
    exported = export.export(jax.jit(fun), platforms=PLATFORMS)(*args)
    assert exported.platforms == PLATFORMS
    if jax.default_backend() in PLATFORMS:  # and runs as the function does
        chex.assert_trees_all_close(
            exported.call(*args), fun(*args), rtol=1e-5, atol=1e-6
        )


def products(fun, *args):
    """Products and convolutions of a function exported for TPU and GPU, a line each."""
    exported = export.export(jax.jit(fun), platforms=("tpu", "cuda"))(*args)
    lines = exported.mlir_module().splitlines()
    return [line for line in lines if PRODUCT.search(line)]


def is_highest(product):
    return HIGHEST.search(product) is not None


@pytest.mark.parametrize("name", CALLS)
def test_products_are_of_the_highest_precision(name):
    fun, *args = CALLS[name]

    def square(*args):  # with its derivative, which has products of its own
        leaves = jax.tree.leaves(fun(*args))
        return sum(jnp.sum(jnp.abs(x) ** 2) for x in leaves if is_inexact(x))

    is_differentiable = not name.endswith(".init")
    lines = products(jax.grad(square) if is_differentiable else fun, *args)
    assert all(map(is_highest, lines))
    assert lines or name not in MULTIPLY


def network(x):
    return mlp.apply(NETWORK, x)


def narrow(x):
    return mlp.apply(NARROW, x)


def energy(x):
    return jnp.sum(narrow(x) ** 2)


def convolve(image):
    return conv.conv2d(jnp.tanh(conv.conv2d(image, KERNEL)), KERNEL).sum((1, 2))


MODES = ("forward", "reverse", "cut", "compressed")
DERIVATIVES = {
    **{
        f"{name} {kind} {mode}": (derivative(fun, mode=mode), x)
        for name, fun, x in (("network", network, SCORES), ("images", convolve, IMAGE))
        for mode in MODES
        for kind, derivative in (
            ("jacobian", derivatives.jacobian),
            ("batch_jacobian", derivatives.batch_jacobian),
        )
    },
    "narrow jacobian cut": (derivatives.jacobian(narrow, mode="cut"), WIDE),
    "jacobian of the kernel": (
        derivatives.jacobian(lambda k: conv.conv2d(IMAGE, k)),
        KERNEL,
    ),
    "jacobian of parameters": (
        derivatives.jacobian(lambda params: mlp.apply(params, SCORES)),
        NETWORK,
    ),
    "diagonal": (derivatives.jacobian_diagonal(narrow), WIDE),
    "bcoo": (lambda x: derivatives.jacobian(narrow, format="bcoo")(x).data, WIDE),
    "hessian": (derivatives.hessian(energy), WIDE),
    "hessian diagonal": (derivatives.hessian_diagonal(energy), WIDE),
    **{
        f"laplacian {mode}": (derivatives.laplacian(energy, mode=mode), WIDE)
        for mode in choose.MODES
    },
    "linear regression": (derivatives.hessian(linear_regression.cost), ZERO, X, Y),
    "least squares": (derivatives.jacobian(linear_regression.solve), X, Y),
    "polynomial": (
        derivatives.jacobian(polynomial.interpolate, 1),
        NODES,
        VALUES,
        POINTS,
    ),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_products_of_derivatives_are_of_the_highest_precision(name):
    fun, *args = DERIVATIVES[name]
    lines = products(fun, *args)
    assert lines
    assert all(map(is_highest, lines))


@pytest.mark.parametrize("precision", ["default", "high"])
def test_products_of_another_precision_are_found(precision):
    def apply(x):
        return mlp.apply(NETWORK, x, precision=precision)

    def convolve(x):
        return conv.conv2d(x, KERNEL, precision=precision)

    for fun, x in ((apply, SCORES), (convolve, IMAGE)):
        for program in (
            fun,
            derivatives.jacobian(fun),
            derivatives.batch_jacobian(fun),
        ):
            lines = products(program, x)
            assert lines
            assert not any(map(is_highest, lines))


def is_inexact(x):
    return jnp.issubdtype(x.dtype, jnp.inexact)


@pytest.mark.parametrize(
    "name",
    [
        "softmax.cross_entropy",
        "conv.conv2d",
        "perceptron.loss",
        "linear_regression.solve",
    ],
)
def test_gradient_lowers_for_every_platform(name):
    fun, *args = CALLS[name]
    gradient = jax.jit(jax.grad(lambda *args: jnp.sum(fun(*args))))
    exported = export.export(gradient, platforms=PLATFORMS)(*args)
    assert exported.platforms == PLATFORMS
