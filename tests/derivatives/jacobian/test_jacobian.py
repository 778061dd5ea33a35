"""Every scenario in every mode; what a call promises beside the numbers."""

import os
import subprocess
import sys
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO

from jnumerics.derivatives import divergence, hessian, jacobian, value_and_jacobian
from jnumerics.derivatives._plan import plan as _plan
from jnumerics.derivatives._program.trace import trace
from tests import scenarios
from tests.derivatives.jacobian._modes import assert_close, bottleneck, options

MODES = ("forward", "reverse", "cut", "compressed")


def served(scenario, mode):
    lacks = {"reverse": "forward_only", "forward": "reverse_only"}
    return lacks.get(mode) not in scenario.tags


@pytest.mark.parametrize("scenario", scenarios.params())
def test_every_mode_gives_the_true_jacobian(scenario, key):
    args = scenario.make_args(key, scenario.dtypes[0])
    extra = options(scenario, args)
    plan = _plan.choose(trace(scenario.fun, args, argnums=scenario.argnums, **extra))
    expected = scenario.jacobian(args)
    modes = [c.mode for c in plan.candidates if c.same_as is None]

    @jax.jit
    def by_mode(*args):
        return {
            mode: jacobian(scenario.fun, scenario.argnums, mode=mode, **extra)(*args)
            for mode in modes
            if served(scenario, mode)
        }

    for mode, J in by_mode(*args).items():
        assert_close(J, expected, 4, mode)


@pytest.mark.parametrize(
    "scenario", scenarios.params(without="zero_size", dtype="float64", every=3)
)
def test_auto_agrees_in_float64_as_sparse_entries(scenario, key, x64):
    args = scenario.make_args(key, "float64")
    run = jacobian(
        scenario.fun, scenario.argnums, format="bcoo", **options(scenario, args)
    )

    @jax.jit
    def dense(*args):
        return jax.tree.map(
            BCOO.todense, run(*args), is_leaf=lambda b: isinstance(b, BCOO)
        )

    assert_close(dense(*args), scenario.jacobian(args), 9)


@pytest.mark.parametrize("scenario", scenarios.params("stencil", without="kink conv"))
def test_auto_is_right_under_vmap(scenario, key):
    args = scenario.make_args(key, scenario.dtypes[0])
    stacked = jax.tree.map(lambda x: jnp.stack([x, x]), args)
    J = jax.vmap(jacobian(scenario.fun, scenario.argnums))(*stacked)
    assert_close(jax.tree.map(lambda x: x[1], J), scenario.jacobian(args), 4)


def tridiagonal(x):
    return x[1:-1] ** 2 - x[2:] * x[:-2]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fun", [bottleneck, tridiagonal])
def test_jacobian_is_differentiable_again(fun, mode, key):
    x = jax.random.normal(key, (12,))

    def total(derivative):
        return lambda x: jnp.sum(jnp.sin(derivative(fun)(x)))

    gradient = jax.grad(total(lambda f: jacobian(f, mode=mode)))(x)
    np.testing.assert_allclose(gradient, jax.grad(total(jax.jacrev))(x), atol=2e-5)


def test_jacobian_inside_jit_and_vmap_of_closures(key):
    x = jax.random.normal(key, (12,))

    def scaled(a):
        return jacobian(lambda x: a * bottleneck(x))(x)

    J = jax.jit(jax.vmap(scaled))(jnp.array([1.0, 2.0]))
    np.testing.assert_allclose(J[1], 2 * jax.jacobian(bottleneck)(x), atol=1e-5)


def test_jacobian_traces_once_for_each_shape(key):
    chex.clear_trace_counter()
    fun = chex.assert_max_traces(lambda x: x**2, n=2)  # once each shape
    derivative = jacobian(fun)
    for n in (3, 3, 4, 4):
        derivative(jax.random.normal(key, (n,)))


def test_value_comes_with_the_jacobian(key):
    x = jax.random.normal(key, (12,))
    value, J = value_and_jacobian(bottleneck)(x)
    np.testing.assert_allclose(value, bottleneck(x), rtol=1e-6)
    np.testing.assert_allclose(J, jax.jacobian(bottleneck)(x), atol=1e-6)


def test_aux_is_passed_on():
    x = jnp.array([1.0, 2.0])
    J, aux = jacobian(lambda x: (x**2, {"n": 3}), has_aux=True)(x)
    np.testing.assert_array_equal(J, [[2.0, 0.0], [0.0, 4.0]])
    assert aux["n"] == 3
    (value, aux), _ = value_and_jacobian(lambda x: (x**2, x[0]), has_aux=True)(x)
    np.testing.assert_array_equal(value, x**2)
    assert aux == 1.0


def test_keyword_arguments_are_passed_on():
    def scaled(x, *, by):
        return by * x

    np.testing.assert_array_equal(jacobian(scaled)(jnp.ones(2), by=3.0), 3 * np.eye(2))


def test_complex_results_of_real_inputs_are_served_in_every_mode(key):
    x = jax.random.normal(key, (3,))

    def wave(x):
        return jax.lax.complex(jnp.sin(x) * jnp.sum(x), x**2)

    for mode in MODES:
        np.testing.assert_allclose(
            jacobian(wave, mode=mode)(x), jax.jit(jax.jacfwd(wave))(x), atol=1e-5
        )


