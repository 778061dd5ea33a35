"""Together with other libraries: each in the few lines that their users would write."""

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import optax
import optimistix as optx
import pytest
import scipy.integrate
import scipy.optimize
import scipy.sparse
import scipy.sparse.linalg
from flax import nnx

from jnumerics import conv, descent, mlp, softmax
from jnumerics.derivatives import (
    batch_jacobian,
    jacobian,
    laplacian,
    value_and_jacobian,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("as_others_need"),
    pytest.mark.filterwarnings("ignore:.* deprecated:DeprecationWarning"),
]

X = np.linspace(-1.0, 1.0, 15, dtype=np.float32).reshape(5, 3)


@pytest.fixture
def as_others_need():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@pytest.fixture
def double():
    with jax.enable_x64(True):
        yield


def assert_same(tree, expected):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, 1e-5, 1e-6), tree, expected
    )


# modules


def equinox_model():
    return eqx.nn.MLP(3, 2, 8, 2, jnp.tanh, key=jax.random.key(0))


def nnx_model():
    class Network(nnx.Module):
        def __init__(self, rngs):
            self.first = nnx.Linear(3, 8, rngs=rngs)
            self.last = nnx.Linear(8, 2, rngs=rngs)

        def __call__(self, x):
            return self.last(jnp.tanh(self.first(x)))

    return Network(nnx.Rngs(0))


@pytest.mark.parametrize("make", [equinox_model, nnx_model])
def test_module_is_differentiated_by_its_input(make):
    model = make()
    assert_same(batch_jacobian(jax.vmap(model))(X), jax.vmap(jax.jacfwd(model))(X))


def test_equinox_module_is_differentiated_by_its_arrays():
    arrays, static = eqx.partition(equinox_model(), eqx.is_array)

    def outputs(arrays):
        return eqx.combine(arrays, static)(X[0])

    assert_same(jacobian(outputs)(arrays), jax.jit(jax.jacrev(outputs))(arrays))


def test_nnx_graph_is_differentiated_by_its_state():
    graph, state = nnx.split(nnx_model())

    def outputs(state):
        return nnx.merge(graph, state)(X[0])

    assert_same(jacobian(outputs)(state), jax.jit(jax.jacrev(outputs))(state))


def test_laplacian_of_a_module_is_the_trace_of_its_hessian():
    model = equinox_model()

    def height(x):
        return model(x)[0]

    assert_same(laplacian(height)(X[0]), jnp.trace(jax.hessian(height)(X[0])))


# optimizers


def test_chain_with_a_schedule_descends_as_its_own_loop():
    schedule = optax.warmup_cosine_decay_schedule(0.0, 0.1, 5, 20)
    optimizer = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.scale_by_adam(),
        optax.add_decayed_weights(1e-3),
        optax.scale_by_learning_rate(schedule),
    )
    start = mlp.init(jax.random.key(0), [3, 4, 1])

    def loss(params):
        return jnp.mean((mlp.apply(params, X) - 1.0) ** 2)

    @jax.jit
    def update(params, state):
        updates, state = optimizer.update(jax.grad(loss)(params), state, params)
        return optax.apply_updates(params, updates), state

    params, state = start, optimizer.init(start)
    for _ in range(20):
        params, state = update(params, state)
    descended = descent.minimize(loss, start, optimizer=optimizer, steps=20)
    assert_same(descended.params, params)
    assert descended.losses[-1] < descended.losses[0]


# arrays


def test_arrays_come_from_numpy_by_dlpack():
    shared = jnp.from_dlpack(X)
    assert_same(softmax.jacobian(shared), softmax.jacobian(X))
    there: Any = softmax.softmax(shared)
    assert np.from_dlpack(there).shape == (5, 3)


def test_arrays_come_from_torch_and_return_by_dlpack():
    torch = pytest.importorskip("torch")
    images = torch.linspace(0, 1, 2 * 3 * 6 * 5).reshape(2, 3, 6, 5)
    kernel = torch.linspace(-1, 1, 4 * 3 * 3 * 2).reshape(4, 3, 3, 2)
    ours = conv.conv2d(jnp.from_dlpack(images), jnp.from_dlpack(kernel), layout="NCHW")
    expected = torch.nn.functional.conv2d(images, kernel)
    back = torch.from_dlpack(ours)
    assert torch.allclose(back, expected, atol=1e-4)


# solvers


def chain(x):
    """Broyden's tridiagonal equations, with one root near -0.7 everywhere."""
    wide = jnp.pad(x, 1)
    return (3 - 2 * x) * x - wide[:-2] - 2 * wide[2:] + 1


def in_scipy(rows):
    """Return a sparse Jacobian as SciPy's matrix."""
    rows = rows.sum_duplicates()  # and no padding
    where = tuple(np.asarray(rows.indices).T)
    return scipy.sparse.coo_array((np.asarray(rows.data), where), rows.shape).tocsc()


