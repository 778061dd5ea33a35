import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics.derivatives._program.jaxpr import narrow_dtypes
from jnumerics.derivatives._verify import evidence
from jnumerics.derivatives._verify.check import check_derivatives
from jnumerics.derivatives._verify.flat import Leaf, largest, layout, make
from jnumerics.derivatives._verify.taylor import Precision, measure
from tests import scenarios

X = np.array([0.3, -1.2, 0.7, 2.1, -0.4, 1.5], np.float32)
W = np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32)


def with_jvp(factor, fun=jnp.sin, slope=jnp.cos):
    """A function with a forward rule that is off by a factor."""

    @jax.custom_jvp
    def ruled(x):
        return fun(x)

    @ruled.defjvp
    def _(primals, tangents):
        return fun(*primals), jnp.asarray(factor, primals[0].dtype) * (
            slope(*primals) * tangents[0]
        )

    return ruled


def with_vjp(factor, fun=jnp.sin, slope=jnp.cos):
    """The same with a reverse rule."""

    @jax.custom_vjp
    def ruled(x):
        return fun(x)

    def backward(x, g):
        return (jnp.asarray(factor, x.dtype) * (slope(x) * g),)

    ruled.defvjp(lambda x: (fun(x), x), backward)
    return ruled


def keeps_float32(fun):
    return lambda x: fun(x.astype(jnp.float32)).astype(x.dtype)


def network(activation):
    def apply(x):
        w = jnp.asarray(W, x.dtype)
        return jnp.tanh(activation(w @ x) @ w) * 2

    return apply


RULES = {"jvp": with_jvp, "vjp": with_vjp}


def at_most(figure, limit):
    """Whether a figure was served and is small."""
    return figure is not None and figure <= limit


RIGHT = scenarios.params(without="stopped", every=12)


@pytest.mark.parametrize("scenario", RIGHT)
def test_right_scenario_passes_in_its_first_dtype(scenario, key):
    args = scenario.make_args(key, scenario.dtypes[0])
    check = check_derivatives(scenario.fun, *args, argnums=scenario.argnums)
    assert check.passed, str(check)
    assert check.kink == 0


@pytest.mark.product
@pytest.mark.parametrize("scenario", RIGHT)
def test_right_scenario_passes_in_its_other_dtypes(scenario, key):
    for dtype in scenario.dtypes[1:]:
        with jax.enable_x64(dtype in ("float64", "complex128")):
            args = scenario.make_args(key, dtype)
            check = check_derivatives(scenario.fun, *args, argnums=scenario.argnums)
        assert check.passed, str(check)


@pytest.mark.parametrize("name", ["star", "dict_to_tuple", "fourier", "custom_vjp"])
def test_right_scenario_passes_in_double_precision(name, key, x64):
    scenario = scenarios.by_name(name)
    dtype = "complex128" if "complex" in scenario.tags else "float64"
    args = scenario.make_args(key, dtype)
    check = check_derivatives(scenario.fun, *args, argnums=scenario.argnums)
    assert check.passed
    assert check.precision is None
    assert check.dtype == "float64"


def test_right_scenario_passes_in_bfloat16(key):
    scenario = scenarios.by_name("softmax")
    check = check_derivatives(scenario.fun, *scenario.make_args(key, "bfloat16"))
    assert check.passed
    assert not at_most(check.precision, 1e-4)


@pytest.mark.parametrize("scenario", scenarios.params("stopped"))
def test_part_hidden_by_stop_gradient_is_found(scenario, key):
    check = check_derivatives(scenario.fun, *scenario.make_args(key, "float32"))
    assert not check.passed
    assert "stop_gradient" in check.reason


@pytest.mark.parametrize(
    ("rule", "dtype"),
    [
        ("jvp", "float32"),
        ("vjp", "float32"),
        ("jvp", "float64"),
        ("vjp", "bfloat16"),
        ("vjp", "complex64"),
    ],
)
def test_rule_wrong_by_one_percent_is_found(rule, dtype):
    with jax.enable_x64(dtype == "float64"):
        check = check_derivatives(RULES[rule](1.01), jnp.asarray(X, dtype))
    assert not check.passed
    assert check.error == pytest.approx(0.01 / 1.01, rel=1e-3)
    assert check.order == pytest.approx(1, abs=0.01)
    assert "rule is wrong" in check.reason


