import gc
import traceback
import weakref
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.test_util import check_grads

from jnumerics import descent
from tests import reference

OPTIMIZERS = {
    "sgd": lambda: optax.sgd(0.05),
    "momentum": lambda: optax.sgd(0.02, momentum=0.9, nesterov=True),
    "adam": lambda: optax.adam(0.1),
    "rmsprop": lambda: optax.rmsprop(0.02),
    "chain": lambda: optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(optax.cosine_decay_schedule(0.1, 9))
    ),
    "lbfgs": lambda: optax.lbfgs(),
    "backtracking": lambda: optax.chain(
        optax.sgd(1.0), optax.scale_by_backtracking_linesearch(10, store_grad=True)
    ),
    "plateau": lambda: optax.chain(
        optax.sgd(0.05), optax.contrib.reduce_on_plateau(patience=1, cooldown=0)
    ),
    "injected": lambda: optax.inject_hyperparams(optax.sgd)(
        learning_rate=optax.linear_schedule(0.05, 0.01, 5)
    ),
    "noisy": lambda: optax.chain(
        optax.add_noise(0.01, 0.55, jax.random.key(3)), optax.sgd(0.05)
    ),
    "every second": lambda: optax.MultiSteps(
        optax.adam(0.1), 2
    ).gradient_transformation(),
}
CENTER = np.array([1.0, -2.0, 0.5], np.float32)


def valley(p):
    """A Rosenbrock-like valley in three dimensions."""
    d = p - jnp.asarray(CENTER, p.dtype)
    return jnp.sum(d**2) + 2 * jnp.sum((d[1:] - d[:-1] ** 2) ** 2)


def line(p, batch):
    return jnp.mean((p["slope"] * batch["x"] + p["offset"] - batch["y"]) ** 2)


def line_batches(steps):
    x = np.linspace(-1, 1, 4 * steps, dtype=np.float32).reshape(steps, 4)
    return {"x": x, "y": 3 * x + 0.5}


class Plain:
    def __repr__(self):
        return "plain"


class Module:
    """A module as libraries have them: arrays beside static fields."""

    def __init__(self, weight, activation):
        self.weight = weight
        self.activation = activation


jax.tree_util.register_dataclass(Module, ["weight"], ["activation"])


@pytest.fixture(autouse=True)
def fresh_trace_counter():
    chex.clear_trace_counter()


class Weights(NamedTuple):
    first: object
    second: object


def custom(init: Any, update: Any) -> optax.GradientTransformation:
    return optax.GradientTransformation(init, update)


def stepwise(loss, params, *, optimizer, steps):
    """The loop that users write in Python, one optax update after the other."""
    optimizer = optax.with_extra_args_support(optimizer)
    state, losses = optimizer.init(params), []
    for _ in range(steps):
        value, grad = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(
            grad, state, params, value=value, grad=grad, value_fn=loss
        )
        params = optax.apply_updates(params, updates)
        losses.append(value)
    return params, state, jnp.stack(losses)


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


# pytrees and dtypes


@pytest.mark.parametrize(
    "params",
    [
        {"a": jnp.ones(2), "b": (jnp.ones((3, 1)), None)},
        Weights(first=[jnp.ones(2)], second=jnp.ones(())),
        Module(jnp.ones((2, 3)), activation="tanh"),
        {"empty": jnp.ones((0, 3)), "one": 1.0},
        (),
    ],
    ids=["dict", "namedtuple", "module", "empty", "nothing"],
)
def test_any_pytree_is_minimized_leaf_by_leaf(params):
    def loss(p):
        assert jax.tree.structure(p) == jax.tree.structure(params)
        return sum((jnp.sum(x**2) for x in jax.tree.leaves(p)), start=jnp.zeros(()))

    optimizer = optax.sgd(0.25, momentum=0.9)
    result = descent.minimize(loss, params, optimizer=optimizer, steps=1)
    again = descent.minimize(
        loss, result.params, optimizer=optimizer, steps=0, state=result.state
    )
    half = jax.tree.map(lambda x: jnp.asarray(x) / 2, params)
    chex.assert_trees_all_close(result.params, half)
    chex.assert_trees_all_equal(again.params, result.params)


