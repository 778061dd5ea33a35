"""How a check is shown."""

import pickle

import jax
import jax.numpy as jnp

from jnumerics.derivatives._verify.check import check_derivatives
from tests.derivatives.verify._rules import X, with_vjp


def test_check_prints_within_100_columns_and_says_what_failed():
    text = str(check_derivatives(with_vjp(1.01), X))
    assert max(map(len, text.splitlines())) <= 100
    assert "FAILED" in text
    assert "NOT PASSED: Taylor, reverse mode" in text
    assert "derivatives passed" in str(check_derivatives(jnp.sin, X))


def test_check_shows_as_a_table_in_a_notebook():
    check = check_derivatives(jnp.sin, X)
    html = check._repr_html_()  # pyright: ignore[reportPrivateUsage]
    assert html.count("<table") == 1
    assert "derivatives passed" in html
    assert "adjoint identity" in html
    assert "&lt;v, J u&gt;" in html


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
