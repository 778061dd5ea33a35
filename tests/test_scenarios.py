import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import scenarios
from tests._scenarios.table import complex_step, tags, wide

ALL = scenarios.params()
KNOWN_TAGS = tags(
    "elementwise banded stencil periodic arrow dense lowrank residual zero tall wide "
    "scalar pytree complex through_complex zero_size second batch mixing scan while "
    "cond conv custom_jvp custom_vjp stopped twice kink forward_only reverse_only "
    "data_dependent"
)
CONTROL_FLOW = {"scan": {"scan"}, "while": {"while"}, "cond": {"cond"}}
PRIMITIVES = {
    **CONTROL_FLOW,
    "conv": {"conv_general_dilated", "reduce_window_max", "reduce_window_sum"},
    "custom_jvp": {"custom_jvp_call"},
    "custom_vjp": {"custom_vjp_call"},
}


def wide_args(scenario, seed=0):
    """Arguments of the widest dtype that the scenario serves."""
    dtype = "complex128" if "complex" in scenario.tags else "float64"
    return scenario.make_args(jax.random.key(seed), dtype)


def shapes(scenario, dtype=None):
    """The arguments' shapes and dtypes, and those of the outputs."""
    dtype = dtype or scenario.dtypes[0]
    args = scenario.make_args(jax.random.key(0), dtype)
    return args, jax.eval_shape(scenario.fun, *args)


def assert_trees_close(actual, expected, **tolerance):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, e in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert np.shape(a) == np.shape(e)
        np.testing.assert_allclose(a, e, **tolerance)


def jacobian_of_jax(scenario, *args):
    transform = jax.jacrev if "reverse" in scenario.modes else jax.jacfwd
    is_complex = "complex" in scenario.tags
    return jax.jit(transform(scenario.fun, scenario.argnums, holomorphic=is_complex))(
        *args
    )