@pytest.mark.parametrize("rule", RULES)
def test_rule_wrong_by_one_percent_inside_a_network_is_found(rule):
    assert check_derivatives(network(jnp.sin), X).passed
    assert not check_derivatives(network(RULES[rule](1.01)), X).passed


@pytest.mark.parametrize("rule", RULES)
def test_rule_wrong_by_one_percent_is_found_in_a_function_that_keeps_float32(rule):
    check = check_derivatives(keeps_float32(RULES[rule](1.01)), X)
    assert not check.passed
    assert check.dtype == "float32"


def test_wrong_rule_in_a_scalar_loss_is_found():
    check = check_derivatives(lambda x: jnp.mean(with_jvp(1.01)(x)), jnp.asarray(X))
    assert not check.passed
    assert "most at index ()" in check.reason


def test_function_that_keeps_float32_passes_and_says_so():
    check = check_derivatives(keeps_float32(network(jnp.sin)), X)
    assert check.passed
    assert check.dtype == "float32"
    assert check.precision is None
    assert "keeps float32 inside" in str(check)


def test_function_that_keeps_float32_says_so_in_double_precision(x64):
    check = check_derivatives(keeps_float32(jnp.sin), jnp.asarray(X, "float64"))
    assert check.passed
    assert "keeps float32 inside" in " ".join(str(check).split())