@pytest.mark.parametrize("mode", MODES)
def test_a_bounded_jacobian_is_the_same(mode, key):
    x = jax.random.normal(key, (12,))
    for fun in (bottleneck, tridiagonal):
        J = jacobian(fun, mode=mode, max_bytes=3000)(x)
        np.testing.assert_allclose(J, jax.jacobian(fun)(x), atol=1e-5)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_max_bytes_bounds_the_compiled_program(mode, key, temp_bytes):
    n = 256
    weight = jax.random.normal(key, (n, n))
    bound = 1 << 17

    def dense(x, weight):
        return jnp.tanh(weight @ jnp.sin(weight @ x))

    bounded, free = (
        temp_bytes(jacobian(dense, mode=mode, max_bytes=b), jnp.ones(n), weight)
        for b in (bound, None)
    )
    assert bounded <= bound < free


def test_no_pass_bakes_an_identity_matrix_into_the_program(key):
    n = 300
    jaxpr = jax.make_jaxpr(jacobian(jnp.sin, mode="forward"))(jnp.ones(n))
    text = jax.jit(jacobian(jnp.sin, mode="forward")).lower(jnp.ones(n)).as_text()
    assert len(text) < 50_000
    assert all(np.size(c) < n * n for c in jaxpr.consts)


def test_modes_differ_where_a_partial_derivative_is_infinite():
    def root(x):
        return jnp.where(x > 0, jnp.sqrt(x), 0.0)

    x = jnp.zeros(2)
    assert (jacobian(root, mode="forward")(x) == 0).all()
    assert np.isnan(jacobian(root, mode="reverse")(x)).any()


def test_hessian_agrees_with_jax(key):
    tree = {"a": jax.random.normal(key, (3,)), "b": jnp.float32(0.7)}

    def energy(t):
        return jnp.sum(jnp.sin(t["a"]) ** 2 * t["b"]) + t["b"] ** 3 * t["a"][0]

    assert_close(hessian(energy)(tree), jax.jit(jax.hessian(energy))(tree), 5)


def test_hessian_of_a_chain_is_sparse(key):
    x = jax.random.normal(key, (30,))

    def chain(x):
        return jnp.sum((x[1:] - x[:-1] ** 2) ** 2)

    H = hessian(chain, format="bcoo")(x)
    np.testing.assert_allclose(H.todense(), jax.jit(jax.hessian(chain))(x), atol=1e-4)
    assert H.nse < 4 * 30


def test_integer_closures_and_arguments_are_no_obstacle():
    def pick(x, k):
        return x[k] ** 2

    J = jacobian(pick)(jnp.arange(1.0, 4.0), jnp.array([2, 0]))
    np.testing.assert_array_equal(J, [[0.0, 0.0, 6.0], [2.0, 0.0, 0.0]])


@pytest.mark.parametrize("format", ["dense", "bcoo"])
def test_zero_and_empty_derivatives(format):
    def dense(block):
        return block if format == "dense" else block.todense()

    still = jacobian(lambda _: jnp.ones(3), format=format)(jnp.ones((2, 2)))
    np.testing.assert_array_equal(dense(still), np.zeros((3, 2, 2)))
    assert dense(jacobian(jnp.sin, format=format)(jnp.ones((0,)))).shape == (0, 0)


@pytest.mark.process
def test_arrays_on_several_devices_have_the_same_derivatives():
    devices = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.derivatives.jacobian._sharded"],
        cwd=Path(__file__).parents[3],
        env=os.environ | devices,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize("format", ["dense", "bcoo"])
@pytest.mark.parametrize("mode", ["forward", "reverse", "cut", "compressed"])
def test_the_largest_is_found_among_values_that_a_compiler_computes_twice(
    mode, format, x64
):
    # normalized in one loop for the largest, in another for who it is: rounded apart
    def largest(x):
        shifted = x - jnp.mean(x, 0, keepdims=True)
        scale = jnp.sqrt(0.5 + jnp.var(x, 0, keepdims=True))
        return jnp.max(shifted / scale, axis=0, keepdims=True)

    x = (
        np.array(
            [
                [[841, 691], [1350, 1183], [1044, 746]],
                [[797, 1214], [1121, 737], [793, 676]],
                [[1100, 618], [1143, 642], [1035, 1147]],
            ]
        )
        / 1000
    )
    J = jacobian(jax.vmap(largest), mode=mode, format=format)(x)
    dense = J.todense() if format == "bcoo" else J
    chex.assert_trees_all_close(
        dense, jax.jit(jax.jacfwd(jax.vmap(largest)))(x), rtol=1e-12
    )


@pytest.mark.parametrize("format", ["dense", "bcoo"])
def test_strict_promotion_takes_results_of_another_dtype(format):
    x = jnp.array([0.5, 2.0])
    with jax.numpy_dtype_promotion("strict"):
        J = jacobian(lambda x: (x**2).astype(jnp.float16), format=format)(x)
        total = divergence(lambda t: (t[0] ** 2, t[1] ** 2))((x.astype(jnp.float16), x))
    dense = J if format == "dense" else J.todense()
    np.testing.assert_allclose(dense, jnp.diag(2 * x), rtol=1e-3)
    np.testing.assert_allclose(total, 10.0, rtol=1e-3)


def test_floats_of_eight_bits_have_jacobians_in_wider_ones():
    x = jnp.array([0.5, 2.0], "float8_e4m3fn")
    J = jacobian(lambda x: x.astype(float) ** 2)(x)
    np.testing.assert_array_equal(J, np.diag([1.0, 4.0]))


def test_reads_out_of_bounds_differ_by_mode_as_documented():
    def fun(x, i):
        return x[i]

    x, i = jnp.arange(3.0), jnp.array([7])
    forward, reverse = (
        jacobian(fun, mode=mode)(x, i) for mode in ("forward", "reverse")
    )
    np.testing.assert_array_equal(forward, [[0, 0, 1]])
    np.testing.assert_array_equal(reverse, [[0, 0, 0]])
    assert "reads out of bounds" in (jacobian.__doc__ or "")
