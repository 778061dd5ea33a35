"""Every optimizer that optax exports, beside the loop that optax's users write."""

import inspect
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optax import contrib

from jnumerics import descent

pytestmark = [
    pytest.mark.usefixtures("as_optax_needs"),
    pytest.mark.filterwarnings("ignore:.* deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Specifying a key will be required:UserWarning"),
]

START = {"b": jnp.array([[0.3, -0.2, 0.5]]), "w": jnp.arange(6.0).reshape(2, 3) / 10}


@pytest.fixture
def as_optax_needs():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def loss(p):
    return jnp.sum((p["w"] @ p["b"].T - 1) ** 2) + jnp.sum((p["w"] - 0.5) ** 2)


def late(step, **_):
    return step > 0


def zero(*_, **__):
    return jnp.zeros(())


def half(grads, _=None):
    return jax.tree.map(lambda g: -g / 2, grads)


# what the factories ask for, by the name of the parameter
ARGUMENTS = {
    "adv_optimizer": contrib.normalize(),
    "base_optimizer": optax.sgd(0.05),
    "clipping": 1.0,
    "decay": 0.9,
    "eta": 0.01,
    "f": half,
    "fast_optimizer": optax.sgd(0.05),
    "freeze_mask": {"b": False, "w": True},
    "gamma": 0.55,
    "inner": optax.adam(0.05),
    "l2_norm_clip": 1.0,
    "learning_rate": 0.05,
    "mask": {"b": False, "w": True},
    "max_backtracking_steps": 5,
    "max_consecutive_errors": 3,
    "max_delta": 1.0,
    "max_linesearch_steps": 5,
    "max_norm": 1.0,
    "measure": zero,
    "measure_name": "nothing",
    "noise_multiplier": 0.1,
    "optimizer": optax.sgd(0.05),
    "param_labels": {"b": "first", "w": "second"},
    "seed": 0,
    "should_transform_fn": late,
    "slow_step_size": 0.5,
    "step_size": -0.05,
    "step_size_fn": lambda _: -0.05,
    "sync_period": 2,
    "threshold": 1.0,
    "transforms": {"first": optax.sgd(0.05), "second": optax.adam(0.05)},
    "tx": optax.sgd(0.05),
}
MADE: dict[str, Any] = {
    "chain": lambda: optax.chain(optax.clip(1.0), optax.sgd(0.05)),
    "inject_hyperparams": lambda: optax.inject_hyperparams(optax.sgd)(0.05),
    "inject_stateful_hyperparams": lambda: optax.inject_stateful_hyperparams(optax.sgd)(
        0.05
    ),
    "named_chain": lambda: optax.named_chain(("only", optax.sgd(0.05))),
    "partition": lambda: optax.partition(
        ARGUMENTS["transforms"], ARGUMENTS["param_labels"]
    ),
}
MADE["scale_by_muon"] = lambda: contrib.scale_by_muon(
    weight_dimension_numbers=dict.fromkeys("bw", contrib.MuonDimensionNumbers())
)
# not for gradients of the parameters alone: optax's loop refuses these, and so do we
OTHERS = {"lookahead", "measure_with_ema", "differentially_private_aggregate", "dpsgd"}
SEARCH = ("value", "grad", "value_fn")
EXTRA = {
    "lbfgs": SEARCH,
    "scale_by_backtracking_linesearch": SEARCH,
    "scale_by_zoom_linesearch": SEARCH,
    "sophia": ("obj_fn",),
    **dict.fromkeys(
        ("momo", "momo_adam", "polyak_sgd", "reduce_on_plateau", "scale_by_polyak"),
        ("value",),
    ),
}


def exported():
    """Names of what returns an optimizer, by the annotation that optax gives it."""
    for module in (optax, contrib):
        for name, make in inspect.getmembers(module, inspect.isfunction):
            kind = str(inspect.signature(make).return_annotation)
            if not name.startswith("_") and "GradientTransformation" in kind:
                yield name, make


def optimizer(name, make):
    if name in MADE:
        return MADE[name]()
    parameters = inspect.signature(make).parameters.values()
    needed = [p.name for p in parameters if p.default is p.empty]
    return make(**{n: ARGUMENTS[n] for n in needed if n not in ("args", "kwargs")})


def plain(optimizer, names, start=START):
    """Optax's loop: the gradient, the update with what it wants, the sum."""
    params, state = start, optimizer.init(start)
    for _ in range(3):
        value, grad = jax.value_and_grad(loss)(params)
        every = {"value": value, "grad": grad, "value_fn": loss, "obj_fn": loss}
        every["grad_fn"] = lambda params, _: jax.grad(loss)(params)
        extra = {name: every[name] for name in names}
        updates, state = optimizer.update(grad, state, params, **extra)
        params = optax.apply_updates(params, updates)
    return params