def test_function_that_cannot_run_in_float64_is_checked_in_float32():
    kernel = jnp.asarray(W[:2, :2, None, None])

    def correlated(x):  # lax promotes nothing
        images = jnp.sin(x).reshape(1, 2, 3, 1)
        return lax.conv_general_dilated(
            images, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    check = check_derivatives(correlated, X)
    assert check.passed
    assert "cannot run in float64" in " ".join(str(check).split())


def test_function_with_other_values_in_float64_is_checked_in_float32():
    def noisy(x):
        return jnp.sin(x) * jax.random.normal(jax.random.key(0), x.shape)

    check = check_derivatives(noisy, X)
    assert check.passed
    assert "other values in float64" in " ".join(str(check).split())


def test_constants_in_float32_do_not_keep_a_function_from_float64():
    w = jnp.asarray(W)
    with jax.numpy_dtype_promotion("standard"):
        check = check_derivatives(lambda x: jnp.sin(w @ x), X)
    assert check.passed
    assert check.dtype == "float64"


@pytest.mark.parametrize(
    "estimator",
    [
        with_jvp(1.0, jnp.round, jnp.ones_like),
        with_vjp(1.0, jnp.round, jnp.ones_like),
        lambda x: x + lax.stop_gradient(jnp.round(x) - x),
        keeps_float32(lambda x: x + lax.stop_gradient(jnp.floor(x) - x)),
    ],
    ids=["jvp", "vjp", "stop_gradient", "in float32"],
)
def test_straight_through_estimator_is_found(estimator):
    check = check_derivatives(estimator, X)
    assert not check.passed
    assert not at_most(check.error, 0.5)


@pytest.mark.parametrize("rule", RULES)
def test_missing_factor_is_found(rule):
    square = RULES[rule](0.5, lambda x: x * x, lambda x: 2 * x)
    check = check_derivatives(square, X)
    assert not check.passed
    assert check.error == pytest.approx(0.5, rel=1e-3)


def test_missing_term_is_found():
    softmax = with_jvp(1.0, jax.nn.softmax, jax.nn.softmax)
    assert not check_derivatives(softmax, X).passed


def test_wrong_transpose_is_found_where_forward_mode_is_right():
    def doubled(x):
        return jax.custom_derivatives.linear_call(
            lambda _, y: 2.0 * y, lambda _, g: 2.02 * g, (), jnp.sin(x)
        )

    check = check_derivatives(doubled, X)
    assert not check.passed
    assert at_most(check.error, 1e-5)
    assert check.adjoint == pytest.approx(0.005, rel=0.3)
    assert check.forward_reverse == pytest.approx(0.01, rel=1e-3)


def test_rule_wrong_in_float32_only_is_found():
    @jax.custom_jvp
    def ruled(x):
        return jnp.sin(x)

    @ruled.defjvp
    def _(primals, tangents):
        factor = 1.02 if primals[0].dtype == jnp.float32 else 1.0
        return jnp.sin(*primals), factor * (jnp.cos(*primals) * tangents[0])

    check = check_derivatives(ruled, X)
    assert not check.passed
    assert check.precision == pytest.approx(0.02, rel=1e-3)
    assert check.reason.startswith("float32 against float64")


def test_wrong_element_among_outputs_of_other_sizes_is_found():
    def scaled(x, fun):
        return jnp.concatenate([1e12 * x[:3] ** 2, 1e-12 * fun(x[3:])])

    assert check_derivatives(lambda x: scaled(x, jnp.sin), X).passed
    check = check_derivatives(lambda x: scaled(x, with_jvp(1.01)), X)
    assert not check.passed
    assert (
        "index (3,)" in check.reason
        or "index (4,)" in check.reason
        or ("index (5,)" in check.reason)
    )


@pytest.mark.parametrize("size", [1e-8, 1e12])
def test_inputs_of_any_size_are_decided(size):
    x = X * np.float32(size)
    assert check_derivatives(lambda x: jnp.exp(x / size), x).passed
    wrong = with_jvp(1.01, jnp.exp, jnp.exp)
    assert not check_derivatives(lambda x: wrong(x / size), x).passed


def test_input_that_is_large_against_the_functions_waves_is_decided():
    x = X * np.float32(1e6)
    assert check_derivatives(jnp.sin, x).passed
    assert not check_derivatives(with_jvp(1.01), x).passed


KINKS = {
    "relu": (jax.nn.relu, np.zeros(4)),
    "abs": (jnp.abs, np.array([0.0, 1.0, 2.0])),
    "all of abs": (jnp.abs, np.zeros(3)),
    "sort": (jnp.sort, np.array([1.0, 1.0, 2.0])),
    "top_k": (lambda x: lax.top_k(x, 2)[0], np.ones(3)),
    "maximum": (jnp.max, np.array([1.0, 2.0, 2.0])),
    "clip": (lambda x: jnp.clip(x, -1.0, 1.0), np.array([-1.0, 0.3, 1.0])),
    "network": (network(jax.nn.relu), np.zeros(6)),
    "difference": (lambda x: jax.nn.relu(x[0]) - jax.nn.relu(x[1]), np.zeros(2)),
    "float32 inside": (keeps_float32(jax.nn.relu), np.zeros(4)),
    "reverse only": (with_vjp(1.0, jnp.abs, jnp.sign), np.zeros(4)),
}


@pytest.mark.parametrize("name", KINKS)
def test_kink_at_the_point_is_reported_and_is_no_wrong_rule(name):
    fun, x = KINKS[name]
    check = check_derivatives(fun, x.astype(np.float32))
    assert check.passed, str(check)
    assert check.kink > 0.01
    assert "one-sided slopes differ" in " ".join(str(check).split())


def test_kink_of_abs_has_the_size_of_two_slopes():
    check = check_derivatives(jnp.abs, np.zeros(1, np.float32))
    assert check.kink == pytest.approx(2, rel=1e-6)


@pytest.mark.parametrize("x", [1e-6, -1e-3, 1.0])
def test_kink_beside_the_point_is_not_reported(x):
    check = check_derivatives(jax.nn.relu, np.array([x, 1.0], np.float32))
    assert check.passed
    assert check.kink == 0


def test_kink_near_the_point_is_no_wrong_rule_in_float32_either():
    x = np.array([1e-2, 1.0, -1e-3], np.float32)
    assert check_derivatives(keeps_float32(jax.nn.relu), x).passed


@pytest.mark.parametrize("rule", RULES)
def test_rule_wrong_beside_a_kink_is_found_at_the_kink(rule):
    ruled = RULES[rule](1.01, jnp.abs, jnp.sign)
    check = check_derivatives(ruled, np.zeros(4, np.float32))
    assert not check.passed
    assert check.kink > 0
    assert "beside the kink" in check.reason


def test_slope_outside_the_one_sided_slopes_is_found_at_a_kink():
    steep = with_jvp(5.0, jax.nn.relu, lambda x: jnp.where(x >= 0, 1.0, 0.0))
    assert not check_derivatives(steep, np.zeros(3, np.float32)).passed


@pytest.mark.parametrize(
    "fun",
    [
        lambda x: x**3,
        lambda x: x * x,
        jnp.prod,
        lambda x: jnp.abs(x) ** 1.5,
        lambda x: jax.nn.relu(x) ** 2,
    ],
)
def test_vanishing_slope_is_no_wrong_rule(fun):
    check = check_derivatives(fun, np.zeros(4, np.float32))
    assert check.passed
    assert check.kink == 0


@pytest.mark.parametrize(
    ("fun", "reason"),
    [
        (jnp.sign, "jumps"),
        (lambda x: x + jnp.where(x == 0, 0.0, 1.0), "jumps"),
        (lambda x: jnp.where(x > 0, jnp.sqrt(x), 0.0), "vertical slope"),
        (jnp.linalg.norm, "derivative is not finite"),
        (lambda x: jnp.log(x - 1), "`fun` is not finite"),
        (lambda x: x / x, "`fun` is not finite"),
    ],
)
def test_what_has_no_derivative_is_not_decidable(fun, reason):
    check = check_derivatives(fun, np.zeros(3, np.float32))
    assert not check.passed
    assert reason in check.reason


def test_reverse_mode_that_is_not_finite_is_found_where_forward_mode_is():
    check = check_derivatives(
        lambda x: jnp.where(x > 0, jnp.sqrt(x), 0.0), np.zeros(2, np.float32)
    )
    assert check.modes == ("forward",)
    assert "reverse mode: gives numbers that are not finite" in check.reason


def test_change_below_round_off_is_not_decidable():
    check = check_derivatives(lambda x: x + 1e10, X)
    assert not check.passed
    assert "does not stand out of its round-off" in check.reason


def test_point_at_the_border_of_the_domain_is_decided_from_inside():
    def power(x):
        return x**2.5

    x = np.array([0.0, 1.0], np.float32)
    assert check_derivatives(power, x).passed


def test_infinite_scores_stay_where_they_are():
    x = np.array([0.3, -np.inf, 1.0], np.float32)
    assert check_derivatives(jax.nn.softmax, x).passed


def test_function_served_by_forward_mode_only_is_checked_in_it(key):
    scenario = scenarios.by_name("newton_while")
    check = check_derivatives(scenario.fun, *scenario.make_args(key, "float32"))
    assert check.passed
    assert check.modes == ("forward",)
    assert check.adjoint is None
    assert check.forward_reverse is None
    assert "Reverse-mode differentiation does not work" in " ".join(str(check).split())


def test_function_served_by_reverse_mode_only_is_checked_in_it():
    check = check_derivatives(with_vjp(1.0), X)
    assert check.passed
    assert check.modes == ("reverse",)
    assert check.order == pytest.approx(2, abs=0.05)
    assert "can't apply forward-mode" in " ".join(str(check).split())


def test_function_that_no_mode_serves_raises_what_jax_says():
    def called_back(x):
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    with pytest.raises(ValueError, match="callbacks do not support"):
        check_derivatives(called_back, X)


def test_order_is_two_where_the_function_bends_and_infinite_where_it_is_linear():
    assert check_derivatives(jnp.sin, X).order == pytest.approx(2, abs=0.01)
    assert check_derivatives(lambda x: 3 * x, X).order == np.inf


def test_all_figures_of_a_right_derivative_are_round_off():
    check = check_derivatives(network(jnp.sin), X)
    assert at_most(check.error, 1e-6)
    assert at_most(check.adjoint, 1e-13)
    assert at_most(check.forward_reverse, 1e-13)
    assert at_most(check.precision, 1e-5)
    assert check.modes == ("forward", "reverse")


def test_arguments_are_chosen_by_argnums():
    def fun(n, x, p, name):
        assert name == "wave"
        return {"a": jnp.sin(x) * n, "b": with_jvp(1.01)(p["w"])}

    args = (2, X, {"w": X[:2]}, "wave")
    with jax.numpy_dtype_promotion("standard"):
        assert check_derivatives(fun, *args, argnums=1).passed
        check = check_derivatives(fun, *args, argnums=(1, -2))
    assert not check.passed
    assert "output 1, index" in check.reason


def test_integer_arguments_beside_are_passed_on():
    labels = np.array([2, 0], np.int32)

    def picked(x, labels):
        return x.reshape(2, 3)[jnp.arange(2), labels] ** 2

    assert check_derivatives(picked, X, labels).passed


@pytest.mark.parametrize("x", [0.3, np.float64(0.3), np.matrix([[0.3, 1.0]])])
def test_numbers_and_matrices_are_arrays(x):
    assert check_derivatives(lambda x: jnp.sin(x) * jnp.ones((2, 1), x.dtype), x).passed


@pytest.mark.parametrize(
    ("fun", "x"),
    [
        (jnp.sin, np.zeros((0, 3), np.float32)),
        (lambda x: x[:0], X),
        (lambda _: jnp.ones(2), {}),
    ],
    ids=["no input", "no output", "no leaves"],
)
def test_empty_arrays_pass(fun, x):
    check = check_derivatives(fun, x)
    assert check.passed
    assert "nothing to check" in str(check)


@pytest.mark.parametrize(
    "fun",
    [
        lambda z: z * jnp.exp(z),
        lambda z: jnp.abs(z) ** 2,
        lambda z: jnp.conj(z) * z,
        lambda z: jnp.real(z) * jnp.imag(z),
    ],
)
def test_complex_functions_pass_whether_holomorphic_or_not(fun):
    assert check_derivatives(fun, np.array([1 + 2j, 0.3j], np.complex64)).passed


def test_complex_result_of_real_numbers_passes():
    assert check_derivatives(lambda x: jnp.exp(lax.complex(0 * x, x)), X).passed


def test_conjugated_rule_is_found():
    conjugated = with_jvp(1.0, jnp.exp, lambda z: jnp.conj(jnp.exp(z)))
    assert not check_derivatives(conjugated, np.array([1 + 2j], np.complex64)).passed


def test_check_is_deterministic_and_follows_its_key():
    first, again = (check_derivatives(jnp.tanh, X) for _ in range(2))
    other = check_derivatives(jnp.tanh, X, key=jax.random.key(7))
    assert first == again
    assert other.passed
    assert other.order != first.order


def test_global_precision_is_left_alone():
    check_derivatives(jnp.sin, X)
    assert jnp.asarray(X).sum().dtype == jnp.float32
    assert jnp.ones(2).dtype == jnp.float32


def test_check_prints_within_100_columns_and_says_what_failed():
    text = str(check_derivatives(with_vjp(1.01), X))
    assert max(map(len, text.splitlines())) <= 100
    assert "FAILED" in text
    assert "NOT PASSED: Taylor, reverse mode" in text
    assert "derivatives passed" in str(check_derivatives(jnp.sin, X))


def test_check_shows_as_a_table_in_a_notebook():
    html = check_derivatives(jnp.sin, X)._repr_html_()  # pyright: ignore[reportPrivateUsage]
    assert html.count("<table>") == 2
    assert "adjoint identity" in html
    assert "&lt;v, J u&gt;" in html


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("result", "got"),
    [(None, "none"), ((), "none"), ("text", "str"), (jnp.arange(3), "int32")],
)
def test_function_that_returns_no_numbers_is_refused(result, got):
    with pytest.raises(TypeError, match=got):
        check_derivatives(lambda _: result, X)


