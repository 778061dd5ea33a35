"""Every scenario in every mode; what a call promises beside the numbers."""

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from jax.experimental.sparse import BCOO

from jnumerics.derivatives import hessian, jacobian, value_and_jacobian
from jnumerics.derivatives._plan import plan as _plan
from jnumerics.derivatives._program.trace import trace
from tests import scenarios

MODES = ("forward", "reverse", "cut", "compressed")


def options(scenario, args) -> dict[str, Any]:
    leaves = jax.tree.leaves(
        args[scenario.argnums] if isinstance(scenario.argnums, int) else args
    )
    is_complex = any(jnp.iscomplexobj(leaf) for leaf in leaves)
    return {"holomorphic": True} if is_complex else {}


def assert_close(found, expected, digits, name=""):
    def compare(a, b):
        b = np.asarray(b)
        scale = np.abs(b).max(initial=0.0) or 1.0
        np.testing.assert_allclose(
            np.asarray(a, b.dtype), b, 0, 10.0**-digits * scale, err_msg=name
        )

    jax.tree.map(compare, found, expected)


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

    for mode, found in by_mode(*args).items():
        assert_close(found, expected, 4, mode)


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


def through_scipy(block):
    """Make a sparse block dense by the lines that `jacobian` documents."""
    if not block.ndim:
        return block.todense()  # SciPy has no arrays without an axis
    J = block.sum_duplicates()
    found = scipy.sparse.coo_array((J.data, tuple(J.indices.T)), J.shape)
    assert found.nnz == len(np.unique(J.indices, axis=0))
    if block.size:
        half = block.ndim // 2
        m, n = math.prod(block.shape[:half]), math.prod(block.shape[half:])
        matrix = found.reshape(m, n).toarray()
        np.testing.assert_array_equal(matrix, found.toarray().reshape(m, n))
    return found.toarray()


@pytest.mark.parametrize("scenario", scenarios.params(every=4))
def test_sparse_entries_are_taken_by_scipy(scenario, key):
    args = scenario.make_args(key, scenario.dtypes[0])
    found = jacobian(
        scenario.fun, scenario.argnums, format="bcoo", **options(scenario, args)
    )(*args)
    is_block = {"is_leaf": lambda b: isinstance(b, BCOO)}
    dense = jax.tree.map(through_scipy, found, **is_block)
    assert_close(dense, scenario.jacobian(args), 4)


@pytest.mark.parametrize(
    ("name", "has_padding"),
    [("tridiagonal", True), ("arrow", False), ("softmax", False)],
)
def test_sparse_entries_that_stand_twice_or_nowhere_are_taken_by_scipy(
    name, has_padding, key
):
    scenario = scenarios.by_name(name)
    args = scenario.make_args(key, "float32")
    found = jacobian(scenario.fun, scenario.argnums, format="bcoo")(*args)
    indices = np.asarray(found.indices)
    assert len(np.unique(indices, axis=0)) < len(indices)
    assert bool((indices >= found.shape).any()) == has_padding
    assert_close(through_scipy(found), scenario.jacobian(args), 4)


@pytest.mark.parametrize("scenario", scenarios.params("stencil", without="kink conv"))
def test_auto_is_right_under_vmap(scenario, key):
    args = scenario.make_args(key, scenario.dtypes[0])
    stacked = jax.tree.map(lambda x: jnp.stack([x, x]), args)
    found = jax.vmap(jacobian(scenario.fun, scenario.argnums))(*stacked)
    assert_close(jax.tree.map(lambda x: x[1], found), scenario.jacobian(args), 4)


WEIGHTS = np.random.default_rng(7).normal(size=(5, 12)).astype(np.float32) / 3


def bottleneck(x):
    return jnp.sin(jnp.tanh(WEIGHTS @ x) @ WEIGHTS)


def tridiagonal(x):
    return x[1:-1] ** 2 - x[2:] * x[:-2]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fun", [bottleneck, tridiagonal])
def test_jacobian_is_differentiable_again(fun, mode, key):
    x = jax.random.normal(key, (12,))

    def total(derivative):
        return lambda x: jnp.sum(jnp.sin(derivative(fun)(x)))

    found = jax.grad(total(lambda f: jacobian(f, mode=mode)))(x)
    np.testing.assert_allclose(found, jax.grad(total(jax.jacrev))(x), atol=2e-5)


def test_jacobian_inside_jit_and_vmap_of_closures(key):
    x = jax.random.normal(key, (12,))

    def scaled(a):
        return jacobian(lambda x: a * bottleneck(x))(x)

    found = jax.jit(jax.vmap(scaled))(jnp.array([1.0, 2.0]))
    np.testing.assert_allclose(found[1], 2 * jax.jacobian(bottleneck)(x), atol=1e-5)


