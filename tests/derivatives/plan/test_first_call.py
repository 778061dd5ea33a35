"""What the first call traces: a transpose once, and the passes that run once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics.derivatives import jacobian, jacobian_diagonal
from jnumerics.derivatives._plan import result
from tests.derivatives.plan._functions import dense, narrow


def test_a_transpose_is_made_once_for_all_that_reads_it(monkeypatch):
    # it is proven, counted and run, along several directions
    made, transpose = [], jax.linear_transpose

    def counted(*args):
        made.append(args)
        return transpose(*args)

    monkeypatch.setattr(jax, "linear_transpose", counted)
    x = jnp.linspace(0.1, 1.0, 50)
    J = jacobian(dense)(x)
    assert len(made) == 1
    np.testing.assert_allclose(J, jax.jacfwd(dense)(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", ["forward", "reverse", "cut"])
def test_what_runs_is_what_was_counted(monkeypatch, mode):
    def again(*_):
        pytest.fail("the passes are traced a second time")

    monkeypatch.setattr(result, "finish", again)
    x = jnp.linspace(0.1, 1.0, 200)
    truth = jax.jacfwd(narrow)(x)
    J = jacobian(narrow, mode=mode)(x)
    np.testing.assert_allclose(J, truth, rtol=1e-4, atol=1e-4)
    diagonal = jacobian_diagonal(narrow)(x)
    np.testing.assert_allclose(diagonal, jnp.diagonal(truth), rtol=1e-4, atol=1e-4)
