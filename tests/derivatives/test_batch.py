"""Per-sample Jacobians: the true blocks, or a refusal that says where samples met."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics.derivatives import SampleMixingError, batch_jacobian, jacobian, plan
from tests import scenarios


def blocks_of(full, out, x):
    """Keep each sample's block (n, *out, *in) of a full Jacobian (n, *out, n, *in)."""
    return np.stack(
        [np.asarray(full)[i].take(i, axis=out.ndim - 1) for i in range(x.shape[0])]
    )


def assert_true_blocks(fun, *args, atol=1e-5, **options):
    blocks = batch_jacobian(fun, **options)(*args)
    full = jax.jit(jax.jacfwd(fun))(*args)
    expected = blocks_of(full, fun(*args), args[0])
    np.testing.assert_allclose(
        blocks, expected, atol=atol * (np.abs(expected).max() or 1)
    )


def one_array(scenario):
    return not {"pytree", "zero_size", "through_complex", "complex"} & scenario.tags


ACCEPTED = [s for s in scenarios.select("batch") if one_array(s)]
REFUSED = [s for s in scenarios.select("mixing") if one_array(s)]


@pytest.mark.parametrize("scenario", ACCEPTED, ids=lambda s: s.name)
def test_independent_samples_get_their_true_blocks(scenario, key):
    args = scenario.make_args(key, scenario.dtypes[0])
    x = args[scenario.argnums]
    blocks = batch_jacobian(scenario.fun, scenario.argnums)(*args)
    expected = blocks_of(scenario.jacobian(args), scenario.fun(*args), x)
    scale = np.abs(expected).max(initial=0.0) or 1.0
    np.testing.assert_allclose(blocks, expected, atol=1e-4 * scale)


@pytest.mark.parametrize("scenario", REFUSED, ids=lambda s: s.name)
def test_mixing_samples_are_refused(scenario, key):
    args = scenario.make_args(key, scenario.dtypes[0])
    with pytest.raises(SampleMixingError, match=r"may depend on sample"):
        batch_jacobian(scenario.fun, scenario.argnums)(*args)


WEIGHTS = np.random.default_rng(1).normal(size=(3, 6)).astype(np.float32) / 2


def narrow(X):
    return jnp.tanh(jnp.sin(X @ WEIGHTS.T) @ WEIGHTS)


@pytest.mark.parametrize("mode", ["auto", "forward", "reverse", "cut", "compressed"])
def test_every_mode_gives_the_same_blocks(mode, key):
    assert_true_blocks(narrow, jax.random.normal(key, (5, 6)), mode=mode)


def test_a_narrow_network_is_cut_in_a_batch(key):
    chosen = plan(narrow, jax.random.normal(key, (500, 6)), target="batch")
    cut = next(c for c in chosen.candidates if c.mode == "cut")
    assert cut.passes == 6  # three back, three forward
    assert cut.same_as is None


def test_one_input_takes_one_pass(key):
    X = jax.random.normal(key, (7, 1))
    chosen = plan(lambda X: jnp.tanh(X * jnp.ones((1, 4))), X, target="batch")
    assert (chosen.mode, chosen.passes) == ("forward", 1)


def test_axes_of_samples_may_be_elsewhere(key):
    X = jax.random.normal(key, (6, 5))
    blocks = batch_jacobian(lambda X: narrow(X.T).T, in_axis=1, out_axis=-1)(X)
    np.testing.assert_allclose(blocks, batch_jacobian(narrow)(X.T), atol=1e-6)


def test_images_get_blocks_of_their_shapes(key):
    X = jax.random.normal(key, (4, 3, 2))
    blocks = batch_jacobian(lambda X: jnp.sin(X[:, :, 0]) * X[:, :1, 1])(X)
    expected = jax.vmap(jax.jacfwd(lambda x: jnp.sin(x[:, 0]) * x[:1, 1]))(X)
    np.testing.assert_allclose(blocks, expected, atol=1e-6)
    assert blocks.shape == (4, 3, 3, 2)


def test_trees_nest_as_in_jax(key):
    X = {"a": jax.random.normal(key, (4, 3)), "b": jax.random.normal(key, (4,))}

    def both(t, k):
        return (t["a"] * t["b"][:, None], jnp.sum(t["a"], axis=1) * k)

    blocks = batch_jacobian(both)(X, jnp.float32(2.0))
    expected = jax.vmap(jax.jacfwd(lambda t: (t["a"] * t["b"], jnp.sum(t["a"]) * 2.0)))(
        X
    )
    chex.assert_trees_all_close(blocks, expected, atol=1e-5)


