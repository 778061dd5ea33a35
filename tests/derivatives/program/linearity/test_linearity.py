"""What runs where linearity is proven, and where it is not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.sparse import linalg as sparse_linalg

from jnumerics import derivatives
from tests.derivatives.program.linearity._rules import (
    UNPROVEN,
    X,
    close,
    each_linear,
    each_unproven,
    some_unproven,
    truths,
)

MODES = ("auto", "forward", "reverse", "cut", "compressed")
SOLVERS = [UNPROVEN[name] for name in ("cg", "cg from a guess", "bicgstab", "gmres")]


@pytest.mark.parametrize("mode", MODES)
@each_linear
def test_linear_rule_serves_every_mode(fun, mode):
    expected = truths(fun, X)
    assert close(derivatives.jacobian(fun, mode=mode)(X), next(iter(expected.values())))


@pytest.mark.parametrize("mode", MODES)
@each_unproven
def test_unproven_derivative_is_what_jax_gives_or_refused(fun, mode):
    expected = truths(fun, X)
    jacobian = derivatives.jacobian(fun, mode=mode)
    first = "forward" if "forward" in expected else "reverse"
    if mode in ("cut", "compressed") or mode not in ("auto", *expected):
        with pytest.raises(ValueError, match="`mode` must be one that serves `fun`"):
            jacobian(X)
    else:
        if mode == "auto":
            mode = derivatives.plan(fun, X).mode
            assert mode == first or fun in SOLVERS
        assert close(jacobian(X), expected[mode])


@some_unproven
def test_unproven_derivative_is_served_in_every_form(fun):
    truth = truths(fun, X)[derivatives.plan(fun, X).mode]
    value, J = derivatives.value_and_jacobian(fun)(X)
    assert close(value, fun(X))
    assert close(J, truth)
    sparse = derivatives.jacobian(fun, format="bcoo")(X)
    assert close(sparse.todense(), truth)
    chosen = derivatives.plan(fun, X, target="diagonal").mode
    own = np.diagonal(truths(fun, X)[chosen])
    assert close(derivatives.jacobian_diagonal(fun)(X), own)
    assert close(derivatives.divergence(fun)(X), own.sum())
    assert close(jax.jit(derivatives.jacobian(fun, max_bytes=4096))(X), truth)
    stacked = jax.vmap(derivatives.jacobian(fun))(np.stack([X, X]))
    assert close(stacked[1], truth)


@each_unproven
def test_dependence_of_an_unproven_derivative_holds_every_nonzero(fun):
    boxes = derivatives.dependence(fun, X)
    lower, upper = boxes.lower[..., 0], boxes.upper[..., 0]
    columns = np.arange(3)
    inside = (columns >= lower[:, None]) & (columns <= upper[:, None])
    for truth in truths(fun, X).values():
        assert not np.any(truth[~inside])


@pytest.mark.parametrize("name", ["backward clips", "forward selects by t"])
def test_elementwise_rule_that_keeps_zero_stays_elementwise(name):
    assert derivatives.dependence(UNPROVEN[name], X).is_elementwise


@pytest.mark.parametrize("name", ["backward decays", "forward adds"])
def test_rule_that_adds_a_constant_depends_on_everything(name):
    boxes = derivatives.dependence(UNPROVEN[name], X)
    assert not boxes.lower.any()
    assert (boxes.upper == 2).all()


def through(rule, width=2):
    """A rule between a wide layer and a narrow one, each of which would pay a cut."""
    first = jnp.asarray(np.random.default_rng(0).normal(size=(40, width)) / 5)

    def fun(x):
        return first @ jnp.tanh(first.T @ rule(x))

    return fun


@pytest.mark.parametrize("name", ["backward clips", "forward adds", "backward decays"])
def test_no_cut_is_taken_through_a_rule_that_is_not_linear(name):
    x, fun = np.linspace(-1, 1, 40), through(UNPROVEN[name])
    expected = truths(fun, x)
    J = derivatives.jacobian(fun)(x)
    assert close(J, expected.get("forward", expected.get("reverse")))
    assert close(derivatives.jacobian_diagonal(fun)(x), np.diagonal(J))
    shown = str(derivatives.plan(fun, x))
    assert "is not proven linear" in shown
    assert "linearity/_rules.py" in shown


def test_vouching_takes_the_cut():
    x = np.linspace(-1, 1, 40)
    vouched = derivatives.jacobian(through(cg_of_40), mode="cut", check=None)
    with pytest.raises(ValueError, match="check=None"):
        derivatives.jacobian(through(cg_of_40), mode="cut")(x)
    assert np.allclose(
        vouched(x), jax.jacrev(through(cg_of_40))(x), rtol=1e-3, atol=1e-5
    )


def cg_of_40(x):
    return sparse_linalg.cg(
        lambda v: 2 * v + jnp.roll(v, 1) / 2 + jnp.roll(v, -1) / 2, x, tol=1e-9
    )[0]


@pytest.mark.parametrize(
    "rule", [lambda t: t * t, lambda t: jnp.where(t > 0, t, jnp.zeros_like(t))]
)
def test_vouched_for_in_vain_a_rule_without_a_transpose_is_forward_only(rule):
    @jax.custom_jvp
    def fun(x):
        return jnp.sin(x)

    fun.defjvp(lambda primals, tangents: (fun(*primals), rule(*tangents)))
    jacobian = derivatives.jacobian(fun, check=None)
    np.testing.assert_array_equal(jacobian(X), np.eye(X.size))
    reverse = derivatives.jacobian(fun, mode="reverse", check=None)
    with pytest.raises(ValueError, match="JAX refuses: it has no transpose"):
        reverse(X)


def test_vouching_for_solvers_reads_structure_of_the_matrix():
    d = np.array([1.0, 2.0, 3.0])

    def solve(b):
        return sparse_linalg.cg(lambda v: d * v, b)[0]

    diagonal = derivatives.jacobian_diagonal(solve, check=None)(X)
    np.testing.assert_allclose(diagonal, 1 / d, rtol=1e-5)


def test_diagonal_of_a_truncated_solver_is_that_of_its_jacobian():
    d = jnp.array([1.0, 2.0, 3.0, 7.0, 11.0])

    def solve(b):
        return sparse_linalg.cg(lambda v: d * v, b, maxiter=4)[0]

    b = jnp.arange(1.0, 6.0)
    truth = np.diagonal(jax.jacfwd(solve)(b))
    np.testing.assert_allclose(derivatives.jacobian_diagonal(solve)(b), truth)


def test_results_that_are_constants_stand_beside_what_is_not_proven():
    clipped = UNPROVEN["backward clips"]
    J = derivatives.jacobian(lambda x: {"rule": clipped(x), "one": jnp.float32(1)})(X)
    assert close(J["rule"], jax.jacrev(clipped)(X))
    assert close(J["one"], jnp.zeros_like(X))