def agree(optimizer, names):
    expected = jax.jit(partial(plain, optimizer, names))()
    obtained = descent.minimize(loss, START, optimizer=optimizer, steps=3).params
    for a, b in zip(jax.tree.leaves(obtained), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


ALL = dict(exported())


@pytest.mark.parametrize("name", sorted(ALL.keys() - OTHERS))
@pytest.mark.slow
def test_every_exported_optimizer_moves_as_in_the_loop_of_optax(name):
    agree(optimizer(name, ALL[name]), EXTRA.get(name, ()))


def test_optimizers_are_found_by_the_annotations_of_optax():
    assert len(ALL) > 100
    assert {"adam", "lbfgs", "sam", "sophia", *OTHERS} <= ALL.keys()


def sam(rate=0.05, *, is_opaque=True):
    inner, outer = contrib.normalize(), optax.sgd(rate)
    return contrib.sam(outer, inner, opaque_mode=is_opaque)


COMPOSED = {
    "opaque": (lambda: sam(), ("grad_fn",)),
    "opaque in a chain": (lambda: optax.chain(optax.clip(1.0), sam()), ("grad_fn",)),
    "opaque if finite": (lambda: optax.apply_if_finite(sam(), 3), ("grad_fn",)),
    "opaque, injected": (lambda: optax.inject_hyperparams(sam)(0.05), ("grad_fn",)),
    "transparent in a chain": (
        lambda: optax.chain(sam(is_opaque=False), optax.scale(0.5)),
        (),
    ),
    "Sophia and a plateau": (
        lambda: optax.chain(contrib.sophia(0.1), contrib.reduce_on_plateau()),
        ("obj_fn", "value"),
    ),
    "steps in a class": (lambda: optax.MultiSteps(optax.adam(0.1), 2), ()),
    "a search in a class": (lambda: optax.MultiSteps(optax.lbfgs(), 1), SEARCH),
    "a masked search": (
        lambda: optax.masked(optax.lbfgs(), {"b": True, "w": True}),
        SEARCH,
    ),
}


@pytest.mark.parametrize("name", COMPOSED)
@pytest.mark.slow
def test_composed_optimizers_are_given_what_their_parts_take(name):
    make, names = COMPOSED[name]
    agree(make(), names)


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_optimizers_of_other_gradients_fail_with_the_error_of_optax(name):
    start, fun = START, loss
    if name == "lookahead":
        start = optax.LookaheadParams.init_synced(START)
        fun = lambda p: loss(p.fast)
    other = optimizer(name, ALL[name])
    with pytest.raises(ValueError, match=r"pytree structure|batch dimension"):
        descent.minimize(fun, start, optimizer=other, steps=2)


def test_lookahead_of_plain_parameters_fails_with_the_error_of_optax():
    other = optax.lookahead(optax.sgd(0.05), sync_period=2, slow_step_size=0.5)
    with pytest.raises(AttributeError, match=r"no attribute '?fast"):
        descent.minimize(loss, START, optimizer=other, steps=2)


def test_lookahead_works_when_it_is_given_the_gradients_it_wants():
    inner: Any = optax.lookahead(optax.sgd(0.05), sync_period=2, slow_step_size=0.5)

    def update(grads, state, params):
        return inner.update(grads.fast, state, params)

    untyped: Any = update
    wrapped = optax.GradientTransformation(inner.init, untyped)
    start: Any = optax.LookaheadParams.init_synced(START)
    obtained = descent.minimize(
        lambda p: loss(p.fast), start, optimizer=wrapped, steps=2
    ).params
    params, state = start, inner.init(start)
    apply: Any = optax.apply_updates
    for _ in range(2):
        updates, state = inner.update(jax.grad(loss)(params.fast), state, params)
        params = apply(params, updates)
    for a, b in zip(jax.tree.leaves(obtained), jax.tree.leaves(params), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_a_type_error_in_an_optimizer_is_the_users_to_see():
    def update(grads, state, params=None, **extra):
        return loss(grads, extra)  # pyright: ignore[reportCallIssue]

    faulty: Any = (lambda _: ()), update
    wrong = optax.GradientTransformationExtraArgs(*faulty)
    with pytest.raises(TypeError, match="takes 1 positional argument but 2 were given"):
        descent.minimize(loss, START, optimizer=wrong, steps=1)


def test_complex_gradients_of_sam_are_those_of_the_way_down():
    goal = np.array([1 + 2j, -3j], np.complex64)
    small = optax.scale(0.01)
    d = descent.minimize(
        lambda z: jnp.sum(jnp.abs(z - goal) ** 2),
        jnp.zeros(2, jnp.complex64),
        optimizer=contrib.sam(optax.sgd(0.1), small, opaque_mode=True),
        steps=60,
    )
    np.testing.assert_allclose(d.params, goal, atol=0.02)