@pytest.mark.boundary
@pytest.mark.parametrize("x", [np.arange(3), 2, True, "text", [1, 2]])
def test_argument_that_has_no_derivative_is_refused(x):
    with pytest.raises(TypeError, match=r"args\[0\]"):
        check_derivatives(jnp.sin, x)


@pytest.mark.boundary
def test_what_is_no_function_is_refused():
    with pytest.raises(TypeError, match="`fun` must be a function"):
        check_derivatives(X, X)  # pyright: ignore[reportArgumentType]


@pytest.mark.boundary
@pytest.mark.parametrize(
    "argnums", ["0", 0.0, True, (), None, [0, 1], np.array([0, 1]), np.array([0])]
)
def test_argnums_that_are_no_integers_are_refused(argnums):
    with pytest.raises(TypeError, match="`argnums` must be an int or a tuple"):
        check_derivatives(jnp.sin, X, argnums=argnums)


@pytest.mark.boundary
@pytest.mark.parametrize("argnums", [1, -2, (0, 0), (0, -1)])
def test_argnums_that_name_no_argument_or_one_twice_are_refused(argnums):
    with pytest.raises(ValueError, match="`argnums` must be"):
        check_derivatives(jnp.sin, X, argnums=argnums)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("error", "wrong"),
    [
        (TypeError, 3),
        (TypeError, 0.5),
        (TypeError, "key"),
        (TypeError, jnp.ones(2)),
        (ValueError, np.zeros(3, np.uint32)),
        (ValueError, jax.random.split(jax.random.key(0))),
    ],
)
def test_what_is_no_random_key_is_refused(error, wrong):
    with pytest.raises(error, match="`key` must be"):
        check_derivatives(jnp.sin, X, key=wrong)


