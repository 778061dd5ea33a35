"""Linearity is proven: of JAX's own rules always, of users' rules and solvers if it holds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.ad_checkpoint import checkpoint_name
from jax.scipy.sparse import linalg as sparse_linalg

from jnumerics import derivatives
from jnumerics.derivatives import SampleMixingError
from jnumerics.derivatives._program.linearity.judge import judge
from jnumerics.derivatives._program.linearity.rules import RULES

MODES = ("auto", "forward", "reverse", "cut", "compressed")
X = np.array([0.5, -1.0, 1.5])
MATRIX = np.array([[6.0, 1.0, 2.0], [1.0, 8.0, 3.0], [2.0, 3.0, 9.0]])


def backward(rule):
    """The identity with a backward rule of its own: from x and g to the cotangent."""

    @jax.custom_vjp
    def identity(x):
        return x

    identity.defvjp(lambda x: (x, x), lambda x, g: (rule(x, g),))
    return lambda x: identity(x)


def forward(rule):
    """The identity with a forward rule of its own: from x and t to the tangent."""

    @jax.custom_jvp
    def identity(x):
        return x

    identity.defjvp(lambda primals, tangents: (primals[0], rule(*primals, *tangents)))
    return lambda x: identity(x)


def cg(**options):
    return lambda b: sparse_linalg.cg(lambda v: MATRIX @ v, b, **options)[0]


LINEAR = {
    "backward scales": backward(lambda x, g: g * jnp.cos(x)),
    "backward reverses": backward(lambda _, g: g[::-1] - 2 * g),
    "backward is zero": backward(lambda _, g: jnp.zeros_like(g)),
    "forward scales": forward(lambda x, t: t * x + jnp.sum(t)),
    "forward is zero": forward(lambda _, t: jnp.zeros_like(t)),
    "forward selects": forward(lambda x, t: jnp.where(x > 0, t, 0.0)),
    "forward casts": forward(lambda _, t: t.astype("float16").astype(t.dtype)),
    "forward updates zeros": forward(lambda _, t: jnp.zeros_like(t).at[1:].set(t[1:])),
    "forward pads": forward(lambda _, t: jnp.pad(t, (1, 0))[:-1]),
    "forward divides": forward(lambda x, t: t / (2 + jnp.abs(x))),
    "forward sorts by values": forward(lambda x, t: t[jnp.argsort(x)]),
    "forward scans": forward(
        lambda x, t: lax.scan(lambda c, v: (c + v, None), jnp.zeros(()), t)[0] * x
    ),
    "relu": jax.nn.relu,
    "softmax": jax.nn.softmax,
    "solve": lambda x: jnp.linalg.solve(MATRIX, x),
    "cholesky solve": lambda x: jax.scipy.linalg.cho_solve(
        jax.scipy.linalg.cho_factor(MATRIX), x
    ),
    "expm": lambda x: jax.scipy.linalg.expm(jnp.diag(x) + MATRIX / 9)[0],
    "inverse": lambda x: jnp.linalg.inv(jnp.diag(x) + MATRIX)[1],
    "eigenvectors": lambda x: jnp.linalg.eigh(jnp.diag(x) + MATRIX)[1][2],
    "a branch beside a constant": lambda x: lax.cond(
        x[0] > 0, lambda x: x * x, lambda x: jnp.ones_like(x), x
    ),
    "a switch": lambda x: lax.switch(
        jnp.int32(x[0] + 1.6), [jnp.sin, lambda x: jnp.ones_like(x), jnp.square], x
    ),
    "a loop": lambda x: lax.fori_loop(0, 3, lambda _, c: jnp.sin(c) + 1, x),
    "fft": lambda x: jnp.fft.fft(x).imag,
    "median": lambda x: jnp.median(x) * x,
    "interp": lambda x: jnp.interp(x, jnp.arange(3.0), x),
    "polyval": lambda x: jnp.polyval(x, 2 * x),
    "out of bounds": lambda x: (
        jnp.take(x, jnp.array([0, 7, 1]), mode="fill", fill_value=0) * x
    ),
    "remat": jax.checkpoint(lambda x: jnp.sin(jnp.cos(x))),
}
UNPROVEN = {
    "backward clips": backward(lambda _, g: jnp.clip(g, -0.5, 0.5)),
    "backward decays": backward(lambda x, g: 2 * g + 0.5 * x),
    "backward adds noise": backward(
        lambda _, g: g + jax.random.normal(jax.random.key(0), g.shape)
    ),
    "backward casts to int": backward(lambda _, g: (3 * g).astype(int).astype(g.dtype)),
    "backward normalizes": backward(lambda _, g: g / (1 + jnp.linalg.norm(g))),
    "backward ignores g": backward(lambda x, _: x),
    "backward takes signs": backward(lambda _, g: jnp.sign(g)),
    "backward sorts": backward(lambda _, g: jnp.sort(g)),
    "backward keeps a digit": backward(lambda _, g: lax.reduce_precision(g, 8, 1)),
    "forward adds": forward(lambda _, t: t + 1),
    "forward selects by t": forward(lambda _, t: jnp.where(t > 0, t, 0.0)),
    "forward squares": forward(lambda _, t: t * t),
    "forward is constant": forward(lambda x, _: x),
    "forward is one": forward(lambda _, t: jnp.ones_like(t)),
    "forward updates ones": forward(lambda _, t: jnp.ones_like(t).at[1:].set(t[1:])),
    "forward pads with one": forward(
        lambda _, t: jnp.pad(t, (1, 0), constant_values=1.0)[:-1]
    ),
    "forward fills with one": forward(
        lambda _, t: t.at[jnp.array([0, 1, 7])].get(mode="fill", fill_value=1.0)
    ),
    "forward divides by t": forward(lambda _, t: t / (1 + jnp.abs(t))),
    "forward indexes by t": forward(lambda x, t: jnp.asarray(x)[jnp.argmax(t)] * t),
    "forward loops while t": forward(
        lambda _, t: lax.while_loop(lambda t: jnp.sum(t) < 9, lambda t: 2 * t + 1, t)
    ),
    "forward branches on t": forward(
        lambda _, t: lax.cond(t[0] > 0, lambda t: t, lambda t: 2 * t, t)
    ),
    "forward carries one": forward(
        lambda x, t: lax.scan(lambda c, v: (c + v, c), jnp.ones(()), t)[1] * x
    ),
    "forward adds beside a scan": lambda x: (
        lax.scan(
            lambda c, v: (c * v + jnp.sin(c), c), x[0], UNPROVEN["forward adds"](x)
        )
    )[1],
    "backward is NaN": backward(lambda _, g: jnp.full_like(g, jnp.nan)),
    "backward fills with NaN": backward(
        lambda _, g: g.at[jnp.array([0, 1, 7])].get(mode="fill")
    ),
    "backward multiplies by a norm": backward(
        lambda _, g: g * lax.rsqrt(jnp.sum(g * g))
    ),
    "forward is NaN": forward(lambda _, t: jnp.full_like(t, jnp.nan)),
    "forward multiplies by the inverse": forward(lambda _, t: t * (1 / jnp.abs(t))),
    "forward makes a number of NaN": forward(
        lambda _, t: jnp.nan_to_num(
            t.at[jnp.array([0, 1, 7])].get(mode="fill"), nan=1.0
        )
    ),
    **{
        f"forward adds where {name}": forward(
            lambda _, t, holds=holds: t + holds(t).astype(t.dtype)
        )
        for name, holds in {
            "bytes wrap": lambda t: jnp.zeros(3, "uint8") - jnp.uint8(1) > jnp.uint8(0),
            "negative bytes wrap": lambda t: (
                -(jnp.zeros(3, "uint8") + jnp.uint8(1)) > jnp.uint8(0)
            ),
            "bytes overflow": lambda t: (
                jnp.full(3, 100, "int8") + jnp.int8(100) < jnp.int8(0)
            ),
            "eight bits round": lambda t: jnp.full(3, 16, "float8_e4m3fn") + 1 == 16,
            "a real part is": lambda t: lax.real(jnp.full(3, 1j)) == 0,
            "a conjugate is": lambda t: lax.conj(jnp.full(3, 1j)) == -1j,
            "a complex is": lambda t: lax.complex(jnp.ones(3), jnp.ones(3)) != 1,
            "digits are dropped": lambda t: (
                lax.reduce_precision(jnp.full(3, 1.1), 5, 2) != 1.1
            ),
        }.items()
    },
    "forward squares beside a branch": lambda x: lax.cond(
        x[0] > 0, jnp.sin, jnp.cos, UNPROVEN["forward squares"](x)
    ),
    "cg": cg(maxiter=2),
    "cg from a guess": cg(x0=np.ones(3), maxiter=2),
    "bicgstab": lambda b: sparse_linalg.bicgstab(lambda v: MATRIX @ v, b, maxiter=1)[0],
    "gmres": lambda b: sparse_linalg.gmres(lambda v: MATRIX @ v, b, maxiter=1)[0],
}
SOLVERS = [UNPROVEN[name] for name in ("cg", "cg from a guess", "bicgstab", "gmres")]
each_linear = pytest.mark.parametrize("fun", LINEAR.values(), ids=LINEAR.keys())
each_unproven = pytest.mark.parametrize("fun", UNPROVEN.values(), ids=UNPROVEN.keys())


@pytest.fixture(autouse=True)
def _wide(x64):
    """Every derivative here is in float64."""


def truths(fun, *args):
    """What JAX's own forward and reverse mode give, where they serve the function."""
    found = {}
    for mode, transform in (("forward", jax.jacfwd), ("reverse", jax.jacrev)):
        try:
            found[mode] = np.asarray(transform(fun)(*args))
        except Exception:  # whatever JAX's reason
            continue
    return found


