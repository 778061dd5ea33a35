"""Laplacians as they are called: modes, directions, memory, transforms, refusals."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.flatten_util import ravel_pytree
from jax.test_util import check_grads

from jnumerics.derivatives import laplacian, value_grad_and_laplacian
from tests.derivatives._second import trace_of_hessian

random = np.random.default_rng(0)
WIDE = random.normal(size=(3, 6)) / 2
X = random.uniform(0.2, 0.8, size=6)
STACK = random.normal(size=(4, 6))
GRID = X.reshape(3, 2).astype(np.float32)
PARAMS = {"w": X.reshape(2, 3), "b": np.float64(0.7)}

MODES = ("auto", "nested", "collapsed")  # "narrow": modes/collapsed/test_narrow.py
every_mode = pytest.mark.parametrize("mode", MODES)


def close(actual, expected, rtol=1e-10, atol=1e-10):
    chex.assert_trees_all_close(actual, expected, rtol=rtol, atol=atol)


def along(fun, x, stack):
    full = jax.jit(jax.hessian(fun))(x)
    return jax.tree.map(lambda h: jnp.einsum("ki,...ij,kj->...", stack, h, stack), full)


def network(x):
    weights = WIDE.astype(x.dtype)
    return jnp.sum(jnp.tanh(jnp.sin(weights @ x) @ weights) ** 2) * jnp.prod(x[:2])


def field(x):
    return {"a": jnp.sin(WIDE @ x) * x[:3], "b": (jnp.prod(x), x**3)}


def tree_energy(params, scale):
    first = jnp.sum(jnp.sin(params["w"] @ params["w"].T) * params["b"])
    return scale * first * params["b"] ** 2


# modes


@every_mode
@pytest.mark.parametrize("fun", [network, field])
def test_every_mode_gives_the_trace(mode, fun, x64):
    close(laplacian(fun, mode=mode)(X), trace_of_hessian(fun, X))


@every_mode
def test_value_and_gradient_come_with_it(mode, x64):
    actual = value_grad_and_laplacian(network, mode=mode)(X)
    value, gradient = jax.value_and_grad(network)(X)
    close(tuple(actual), (value, gradient, trace_of_hessian(network, X)))


@every_mode
def test_trees_and_tuples_of_arguments(mode, x64):
    expected = trace_of_hessian(lambda p: tree_energy(p, 2.0), PARAMS)
    close(laplacian(tree_energy, mode=mode)(PARAMS, 2.0), expected)
    both = value_grad_and_laplacian(tree_energy, (1, 0), mode=mode)(PARAMS, 2.0)
    expected = trace_of_hessian(lambda pair: tree_energy(*pair), (PARAMS, 2.0))
    close(both.laplacian, expected)
    close(both.gradient, jax.grad(tree_energy, (1, 0))(PARAMS, 2.0))


def test_other_arguments_are_integers_and_booleans_too(x64):
    def fun(x, k, mask, *, name):
        assert name == "static"
        return jnp.sum(jnp.where(mask, x**3, x * x.size)[k])

    mask = np.arange(6) % 2 == 0
    lap = laplacian(fun)(X, np.arange(3), mask, name="static")
    np.testing.assert_allclose(lap, 6 * X[0] + 6 * X[2])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_narrow_dtypes_keep_theirs(dtype):
    actual = value_grad_and_laplacian(network, mode="collapsed")(jnp.asarray(X, dtype))
    assert [f.dtype for f in actual] == [dtype] * 3
    with jax.enable_x64(True):
        expected = trace_of_hessian(network, X)
    rtol = {"float16": 0.05, "bfloat16": 0.3, "float32": 1e-4}[dtype]
    np.testing.assert_allclose(np.float64(actual.laplacian), expected, rtol)


@every_mode
def test_sizes_of_zero_and_one(mode):
    assert laplacian(jnp.sum, mode=mode)(jnp.ones((0, 2))) == 0
    lap = laplacian(lambda x: x**3, mode=mode)(jnp.float32(2.0))
    np.testing.assert_allclose(lap, 12)
    empty = lambda x: (jnp.zeros((0, 3)) * x[0], x[:1] ** 2)
    none, two = laplacian(empty, mode=mode)(jnp.ones(2))
    assert none.shape == (0, 3)
    np.testing.assert_allclose(two, [2.0])
    several = value_grad_and_laplacian(lambda t: jnp.sum(t[0]) * t[1] ** 2, mode=mode)
    assert several((jnp.ones((0, 2)), jnp.ones(()))).gradient[0].shape == (0, 2)


# directions


@every_mode
@pytest.mark.parametrize("fun", [network, field])
@pytest.mark.parametrize("max_bytes", [None, 30_000])
def test_directions_take_the_place_of_basis_vectors(mode, fun, max_bytes, x64):
    lap = laplacian(fun, directions=STACK, mode=mode, max_bytes=max_bytes)(X)
    close(lap, along(fun, X, STACK))


@every_mode
def test_directions_may_depend_on_the_arguments_and_are_not_differentiated(mode, x64):
    def sigma(x, scale):
        return scale * jnp.stack([x, jnp.sin(x)])

    fun = lambda x, scale: network(x) * scale
    lap = laplacian(fun, directions=sigma, mode=mode)(X, 2.0)
    close(lap, 2 * along(network, X, 2 * np.stack([X, np.sin(X)])))


@every_mode
def test_the_gradient_along_directions_is_the_whole_one(mode, x64):
    tool = value_grad_and_laplacian(network, directions=STACK, mode=mode)
    value, gradient = jax.value_and_grad(network)(X)
    close(tuple(tool(X)), (value, gradient, along(network, X, STACK)))


@every_mode
def test_no_direction_at_all_gives_zero(mode):
    stack = np.zeros((0, 6), np.float32)
    tool = laplacian(network, directions=stack, mode=mode)
    assert tool(X.astype(np.float32)) == 0


def test_random_signs_estimate_the_laplacian(x64):
    signs = np.sign(random.normal(size=(4000, 6))) / np.sqrt(4000)
    lap = laplacian(network, directions=signs)(X)
    np.testing.assert_allclose(lap, trace_of_hessian(network, X), rtol=0.2)


def test_directions_have_the_arguments_tree(x64):
    w, b = random.normal(size=(3, 2, 3)), random.normal(size=3)
    directions = {"w": w, "b": b}
    flat, unravel = ravel_pytree(PARAMS)
    rows = np.stack([ravel_pytree({"w": w[k], "b": b[k]})[0] for k in range(3)])
    expected = along(lambda v: tree_energy(unravel(v), 2.0), flat, rows)
    close(laplacian(tree_energy, directions=directions)(PARAMS, 2.0), expected)
    pair = laplacian(tree_energy, (0,), directions=(directions,))(PARAMS, 2.0)
    close(pair, expected)


def test_directions_that_a_function_holds_are_seen_when_replaced():
    held = {"d": jnp.ones((1, 2))}
    tool = laplacian(lambda x: jnp.sum(x**2), directions=lambda _: held["d"])
    assert tool(jnp.ones(2)) == 4
    held["d"] = jnp.ones((1, 2)) * 2
    assert tool(jnp.ones(2)) == 16


# memory, transforms


def wide(x):
    h = jnp.tanh(jnp.outer(x, jnp.arange(1.0, 51.0)))
    return jnp.sum(jnp.sin(h @ h.T))


def test_max_bytes_bounds_the_temporary_memory(temp_bytes):
    x = jnp.linspace(0.1, 0.9, 40)
    tools = [laplacian(wide, mode="collapsed", max_bytes=b) for b in (None, 400_000)]
    free, bounded = (temp_bytes(tool, x) for tool in tools)
    assert bounded <= 400_000
    assert bounded < free
    np.testing.assert_allclose(tools[0](x), tools[1](x), rtol=1e-3)


@pytest.mark.boundary
@every_mode
def test_too_small_a_bound_is_refused(mode):
    with pytest.raises(ValueError, match="`max_bytes` must be at least"):
        laplacian(wide, mode=mode, max_bytes=100)(jnp.ones(40))


def test_transforms_of_it(x64):
    tool = laplacian(network, mode="collapsed")
    rows = np.stack([X, X[::-1], X**2])
    expected = np.stack([trace_of_hessian(network, row) for row in rows])
    close(jax.jit(jax.vmap(tool))(rows), expected)
    slope = jax.grad(lambda x: trace_of_hessian(network, x))(X)
    close(jax.grad(tool)(X), slope)
    close(jax.jacfwd(tool)(X), slope)


def test_it_can_be_taken_of_itself(x64):
    cubes = lambda x: jnp.sum(x**6) * x[0]
    lap = laplacian(laplacian(cubes), mode="collapsed")(X)
    once = lambda x: trace_of_hessian(cubes, x)
    close(lap, trace_of_hessian(once, X))


def test_what_the_function_closes_over_may_be_transformed(x64):
    def at(weight):
        return laplacian(lambda x: jnp.sum(jnp.sin(weight * x)), mode="collapsed")(X)

    weights = np.arange(1.0, 4.0)
    expected = [-(w**2) * np.sum(np.sin(w * X)) for w in weights]
    np.testing.assert_allclose(jax.vmap(at)(weights), expected)
    check_grads(at, (1.3,), order=2)


def test_it_is_traced_once_for_each_shape():
    count = []

    def fun(x):
        count.append(x.shape)
        return jnp.sum(x**3)

    tool = laplacian(fun)
    tool(jnp.ones(3))
    first = len(count)
    for k in range(5):
        tool(k * jnp.ones(3))
    assert len(count) == first


@every_mode
def test_effects_come_once_a_call(mode, capsys):
    def fun(x):
        jax.debug.print("seen", ordered=True)
        return jnp.sum(x**3)

    for directions in (None, np.ones((2, 3), np.float32)):
        tool = value_grad_and_laplacian(fun, mode=mode, directions=directions)
        jax.block_until_ready(tool(jnp.ones(3)))
        jax.effects_barrier()
        assert capsys.readouterr().out.split() == ["seen"]


# refusals


@pytest.mark.boundary
@pytest.mark.parametrize("tool", [laplacian, value_grad_and_laplacian])
def test_options_and_results_are_checked(tool):
    with pytest.raises(ValueError, match="`mode` must be one of 'auto', 'nested'"):
        tool(jnp.sum, mode="narrowest")
    with pytest.raises(TypeError, match="must return real numbers, got complex"):
        tool(lambda x: jnp.sum(lax.complex(x, x)))(jnp.ones(3))
    with pytest.raises(TypeError, match="must be real"):
        tool(jnp.sum)(jnp.ones(3, complex))
    bad = {
        r"directions.* tree": {"a": np.ones((2, 3, 2), np.float32)},
        r"shapes .*\(2, 3\)": np.ones((2, 3), np.float32),
        r"shapes .*\(\)": np.ones((), np.float32),
        r"directions.* tree .*None": lambda _: None,
    }
    for match, directions in bad.items():
        with pytest.raises(ValueError, match=match):
            tool(jnp.sum, directions=directions)(GRID)
    with pytest.raises(TypeError, match="`directions` must hold real numbers"):
        tool(jnp.sum, directions=np.ones((2, 3, 2), int))(GRID)


@pytest.mark.boundary
def test_a_gradient_needs_a_scalar():
    with pytest.raises(ValueError, match=r"scalar, got shape .* apply jax\.vmap"):
        value_grad_and_laplacian(lambda X: jnp.sum(X**2, -1))(GRID)
    with pytest.raises(ValueError, match="scalar, got a tree"):
        value_grad_and_laplacian(lambda X: (jnp.sum(X),))(GRID)
