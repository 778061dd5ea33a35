"""Effects belong to the primal program: once a call, in order; none in passes."""

import jax
import jax.numpy as jnp
import numpy as np
import optimistix
import pytest
from jax import lax
from jax.experimental import io_callback
from jax.experimental import pallas as pl

from jnumerics.derivatives import (
    batch_jacobian,
    dependence,
    divergence,
    hessian,
    jacobian,
    jacobian_diagonal,
    laplacian,
    plan,
    value_and_jacobian,
)

X = jnp.arange(1.0, 4.0)
LOG: list[str] = []


@pytest.fixture(autouse=True)
def log():
    jax.effects_barrier()
    LOG.clear()
    return LOG


def seen():
    jax.effects_barrier()
    return "".join(LOG)


def note(name, x, ordered=False):
    jax.debug.callback(lambda _: LOG.append(name), x, ordered=ordered)


def noted_sine(x):
    note("a", x)
    return jnp.sin(x)


def in_order(x):
    note("a", x, ordered=True)
    y = jnp.sin(x)
    note("b", y, ordered=True)
    z = y * y
    note("c", z, ordered=True)
    return z


def scanned(body):
    return lambda x: lax.scan(lambda c, _: (body(c), None), x, None, length=2)[0]


def loop_beside(x):
    """A while loop of the primal program, which prints; no tangent enters."""
    start = (0, lax.stop_gradient(x))
    body = lambda c: (c[0] + 1, noted_sine(c[1]))
    return x * lax.while_loop(lambda c: c[0] < 2, body, start)[1]


def one_branch(x):
    return lax.cond(x[0] > 0, noted_sine, jnp.cos, x)


FUNCTIONS = {
    "plain": (noted_sine, "a"),
    "in order": (in_order, "abc"),
    "jit": (jax.jit(noted_sine), "a"),
    "vmap": (jax.vmap(noted_sine), "aaa"),
    "checkpoint": (jax.checkpoint(noted_sine), "a"),
    "scan": (scanned(noted_sine), "aa"),
    "scan of a checkpoint": (scanned(jax.checkpoint(noted_sine)), "aa"),
    "checkpoint of a scan": (jax.checkpoint(scanned(noted_sine)), "aa"),
    "while": (loop_beside, "aa"),
    "cond": (one_branch, "a"),
    "aux alone": (lambda x: (note("a", x.sum()), 2 * x)[1], "a"),
}
SAME_SHAPE = {
    "jacobian": jacobian,
    "forward": lambda f: jacobian(f, mode="forward"),
    "reverse": lambda f: jacobian(f, mode="reverse"),
    "cut": lambda f: jacobian(f, mode="cut"),
    "compressed": lambda f: jacobian(f, mode="compressed"),
    "bcoo": lambda f: jacobian(f, format="bcoo"),
    "bounded": lambda f: jacobian(f, max_bytes=10_000),
    "value_and_jacobian": value_and_jacobian,
    "batch": batch_jacobian,
    "probe": lambda f: batch_jacobian(f, check="probe"),
    "diagonal": jacobian_diagonal,
    "divergence": divergence,
    "hessian": lambda f: hessian(lambda x: f(x).sum()),
    "under jit": lambda f: jax.jit(jacobian(f)),
    "under grad": lambda f: jax.grad(lambda x: jacobian(f)(x).sum()),
}


@pytest.mark.parametrize("tool", SAME_SHAPE.values(), ids=SAME_SHAPE)
def test_effects_come_once_a_call_and_in_order(tool):
    derivative = tool(in_order)
    for _ in range(2):
        LOG.clear()
        jax.block_until_ready(derivative(X))
        assert seen() == "abc"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_effects_stay_wherever_they_stand(name):
    fun, expected = FUNCTIONS[name]
    J = jax.block_until_ready(jacobian(fun)(X))
    assert seen() == expected
    np.testing.assert_allclose(J, jax.jacfwd(fun)(X), rtol=1e-6)


def test_a_laplacian_prints_once():
    laplacian(lambda x: in_order(x).sum())(X)
    assert seen() == "abc"