def close(found, truth):
    return np.allclose(found, truth, rtol=1e-10, atol=1e-12, equal_nan=True)


def judged(fun, *args):
    program = jax.make_jaxpr(lambda x, t: jax.jvp(fun, (x,), (t,))[1])(*args, *args)
    return judge(program, [False, True], [True])


# the proof


@each_linear
def test_linear_derivative_is_proven(fun):
    found = judged(fun, X)
    assert found.is_proven
    assert found.is_zero_at_zero == (True,)


@each_unproven
def test_derivative_that_is_not_linear_is_not_proven(fun):
    found = judged(fun, X)
    assert not found.is_proven
    assert found.reason.endswith("is not proven linear")


def _shape(*sizes):
    return jnp.asarray(np.arange(1.0, 1 + np.prod(sizes)).reshape(sizes) % 7 - 2.5)


def _pooled(x):
    return lax.reduce_window(x, -np.inf, lax.max, (2, 1), (1, 1), "SAME")


PLACE = jnp.array([2, 0])
PARTS = (slice(1, 3), slice(0, 2))
USES = {  # of each primitive with a rule, one that is linear in t (4, 3)
    "add": lambda t: lax.add(t, 2 * t),
    "sub": lambda t: lax.sub(t, 3 * t),
    "neg": lax.neg,
    "mul": lambda t: lax.mul(_shape(4, 3), t),
    "div": lambda t: lax.div(t, _shape(4, 3)),
    "reduce_sum": lambda t: lax.reduce_sum_p.bind(t, axes=(0,), out_sharding=None),
    "cumsum": lambda t: lax.cumsum(t, 1, reverse=True),
    "reduce_window_sum": lambda t: lax.reduce_window(
        t, 0.0, lax.add, (2, 2), (1, 2), "VALID"
    ),
    "fft": lambda t: lax.fft(t, "RFFT", (3,)),
    "reshape": lambda t: lax.reshape(t, (2, 6), (1, 0)),
    "broadcast_in_dim": lambda t: lax.broadcast_in_dim(t, (4, 2, 3), (0, 2)),
    "transpose": lambda t: lax.transpose(t, (1, 0)),
    "squeeze": lambda t: lax.squeeze(t[:1], (0,)),
    "rev": lambda t: lax.rev(t, (0,)),
    "slice": lambda t: lax.slice(t, (1, 0), (4, 3), (2, 1)),
    "copy": lambda t: lax.copy_p.bind(t),
    "tile": lambda t: jnp.tile(t, (2, 1)),
    "device_put": lambda t: jax.device_put(t),
    "optimization_barrier": lambda t: lax.optimization_barrier((t, 2 * t))[1],
    "name": lambda t: checkpoint_name(t, "t"),
    "stop_gradient": lax.stop_gradient,
    "split": lambda t: lax.split(t, (1, 3))[1],
    "unstack": lambda t: jnp.unstack(t)[2],
    "stack": lambda t: jnp.stack([t, 2 * t], 1),
    "real": lambda t: lax.real(lax.complex(t, 2 * t)),
    "imag": lambda t: lax.imag(lax.complex(t, 2 * t)),
    "conj": lambda t: lax.conj(lax.complex(t, 2 * t)),
    "complex": lambda t: lax.complex(t, t[::-1]),
    "reduce_precision": lambda t: lax.reduce_precision(t, 11, 52),
    "convert_element_type": lambda t: lax.convert_element_type(t, "complex128"),
    "concatenate": lambda t: lax.concatenate([t, jnp.zeros((1, 3)), t], 0),
    "pad": lambda t: lax.pad(t, 0.0, ((1, -1, 2), (0, 1, 0))),
    "select_n": lambda t: lax.select_n(_shape(4, 3) > 0, t, 2 * t),
    "dynamic_slice": lambda t: lax.dynamic_slice(t, (jnp.argmax(_shape(3)), 0), (2, 2)),
    "dynamic_update_slice": lambda t: lax.dynamic_update_slice(t, 2 * t[:2], (1, 0)),
    "gather": lambda t: t[PLACE],
    "scatter": lambda t: t.at[PLACE].set(3 * t[PARTS[0]]),
    "scatter-add": lambda t: t.at[PLACE].add(3 * t[PARTS[0]]),
    "scatter-sub": lambda t: t.at[PLACE].subtract(3 * t[PARTS[0]]),
    "scatter-mul": lambda t: t.at[PLACE].multiply(_shape(2, 3)),
    "select_and_scatter_add": lambda t: jax.vjp(_pooled, _shape(4, 3))[1](t)[0],
    "select_and_gather_add": lambda t: jax.linearize(_pooled, _shape(4, 3))[1](t),
    "sort": lambda t: lax.sort((_shape(4, 3), t), num_keys=1)[1],
    "dot_general": lambda t: lax.dot(_shape(2, 4), t),
    "conv_general_dilated": lambda t: lax.conv(t[None, None], _shape(2, 1, 2, 2), (1, 1), "SAME"),
    "triangular_solve": lambda t: lax.linalg.triangular_solve(
        MATRIX, t, left_side=False, lower=True
    ),
    "tridiagonal_solve": lambda t: lax.linalg.tridiagonal_solve(
        _shape(4), 9 + _shape(4), _shape(4), t
    ),
}  # fmt: skip
UNUSED = {  # collectives, and what only some versions or formats have
    "add_any", "all_gather", "all_gather_invariant", "all_to_all", "bcoo_dot_general",
    "copy_p", "expand_dims", "layout_constraint", "pbroadcast", "polynomial",
    "ppermute", "psum", "psum_invariant", "psum_scatter", "pvary", "ragged_dot",
    "ragged_dot_general", "reduce_and", "reduce_max", "reduce_min", "reduce_or", "cummax",
    "cummin", "reduce_scatter", "reshard", "sharding_constraint",
}  # fmt: skip