@pytest.mark.parametrize("old", [np.zeros(2, np.uint32), jax.random.PRNGKey(0)])
def test_keys_of_two_numbers_are_keys(old):
    assert check_derivatives(jnp.sin, X, key=old).passed


def test_check_is_pickled_and_shown_in_one_line():
    check = check_derivatives(jnp.sin, X)
    assert repr(check) == "<DerivativeCheck: passed>"
    assert pickle.loads(pickle.dumps(check)) == check


def test_check_that_is_not_passed_says_by_what_in_one_line():
    wrong = jax.custom_jvp(jnp.sin)
    wrong.defjvps(lambda t, _ans, _x: 1.1 * t)
    assert repr(check_derivatives(wrong, X)).startswith(
        "<DerivativeCheck: NOT PASSED, Taylor remainder"
    )


@pytest.mark.boundary
def test_values_hidden_by_a_transformation_are_refused():
    with pytest.raises(TypeError, match="outside jit, vmap and grad"):
        jax.jit(lambda x: jnp.asarray(check_derivatives(jnp.sin, x).passed))(X)


def remainders(f, derivative, u=1.0):
    """Along one number, in NumPy."""
    return measure(
        lambda x: np.stack([f(x[0])]),
        lambda u: np.stack([derivative * u[0]]),
        np.array([0.5]),
        np.array([u]),
        [Leaf(0, (1,), np.dtype("float64"))],
        Precision.from_eps(2.0**-52),
        lambda x: x,
    )