@pytest.mark.usefixtures("double")
def test_scipy_finds_a_root_with_our_jacobian():
    both = value_and_jacobian(chain)
    solution = scipy.optimize.root(
        lambda x: [np.asarray(a) for a in both(x)], -np.ones(12), jac=True, tol=1e-12
    )
    assert solution.success
    np.testing.assert_allclose(chain(solution.x), 0, atol=1e-9)


@pytest.mark.usefixtures("double")
def test_scipy_least_squares_takes_our_sparse_jacobian():
    rows: Any = jacobian(chain, format="bcoo")
    by_ours: Any = lambda x: in_scipy(rows(x))
    solution = scipy.optimize.least_squares(
        lambda x: np.asarray(chain(x)), -np.ones(40),
        jac=by_ours, tr_solver="lsmr", xtol=1e-14,
    )  # fmt: skip
    np.testing.assert_allclose(chain(solution.x), 0, atol=1e-7)
    assert in_scipy(rows(solution.x)).nnz == 3 * 40 - 2


def heat(u):
    return 100.0 * jnp.diff(u, n=2, prepend=0, append=0) - u**3


@pytest.mark.usefixtures("double")
def test_scipy_integrates_a_stiff_equation_with_our_sparse_jacobian():
    rows, start = jacobian(heat, format="bcoo"), np.sin(np.linspace(0, np.pi, 20))
    options = {"method": "BDF", "rtol": 1e-8, "atol": 1e-10}

    def slope(_, u):
        return np.asarray(heat(u))

    ours = scipy.integrate.solve_ivp(
        slope, (0, 0.1), start, jac=lambda _, u: in_scipy(rows(u)), **options
    )
    theirs = scipy.integrate.solve_ivp(slope, (0, 0.1), start, **options)
    assert ours.success
    np.testing.assert_allclose(ours.y[:, -1], theirs.y[:, -1], rtol=1e-5, atol=1e-9)
    assert ours.nfev < theirs.nfev


@pytest.mark.usefixtures("double")
def test_optimistix_finds_a_fixed_point_of_newtons_step_with_our_jacobian():
    slope = jacobian(chain)

    def step(x, _):
        return x - jnp.linalg.solve(slope(x), chain(x))

    solver = optx.FixedPointIteration(rtol=1e-12, atol=1e-12)
    solution = optx.fixed_point(step, solver, -jnp.ones(12))
    np.testing.assert_allclose(chain(solution.value), 0, atol=1e-9)
    assert int(solution.stats["num_steps"]) < 10


@pytest.mark.usefixtures("double")
def test_diffrax_integrates_sensitivities_with_our_jacobian():
    turn = jnp.array([[0.6, -0.8], [0.8, 0.6]])

    def field(y):  # a logistic equation in each of two turned coordinates
        z = y @ turn
        return turn @ (z * (1 - z))

    def both(_, state, __):
        y, sensitivity = state
        return field(y), jacobian(field)(y) @ sensitivity

    start = turn @ jnp.array([0.1, 0.3])
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(both), diffrax.Tsit5(), 0.0, 1.0, 0.01, (start, jnp.eye(2)),
        stepsize_controller=diffrax.PIDController(rtol=1e-9, atol=1e-9),
    )  # fmt: skip
    assert solution.ys is not None
    slopes = np.e / (1 + np.array([0.1, 0.3]) * (np.e - 1)) ** 2
    expected = turn @ np.diag(slopes) @ turn.T
    np.testing.assert_allclose(solution.ys[1][-1], expected, rtol=1e-6)


@pytest.mark.usefixtures("double")
def test_lineax_solves_with_our_jacobian_as_with_its_own():
    at = -jnp.ones(12)
    ours = lx.MatrixLinearOperator(jacobian(chain)(at))
    theirs = lx.JacobianLinearOperator(lambda x, _: chain(x), at)
    np.testing.assert_allclose(ours.as_matrix(), theirs.as_matrix(), atol=1e-12)
    steps = [lx.linear_solve(op, chain(at)).value for op in (ours, theirs)]
    np.testing.assert_allclose(*steps, rtol=1e-10)


@pytest.mark.usefixtures("double")
def test_lineax_solves_with_our_sparse_jacobian_by_iteration():
    at = -jnp.ones(40)
    rows = jacobian(chain, format="bcoo")(at)
    operator = lx.FunctionLinearOperator(
        lambda v: rows @ v, jax.ShapeDtypeStruct(at.shape, at.dtype)
    )
    solver = lx.GMRES(rtol=1e-10, atol=1e-10)
    step = lx.linear_solve(operator, chain(at), solver).value
    np.testing.assert_allclose(rows.todense() @ step, chain(at), atol=1e-8)


# gradients of each sample by the parameters


def test_gradients_of_each_sample_are_a_mapped_gradient():
    params = mlp.init(jax.random.key(0), [3, 4, 1])

    def loss(params, x):
        return jnp.sum(mlp.apply(params, x) ** 2)

    per_sample = jax.vmap(jax.grad(loss), in_axes=(None, 0))(params, X)

    def losses(params):
        return jax.vmap(loss, in_axes=(None, 0))(params, X)

    assert_same(jacobian(losses)(params), per_sample)
    assert per_sample[0].weight.shape == (5, 3, 4)