@pytest.mark.parametrize("name", USES)
def test_operation_said_to_be_linear_is(name):
    fun = USES[name]
    program = jax.make_jaxpr(fun)(_shape(4, 3))
    assert judge(program, [True], [True] * len(program.out_avals)).is_proven
    assert name in str(program)
    s, t = _shape(4, 3), jnp.sin(_shape(4, 3))
    combined = jax.tree.leaves(fun(2 * s - 3 * t))
    apart = zip(jax.tree.leaves(fun(s)), jax.tree.leaves(fun(t)), strict=True)
    for whole, (a, b) in zip(combined, apart, strict=True):
        np.testing.assert_allclose(whole, 2 * a - 3 * b, rtol=1e-12, atol=1e-12)


def test_every_rule_has_a_use():
    assert set(USES) | UNUSED >= set(RULES)
    assert not set(USES) & UNUSED


@pytest.mark.parametrize(
    "fun",
    [
        lambda t: t * t,
        lambda t: 1.0 / t,
        lambda t: jnp.maximum(t, 0.0),
        lambda t: jnp.abs(t),
        lambda t: t + _shape(4, 3),
        lambda t: lax.dot(t.T, t),
        lambda t: lax.sort((t, t), num_keys=1)[0],
        lambda t: _shape(4, 3).at[0].multiply(t[0]),
        lambda t: jnp.concatenate([t, jnp.ones((1, 3))]),
        lambda t: jnp.stack([t, jnp.ones((4, 3))]),
        lambda t: lax.linalg.triangular_solve(t[:3], _shape(3, 1), left_side=True),
        lambda t: lax.reduce_window(t, 1.0, lax.mul, (2, 2), (1, 1), "VALID"),
        lambda t: lax.bitcast_convert_type(t, "int64").astype(float),
        lambda t: lax.complex(t, jnp.ones_like(t)),
        lambda t: jnp.floor(t),
        lambda t: lax.cumprod(t, 0),
        lambda t: lax.dot_general(
            jnp.eye(4), t, (((1,), (0,)), ((), ())), preferred_element_type=jnp.int32
        ).astype(float),
        lambda t: t.astype("float8_e4m3fn").astype(float),
    ],
)
def test_operation_that_is_not_linear_is_not_proven(fun):
    program = jax.make_jaxpr(fun)(_shape(4, 3))
    assert not judge(program, [True], [True]).is_proven