def test_jacobian_traces_once_for_each_shape(key):
    chex.clear_trace_counter()
    fun = chex.assert_max_traces(lambda x: x**2, n=2)  # once each shape
    derivative = jacobian(fun)
    for n in (3, 3, 4, 4):
        derivative(jax.random.normal(key, (n,)))


def test_value_comes_with_the_jacobian(key):
    x = jax.random.normal(key, (12,))
    value, found = value_and_jacobian(bottleneck)(x)
    np.testing.assert_allclose(value, bottleneck(x), rtol=1e-6)
    np.testing.assert_allclose(found, jax.jacobian(bottleneck)(x), atol=1e-6)


def test_aux_is_passed_on():
    x = jnp.array([1.0, 2.0])
    found, aux = jacobian(lambda x: (x**2, {"n": 3}), has_aux=True)(x)
    np.testing.assert_array_equal(found, [[2.0, 0.0], [0.0, 4.0]])
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
            jacobian(wave, mode=mode)(x), jax.jacfwd(wave)(x), atol=1e-5
        )


@pytest.mark.parametrize("mode", MODES)
def test_a_bounded_jacobian_is_the_same(mode, key):
    x = jax.random.normal(key, (12,))
    for fun in (bottleneck, tridiagonal):
        found = jacobian(fun, mode=mode, max_bytes=3000)(x)
        np.testing.assert_allclose(found, jax.jacobian(fun)(x), atol=1e-5)


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

    assert_close(hessian(energy)(tree), jax.hessian(energy)(tree), 5)


def test_hessian_of_a_chain_is_sparse(key):
    x = jax.random.normal(key, (30,))

    def chain(x):
        return jnp.sum((x[1:] - x[:-1] ** 2) ** 2)

    found = hessian(chain, format="bcoo")(x)
    np.testing.assert_allclose(found.todense(), jax.hessian(chain)(x), atol=1e-4)
    assert found.nse < 4 * 30


def test_integer_closures_and_arguments_are_no_obstacle():
    def pick(x, k):
        return x[k] ** 2

    found = jacobian(pick)(jnp.arange(1.0, 4.0), jnp.array([2, 0]))
    np.testing.assert_array_equal(found, [[0.0, 0.0, 6.0], [2.0, 0.0, 0.0]])


@pytest.mark.parametrize("format", ["dense", "bcoo"])
def test_zero_and_empty_derivatives(format):
    def dense(block):
        return block if format == "dense" else block.todense()

    still = jacobian(lambda _: jnp.ones(3), format=format)(jnp.ones((2, 2)))
    np.testing.assert_array_equal(dense(still), np.zeros((3, 2, 2)))
    assert dense(jacobian(jnp.sin, format=format)(jnp.ones((0,)))).shape == (0, 0)


REFUSED = {
    "no array": (lambda _: None, TypeError, "must return an array"),
    "integer results": (lambda x: x > 0, TypeError, "must return real or complex"),
    "a concrete value": (
        lambda x: x * float(x[0]),
        TypeError,
        r"test_jacobian\.py:\d+",
    ),
    "a concrete index": (lambda x: x[x > 0], TypeError, r"test_jacobian\.py:\d+"),
    "NumPy": (lambda x: np.sin(np.asarray(x)), TypeError, r"test_jacobian\.py:\d+"),
}


@pytest.mark.boundary
@pytest.mark.parametrize("name", REFUSED)
def test_functions_without_a_derivative_program_are_refused(name):
    fun, error, match = REFUSED[name]
    with pytest.raises(error, match=match):
        jacobian(fun)(jnp.ones(3))


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("x", "match"),
    [
        (
            np.arange(3),
            r"`args\[0\]` must be real to be differentiated, got dtype int32",
        ),
        (np.array([True]), "must be real to be differentiated, got dtype bool"),
        (1j, "set holomorphic=True"),
        ("a", r"`args\[0\]` must be an array, got str"),
    ],
)
def test_inputs_without_a_derivative_are_refused(x, match):
    with pytest.raises(TypeError, match=match):
        jacobian(lambda x: x)(x)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"mode": "fast"}, ValueError, "`mode` must be one of"),
        ({"format": "csr"}, ValueError, "`format` must be one of"),
        ({"max_bytes": 0}, ValueError, "`max_bytes` must be at least 1"),
        ({"max_bytes": 1.5}, TypeError, "`max_bytes` must be an integer"),
        ({"argnums": "x"}, TypeError, "`argnums` must be an int"),
        ({"argnums": (0, 0)}, ValueError, "`argnums` must be different"),
        ({"argnums": np.array([0, 1])}, TypeError, "`argnums` must be an int"),
        ({"has_aux": "yes"}, TypeError, "`has_aux` must be True or False, got str"),
        ({"has_aux": 1}, TypeError, "`has_aux` must be True or False, got int"),
        ({"holomorphic": "no"}, TypeError, "`holomorphic` must be True or False, got "),
    ],
)
def test_unknown_options_are_refused(options, error, match):
    with pytest.raises(error, match=match):
        jacobian(jnp.sin, **options)


