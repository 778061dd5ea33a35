"""What crosses each place of a derivative's program."""

import pickle

import jax
import jax.numpy as jnp
import pytest

from jnumerics import mlp
from jnumerics.derivatives import plan
from jnumerics.derivatives._modes.cut import Through
from jnumerics.derivatives._plan.crossing import crossing

PARAMS = mlp.init(jax.random.key(0), [30, 12, 3, 20])


def narrow(x):
    return mlp.apply(PARAMS, x)


def test_widths_are_those_of_the_layers():
    profile = crossing(plan(narrow, jnp.ones(30)))
    assert profile.at is not None
    assert [profile.widths[k] for k in (0, profile.at, -1)] == [30, 3, 20]
    assert {30, 12, 3, 20} <= set(profile.widths)  # where two live at once, their sum
    assert min(profile.widths) == 3
    assert profile.title.startswith("3 wide at ")


def test_cut_is_as_wide_as_it_is_planned():
    both = jnp.ones(30)
    for fun in (narrow, lambda x: narrow(x) + x[:20], lambda x: x.sum() * jnp.sin(x)):
        made = plan(fun, both)
        (cut,) = [c.strategy for c in made.candidates if c.mode == "cut"]
        profile = crossing(made)
        assert isinstance(cut, Through)
        assert profile.at is not None
        assert profile.widths[profile.at] == cut.width == min(profile.widths)


def test_samples_are_counted_once():
    batched = plan(jax.vmap(narrow), jnp.ones((5, 30)), target="batch")
    assert crossing(batched) == crossing(plan(narrow, jnp.ones(30)))._replace(
        title=crossing(batched).title
    )


def test_without_a_cut_the_program_keeps_its_order():
    profile = crossing(plan(lambda x: jnp.sin(x) * x, jnp.ones(7)))
    assert profile.at is None
    assert profile.widths[0] == profile.widths[-1] == 7


def test_variable_that_is_read_again_crosses_until_then():
    profile = crossing(plan(lambda x: jnp.concatenate([jnp.sin(x), x]), jnp.ones(4)))
    assert profile.widths[0] == 4
    assert max(profile.widths) == 8


def test_plan_without_a_program_is_refused():
    pickled = pickle.loads(pickle.dumps(plan(narrow, jnp.ones(30))))
    with pytest.raises(ValueError, match="`plan` must be made where it is drawn, got"):
        crossing(pickled)
    of_laplacian = plan(lambda x: narrow(x).sum(), jnp.ones(30), target="laplacian")
    with pytest.raises(ValueError, match="`plan` must have a program of first or"):
        crossing(of_laplacian)