@pytest.mark.parametrize(
    ("fun", "is_zero"),
    [
        (lambda t: jnp.clip(t, -0.5, 0.5), True),
        (lambda t: jnp.clip(t, 0.1, 0.5), False),
        (lambda t: jnp.where(t > 0, t, 0.0), True),
        (lambda t: jnp.where(t >= 0, 1.0, t), False),
        (lambda t: jnp.sqrt(jnp.sum(t * t)) * t, True),
        (lambda t: jnp.exp(t) * _shape(4, 3), False),
        (lambda t: jnp.expm1(t) * _shape(4, 3), True),
        (lambda t: t / jnp.maximum(jnp.linalg.norm(t), 1.0), True),
        (lambda t: t / jnp.linalg.norm(t), False),
        (lambda t: jnp.cos(t) - 1, True),
        (lambda t: (t + 0.1) * 10 - 1, False),
        (lambda t: jnp.max(t, 0), True),
        (lambda t: jnp.nan_to_num(t.at[7].get(mode="fill"), nan=1.0), False),
        (
            lambda t: jnp.nan_to_num(jnp.where(_shape(4, 3) > 9, t, np.nan), nan=1),
            False,
        ),
        (lambda t: lax.while_loop(lambda t: t[0, 0] > 0, lambda t: t + 1, t), True),
        (lambda t: lax.while_loop(lambda t: t[0, 0] < 1, lambda t: t + 1, t), False),
    ],
)
def test_what_is_zero_at_zero_tangents_is_said_to_be_only_where_it_is(fun, is_zero):
    program = jax.make_jaxpr(fun)(_shape(4, 3))
    found = judge(program, [True], [True])
    assert not found.is_proven
    assert found.is_zero_at_zero == (is_zero,)
    if is_zero:
        assert not np.any(fun(jnp.zeros((4, 3))))