@pytest.mark.parametrize("scenario", ALL)
def test_stated_jacobian_is_that_of_jax(scenario, x64):
    args = wide_args(scenario)
    actual, stated = jacobian_of_jax(scenario, *args), scenario.jacobian(args)
    assert_trees_close(actual, stated, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("scenario", ALL)
def test_pattern_covers_the_nonzeros(scenario, x64):
    union = jax.tree.map(np.zeros_like, scenario.pattern)
    for seed in range(4):
        jacobian = scenario.jacobian(wide_args(scenario, seed))
        nonzero = jax.tree.map(lambda j: np.asarray(j) != 0, jacobian)
        assert jax.tree.structure(nonzero) == jax.tree.structure(scenario.pattern)
        union = jax.tree.map(np.logical_or, union, nonzero)
    pairs = zip(jax.tree.leaves(union), jax.tree.leaves(scenario.pattern), strict=True)
    for actual, stated in pairs:
        assert actual.shape == stated.shape
        assert stated.dtype == bool
        if scenario.has_exact_pattern:
            np.testing.assert_array_equal(actual, stated)
        else:
            assert not np.any(actual & ~stated)


def test_there_are_many_scenarios_with_names_of_their_own():
    names = [s.name for s in scenarios.SCENARIOS]
    assert len(names) == len(set(names)) >= 45


@pytest.mark.parametrize("scenario", ALL)
def test_scenario_has_known_tags_only(scenario):
    assert scenario.tags <= KNOWN_TAGS


@pytest.mark.parametrize("tag", sorted(KNOWN_TAGS))
def test_every_tag_is_used(tag):
    assert scenarios.select(tag)


def as_matrix(pattern, n_out_axes):
    rows, columns = pattern.shape[:n_out_axes], pattern.shape[n_out_axes:]
    return pattern.reshape(math.prod(rows), math.prod(columns))


def size(tree):
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def sizes(scenario):
    """The number of outputs and of differentiated inputs."""
    args, out = shapes(scenario)
    numbers = (
        (scenario.argnums,) if isinstance(scenario.argnums, int) else scenario.argnums
    )
    return size(out), size([args[k] for k in numbers])


@pytest.mark.parametrize("scenario", scenarios.params("elementwise"))
def test_elementwise_pattern_is_diagonal(scenario):
    shape = scenario.pattern.shape
    assert shape[: len(shape) // 2] == shape[len(shape) // 2 :]
    matrix = as_matrix(scenario.pattern, len(shape) // 2)
    assert not np.any(matrix & ~np.eye(len(matrix), dtype=bool))


@pytest.mark.parametrize("scenario", scenarios.params("dense"))
def test_dense_pattern_is_mostly_full(scenario):
    assert np.mean(scenario.pattern) >= 0.5


@pytest.mark.parametrize("scenario", scenarios.params("banded"))
def test_banded_pattern_is_near_a_diagonal(scenario):
    i, j = np.nonzero(scenario.pattern)
    assert np.ptp(j - i) < 5


@pytest.mark.parametrize("scenario", scenarios.params("stencil"))
def test_stencil_pattern_is_sparse(scenario):
    n_out, _ = sizes(scenario)
    assert np.max(np.sum(scenario.pattern.reshape(n_out, -1), 1)) <= 25


@pytest.mark.parametrize("scenario", scenarios.params("zero"))
def test_zero_pattern_is_empty(scenario):
    assert not np.any(scenario.pattern)


@pytest.mark.parametrize("tag", ["tall", "wide", "scalar", "zero_size"])
def test_tags_of_shape_are_true(tag):
    for scenario in scenarios.select(tag):
        m, n = sizes(scenario)
        assert {
            "tall": m > n,
            "wide": m < n,
            "scalar": min(m, n) == 1,
            "zero_size": min(m, n) == 0,
        }[tag], scenario.name


def samples_of(leaf, rank_out):
    """How much of output sample i is there for input sample j, shape (n, n)."""
    both = np.moveaxis(leaf, rank_out, 1)
    return np.any(both, axis=tuple(range(2, both.ndim)))


def mixes(scenario):
    args, out = shapes(scenario)
    n = args[0].shape[0]
    leaves = zip(jax.tree.leaves(out), jax.tree.leaves(scenario.pattern), strict=True)
    return any(
        np.any(samples_of(leaf, y.ndim) & ~np.eye(n, dtype=bool)) for y, leaf in leaves
    )


@pytest.mark.parametrize("scenario", scenarios.params("batch"))
def test_samples_of_a_batch_do_not_mix(scenario):
    assert not mixes(scenario)


@pytest.mark.parametrize("scenario", scenarios.params("mixing"))
def test_samples_of_a_mixing_function_mix(scenario):
    assert mixes(scenario)


@pytest.mark.parametrize("scenario", scenarios.params("lowrank"))
def test_rank_of_a_lowrank_jacobian_is_small(scenario, x64):
    jacobian = scenario.jacobian(wide_args(scenario))
    assert np.linalg.matrix_rank(jacobian) <= min(jacobian.shape) / 4


@pytest.mark.parametrize("scenario", scenarios.params("residual"))
def test_residual_jacobian_is_diagonal_plus_low_rank(scenario, x64):
    jacobian = scenario.jacobian(wide_args(scenario))
    half = len(jacobian) // 2  # blocks off the diagonal have the rank of the rest
    assert np.linalg.matrix_rank(jacobian[:half, half:]) < half


def primitives(jaxpr):
    """The names of all primitives of a program, inner programs included."""
    for equation in jaxpr.eqns:
        yield equation.primitive.name
        for value in jax.tree.leaves(
            equation.params, is_leaf=lambda v: hasattr(v, "eqns") or hasattr(v, "jaxpr")
        ):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from primitives(inner)


@pytest.mark.parametrize("tag", sorted(PRIMITIVES))
def test_tags_of_the_program_are_true(tag):
    for scenario in scenarios.select(tag):
        args, _ = shapes(scenario)
        names = set(primitives(jax.make_jaxpr(scenario.fun)(*args).jaxpr))
        assert names & PRIMITIVES[tag], scenario.name


@pytest.mark.parametrize("scenario", scenarios.params("forward_only"))
def test_forward_only_function_has_no_reverse_mode(scenario, key):
    args = scenario.make_args(key, "float32")
    with pytest.raises(ValueError, match="Reverse-mode"):
        jax.jit(jax.jacrev(scenario.fun))(*args)


@pytest.mark.parametrize("scenario", scenarios.params("reverse_only"))
def test_reverse_only_function_has_no_forward_mode(scenario, key):
    args = scenario.make_args(key, "float32")
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jit(jax.jacfwd(scenario.fun))(*args)


def along(scenario, args, step):
    """The stated Jacobian at the arguments moved by `step` times the arguments."""
    numbers = (
        (scenario.argnums,) if isinstance(scenario.argnums, int) else scenario.argnums
    )
    moved = [
        jax.tree.map(lambda x: x * (1 + step), a) if k in numbers else a
        for k, a in enumerate(args)
    ]
    return scenario.jacobian(tuple(moved))


TWICE = scenarios.params("twice", without="complex zero zero_size pytree", every=4)


@pytest.mark.parametrize("scenario", TWICE)
def test_second_derivative_is_the_slope_of_the_stated_jacobian(scenario, x64):
    args, k = wide_args(scenario), scenario.argnums

    def jacobian(x):
        moved = [x if k == i else a for i, a in enumerate(args)]
        return jax.jit(jax.jacrev(scenario.fun, k))(*moved)

    _, actual = jax.jit(lambda x: jax.jvp(jacobian, (x,), (x,)))(args[k])
    high, low = (along(scenario, args, s) for s in (1e-5, -1e-5))
    expected = jax.tree.map(lambda a, b: (a - b) / 2e-5, high, low)
    assert_trees_close(actual, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("scenario", ALL)
def test_scenario_serves_its_dtypes(scenario):
    for dtype in scenario.dtypes:
        with jax.enable_x64(dtype in ("float64", "complex128")):
            _, out = shapes(scenario, dtype)
        assert {leaf.dtype for leaf in jax.tree.leaves(out)} == {jnp.dtype(dtype)}


@pytest.mark.parametrize("scenario", scenarios.params("kink"))
def test_kink_is_where_the_slope_changes(scenario, x64):
    """Tied inputs: the derivatives on the two sides of the tie differ."""
    (x,) = scenario.make_args(jax.random.key(0), "float64")
    tied = jnp.full_like(x, {"hat": 1.0, "top_k": 1.0}.get(scenario.name, 0.0))
    step = jax.random.normal(jax.random.key(1), x.shape)
    right = scenario.fun(tied + 1e-3 * step) - scenario.fun(tied)
    left = scenario.fun(tied) - scenario.fun(tied - 1e-3 * step)
    assert np.max(np.abs(right - left)) > 1e-4


def test_complex_step_is_exact_for_a_cubic_of_a_tree():
    args = ({"a": np.array([1.0, 2.0]), "b": np.float64(3.0)},)
    jacobian = complex_step(lambda p, **_: p["a"] ** 3 * p["b"])(args)
    np.testing.assert_allclose(jacobian["a"], np.diag([9.0, 36.0]), rtol=1e-15)
    np.testing.assert_allclose(jacobian["b"], [1.0, 8.0], rtol=1e-15)


def test_selection_by_tags_leaves_out_the_unwanted():
    chosen = scenarios.select("batch elementwise", without="kink", dtype="bfloat16")
    assert chosen
    for scenario in chosen:
        assert {"batch", "elementwise"} <= scenario.tags
        assert "kink" not in scenario.tags
        assert "bfloat16" in scenario.dtypes


def test_wide_keeps_integers_and_complex_numbers():
    assert wide(jnp.arange(3)).dtype == np.int32
    assert wide(jnp.ones(2, "complex64")).dtype == np.complex128
    assert wide(jnp.ones(2, "bfloat16")).dtype == np.float64


def test_scenario_by_name_is_that_scenario():
    assert scenarios.by_name("star").name == "star"
