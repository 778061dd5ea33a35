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
from tests.derivatives.dependence.constants._folding import Programs, folded, strays

F32 = np.float32


def is_known(index):
    """Whether three indices are known where they are read."""
    return dependence(lambda x: x[index()], jnp.ones(3)).widths.max() == 1


def constant(fun):
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
    assert constant(wrap(make(calls))) is None
    assert not calls


@pytest.mark.parametrize("wrap", [jax.jit, in_a_loop, in_a_branch, in_a_rule])
def test_indices_in_the_same_places_are_known(wrap):
    np.testing.assert_array_equal(constant(wrap(lambda: jnp.arange(3))), range(3))


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


@pytest.mark.parametrize("part", range(8))
def test_what_is_folded_is_what_jax_computes(part):
    n_known = n_results = 0
    for seed in range(5 * part, 5 * part + 5):
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