@pytest.mark.boundary
def test_a_missing_argument_is_refused():
    with pytest.raises(ValueError, match="`argnums` must be below the number"):
        jacobian(jnp.sin, 1)(jnp.ones(2))


@pytest.mark.boundary
def test_max_bytes_below_one_pass_is_refused():
    with pytest.raises(ValueError, match=r"`max_bytes` must be at least \d+ for one"):
        jacobian(bottleneck, max_bytes=8)(jnp.ones(12))


@pytest.mark.boundary
def test_a_mode_that_is_not_served_says_why(key):
    def newton(x):
        return jax.lax.while_loop(lambda y: jnp.sum(y) > 1e3, lambda y: y / 2, x * 2.0)

    with pytest.raises(ValueError, match=r"`mode` must be one that serves.*while at"):
        jacobian(newton, mode="reverse")(jnp.ones(3))


@pytest.mark.boundary
def test_holomorphic_needs_complex_numbers():
    with pytest.raises(TypeError, match="must be complex with holomorphic=True"):
        jacobian(jnp.sin, holomorphic=True)(jnp.ones(2))
    with pytest.raises(TypeError, match="must return complex numbers"):
        jacobian(jnp.abs, holomorphic=True)(jnp.ones(2, jnp.complex64))


@pytest.mark.boundary
def test_aux_needs_a_pair():
    with pytest.raises(TypeError, match=r"must return a pair .*, got an array"):
        jacobian(jnp.sin, has_aux=True)(jnp.ones(2))


@pytest.mark.boundary
def test_hessian_refuses_what_jacobian_refuses():
    with pytest.raises(TypeError, match="must be real to be differentiated"):
        hessian(jnp.sum)(np.arange(3))
    with pytest.raises(ValueError, match="`format` must be one of"):
        hessian(jnp.sum, format="csr")


@pytest.mark.boundary
def test_value_and_jacobian_refuses_what_jacobian_refuses():
    with pytest.raises(TypeError, match="must be real to be differentiated"):
        value_and_jacobian(jnp.sum)(np.arange(3))
    with pytest.raises(ValueError, match="`mode` must be one of"):
        value_and_jacobian(jnp.sum, mode="fast")


@pytest.mark.parametrize(
    ("fun", "entries"),
    [
        (lambda x: jax.lax.complex(jnp.sin(x), jnp.cos(x)), 12),  # the same inputs
        (lambda x: jax.lax.complex(x[1:], x[:-1] ** 2), 22),  # different inputs
    ],
)
def test_sparse_complex_results_hold_each_entry_once(fun, entries):
    x = jnp.linspace(0.1, 1.0, 12)
    found = jacobian(fun, mode="compressed", format="bcoo")(x)
    assert found.nse == entries
    np.testing.assert_allclose(found.todense(), jacobian(fun)(x), atol=1e-6)


@pytest.mark.process
def test_arrays_on_several_devices_have_the_same_derivatives():
    devices = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests._sharded"],
        cwd=Path(__file__).parents[2],
        env=os.environ | devices,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize("mode", ["forward", "cut", "compressed"])
def test_a_sparse_block_between_scalars_holds_its_own_entry_alone(mode):
    found = jacobian(lambda x: (3 * x[0], 5 * x[1]), mode=mode, format="bcoo")(
        (1.0, 2.0)
    )
    assert [[b.todense() for b in row] for row in found] == [[3, 0], [0, 5]]


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

    x = np.array([[[841, 691], [1350, 1183], [1044, 746]], [[797, 1214], [1121, 737], [793, 676]], [[1100, 618], [1143, 642], [1035, 1147]]]) / 1000  # fmt: skip
    found = jacobian(jax.vmap(largest), mode=mode, format=format)(x)
    dense = found.todense() if format == "bcoo" else found
    chex.assert_trees_all_close(dense, jax.jacfwd(jax.vmap(largest))(x), rtol=1e-12)