def test_vmap_prints_once_for_each_sample():
    jax.vmap(jacobian(noted_sine))(jnp.stack([X, X]))
    assert seen() == "aa"


@pytest.mark.parametrize("tool", [plan, dependence])
def test_planning_runs_no_callback(tool):
    def fun(x):
        note("a", x)
        shape = jax.ShapeDtypeStruct((3,), jnp.int32)
        index = jax.pure_callback(
            lambda k: (LOG.append("b"), np.asarray(k))[1], shape, np.arange(3)
        )
        return x[index]

    tool(fun, X)
    assert seen() == ""


def test_a_pure_callback_among_values_is_served():
    def fun(x):
        total = jax.pure_callback(
            lambda v: np.float32(v.sum()),
            jax.ShapeDtypeStruct((), jnp.float32),
            lax.stop_gradient(x),
        )
        return x * total

    np.testing.assert_allclose(jacobian(fun)(X), 6 * np.eye(3))


def test_what_a_callback_is_told_stays():
    def fun(x):
        io_callback(lambda: LOG.append("a"), None, ordered=True)
        return x**2

    np.testing.assert_allclose(jacobian(fun)(X), np.diag(2 * X))
    assert seen() == "a"


def test_a_root_found_by_optimistix_is_differentiated():
    def root(a):
        solver = optimistix.Newton(rtol=1e-6, atol=1e-6)
        return optimistix.root_find(
            lambda y, a: y**3 + y - a, solver, jnp.ones(3), args=a
        ).value

    with jax.numpy_dtype_promotion("standard"):
        y = root(X)
        J = jacobian(root)(X)
    np.testing.assert_allclose(J, np.diag(1 / (3 * y**2 + 1)), rtol=1e-5)


@jax.custom_jvp
def doubled(x):
    def kernel(source, target):
        target[...] = 2 * source[...]

    out = jax.ShapeDtypeStruct(x.shape, x.dtype)
    return pl.pallas_call(kernel, out_shape=out, interpret=True)(x)


doubled.defjvp(lambda primals, tangents: (doubled(*primals), 2 * tangents[0]))


def test_a_pallas_kernel_behind_a_rule_is_differentiated():
    J = jacobian(lambda x: doubled(jnp.sin(x)))(X)
    np.testing.assert_allclose(J, np.diag(2 * np.cos(X)), rtol=1e-6)


def test_a_counter_outside_counts_calls():
    counter = jax.new_ref(jnp.int32(0))

    def fun(x):
        counter[...] += 1
        return jnp.sin(x)

    derivative = jacobian(fun)
    for _ in range(3):
        derivative(X)
    assert counter[...] == 3


def printing_loop(x):
    body = lambda c: (c[0] + 1, noted_sine(c[1]))
    return lax.while_loop(lambda c: c[0] < 2, body, (0, x))[1]


def through_a_reference(x):
    reference = jax.new_ref(x)
    reference[...] = reference[...] ** 2
    return reference[...]


@jax.custom_jvp
def told_of_tangents(x):
    return jnp.sin(x)


@told_of_tangents.defjvp
def _(primals, tangents):
    note("a", tangents[0])
    return jnp.sin(primals[0]), jnp.cos(primals[0]) * tangents[0]


@jax.custom_vjp
def told_of_cotangents(x):
    return jnp.sin(x)


def backward(x, cotangent):
    note("a", cotangent)
    return (jnp.cos(x) * cotangent,)


told_of_cotangents.defvjp(lambda x: (jnp.sin(x), x), backward)

REFUSED = {
    "while": printing_loop,
    "reference": through_a_reference,
    "tangents": lambda x: 2 * told_of_tangents(x),
    "cotangents": lambda x: 2 * told_of_cotangents(x),
    "cotangents of the function itself": told_of_cotangents,
    "scan of cotangents": scanned(lambda x: 2 * told_of_cotangents(x)),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("tool", [jacobian, batch_jacobian, jacobian_diagonal])
def test_effects_where_passes_run_are_refused_with_their_line(tool, name):
    match = r"free of effects .*, got \w+ at .*test_effects\.py:\d+, .* every pass"
    with pytest.raises(TypeError, match=match):
        tool(REFUSED[name])(X)
    assert seen() == ""
