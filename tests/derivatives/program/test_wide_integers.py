"""Integers beyond 32 bits among the arguments: refused where JAX would wrap them."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics.derivatives import jacobian, jacobian_diagonal, plan

X = jnp.array([0.5, 1.0, 2.0])
BIG = np.array([1_700_000_000_000])


@pytest.mark.parametrize(
    ("args", "kwargs", "name"),
    [
        ((X, BIG), {}, r"args\[1\]"),
        ((X,), {"t": BIG}, "t"),
        ((X, BIG.astype("uint64")), {}, r"args\[1\]"),
    ],
)
def test_integers_that_jax_would_wrap_are_refused(args, kwargs, name):
    def fun(x, t):
        return x * t

    for call in (jacobian(fun), functools.partial(plan, fun)):
        with pytest.raises(ValueError, match=rf"`{name}` must .*1700000000000"):
            call(*args, **kwargs)


def test_wide_integers_that_fit_are_welcome():
    times = np.array([2**31 - 1, -(2**31), 3])
    diagonal = jacobian_diagonal(lambda x, t: x * t.astype(x.dtype))(X, times)
    np.testing.assert_allclose(diagonal, times.astype(np.float32))
