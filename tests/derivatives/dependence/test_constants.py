"""What is known at trace time: only what every platform and compiler agrees on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.extend.core import Primitive

from jnumerics.derivatives import SampleMixingError, batch_jacobian
from jnumerics.derivatives._dependence.constants.evaluate import BY_JAX
from jnumerics.derivatives._dependence.constants.fold import Constants
from jnumerics.derivatives._dependence.constants.value import EVALUATORS
from jnumerics.derivatives._dependence.result import dependence
from jnumerics.derivatives._program.inline import flatten
from tests._folding import Programs, folded, strays

F32 = np.float32


def is_known(index):
    """Whether three indices are known where they are read."""
    return dependence(lambda x: x[index()], jnp.ones(3)).widths.max() == 1


def decides(mask):
    """Whether a mask is known where it selects."""
    found = dependence(lambda x: jnp.where(mask(), x, x[::-1]), jnp.ones(4))
    return found.widths.max() == 1


def found(fun):
    """What is known of the result of a function without arguments."""
    flat = flatten(jax.make_jaxpr(fun)(), [])
    return Constants(flat.equations, flat.consts)(flat.outputs[0])


def called_back(calls):
    def look_up():
        calls.append(1)
        return np.arange(3, dtype=np.int32)

    shape = jax.ShapeDtypeStruct((3,), np.int32)
    return lambda: jax.pure_callback(look_up, shape)


def foreign(calls):
    """A call of foreign code, as `jax.ffi.ffi_call` stands in a program."""
    call = Primitive("ffi_call")
    call.def_abstract_eval(lambda x: x)

    @call.def_impl
    def run(x):
        calls.append(1)
        return x

    return lambda: call.bind(jnp.arange(3))


def in_a_loop(index):
    return lambda: lax.scan(lambda c, _: (c, index()), 0, length=2)[1][0]


def in_a_branch(index):
    return lambda: lax.cond(True, index, lambda: jnp.arange(3))


def in_a_rule(index):
    rule = jax.custom_jvp(lambda _: index())
    rule.defjvps(None)
    return lambda: rule(jnp.arange(3))


@pytest.mark.parametrize("make", [called_back, foreign])
@pytest.mark.parametrize("wrap", [jax.jit, in_a_loop, in_a_branch, in_a_rule])
def test_no_foreign_code_runs_while_planning(make, wrap):
    calls = []
    assert found(wrap(make(calls))) is None
    assert not calls


@pytest.mark.parametrize("wrap", [jax.jit, in_a_loop, in_a_branch, in_a_rule])
def test_indices_in_the_same_places_are_known(wrap):
    np.testing.assert_array_equal(found(wrap(lambda: jnp.arange(3))), range(3))


@pytest.mark.parametrize(
    "index",
    [
        pytest.param(lambda: lax.rng_uniform(0, 3, (3,)), id="rng_uniform"),
        pytest.param(
            lambda: (
                lax.rng_bit_generator(jnp.zeros(4, "uint32"), (3,))[1].astype(int) % 3
            ),
            id="rng_bit_generator",
        ),
        pytest.param(
            lambda: jax.random.randint(jax.random.key(0), (3,), 0, 3),
            id="random integers",
        ),
    ],
)
def test_what_is_drawn_is_unknown(index):
    assert not is_known(index)


def test_samples_that_are_drawn_at_random_are_refused():
    def mixed(X):
        return X[lax.rng_uniform(0, 2, (2,))]

    for _ in range(20):  # one trace in four drew the samples in their order
        with pytest.raises(SampleMixingError):
            batch_jacobian(lambda X: mixed(X))(jnp.ones((2, 3)))


def test_only_primitives_that_are_listed_are_evaluated():
    unlisted = {
        "rng_uniform", "rng_bit_generator", "pure_callback", "io_callback", "ffi_call",
        "random_bits", "threefry2x32", "axis_index", "empty", "while", "pallas_call",
    }  # fmt: skip
    assert unlisted.isdisjoint(BY_JAX)
    assert unlisted.isdisjoint(EVALUATORS)


class TestMasksOfFloats:
    @pytest.mark.parametrize(
        "mask",
        [
            # Flushed to zero, or not: a product, a constant, a conversion, a quotient.
            pytest.param(
                lambda: jnp.full(4, 1e-30, "float32") * F32(1e-12) > 0,
                id="product underflows",
            ),
            pytest.param(lambda: jnp.full(4, 1e-40, "float32") > 0, id="subnormal"),
            pytest.param(
                lambda: jnp.full(4, 1e-40, "float32").astype(bool),
                id="subnormal to bool",
            ),
            pytest.param(lambda: jnp.full(4, 1e-6, "float16") > 0, id="subnormal half"),
            pytest.param(
                lambda: jnp.full(4, 1e-6, "float32").astype("float16") > 0,
                id="cast to subnormal half",
            ),
            pytest.param(
                lambda: jnp.full(4, 2.0**-100, "float32") / F32(2.0**100) > 0,
                id="quotient is subnormal",
            ),
            pytest.param(
                lambda: jnp.full(4, 1.5 * 2.0**-126, "float32") - F32(2.0**-126) > 0,
                id="difference is subnormal",
            ),
            # Constants that a compiler may combine first.
            pytest.param(
                lambda: (
                    (jnp.full(4, -(2.0**24), "float32") + F32(2**24)) + F32(1) > 0.5
                ),
                id="sum rounds",
            ),
            pytest.param(
                lambda: (
                    (jnp.full(4, 2.0**100, "float32") * F32(2.0**-100)) * F32(2.0**-100)
                    > 0
                ),
                id="underflow depends on the order",
            ),
            # Fused or not.
            pytest.param(
                lambda: (
                    jnp.full(4, 1 + 2.0**-12, "float32") * F32(1 + 2.0**-12)
                    - F32((1 + 2.0**-12) ** 2)
                    > 0
                ),
                id="fused product and difference",
            ),
            # More digits than the dtype has, or not.
            pytest.param(
                lambda: (
                    lax.iota("bfloat16", 4) * jnp.bfloat16(100.5) > jnp.bfloat16(100)
                ),
                id="bfloat16 product rounds",
            ),
            pytest.param(
                lambda: (
                    jnp.array([257.0, 1, 2, 3]).astype("bfloat16").astype("float32")
                    > 256.5
                ),
                id="cast to bfloat16 rounds",
            ),
            pytest.param(lambda: jnp.full(4, jnp.nan) > 0, id="nan"),
        ],
    )
    def test_are_unknown_where_platforms_may_differ(self, mask):
        assert not decides(mask)

    @pytest.mark.usefixtures("x64")
    def test_are_unknown_where_doubles_are_flushed_or_fused(self):
        tiny, near = np.float64(1e-300), 1 + np.float64(2.0**-27)
        assert not decides(lambda: jnp.full(4, tiny) * 1e-12 > 0)
        assert not decides(lambda: jnp.full(4, near) * near - near * near > 0)
        assert decides(lambda: jnp.full(4, near) * near - near * near > -1e-9)

    @pytest.mark.parametrize(
        "mask",
        [
            pytest.param(lambda: jnp.arange(4.0) * 0.5 - 1.0 > 0, id="halves less one"),
            pytest.param(lambda: jnp.linspace(0.0, 1.0, 4) < 0.5, id="linspace"),
            pytest.param(lambda: 1e-9 * jnp.arange(4.0) > 2.5e-9, id="tiny multiples"),
            pytest.param(
                lambda: (
                    jnp.abs(jnp.arange(4.0)[:, None] - jnp.arange(4.0)[None])[1] <= 1.0
                ),
                id="differences",
            ),
            pytest.param(
                lambda: jnp.maximum(0.3 * jnp.arange(4.0), 0.5) > 0.4, id="maximum"
            ),
            pytest.param(lambda: jnp.eye(4)[2] > 0, id="eye"),
            pytest.param(
                lambda: jnp.arange(4, dtype="bfloat16") % 2 == 0,
                id="bfloat16 remainder",
            ),
            pytest.param(
                lambda: jnp.where(jnp.arange(4) > 1, 0.0, -jnp.inf) < -1,
                id="minus infinity",
            ),
            pytest.param(
                lambda: jax.nn.relu(jnp.arange(4) - 1) > 0, id="relu of integers"
            ),
        ],
    )
    def test_are_known_where_all_agree(self, mask):
        assert decides(mask)

    def test_do_not_hang_on_the_long_double(self, monkeypatch):
        monkeypatch.setattr(np, "longdouble", None)
        assert decides(lambda: jnp.arange(4.0) * 0.5 - 1.0 > 0)

    def test_keep_the_error_of_what_enters_a_loop_or_a_branch(self):
        def near():
            return 3 * jnp.full(4, 0.1)

        def by_scan(bound):
            return lax.scan(lambda c, v: (c, v > bound), 0, near())[1]

        def by_cond(bound):
            return lax.cond(True, lambda v: v > bound, lambda v: v > 1, near())

        for mask in (by_scan, by_cond):
            assert not decides(lambda mask=mask: mask(F32(0.3)))
            assert decides(lambda mask=mask: mask(F32(0.2)))

    def test_columns_of_rounded_floats_are_unknown(self):
        def fun(x, i):
            first = jnp.round(3 * jnp.full((4, 1), 0.1) * 10)
            index = jnp.concatenate([first, i], 1).astype(int)
            return x[index[:, 0], index[:, 1]]

        found = dependence(fun, jnp.ones((4, 4)), jnp.ones((4, 1)))
        assert found.widths.min() == 4


def applied(primitive_eqn, operands, **params):
    """Bind a primitive with parameters that no public function gives."""
    return primitive_eqn.primitive.bind(*operands, **{**primitive_eqn.params, **params})


@pytest.mark.parametrize("which", [-1, 2])
def test_a_case_out_of_range_is_unknown(which):
    def selected(x):
        return lax.select_n(jnp.full(3, which, "int32"), x, x[::-1])

    def branched(x):
        eqn = jax.make_jaxpr(lambda i, x: lax.switch(i, [jnp.sin, jnp.flip], x))(
            0, x
        ).eqns[-1]
        (y,) = applied(eqn, [jnp.int32(which), x])
        return y

    for fun in (selected, branched):
        widths = dependence(fun, jnp.ones(3)).widths
        assert widths[:, 0].tolist() == [3, 1, 3]


def test_equal_keys_of_an_unstable_sort_leave_no_known_order():
    keys, places = jnp.array([1, 0, 1]), jnp.arange(3)

    def order(*, is_stable):
        return lambda: lax.sort((keys, places), is_stable=is_stable, num_keys=1)[1]

    assert is_known(order(is_stable=True))
    assert not is_known(order(is_stable=False))


def test_floats_that_differ_by_the_sign_of_zero_are_not_ordered():
    zeros = np.array([0.0, -0.0, 0.0], F32)
    assert not is_known(lambda: lax.top_k(jnp.asarray(zeros), 3)[1])
    assert is_known(lambda: lax.top_k(jnp.abs(jnp.arange(3.0)), 3)[1])


@pytest.mark.parametrize("part", range(4))
def test_what_is_folded_is_what_jax_computes(part):
    n_known = n_results = 0
    for seed in range(10 * part, 10 * part + 10):
        program = Programs(seed)
        values = folded(program.all, program.inputs)
        assert not strays(program.all(*program.inputs), values)
        n_known += sum(value is not None for value in values)
        n_results += len(values)
    assert n_known > n_results / 3


@pytest.mark.parametrize("seed", range(10))
def test_what_is_folded_is_what_a_compiled_program_computes(seed):
    program = Programs(seed)
    values = folded(program, program.inputs)
    assert not strays(jax.jit(program.__call__)(*program.inputs), values)
