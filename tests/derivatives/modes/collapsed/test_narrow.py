"""Two sweeps around a narrow place, beside the trace of JAX's Hessian."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics.derivatives import laplacian, plan, value_grad_and_laplacian
from jnumerics.derivatives._modes.collapsed.jet import Factored
from tests.derivatives._second import trace_of_hessian, twice_forward
from tests.derivatives.modes.collapsed._loops import FAMILIES, WHILE
from tests.derivatives.modes.collapsed._place import INTO, OUT, Y, close, scalar

random = np.random.default_rng(1)


def tube(x):
    """Be narrow at one value."""
    return scalar(jnp.sin(INTO.astype(x.dtype) @ x))


@pytest.mark.parametrize("family", [*FAMILIES, "while"])
def test_every_rule_passes_behind_a_narrow_place(family, x64):
    functions = WHILE if family == "while" else FAMILIES[family]

    def fun(x):
        h = INTO @ x
        return {name: f(h) for name, f in functions.items()}

    by = twice_forward if family == "while" else jax.hessian
    expected = jax.jit(functools.partial(trace_of_hessian, fun, by=by))(Y)
    lap = laplacian(fun, mode="narrow")(Y)
    rounded = [trees.pop("conversion", 0.0) for trees in (lap, expected)]  # float32
    close(*rounded, rtol=1e-6)
    close(lap, expected)


def envelope(x):
    """Cross with the network's first layer and the product of a second path."""
    return tube(x) * jnp.prod(1 - x / 9)


def chosen_by_comparison(x):
    """Let a path without derivatives go around the place."""
    h = INTO @ x
    return scalar(jnp.where(x[:6] > 0.5, h, h**2)) + scalar(h[jnp.argsort(x[:6])])


def stopped(x):
    return scalar(INTO @ x * lax.stop_gradient(jnp.exp(x[:6])))


def carried(x):
    step = lambda h, w: (jnp.tanh(h * jnp.sum(w * h)), jnp.sum(h))
    h, sums = lax.scan(step, INTO @ x, OUT.T[:20])
    return jnp.sum(h**2) + jnp.prod(sums)


def chained(x):
    """Feed one number of the place from another."""
    h = INTO @ x
    return scalar(h) + scalar(h * jnp.sum(x**2))


def many(x):
    return {"a": jnp.sin(jnp.tanh(INTO @ x) @ OUT), "b": (INTO[0] @ x) ** 3, "c": 1.0}


def ranked(x):
    """Make numbers of the place beside integers that are read behind it."""
    values, which = lax.top_k(jnp.tanh(INTO @ x), 3)
    return scalar(
        jnp.concatenate([values, values**2]) * jnp.sum(jnp.asarray(OUT)[which])
    )


def counted(x):
    step = lambda c, xi: (
        (c[0] + jnp.sin(xi * INTO[:, 0]), c[1] + jnp.int32(xi > 0.5)),
        None,
    )
    (h, above), _ = lax.scan(step, (jnp.zeros(6), jnp.int32(0)), x)
    return scalar(h * above.astype(float) / 9)


FUNCTIONS = [
    tube,
    envelope,
    chosen_by_comparison,
    stopped,
    carried,
    chained,
    many,
    ranked,
    counted,
]


@pytest.mark.parametrize("fun", FUNCTIONS, ids=lambda f: f.__name__)
def test_what_goes_around_a_place_is_in_it(fun, x64):
    expected = trace_of_hessian(fun, Y)
    close(laplacian(fun, mode="narrow")(Y), expected)
    if fun is not many:
        actual = value_grad_and_laplacian(fun, mode="narrow")(Y)
        close(tuple(actual), (fun(Y), jax.grad(fun)(Y), expected))


def test_along_directions(x64):
    stack = random.normal(size=(20, 40))
    hessian = jax.jit(jax.hessian(tube))(Y)
    expected = jnp.einsum("ki,ij,kj", stack, hessian, stack)
    close(laplacian(tube, directions=stack, mode="narrow")(Y), expected)


def test_colored_directions_reach_the_place(x64):
    def fun(x):  # 40 inputs of which no two meet before, all behind
        return scalar(jnp.stack([jnp.sum(part**2) for part in jnp.split(x, 5)] * 2)[:6])

    close(laplacian(fun, mode="narrow")(Y), trace_of_hessian(fun, Y))


def test_pytrees_meet_in_a_place(x64):
    def fun(params, scale):
        h = INTO[:, :10] @ params["a"] + INTO[:, 10:] @ params["b"].ravel() * scale
        return scalar(h)

    params = {"a": Y[:10], "b": Y[10:].reshape(5, 6)}
    lap = laplacian(fun, argnums=(0, 1), mode="narrow")(params, 0.7)
    flat = lambda v: fun({"a": v[:10], "b": v[10:40].reshape(5, 6)}, v[40])
    close(lap, trace_of_hessian(flat, np.append(Y, 0.7)))


def test_numbers_that_move_together_have_derivatives(x64):
    """Six numbers of a place that move along one line: no root of J'J has any."""
    line = np.outer(np.arange(1.0, 7.0), np.ones(40)) / 40

    def fun(x, scale):
        return scalar(jnp.sin(line @ x * scale))

    lap = jax.jit(laplacian(fun, mode="narrow"))
    expected = lambda x, scale: trace_of_hessian(lambda x: fun(x, scale), x)
    close(lap(Y, 0.9), expected(Y, 0.9))
    for derivative in (jax.grad, jax.jacfwd):
        both = [jax.jit(derivative(f, argnums=(0, 1))) for f in (lap, expected)]
        close(*[f(Y, 0.9) for f in both])