def test_per_sample_constants_and_positions_are_no_obstacle(key):
    scale = jnp.arange(1.0, 6.0)[:, None]
    assert_true_blocks(lambda X: scale * narrow(X), jax.random.normal(key, (5, 6)))


def test_frozen_statistics_give_the_true_jacobians_blocks(key):
    def frozen(X):
        return narrow(X - lax.stop_gradient(X.mean(axis=0, keepdims=True)))

    assert_true_blocks(frozen, jax.random.normal(key, (5, 6)))


def test_the_proof_works_inside_jit_vmap_and_grad(key):
    X = jax.random.normal(key, (5, 6))
    expected = batch_jacobian(narrow)(X)
    np.testing.assert_allclose(jax.jit(batch_jacobian(narrow))(X), expected, atol=1e-6)
    stacked = jax.vmap(batch_jacobian(narrow))(jnp.stack([X, 2 * X]))
    np.testing.assert_allclose(stacked[0], expected, atol=1e-6)
    grad = jax.grad(lambda X: jnp.sum(batch_jacobian(narrow)(X) ** 2))(X)
    expected = jax.grad(
        lambda X: jnp.sum(jax.vmap(jax.jacfwd(lambda x: narrow(x[None])[0]))(X) ** 2)
    )(X)
    np.testing.assert_allclose(grad, expected, atol=1e-5)
    with pytest.raises(SampleMixingError):
        jax.jit(batch_jacobian(lambda X: X - X.mean()))(X)


def test_rows_that_happen_to_be_sorted_are_refused():
    X = jnp.arange(12.0).reshape(4, 3)
    with pytest.raises(SampleMixingError):
        batch_jacobian(lambda X: X[jnp.argsort(X[:, 0])] ** 2)(X)


def test_one_tiny_coupled_pair_is_refused(key):
    X = jax.random.normal(key, (6, 2))
    with pytest.raises(SampleMixingError, match=r"sample 1, which.* sample"):
        batch_jacobian(lambda X: X.at[1].add(1e-12 * X[4]))(X)


def test_the_message_names_line_and_remedy(key):
    with pytest.raises(SampleMixingError) as caught:
        batch_jacobian(lambda X: X / jnp.sum(X))(jax.random.normal(key, (5, 6)))
    message = str(caught.value)
    for part in ("reduce_sum at ", "test_batch.py:", "jax.vmap", "stop_gradient"):
        assert part in message


def test_a_probe_decides_at_the_given_values(key):
    X = jax.random.normal(key, (9, 6))

    def gated(X, gate):
        return narrow(X) + gate * jnp.sum(X)

    probe = batch_jacobian(gated, check="probe")
    with pytest.raises(SampleMixingError, match="at these values"):
        probe(X, jnp.float32(1e-6))
    np.testing.assert_allclose(
        probe(X, jnp.float32(0.0)), batch_jacobian(narrow)(X), atol=1e-6
    )
    with pytest.raises(SampleMixingError):
        batch_jacobian(gated)(X, jnp.float32(0.0))


def test_a_probe_finds_leaks_that_equal_tangents_would_cancel(key):
    with pytest.raises(SampleMixingError):
        batch_jacobian(lambda X: X + (X[:1] - X[1:2]), check="probe")(
            jax.random.normal(key, (8, 2))
        )


def test_trust_is_given_when_asked_for(key):
    X = jax.random.normal(key, (5, 6))
    blocks = batch_jacobian(lambda X: narrow(X) + 0 * jnp.sum(X), check=None)(X)
    np.testing.assert_allclose(blocks, batch_jacobian(narrow)(X), atol=1e-6)


def test_an_empty_batch_gives_no_blocks():
    assert batch_jacobian(narrow)(jnp.ones((0, 6))).shape == (0, 6, 6)


def test_results_without_dependence_give_zero_blocks():
    blocks = batch_jacobian(lambda _: jnp.ones((4, 2)))(jnp.ones((4, 3)))
    np.testing.assert_array_equal(blocks, np.zeros((4, 2, 3)))