@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "complex64"])
@pytest.mark.parametrize("name", ["sgd", "adam", "lbfgs"])
def test_params_keep_their_dtype(name, dtype, x64):
    start = jnp.zeros(2, dtype)
    result = descent.minimize(
        lambda p: jnp.sum(jnp.abs(p - 1) ** 2),
        start,
        optimizer=OPTIMIZERS[name](),
        steps=2,
    )
    assert result.params.dtype == start.dtype
    assert result.losses.dtype == jnp.finfo(start.dtype).dtype


def test_losses_have_the_dtype_of_the_loss():
    result = descent.minimize(
        lambda p: jnp.sum(p).astype(jnp.bfloat16),
        jnp.ones(2),
        optimizer=optax.sgd(0.1),
        steps=2,
    )
    assert (result.losses.dtype, result.params.dtype) == (jnp.bfloat16, jnp.float32)


@pytest.mark.parametrize(
    "start", [2, 2.0, np.float32(2), np.array(2.0), jnp.asarray(2.0)]
)
def test_a_number_is_a_parameter(start):
    result = descent.minimize(lambda p: p**2, start, optimizer=optax.sgd(0.25), steps=1)
    assert result.params.dtype == jnp.float32
    assert not result.params.weak_type
    assert result.params == 1.0


def test_matrix_params_are_arrays():
    result = descent.minimize(
        lambda p: jnp.sum(p * p),
        np.matrix([[1.0, 2.0]]),
        optimizer=optax.sgd(0.25),
        steps=1,
    )
    np.testing.assert_array_equal(result.params, [[0.5, 1.0]])


@pytest.mark.usefixtures("standard_promotion")
def test_state_may_widen_its_dtype():
    # starts from the integer 0 and accumulates thirds
    def update(grad, state, params=None):
        return jax.tree.map(lambda g: -0.1 * g, grad), state + 1 / 3

    optimizer = custom(lambda _: 0, update)
    result = descent.minimize(jnp.sum, jnp.ones(2), optimizer=optimizer, steps=3)
    again = descent.minimize(
        jnp.sum, result.params, optimizer=optimizer, steps=3, state=result.state
    )
    np.testing.assert_allclose([result.state, again.state], [1.0, 2.0], rtol=1e-6)


@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize("name", ["sgd", "adam", "lbfgs"])
def test_complex_params_go_down(name):
    goal = np.array([1 + 2j, -3j], np.complex64)
    result = descent.minimize(
        lambda z: jnp.sum(jnp.abs(z - goal) ** 2),
        jnp.zeros(2, jnp.complex64),
        optimizer={
            "sgd": optax.sgd(0.3),
            "adam": optax.adam(0.1),
            "lbfgs": optax.lbfgs(),
        }[name],
        steps=150,
    )
    np.testing.assert_allclose(result.params, goal, atol=0.02)


def test_complex_descent_is_that_of_real_and_imaginary_part():
    def loss(z):
        return jnp.abs(z**3 - 2j) ** 2

    z = descent.minimize(loss, 1 + 1j, optimizer=optax.sgd(0.01), steps=20).params
    x, y = descent.minimize(
        lambda p: loss(jax.lax.complex(p[0], p[1])),
        jnp.ones(2),
        optimizer=optax.sgd(0.01),
        steps=20,
    ).params
    np.testing.assert_allclose([z.real, z.imag], [x, y], rtol=1e-5)


# transformations