def deep(x, into, scale=1.0):
    """Make many numbers behind a place whose derivatives are the same everywhere."""
    h = into @ x
    for turn in range(2):
        h = h + jnp.sin(h * scale @ OUT) @ OUT.T / (3 + turn)
    return jnp.sum(h**2) * jnp.prod(jnp.cos(h))


@pytest.mark.slow
def test_a_factor_serves_all_points_and_has_every_derivative(x64, monkeypatch):
    """A place of rank 2, also where only a factor without derivatives would do."""
    used = []
    factor = Factored.from_rows.__func__
    spied = classmethod(lambda cls, rows: used.append(rows.shape) or factor(cls, rows))
    monkeypatch.setattr(Factored, "from_rows", spied)
    into = np.outer(np.arange(6.0) - 2, INTO[0]) + np.outer(np.ones(6), INTO[1])
    derivative = jax.jit(laplacian(deep, mode="narrow"))
    along_x = lambda *args: lambda x: deep(x, *args)
    expected = jax.jit(lambda x, *args: trace_of_hessian(along_x(*args), x))
    args = (Y, into, 0.7)
    close(derivative(*args), expected(*args))
    assert used == [(40, 6)]
    for along in (jax.grad, jax.jacfwd):
        both = [jax.jit(along(f, argnums=(0, 1, 2))) for f in (derivative, expected)]
        close(*[f(*args) for f in both])
    bent = lambda f: jax.jit(jax.hessian(lambda t: f(Y, into * t, t)))(0.7)
    close(bent(derivative), bent(expected))
    X = random.uniform(0.2, 0.8, size=(3, 40))
    mapped = jax.vmap(derivative, (0, None, None))(X, into, 0.7)
    close(mapped, jnp.stack([expected(x, into, 0.7) for x in X]))


@pytest.mark.slow
def test_it_is_mapped_and_nested(x64):
    X = random.uniform(0.2, 0.8, size=(3, 40))
    laps = jax.jit(jax.vmap(laplacian(tube, mode="narrow")))(X)
    close(laps, jax.vmap(lambda x: trace_of_hessian(tube, x))(X))
    twice = laplacian(laplacian(tube, mode="narrow"), mode="nested")(Y[:40])
    close(twice, trace_of_hessian(lambda x: trace_of_hessian(tube, x), Y))


def test_in_bounded_memory_the_first_sweep_goes_in_chunks(x64):
    before, behind = random.normal(size=(300, 8)) / 9, random.normal(size=(8, 200))

    def fun(x):
        return jnp.sum(jnp.tanh(jnp.tanh(jnp.tanh(x) @ before) @ behind @ behind.T))

    x = random.uniform(0.2, 0.8, size=300)
    with pytest.raises(ValueError, match=r"`max_bytes` must be at least") as refusal:
        laplacian(fun, mode="narrow", max_bytes=1)(x)
    least = int(str(refusal.value).split("at least ")[1].split()[0])
    lap = laplacian(fun, mode="narrow", max_bytes=2 * least)(x)
    close(lap, laplacian(fun, mode="collapsed")(x))


@jax.custom_vjp
def doubled(x):
    return 2 * x


doubled.defvjp(lambda x: (2 * x, None), lambda _, g: (2 * g,))


def test_what_stands_still_in_a_loop_that_moves_is_no_obstacle(x64):
    """The jets know that the clock stands still; its rule is not asked for."""

    def fun(x):
        step = lambda c, _: ((jnp.sin(c[0]), c[1] + 1.0), None)
        (h, clock), _ = lax.scan(step, (INTO @ x, 0.0), None, length=3)
        return scalar(h * doubled(clock))

    close(laplacian(fun)(Y), trace_of_hessian(fun, Y))


def test_the_plan_names_the_place():
    chosen = plan(tube, Y.astype(np.float32), target="laplacian")
    (narrow,) = (c for c in chosen.candidates if c.mode == "narrow")
    assert narrow.passes == 40 + 6
    assert "6 wide at" in narrow.note
    assert "test_narrow.py" in narrow.note


def test_a_function_without_a_narrow_place_is_refused():
    weights = random.normal(size=(40, 64)).astype(np.float32)
    fun = lambda x: jnp.sum(jnp.tanh(x @ weights))
    message = r"`mode` must be one that serves `fun`, got 'narrow': no place is narrow"
    with pytest.raises(ValueError, match=message):
        laplacian(fun, mode="narrow")(jnp.ones(40))


def test_a_program_with_effects_is_refused():
    def fun(x):
        jax.debug.print("{}", x[0])
        return tube(x)

    with pytest.raises(ValueError, match=r"got 'narrow': debug_\w+ at .* has an effe"):
        laplacian(fun, mode="narrow")(Y.astype(np.float32))


@pytest.mark.slow
def test_random_graphs_lose_no_path(x64):
    """Values that read two others each: whatever is cut, nothing goes around it."""
    for seed in range(4):
        draw = np.random.default_rng(seed)
        reads = draw.integers(0, np.arange(2, 14)[:, None], size=(12, 2))
        weights = draw.normal(size=(12, 3, 3)) / 2

        def fun(x, reads=reads, weights=weights):
            values = [INTO[:3] @ x, jnp.sum(x**2) * jnp.ones(3)]
            for (a, b), w in zip(reads, weights, strict=True):
                values.append(jnp.sin(w @ values[a]) * values[b])
            return jnp.sum(values[-1]) + jnp.sum(values[-2] ** 2)

        close(laplacian(fun, mode="narrow")(Y), trace_of_hessian(fun, Y))