# what runs


@each_linear
@pytest.mark.parametrize("mode", MODES)
def test_linear_rule_serves_every_mode(fun, mode):
    expected = truths(fun, X)
    assert close(derivatives.jacobian(fun, mode=mode)(X), next(iter(expected.values())))


@each_unproven
@pytest.mark.parametrize("mode", MODES)
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


@each_unproven
def test_unproven_derivative_is_served_in_every_form(fun):
    truth = truths(fun, X)[derivatives.plan(fun, X).mode]
    value, found = derivatives.value_and_jacobian(fun)(X)
    assert close(value, fun(X))
    assert close(found, truth)
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
    found = derivatives.jacobian(fun)(x)
    assert close(found, expected.get("forward", expected.get("reverse")))
    assert close(derivatives.jacobian_diagonal(fun)(x), np.diagonal(found))
    shown = str(derivatives.plan(fun, x))
    assert "is not proven linear" in shown
    assert "test_linearity.py" in shown


def test_vouching_takes_the_cut():
    x = np.linspace(-1, 1, 40)
    vouched = derivatives.jacobian(through(cg_of_40), mode="cut", check=None)
    with pytest.raises(ValueError, match="check=None"):
        derivatives.jacobian(through(cg_of_40), mode="cut")(x)
    assert np.allclose(
        vouched(x), jax.jacrev(through(cg_of_40))(x), rtol=1e-3, atol=1e-5
    )