def test_remainders_of_a_right_and_of_a_wrong_derivative():
    leaves = [Leaf(0, (1,), np.dtype("float64"))]
    right = remainders(np.exp, np.exp(0.5))
    wrong = remainders(np.exp, 1.001 * np.exp(0.5))
    assert right.order(leaves) == pytest.approx(2, abs=0.01)
    assert wrong.order(leaves) == pytest.approx(1, abs=0.01)
    assert right.errors[0] < 1e-9
    assert wrong.errors[0] == pytest.approx(1e-3, rel=0.01)
    assert not right.is_wrong[0]
    assert wrong.is_wrong[0]


def test_remainders_of_a_jump_and_of_a_vertical_slope_grow():
    with np.errstate(all="ignore"):
        assert remainders(lambda x: np.sign(x - 0.5), 0.0).grows[0]
        assert remainders(lambda x: np.sqrt(np.abs(x - 0.5)), 0.0).grows[0]
        assert not remainders(lambda x: np.abs(x - 0.5), 0.0).grows[0]
        assert not remainders(np.sin, 2.0).grows[0]


def test_both_parts_of_a_complex_number_have_its_magnitude():
    numbers = np.array([3, 1, 4, 0.0])  # 3 + 4i and 1
    (leaf,) = layout([np.ones(2, complex)])
    np.testing.assert_array_equal(leaf.magnitudes(numbers), [5, 1, 5, 1])


def test_the_largest_magnitude_is_each_arrays_own_and_finite():
    leaves = layout([np.ones(3), np.ones(2)])
    found = largest(np.array([1, -3, np.inf, np.nan, 2]), leaves)
    np.testing.assert_array_equal(found, [3, 3, 3, 2, 2])


def test_precision_counts_where_the_input_passes_alone():
    def fun(x, held):
        return x * jnp.sin(held).astype(x.dtype), x.astype("float16").astype(x.dtype)

    with jax.enable_x64(True):
        program = jax.make_jaxpr(fun)(np.ones(2), np.ones(2, np.float32)).jaxpr
    assert narrow_dtypes(program, program.invars[:1]) == {"float16"}


def test_a_point_beside_is_one_where_the_function_is_finite():
    flat = make(lambda x: jnp.sqrt(x - 0.95), (jnp.ones(4),), {}, [0])
    found = evidence.beside(flat, np.random.default_rng(0))
    assert np.isfinite(flat.value(found)).all()
    assert (found != 1).all()
    nowhere = make(lambda x: jnp.where(x == 1, x, jnp.nan), (jnp.ones(4),), {}, [0])
    assert (evidence.beside(nowhere, np.random.default_rng(0)) != 1).all()
