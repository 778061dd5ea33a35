"""Products with matrices that are known: what their zeros leave out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics.derivatives import SampleMixingError, batch_jacobian, jacobian, plan
from jnumerics.derivatives._dependence.result import dependence
from tests import hulls
from tests.derivatives.modes.coloring._cases import compressed

RNG = np.random.default_rng(0)
ORDER = np.array([2, 0, 3, 1])
SWAP = np.eye(4)[ORDER]
BLOCKS = np.kron(np.eye(2), RNG.uniform(0.5, 1.5, (2, 2)))
STACK = np.stack([np.eye(4), SWAP, np.zeros((4, 4)), np.tril(np.ones((4, 4)))])
BAND = np.tril(np.triu(np.ones((4, 4)), -1), 1)


def differences(n):
    """The second derivative on a grid, made where it is used."""
    step = 1 / (n - 1)
    return (jnp.eye(n, k=1) - 2 * jnp.eye(n) + jnp.eye(n, k=-1)) / step**2


PRODUCTS = {
    "eye @ X": lambda x: jnp.eye(4) @ x,
    "X @ eye": lambda x: x @ jnp.eye(4),
    "eye, twice": lambda x: jnp.eye(4) @ x @ jnp.eye(4),
    "scaled": lambda x: (0.1 * jnp.eye(4)) @ x,
    "divided": lambda x: (jnp.eye(4) / 3) @ x,
    "swap @ X": lambda x: jnp.asarray(SWAP) @ x,
    "X @ swap": lambda x: x @ jnp.asarray(SWAP),
    "swap.T @ X": lambda x: jnp.asarray(SWAP).T @ x,
    "blocks": lambda x: jnp.asarray(BLOCKS) @ x,
    "band": lambda x: jnp.asarray(BAND) @ x,
    "band, right": lambda x: x @ jnp.asarray(BAND),
    "differences": lambda x: differences(4) @ x,
    "triangle": lambda x: jnp.tril(jnp.ones((4, 4))) @ x,
    "a row of zeros": lambda x: jnp.eye(4).at[2].set(0.0) @ x,
    "einsum ji,jk->ik": lambda x: jnp.einsum("ji,jk->ik", jnp.asarray(SWAP), x),
    "einsum jk,ij->ki": lambda x: jnp.einsum("jk,ij->ki", x, jnp.asarray(SWAP)),
    "einsum ij,kj->ki": lambda x: jnp.einsum("ij,kj->ki", jnp.asarray(BAND), x),
    "batch of matrices": lambda x: jnp.einsum("bij,bj->bi", jnp.asarray(STACK), x),
    "batch, last": lambda x: jnp.einsum("bij,jb->ib", jnp.asarray(STACK), x),
    "batch of the same": lambda x: jnp.einsum(
        "bij,jb->bi", jnp.broadcast_to(jnp.asarray(BAND)[None], (4, 4, 4)), x
    ),
    "two contracted": lambda x: jnp.einsum(
        "ijk,jk->i", jnp.asarray(STACK.reshape(4, 4, 4)), x
    ),
    "outer and inner": lambda x: jnp.einsum("aij,jk->kai", jnp.asarray(STACK), x),
    "vector": lambda x: jnp.asarray(SWAP) @ x[:, 0],
}


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize(
    "wrap", [pytest.param(lambda f: f, id="eager"), pytest.param(jax.jit, id="jit")]
)
@pytest.mark.usefixtures("x64")
def test_boxes_of_a_known_matrix_are_the_smallest(name, wrap):
    fun, x = wrap(PRODUCTS[name]), RNG.uniform(0.5, 1.5, (4, 4))
    boxes, pattern = dependence(fun, x), hulls.pattern(fun, x)
    low, high = hulls.hull(pattern, 2)
    np.testing.assert_array_equal(boxes.lower, low)
    np.testing.assert_array_equal(boxes.upper, high)


ACCEPTED = [
    lambda X: jnp.eye(5) @ X,
    lambda X: jnp.tanh(jnp.einsum("ij,jk->ik", jnp.diag(jnp.arange(5.0)), X)),
    lambda X: jnp.asarray(BAND, "float32") @ X.T,
    lambda X: X @ jnp.ones((4, 3)),
]
REFUSED = [
    lambda X: jnp.eye(5)[::-1] @ X,
    lambda X: jnp.eye(5, k=1) @ X,
    lambda X: (3 * jnp.full((5, 5), 0.1) - 0.3) @ X,  # zero, or nearly
    lambda X: jnp.where(X[0, 0] > 0, jnp.eye(5), jnp.ones((5, 5))) @ X,
]


@pytest.mark.parametrize("fun", ACCEPTED)
def test_samples_multiplied_by_what_mixes_none_of_them_are_accepted(fun):
    X = RNG.uniform(0.5, 1.5, (5, 4)).astype("float32")
    axis = 1 if fun(X).shape[0] == 4 else 0
    fun_first = (lambda X: jnp.moveaxis(fun(X), axis, 0)) if axis else fun
    blocks = batch_jacobian(fun_first)(X)
    full = jax.jit(jax.jacfwd(fun_first))(X)
    expected = np.stack([full[k, :, k] for k in range(5)])
    np.testing.assert_allclose(blocks, expected, rtol=1e-5)


@pytest.mark.parametrize("fun", REFUSED)
def test_samples_multiplied_by_what_may_mix_them_are_refused(fun):
    with pytest.raises(SampleMixingError, match="dot_general"):
        batch_jacobian(fun)(jnp.ones((5, 4)))


def test_a_matrix_among_the_arguments_is_unknown():
    boxes = dependence(lambda x, a: a @ x, np.ones((4, 2)), np.eye(4))
    assert (boxes.widths[..., 0] == 4).all()


def test_a_large_band_is_compressed(x64):
    def fun(u):
        return u + 0.1 * jnp.sin(differences(200) @ u)

    u = np.linspace(0.0, 1.0, 200)
    candidates = {c.mode: c.passes for c in plan(fun, u).candidates}
    assert candidates["compressed"] == 3
    J = jacobian(fun, mode="compressed")(u)
    np.testing.assert_allclose(J, jax.jit(jax.jacfwd(fun))(u), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("fun", "colors"),
    [
        pytest.param(lambda x: x @ jnp.asarray(BAND, "float32"), 3, id="times band"),
        pytest.param(lambda x: jnp.asarray(SWAP, "float32") @ x, 1, id="swap times"),
        pytest.param(lambda x: differences(4) @ x, 3, id="differences times"),
    ],
)
@pytest.mark.parametrize("reverse", [False, True])
def test_the_transposed_program_knows_the_same_matrix(fun, colors, reverse):
    x = RNG.uniform(0.5, 1.5, (4, 4)).astype("float32")
    compression = compressed(lambda x: fun(jnp.sin(x)), x, reverse=reverse)
    assert compression.n_colors == colors
    assert not len(compression.unproven)


@pytest.mark.usefixtures("x64")
def test_rows_by_passes_of_their_own_need_no_promotion_of_dtypes():
    def arrow(x):
        y = jnp.asarray(BAND) @ x
        return jnp.concatenate([y.ravel(), x.sum()[None]])

    x = RNG.uniform(0.5, 1.5, (4, 4))
    J = jacobian(arrow, mode="compressed")(x)
    np.testing.assert_allclose(J, jax.jit(jax.jacfwd(arrow))(x), rtol=1e-12)