def cg_of_40(x):
    return sparse_linalg.cg(lambda v: 2 * v + jnp.roll(v, 1) / 2 + jnp.roll(v, -1) / 2, x, tol=1e-9)[0]  # fmt: skip


def test_vouching_for_solvers_reads_structure_of_the_matrix():
    d = np.array([1.0, 2.0, 3.0])

    def solve(b):
        return sparse_linalg.cg(lambda v: d * v, b)[0]

    found = derivatives.jacobian_diagonal(solve, check=None)(X)
    np.testing.assert_allclose(found, 1 / d, rtol=1e-5)


def test_diagonal_of_a_truncated_solver_is_that_of_its_jacobian():
    d = jnp.array([1.0, 2.0, 3.0, 7.0, 11.0])

    def solve(b):
        return sparse_linalg.cg(lambda v: d * v, b, maxiter=4)[0]

    b = jnp.arange(1.0, 6.0)
    truth = np.diagonal(jax.jacfwd(solve)(b))
    np.testing.assert_allclose(derivatives.jacobian_diagonal(solve)(b), truth)


# samples

BATCH = np.array(
    [[0.5, -1.0, 1.5], [2.0, 0.25, -0.5], [1.0, 1.0, 2.0], [0.1, 0.2, 0.9]]
)


def blocks_of_jax(fun, x, mode):
    full = np.array(truths(fun, x)[mode])
    return np.stack([full[k, :, k, :] for k in range(len(x))]), full


@pytest.mark.parametrize(
    "name",
    [
        "backward clips",
        "backward normalizes",
        "backward takes signs",
        "backward sorts",
        "forward selects by t",
        "forward squares",
        "cg",
        "bicgstab",
    ],
)
def test_vmapped_rule_shares_passes_between_samples(name):
    fun = jax.vmap(UNPROVEN[name])
    plan = derivatives.plan(fun, BATCH, target="batch")
    assert plan.passes == 3
    blocks, full = blocks_of_jax(fun, BATCH, plan.mode)
    assert close(derivatives.batch_jacobian(fun)(BATCH), blocks)
    full[np.arange(4), :, np.arange(4)] = 0
    assert not full.any()


@pytest.mark.parametrize(
    "name", ["backward decays", "backward adds noise", "forward adds", "forward is one"]
)
def test_rule_that_adds_a_constant_is_refused_for_a_batch(name):
    with pytest.raises(SampleMixingError, match="not zero where all tangents are"):
        derivatives.batch_jacobian(jax.vmap(UNPROVEN[name]))(BATCH)


def test_one_solver_over_the_whole_batch_is_refused():
    def fun(X):
        return sparse_linalg.cg(lambda v: v @ MATRIX, X, maxiter=2)[0]

    with pytest.raises(SampleMixingError):
        derivatives.batch_jacobian(fun)(BATCH)
    together = jax.jvp(fun, (BATCH,), (np.ones_like(BATCH),))[1]
    apart = np.einsum("nknj->nk", jax.jacfwd(fun)(BATCH))
    assert not np.allclose(together, apart, rtol=1e-6)  # what sharing would have given


def test_solve_whose_transpose_iterates_over_the_whole_batch_is_refused():
    d = jnp.arange(1.0, 5.0)

    def fun(b):
        return lax.custom_linear_solve(
            lambda v: d * v,
            b,
            lambda _, b: b / d,
            lambda mv, b: sparse_linalg.cg(mv, b, maxiter=2)[0],
        )

    b = jnp.array([0.5, -1.0, 1.5, 2.0])
    found = derivatives.batch_jacobian(fun)(b)
    assert close(found, np.diagonal(jax.jacfwd(fun)(b)))
    with pytest.raises(SampleMixingError):
        derivatives.batch_jacobian(fun, mode="reverse")(b)


def root(x):
    """The root y of y^3 + y = x, its derivative by conjugate gradients."""
    return lax.custom_root(
        lambda y: y**3 + y - x,
        jnp.zeros_like(x),
        lambda f, y: lax.fori_loop(0, 40, lambda _, y: y - f(y) / (3 * y**2 + 1), y),
        lambda g, y: sparse_linalg.cg(g, y)[0],
    )