def test_batch_jacobian_traces_once_for_each_shape(key):
    chex.clear_trace_counter()
    derivative = batch_jacobian(chex.assert_max_traces(narrow, n=1))
    for _ in range(3):
        derivative(jax.random.normal(key, (5, 6)))


def test_memory_may_be_bounded(key):
    assert_true_blocks(
        narrow, jax.random.normal(key, (5, 6)), mode="forward", max_bytes=6000
    )


def test_the_full_jacobian_is_block_diagonal_where_it_is_accepted(key):
    X = jax.random.normal(key, (3, 6))
    full = jacobian(narrow)(X)
    blocks = batch_jacobian(narrow)(X)
    for i in range(3):
        np.testing.assert_allclose(full[i, :, i], blocks[i], atol=1e-6)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"check": "hope"}, ValueError, "`check` must be one of"),
        ({"mode": "fast"}, ValueError, "`mode` must be one of"),
        ({"in_axis": 0.5}, TypeError, "`in_axis` must be an integer"),
        ({"max_bytes": -1}, ValueError, "`max_bytes` must be at least 1"),
    ],
)
def test_unknown_options_are_refused(options, error, match):
    with pytest.raises(error, match=match):
        batch_jacobian(narrow, **options)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("fun", "match"),
    [
        pytest.param(
            lambda X: jnp.sum(X),
            r"must have the axis out_axis=0, got shape \(\)",
            id="scalar",
        ),
        pytest.param(
            lambda X: X[:2],
            r"must have 4 samples along axis 0, got shape \(2, 6\)",
            id="two samples",
        ),
    ],
)
def test_results_without_the_axis_of_samples_are_refused(fun, match):
    hint = ": apply jax.vmap to a function of one sample\n"
    with pytest.raises(ValueError, match=match + hint):
        batch_jacobian(fun)(jnp.ones((4, 6)))


@pytest.mark.boundary
def test_a_missing_axis_of_the_argument_is_refused():
    with pytest.raises(ValueError, match=r"in_axis=2, got shape \(4, 6\)\n"):
        batch_jacobian(narrow, in_axis=2)(jnp.ones((4, 6)))


@pytest.mark.boundary
def test_a_probe_under_jit_says_that_it_cannot_decide():
    with pytest.raises(ValueError, match="`check` must be 'proof' or None under jit"):
        jax.jit(batch_jacobian(narrow, check="probe"))(jnp.ones((4, 6)))


@pytest.mark.boundary
def test_a_probe_of_infinite_derivatives_cannot_decide():
    with pytest.raises(ValueError, match="cannot decide"):
        batch_jacobian(jnp.sqrt, check="probe")(jnp.zeros((4, 2)))


def test_a_probe_of_a_function_without_dependence_finds_no_leak():
    blocks = batch_jacobian(lambda _: jnp.ones((4, 2)), check="probe")(jnp.ones((4, 3)))
    np.testing.assert_array_equal(blocks, np.zeros((4, 2, 3)))


@pytest.mark.parametrize(
    ("fun", "read"),
    [
        pytest.param(lambda x: jnp.roll(x, 1, axis=0), "sample 3 of", id="rolled"),
        pytest.param(
            lambda x: x - x.mean(axis=0)[None], "samples 0 to 3 of", id="centered"
        ),
    ],
)
def test_the_samples_that_are_read_are_named(fun, read):
    with pytest.raises(SampleMixingError, match=f"may depend on {read} the input"):
        batch_jacobian(fun)(jnp.ones((4, 2)))


def test_a_cut_where_samples_are_merged_with_what_is_behind_them():
    down, mix, up = (
        np.random.default_rng(k).normal(size=size).astype(np.float32)
        for k, size in enumerate([(9, 6), (3, 1), (2, 8)])
    )

    def fun(x):
        halves = jnp.tanh(x @ down).reshape(-1, 3)  # two rows for each sample
        return jnp.tanh(jnp.tanh(halves @ mix).reshape(-1, 2) @ up)

    x = np.random.default_rng(3).normal(size=(4, 9)).astype(np.float32)
    blocks = batch_jacobian(fun, mode="cut")(x)
    expected = jax.vmap(jax.jacrev(lambda row: fun(row[None])[0]))(x)
    np.testing.assert_allclose(blocks, expected, atol=1e-5)