@pytest.mark.parametrize("steps", [1, 4])
def test_an_ensemble_of_starts_is_each_start_by_itself(steps):
    starts = jnp.arange(6.0).reshape(2, 3) / 4
    run = partial(
        descent.minimize, valley, optimizer=optax.sgd(0.02, momentum=0.5), steps=steps
    )
    together = jax.vmap(run)(starts)
    alone = [run(start) for start in starts]
    chex.assert_trees_all_close(
        together, jax.tree.map(lambda *x: jnp.stack(x), *alone), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("compile_", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_an_ensemble_of_learning_rates_is_each_rate_by_itself(compile_, steps):
    def run(rate):
        optimizer = optax.sgd(rate, momentum=0.5)
        return descent.minimize(valley, jnp.zeros(3), optimizer=optimizer, steps=steps)

    rates = jnp.array([0.01, 0.05])
    together = compile_(jax.vmap(run))(rates)
    for k, rate in enumerate([0.01, 0.05]):
        alone = run(rate)
        np.testing.assert_allclose(
            together.params[k], alone.params, rtol=1e-5, atol=1e-7
        )
        np.testing.assert_allclose(together.losses[k], alone.losses, rtol=1e-5)


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("transform", ["jit", "vmap", "grad", "jit of vmap of grad"])
def test_loss_may_close_over_traced_data(transform, steps):
    labels = jnp.array([0, 1, 1])

    def final(x, label):
        def loss(w):
            return (w * x - jnp.where(label == 1, 2.0, 1.0)) ** 2

        return descent.minimize(loss, 0.5, optimizer=optax.sgd(0.1), steps=steps).params

    def expected(x, label):
        w = 0.5
        for _ in range(steps):
            w = w - 0.1 * 2 * x * (w * x - jnp.where(label == 1, 2.0, 1.0))
        return w

    x = jnp.array([0.5, 1.0, 1.5])
    wrap = {
        "jit": lambda f: jax.jit(
            lambda x, i: jnp.stack([f(x[k], i[k]) for k in range(3)])
        ),
        "vmap": jax.vmap,
        "grad": lambda f: jax.grad(lambda x, i: sum(f(x[k], i[k]) for k in range(3))),
        "jit of vmap of grad": lambda f: jax.jit(jax.vmap(jax.grad(f))),
    }[transform]
    obtained = wrap(final)(x, labels)
    np.testing.assert_allclose(obtained, wrap(expected)(x, labels), rtol=1e-5)


@pytest.mark.parametrize("steps", [1, 6])
def test_hypergradient_is_right_in_both_modes(x64, steps):
    # on a quadratic, p_n = (1 - rate)^n p_0
    def final(rate):
        def loss(p):
            return p**2 / 2

        return descent.minimize(
            loss, 3.0, optimizer=optax.sgd(rate), steps=steps
        ).params

    expected = -3 * steps * 0.9 ** (steps - 1)
    for mode in (jax.jacfwd, jax.jacrev, jax.grad):
        np.testing.assert_allclose(mode(final)(0.1), expected, rtol=1e-12)
    second = 3 * steps * (steps - 1) * 0.9 ** max(steps - 2, 0)
    np.testing.assert_allclose(jax.hessian(final)(0.1), second, rtol=1e-12)


@pytest.mark.slow
def test_losses_are_differentiable_in_the_start(x64):
    def area(start):
        return descent.minimize(
            valley, start, optimizer=optax.sgd(0.02, momentum=0.5), steps=3
        ).losses.sum()

    start = jnp.array([0.7, -1.5, 0.3])
    check_grads(area, (start,), 2, ("fwd", "rev"), atol=1e-6, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize("steps", [1, 3])
def test_hypergradient_through_lbfgs_is_right_in_forward_mode(x64, steps):
    def final(minimize, a):
        def loss(p):
            return jnp.sum((p - a) ** 2 * jnp.array([1.0, 1.5]))

        return minimize(loss, jnp.zeros(2), optimizer=optax.lbfgs(), steps=steps)[0]

    derivative = jax.jit(jax.jacfwd(partial(final, descent.minimize)))(2.0)
    expected = jax.jit(jax.jacfwd(partial(final, stepwise)))(2.0)
    np.testing.assert_allclose(derivative, expected, rtol=1e-9)


@pytest.mark.usefixtures("standard_promotion")
def test_reverse_mode_through_lbfgs_is_refused_by_jax():
    def final(a):
        optimizer = optax.lbfgs()
        return descent.minimize(
            lambda p: (p - a) ** 2, 0.0, optimizer=optimizer, steps=2
        ).params

    with pytest.raises(ValueError, match=r"[Rr]everse-mode differentiation"):
        jax.grad(final)(2.0)


def test_no_tracer_outlives_its_trace():
    def final(rate, x):
        optimizer = optax.sgd(rate)
        return descent.minimize(
            lambda p: (p - x) ** 2, 0.0, optimizer=optimizer, steps=2
        ).params

    with jax.checking_leaks():
        jax.vmap(jax.grad(final))(jnp.array([0.1, 0.2]), jnp.ones(2))
        jax.jit(final)(0.1, 1.0)


# compilation


@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize("name", ["sgd", "lbfgs"])
@pytest.mark.parametrize("steps", [1, 3])
def test_loss_is_traced_once_for_each_shape(name, steps):
    loss = chex.assert_max_traces(lambda p: jnp.sum((p - 1) ** 2), n=2)
    optimizer = OPTIMIZERS[name]()
    for size in (2, 2, 3, 2, 3):
        descent.minimize(loss, jnp.zeros(size), optimizer=optimizer, steps=steps)
    with pytest.raises(AssertionError, match="traced"):
        descent.minimize(loss, jnp.zeros(4), optimizer=optimizer, steps=steps)


def test_continuing_does_not_trace_for_each_piece():
    loss = chex.assert_max_traces(lambda p: (p - 1) ** 2, n=2)  # state absent, present
    optimizer = optax.sgd(0.1, momentum=0.9)
    result = descent.minimize(loss, 0.0, optimizer=optimizer, steps=2)
    for _ in range(3):
        result = descent.minimize(
            loss, result.params, optimizer=optimizer, steps=2, state=result.state
        )


def test_vmap_does_not_trace_again():
    loss = chex.assert_max_traces(lambda p: jnp.sum(p**2), n=1)
    run = partial(descent.minimize, loss, optimizer=optax.sgd(0.1), steps=2)
    for _ in range(3):
        jax.vmap(run)(jnp.ones((4, 2)))


class Model:
    def __init__(self):
        self.traces = 0

    def loss(self, p):
        self.traces += 1
        return p**2


def test_a_bound_method_is_one_loss():
    model, optimizer = Model(), optax.sgd(0.1)
    for _ in range(3):
        descent.minimize(model.loss, 1.0, optimizer=optimizer, steps=2)
    other = Model()
    descent.minimize(other.loss, 1.0, optimizer=optimizer, steps=2)
    assert (model.traces, other.traces) == (1, 1)


@pytest.mark.parametrize("loss", [partial(jnp.multiply, 2.0), jax.jit(lambda p: 2 * p)])
def test_any_callable_is_a_loss(loss):
    result = descent.minimize(loss, 1.0, optimizer=optax.sgd(0.25), steps=2)
    np.testing.assert_array_equal(result.losses, [2.0, 1.0])


class Slotted:
    """A loss that can be neither hashed nor, for its slots, referred to weakly."""

    __hash__ = None  # pyright: ignore[reportAssignmentType]
    __slots__ = ("scale",)

    def __init__(self, scale):
        self.scale = scale

    def __eq__(self, other):
        return True

    def __call__(self, p):
        return self.scale * p


class Unhashable(Slotted):
    __slots__ = ("__weakref__",)


@pytest.mark.parametrize("kind", [Slotted, Unhashable])
def test_losses_that_compare_equal_are_told_apart(kind):
    optimizer = optax.sgd(0.0)
    losses = kind(1.0), kind(2.0)
    for loss, scale in zip(losses, (1.0, 2.0), strict=True):
        result = descent.minimize(loss, 1.0, optimizer=optimizer, steps=1)
        np.testing.assert_array_equal(result.losses, [scale])


def test_program_is_freed_with_its_loss():
    optimizer = optax.sgd(0.1)
    finalized = []

    def make_loss():
        weakref.finalize(loss := lambda p: jnp.sum(p**2), finalized.append, 1)
        return loss

    descent.minimize(make_loss(), jnp.zeros(3), optimizer=optimizer, steps=2)
    gc.collect()
    assert finalized == [1]


# bad input


def minimize_sum(params: Any = 1.0, **changes: Any):
    options = {"optimizer": optax.sgd(0.1), "steps": 2}
    return descent.minimize(changes.pop("loss", jnp.sum), params, **options | changes)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"w": 10**400}, ValueError, r"`params\['w'\]` must be in the range of a float, got"),
        ({"w": jnp.arange(3)}, TypeError, r"`params\['w'\]` must hold floating-point numbers, got dtype int32"),
        ([1.0, True], TypeError, r"`params\[1\]` must hold floating-point numbers, got dtype bool"),
        (Weights(1.0, "relu"), TypeError, r"`params.second` must be an array, got str"),
        (Module(jax.nn.relu, "tanh"), TypeError, r"`params.weight` must be an array"),
        ({"k": jax.random.key(0)}, TypeError, r"`params\['k'\]` must hold floating-point"),
        (np.array([None]), TypeError, "`params` must hold numbers that JAX has, got dtype object"),
    ],
)  # fmt: skip
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
        (lambda p: p[None], ValueError, r"`loss` must return a real scalar, got shape \(1,\)"),
        (lambda p: (p, p), TypeError, "`loss` must return a real scalar, got tuple"),
        (lambda _: None, TypeError, "`loss` must return a real scalar, got NoneType"),
        (lambda p: jax.lax.complex(p, p), TypeError, "`loss` must return a real scalar, got dtype complex64"),
        (lambda _: 10**400, ValueError, "`loss` must be in the range of JAX's integers, .*got an"),
        (lambda p: p > 0, TypeError, "`loss` must return a real scalar, got dtype bool"),
        (lambda p: p.astype(int), TypeError, "`loss` must return a real scalar, got dtype int32"),
    ],
)  # fmt: skip
def test_a_loss_that_is_not_a_real_scalar_is_rejected(loss, error, message):
    with pytest.raises(error, match=message):
        minimize_sum(loss=loss)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("batches", "error", "message"),
    [
        ({"x": np.ones(3), "y": np.ones((2, 3))}, ValueError, r"`batches\['x'\]` must have a leading axis of size 2, got shape \(3,\)"),
        ((1.0,), ValueError, r"`batches\[0\]` must have a leading axis of size 2, got shape \(\)"),
        ("ab", TypeError, "`batches` must be an array, got str"),
    ],
)  # fmt: skip
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
        ({"a": jnp.ones(3)}, {"b": jnp.ones(3)}, r"\{\"\['a'\]\": \(3,\)\}, got \{\"\['b"),
        ((jnp.ones(3),), [jnp.ones(3)], r"PyTreeDef\(\(\*,\)\), got PyTreeDef\(\[\*\]\)"),
        (Module(jnp.ones(3), "a"), Module(jnp.ones(3), "b"), "PyTreeDef.*'a'.*, got Py.*'b'"),
        (Module(jnp.ones(3), Plain()), Module(jnp.ones(3), Plain()), "got the same with other"),
    ],
)  # fmt: skip
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
        raise RuntimeError("mine")  # noqa: EM101

    with pytest.raises(RuntimeError, match="mine") as caught:
        minimize_sum(loss=lambda p: innermost(p))
    frames = [frame.name for frame in traceback.extract_tb(caught.tb)]
    assert frames[-2:] == ["<lambda>", "innermost"]