def test_vmapped_root_with_an_iterative_solver_is_accepted():
    found = derivatives.batch_jacobian(jax.vmap(root))(BATCH)
    y = np.asarray(jax.vmap(root)(BATCH))
    expected = np.stack([np.diag(1 / (3 * row**2 + 1)) for row in y])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_rule_that_mixes_samples_is_refused_in_the_mode_that_runs():
    @jax.custom_vjp
    def identity(x):
        return x

    identity.defvjp(lambda x: (x, None), lambda _, g: (g * jnp.max(jnp.abs(g)),))

    def fun(X):
        return identity(X) * 2

    with pytest.raises(SampleMixingError, match="derivative by input"):
        derivatives.batch_jacobian(fun)(BATCH)


def test_window_of_products_is_served_as_jax_serves_it():
    def fun(x):
        return lax.reduce_window(jnp.asarray(x), 1.0, lax.mul, (2,), (1,), "SAME")

    assert judged(fun, X).is_proven  # the derivative of its reducer is linear
    value, found = derivatives.value_and_jacobian(fun)(X)
    assert close(value, fun(X))
    columns = [jax.jvp(fun, (X,), (e,))[1] for e in np.eye(3)]
    assert close(found, np.stack(columns, 1))
    with pytest.raises(ValueError, match="got 'reverse': JAX refuses"):
        derivatives.jacobian(fun, mode="reverse")(X)


def test_probe_sees_an_unproven_rule_that_mixes_samples():
    mixing = backward(lambda _, g: jnp.clip(g + g[::-1], -0.5, 0.5))
    with pytest.raises(SampleMixingError):
        derivatives.batch_jacobian(mixing, check="probe")(BATCH)
    apart = backward(lambda _, g: jnp.clip(g, -0.5, 0.5))
    found = derivatives.batch_jacobian(apart, check="probe")(BATCH)
    assert close(found, np.stack([np.eye(3) / 2] * 4))


def test_probe_proves_what_random_tangents_cannot_decide():
    # of a sample that does not move nothing is seen, though others scale it
    rule = backward(lambda _, g: g / (1 + jnp.linalg.norm(g)))
    with pytest.raises(SampleMixingError, match="derivative by input"):
        derivatives.batch_jacobian(rule, check="probe")(BATCH)
    found = derivatives.batch_jacobian(jax.vmap(rule), check="probe")(BATCH)
    assert close(found, np.stack([np.eye(3) / 2] * 4))


def test_probe_pulls_back_what_only_transposes():
    def halved(g):
        return lax.while_loop(
            lambda c: c[0] < 1, lambda c: (c[0] + 1, c[1] / 2), (0, g)
        )

    rule = backward(lambda _, g: halved(g)[1])
    found = derivatives.batch_jacobian(rule, check="probe")(BATCH)
    assert close(found, np.stack([np.eye(3) / 2] * 4))
    mixing = backward(lambda _, g: halved(g + g[::-1])[1])
    with pytest.raises(SampleMixingError):
        derivatives.batch_jacobian(mixing, check="probe")(BATCH)


def test_batched_loop_stands_still_sample_by_sample():
    def until(t):
        return lax.while_loop(lambda t: jnp.sum(abs(t)) > 0.3, lambda t: t / 2, t)

    fun = jax.vmap(forward(lambda x, t: until(t * x)))
    blocks, full = blocks_of_jax(fun, BATCH, "forward")
    full[np.arange(4), :, np.arange(4)] = 0
    assert not full.any()
    np.testing.assert_allclose(derivatives.batch_jacobian(fun)(BATCH), blocks)

    def whole(X):
        return forward(lambda x, t: until(t * x))(X)

    with pytest.raises(SampleMixingError):
        derivatives.batch_jacobian(whole)(BATCH)


# the other tools


def test_modes_are_compared_where_a_rule_is_not_linear():
    found = derivatives.compare_modes(UNPROVEN["forward adds"], X, repeats=2)
    rows = {m.mode: m for m in found.modes}
    assert rows["forward"].max_relative_difference == 0
    assert "is not proven linear" in (rows["cut"].error or "")


