"""Linearity is proven: of JAX's own rules always, of users' rules if it holds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.ad_checkpoint import checkpoint_name

from jnumerics.derivatives._program.linearity.judge import judge
from jnumerics.derivatives._program.linearity.rules import RULES
from tests.derivatives.program.linearity._rules import (
    MATRIX,
    X,
    each_linear,
    each_unproven,
    judged,
)


@each_linear
def test_linear_derivative_is_proven(fun):
    verdict = judged(fun, X)
    assert verdict.is_proven
    assert verdict.is_zero_at_zero == (True,)


@each_unproven
def test_derivative_that_is_not_linear_is_not_proven(fun):
    verdict = judged(fun, X)
    assert not verdict.is_proven
    assert verdict.reason.endswith("is not proven linear")


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
    "conv_general_dilated": lambda t: lax.conv(
        t[None, None], _shape(2, 1, 2, 2), (1, 1), "SAME"
    ),
    "triangular_solve": lambda t: lax.linalg.triangular_solve(
        MATRIX, t, left_side=False, lower=True
    ),
    "tridiagonal_solve": lambda t: lax.linalg.tridiagonal_solve(
        _shape(4), 9 + _shape(4), _shape(4), t
    ),
}
UNUSED = {
    "add_any", "all_gather", "all_gather_invariant", "all_to_all", "bcoo_dot_general",
    "copy_p", "expand_dims", "layout_constraint", "pbroadcast", "polynomial",
    "ppermute", "psum", "psum_invariant", "psum_scatter", "pvary", "ragged_dot",
    "ragged_dot_general", "reduce_and", "reduce_max", "reduce_min", "reduce_or",
    "cummax", "cummin", "reduce_scatter", "reshard", "sharding_constraint",
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
        pytest.param(lambda t: t * t, id="square"),
        pytest.param(lambda t: 1.0 / t, id="reciprocal"),
        pytest.param(lambda t: jnp.maximum(t, 0.0), id="maximum"),
        pytest.param(lambda t: jnp.abs(t), id="abs"),
        pytest.param(lambda t: t + _shape(4, 3), id="sum with a constant"),
        pytest.param(lambda t: lax.dot(t.T, t), id="product with itself"),
        pytest.param(lambda t: lax.sort((t, t), num_keys=1)[0], id="sort by itself"),
        pytest.param(
            lambda t: _shape(4, 3).at[0].multiply(t[0]), id="multiply at a row"
        ),
        pytest.param(
            lambda t: jnp.concatenate([t, jnp.ones((1, 3))]), id="concatenate with ones"
        ),
        pytest.param(lambda t: jnp.stack([t, jnp.ones((4, 3))]), id="stack with ones"),
        pytest.param(
            lambda t: lax.linalg.triangular_solve(t[:3], _shape(3, 1), left_side=True),
            id="solve by a tangent",
        ),
        pytest.param(
            lambda t: lax.reduce_window(t, 1.0, lax.mul, (2, 2), (1, 1), "VALID"),
            id="window of products",
        ),
        pytest.param(
            lambda t: lax.bitcast_convert_type(t, "int64").astype(float), id="bits"
        ),
        pytest.param(lambda t: lax.complex(t, jnp.ones_like(t)), id="imaginary ones"),
        pytest.param(lambda t: jnp.floor(t), id="floor"),
        pytest.param(lambda t: lax.cumprod(t, 0), id="cumprod"),
        pytest.param(
            lambda t: lax.dot_general(
                jnp.eye(4),
                t,
                (((1,), (0,)), ((), ())),
                preferred_element_type=jnp.int32,
            ).astype(float),
            id="product in integers",
        ),
        pytest.param(lambda t: t.astype("float8_e4m3fn").astype(float), id="float8"),
    ],
)
def test_operation_that_is_not_linear_is_not_proven(fun):
    program = jax.make_jaxpr(fun)(_shape(4, 3))
    assert not judge(program, [True], [True]).is_proven


@pytest.mark.parametrize(
    ("fun", "is_zero"),
    [
        pytest.param(lambda t: jnp.clip(t, -0.5, 0.5), True, id="clip around zero"),
        pytest.param(lambda t: jnp.clip(t, 0.1, 0.5), False, id="clip above zero"),
        pytest.param(lambda t: jnp.where(t > 0, t, 0.0), True, id="selects zeros"),
        pytest.param(lambda t: jnp.where(t >= 0, 1.0, t), False, id="selects ones"),
        pytest.param(
            lambda t: jnp.sqrt(jnp.sum(t * t)) * t, True, id="square root of squares"
        ),
        pytest.param(lambda t: jnp.exp(t) * _shape(4, 3), False, id="exp"),
        pytest.param(lambda t: jnp.expm1(t) * _shape(4, 3), True, id="expm1"),
        pytest.param(
            lambda t: t / jnp.maximum(jnp.linalg.norm(t), 1.0),
            True,
            id="norm clipped at one",
        ),
        pytest.param(lambda t: t / jnp.linalg.norm(t), False, id="norm"),
        pytest.param(lambda t: jnp.cos(t) - 1, True, id="cosine less one"),
        pytest.param(lambda t: (t + 0.1) * 10 - 1, False, id="sum with a constant"),
        pytest.param(lambda t: jnp.max(t, 0), True, id="largest"),
        pytest.param(
            lambda t: jnp.nan_to_num(t.at[7].get(mode="fill"), nan=1.0),
            False,
            id="fill out of bounds",
        ),
        pytest.param(
            lambda t: jnp.nan_to_num(jnp.where(_shape(4, 3) > 9, t, np.nan), nan=1),
            False,
            id="selects nan",
        ),
        pytest.param(
            lambda t: lax.while_loop(lambda t: t[0, 0] > 0, lambda t: t + 1, t),
            True,
            id="loop that stops at zero",
        ),
        pytest.param(
            lambda t: lax.while_loop(lambda t: t[0, 0] < 1, lambda t: t + 1, t),
            False,
            id="loop that leaves zero",
        ),
    ],
)
def test_what_is_zero_at_zero_tangents_is_said_to_be_only_where_it_is(fun, is_zero):
    program = jax.make_jaxpr(fun)(_shape(4, 3))
    verdict = judge(program, [True], [True])
    assert not verdict.is_proven
    assert verdict.is_zero_at_zero == (is_zero,)
    if is_zero:
        assert not np.any(fun(jnp.zeros((4, 3))))
