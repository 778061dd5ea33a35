"""Collapsed Taylor mode, rule by rule, beside the trace of JAX's Hessian."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics.derivatives import laplacian
from jnumerics.derivatives._modes.collapsed.control import CONTROL
from jnumerics.derivatives._modes.collapsed.rules import RULES
from tests.derivatives._second import trace_of_hessian, twice_forward
from tests.derivatives.modes.collapsed._families import X
from tests.derivatives.modes.collapsed._loops import FAMILIES, WHILE


def close(actual, expected, rtol=1e-10, atol=1e-10):
    chex.assert_trees_all_close(actual, expected, rtol=rtol, atol=atol)


def named(functions):
    return lambda x: {name: f(x) for name, f in functions.items()}


def equations(jaxpr):
    for eqn in jaxpr.eqns:
        yield eqn
        for value in eqn.params.values():
            for item in value if isinstance(value, tuple | list) else [value]:
                inner = getattr(item, "jaxpr", item)
                if hasattr(inner, "eqns"):
                    yield from equations(inner)


def names_in(fun, x):
    jaxpr = jax.make_jaxpr(fun)(x).jaxpr
    return {eqn.primitive.name for eqn in equations(jaxpr)}


@pytest.mark.parametrize("family", FAMILIES)
def test_collapsed_laplacian_is_the_trace_of_the_hessian(family, x64):
    fun = named(FAMILIES[family])
    expected = jax.jit(functools.partial(trace_of_hessian, fun))(X)
    close(laplacian(fun, mode="collapsed")(X), expected)


def test_collapsed_laplacian_passes_while_loops(x64):
    fun = named(WHILE)
    expected = jax.jit(functools.partial(trace_of_hessian, fun, by=twice_forward))(X)
    close(laplacian(fun, mode="collapsed")(X), expected)
    close(laplacian(fun)(X), expected)


def test_every_rule_is_met_by_a_function_of_these_tests(x64):
    met = set().union(*(names_in(named(f), X) for f in (*FAMILIES.values(), WHILE)))
    unmet = {*RULES, *CONTROL} - met
    unmet_for = {
        "of several devices": {
            "all_gather", "all_gather_invariant", "all_to_all", "layout_constraint",
            "pbroadcast", "ppermute", "psum", "psum_invariant", "psum_scatter", "pvary",
            "reduce_scatter", "reshard", "sharding_constraint", "device_put",
        },
        "of special functions, by JAX's rules": {
            "bessel_i0e", "bessel_i1e", "igamma", "igamma_grad_a", "igammac",
            "polygamma", "regularized_incomplete_beta", "zeta",
        },
        "of other names, or of derivatives alone": {
            "copy", "copy_p", "expand_dims", "name", "optimization_barrier", "tile",
            "reduce_precision", "scatter-sub", "select_and_gather_add", "stack",
            "select_and_scatter_add", "unstack", "ragged_dot", "ragged_dot_general",
            "tridiagonal_solve", "cummin", "reduce_window_min", "is_finite", "add_any",
            "conj", "square", "one_minus_square", "log2",
        },
    }  # fmt: skip
    assert unmet <= set().union(*unmet_for.values())


SCALED = {
    "log of what is small": (jnp.log, 1e-25),
    "log of what is large": (jnp.log, 1e25),
    "log2 of what is large": (jnp.log2, 1e25),
    "sqrt": (jnp.sqrt, 1e-30),
    "rsqrt": (lax.rsqrt, 1e20),
    "cbrt": (jnp.cbrt, 1e-27),
    "a negative power": (lambda x: x**-2, 1e10),
    "a power of what is large": (lambda x: 1e-20 * x**1.5, 1e20),
    "div": (lambda x: 1.0 / x, 1e25),
    "exp": (lambda x: jnp.exp(-x * 1e-20), 1e20),
}


INNER = {
    "slopes that the compiler knows": lambda x: 2 * x,
    "others": lambda x: 1 + x**2,
}


@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize("name", SCALED)
def test_second_derivatives_out_of_range_do_no_harm(name, inner):
    """Squares of slopes and second derivatives overflow here, their products do not."""
    fun, scale = SCALED[name]
    scaled = lambda x: jnp.sum(fun(scale * INNER[inner](x)))
    lap = laplacian(scaled, mode="collapsed")(jnp.array([0.3, 0.7]))
    with jax.enable_x64(True):
        expected = trace_of_hessian(scaled, np.array([0.3, 0.7]))
    np.testing.assert_allclose(lap, expected, rtol=1e-4)


@pytest.mark.parametrize(("dtype", "slope"), [("float32", 1e25), ("float16", 600.0)])
def test_where_a_function_is_flat_a_steep_argument_does_no_harm(dtype, slope):
    fun = lambda x: jnp.sum(jnp.tanh(x * jnp.asarray(slope, dtype)))
    lap = laplacian(fun, mode="collapsed")(jnp.array([1.0, 2.0], dtype))
    assert (lap, lap.dtype) == (0.0, dtype)


def test_where_a_function_is_flat_the_derivative_is_zero_too():
    def lap(x, scale):
        return laplacian(lambda x: jnp.sum(jnp.tanh(scale * x)), mode="collapsed")(x)

    x, steep = jnp.array([1.0, 2.0]), jnp.float32(3e20)
    for slopes in (jax.grad(lap, argnums=(0, 1)), jax.jacfwd(lap, argnums=(0, 1))):
        by_x, by_scale = slopes(x, steep)
        np.testing.assert_array_equal(by_x, [0, 0])
        assert by_scale == 0


def test_a_laplacian_has_a_derivative_where_the_second_one_vanishes(x64):
    gradient = jax.grad(laplacian(lambda x: jnp.sum(jnp.sin(x)), mode="collapsed"))
    close(gradient(np.zeros(3)), -np.ones(3))


# rules of users


@jax.custom_jvp
def cubed(x):
    """Its rules are of other functions, to tell them apart."""
    return x**3


@jax.custom_jvp
def own(x):
    return 5 * x**2


cubed.defjvp(lambda primals, tangents: (cubed(*primals), own(*primals) * tangents[0]))
own.defjvp(lambda primals, tangents: (own(*primals), 7.0 * primals[0] * tangents[0]))


def test_rules_of_custom_jvp_are_kept_in_every_order(x64):
    fun = lambda x: jnp.sum(cubed(x**2))
    expected = trace_of_hessian(fun, X)
    for mode in ("nested", "collapsed"):
        close(laplacian(fun, mode=mode)(X), expected)
    looped = lambda x: lax.scan(lambda c, y: (cubed(c) * y, c), x[0], x)[0]
    close(laplacian(looped, mode="collapsed")(X), trace_of_hessian(looped, X))


@jax.custom_vjp
def backward(x):
    return jnp.sin(x)


@jax.custom_jvp
def crooked(x):
    return jnp.sin(x)


backward.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (jnp.cos(x) * g,))
crooked.defjvp(lambda p, t: (jnp.sin(*p), jnp.cos(p[0]) * t[0] + 0 * t[0] ** 2))


@pytest.mark.parametrize(
    ("rule", "reason"), [(backward, "custom_vjp"), (crooked, "not proven linear")]
)
def test_what_is_not_proven_goes_the_nested_way(rule, reason, x64):
    fun = lambda x: jnp.sum(rule(x) * x)
    vector = lambda x: rule(x) * x
    truth = np.sum(2 * np.cos(X) - X * np.sin(X))
    close(laplacian(fun)(X), truth)
    close(laplacian(fun, directions=np.eye(6))(X), truth)
    close(laplacian(vector)(X).sum(), truth)
    with pytest.raises(ValueError, match="got 'collapsed': ") as caught:
        laplacian(fun, mode="collapsed")(X)
    assert reason in str(caught.value)
    assert "test_collapsed.py:" in str(caught.value)


def test_vouching_serves_collapsed_mode(x64):
    fun = lambda x: jnp.sum(crooked(x) * x)
    lap = laplacian(fun, mode="collapsed", check=None)(X)
    close(lap, np.sum(2 * np.cos(X) - X * np.sin(X)))


def test_a_rule_that_makes_its_value_otherwise_goes_the_nested_way(x64):
    """JAX takes the derivative of that value too: zero, where the rule passes on."""
    through = jax.custom_jvp(lambda x: jnp.round(x))
    through.defjvp(lambda primals, tangents: (jnp.round(primals[0]), tangents[0]))
    fun = lambda x: jnp.sum(through(3 * x) * x**2)
    close(laplacian(fun)(X), trace_of_hessian(fun, X))
    with pytest.raises(ValueError, match=r"test_collapsed.*makes its value otherwise"):
        laplacian(fun, mode="collapsed")(X)


def test_rules_of_one_program_and_other_constants_are_told_apart(x64):
    def squared(weights, by=None):
        f = jax.custom_jvp(lambda x: weights * x**2)

        @f.defjvp
        def rule(primals, tangents):
            (x,), (t,) = primals, tangents
            return (by or f)(x), 2 * weights * x * t

        return f

    other = squared(jnp.arange(1.0, 7.0))
    own = squared(jnp.arange(2.0, 8.0), by=other)
    fun = lambda x: jnp.sum(own(x) ** 2)
    close(laplacian(fun)(X), trace_of_hessian(fun, X))
    with pytest.raises(ValueError, match="makes its value otherwise"):
        laplacian(fun, mode="collapsed")(X)
    fun = lambda x: jnp.sum(other(x) ** 2)
    close(laplacian(fun, mode="collapsed")(X), trace_of_hessian(fun, X))


def test_a_rule_that_reads_a_traced_value_goes_the_nested_way(x64):
    """Its function is traced and left before the rule is called for jets."""

    def fun(x, a):
        scaled = jax.custom_jvp(lambda y: y)
        scaled.defjvp(lambda primals, tangents: (scaled(*primals), a * tangents[0]))
        return jnp.sum(scaled(x) ** 2)

    for check in ("proof", None):
        close(laplacian(fun, check=check)(X, 3.0), 2 * 3.0**2 * X.size)
    with pytest.raises(ValueError, match="reads a traced value around it"):
        laplacian(fun, mode="collapsed", check=None)(X, 3.0)


def test_rules_inside_of_a_mapping_are_looked_at_too(x64):
    through = jax.custom_jvp(lambda x: jnp.round(x))
    through.defjvp(lambda primals, tangents: (jnp.round(primals[0]), tangents[0]))
    mesh = jax.make_mesh((1,), ("i",), axis_types=(jax.sharding.AxisType.Auto,))
    spec = jax.sharding.PartitionSpec("i")
    mapped = jax.shard_map(through, mesh=mesh, in_specs=spec, out_specs=spec)
    fun = lambda x: jnp.sum(mapped(3 * x) * x**2)
    close(laplacian(fun)(X), trace_of_hessian(fun, X))
    with pytest.raises(ValueError, match="not through custom_jvp_call"):
        laplacian(fun, mode="collapsed")(X)


# kinks


KINKS = {
    "abs": (lambda x: jnp.sum(jnp.abs(x) + x**2), 4),
    "relu": (lambda x: jnp.sum(jax.nn.relu(x) + x**2), 4),
    "a tie of two": (lambda x: jnp.maximum(x[0], x[1]) ** 2 + x[0] ** 2, 3),
    "the largest": (lambda x: jnp.max(x) ** 2, 1),
    "a selection of what is finite": (
        lambda x: jnp.sum(jnp.where(x > 0, jnp.sqrt(x), x**2)),
        4,
    ),
}


@pytest.mark.parametrize("name", KINKS)
def test_kinks_have_the_derivatives_of_the_rules(name):
    fun, expected = KINKS[name]
    lap = laplacian(fun, mode="collapsed")(jnp.zeros(2))
    np.testing.assert_allclose(lap, expected)


def test_the_largest_of_normalized_values_keeps_its_derivative():
    def fun(x):
        return jnp.max(x / jnp.sqrt(jnp.sum(x**2))) ** 2

    x = jax.random.normal(jax.random.key(0), (33,)) ** 2
    with jax.enable_x64(True):
        expected = trace_of_hessian(fun, np.float64(x))
    lap = laplacian(fun, mode="collapsed")(x)
    np.testing.assert_allclose(lap, expected, rtol=1e-3)


# products


def test_products_merge_directions_into_rows():
    """One product of a matrix for all directions, and no transpose of what is large."""
    weights = jnp.ones((20, 30), jnp.float32)
    fun = lambda x: jnp.sum(jnp.tanh(jnp.tanh(x @ weights) @ weights.T))
    jaxpr = jax.make_jaxpr(laplacian(fun, mode="collapsed"))(jnp.ones(20))
    names = [eqn.primitive.name for eqn in equations(jaxpr.jaxpr)]
    assert names.count("transpose") <= 1  # of the weights
    assert names.count("dot_general") <= 6