def test_solvers_alone_leave_the_choice_to_the_cost():
    tall = jnp.asarray(np.random.default_rng(1).normal(size=(3, 40)))

    def fun(x):
        return cg(maxiter=2)(tall @ x)

    x = jnp.ones(40)
    plan = derivatives.plan(fun, x)
    assert plan.mode == "reverse"
    assert close(derivatives.jacobian(fun)(x), jax.jacrev(fun)(x))


def test_hessian_of_a_rule_that_is_not_linear_is_that_of_jax():
    rule = UNPROVEN["backward clips"]

    def fun(x):
        return jnp.sum(jnp.sin(rule(x)) * x)

    truth = jax.jacrev(jax.jacrev(fun))(X)
    assert close(derivatives.hessian(fun)(X), truth)
    assert close(derivatives.laplacian(fun)(X), np.trace(truth))


@jax.custom_jvp
def twice(x):
    return x


twice.defjvp(lambda primals, tangents: (primals[0], 2 * tangents[0]))
ENTERED = {
    "that is linear": (lambda x, g: twice(jnp.cos(x) * g), X),
    "in a loop": (
        lambda x, g: lax.scan(lambda c, _: (twice(x * c), None), g, length=1)[0],
        X,
    ),
    "that is not linear, at its kink": (lambda _, g: jax.nn.relu(g), 0 * X),
}


@pytest.mark.parametrize("name", ENTERED)
def test_hessian_keeps_a_rule_that_cotangents_enter(name):
    rule, x = ENTERED[name]

    def fun(x):
        return jnp.sum(backward(rule)(x) ** 2)

    truth = jax.jacfwd(jax.jacrev(fun))(x)
    assert close(derivatives.hessian(fun)(x), truth)
    assert close(derivatives.laplacian(fun)(x), np.trace(truth))


@pytest.mark.parametrize("check", ["proof", None])
def test_backward_rule_that_sees_zeros_runs_as_in_jax(check):
    @jax.custom_vjp
    def both(x):
        return x, x

    def rule(_, cotangents):
        first, second = cotangents
        is_zero = isinstance(second, jax.custom_derivatives.SymbolicZero)
        return (3 * first if is_zero else first - second,)

    def forth(x):
        return (x.value, x.value), None

    both.defvjp(forth, rule, symbolic_zeros=True)

    def fun(x):
        return both(jnp.asarray(x))[0]

    for mode in ("auto", "reverse"):
        found = derivatives.jacobian(fun, mode=mode, check=check)(X)
        assert close(found, 3 * np.eye(3))
    with pytest.raises(ValueError, match="got 'forward'"):
        derivatives.jacobian(fun, mode="forward", check=check)(X)


@pytest.mark.parametrize("check", ["proof", None])
def test_backward_rule_that_is_not_complex_linear_runs_in_reverse(check):
    rule = backward(lambda x, g: g * x + 2 * jnp.conj(g))
    z = jnp.array([1 + 2j, 3 - 1j])

    def fun(z):
        return rule(1j * z)

    truth = jax.jacrev(fun, holomorphic=True)(z)
    found = derivatives.jacobian(fun, holomorphic=True, check=check)(z)
    np.testing.assert_allclose(found, truth)
    with pytest.raises(ValueError, match="got 'forward'"):
        derivatives.jacobian(fun, mode="forward", holomorphic=True, check=check)(z)
    holomorphic = backward(lambda x, g: g * x)
    pushed = derivatives.jacobian(holomorphic, mode="forward", holomorphic=True)
    np.testing.assert_allclose(pushed(z), np.diag(z))


def test_option_check_is_checked():
    for derivative in (derivatives.jacobian, derivatives.jacobian_diagonal):
        with pytest.raises(ValueError, match="`check` must be one of 'proof', None"):
            derivative(jnp.sin, check="probe")


def test_structures_of_several_leaves_get_one_basis_vector_in_all():
    rule = forward(lambda _, t: t + 1)

    def fun(tree):
        return {"s": rule(tree["a"]) * tree["b"].sum(), "p": rule(tree["b"])}

    tree = {"a": jnp.array(X), "b": jnp.ones((2, 2))}
    found, truth = derivatives.jacobian(fun)(tree), jax.jacfwd(fun)(tree)
    assert jax.tree.structure(found) == jax.tree.structure(truth)
    pairs = zip(jax.tree.leaves(found), jax.tree.leaves(truth), strict=True)
    assert all(close(a, b) for a, b in pairs)
