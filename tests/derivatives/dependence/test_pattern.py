"""The picture of a pattern holds as many entries as the boxes do."""

import math
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics.derivatives import dependence
from tests import scenarios


def entries_of(proven):
    """Every entry in a box, one by one: a matrix of truths over all leaves."""
    boxes = proven._boxes
    blocks = []
    for k, out in enumerate(boxes.outs):
        row = []
        for leaf, shape in enumerate(boxes.shapes):
            low, high, depends = boxes.bounds(k, leaf)
            held = np.zeros((*out, *shape), bool)
            for at in np.ndindex(*out):
                box = zip(low[at], high[at], strict=True)
                where = tuple(slice(a, b + 1) for a, b in box)
                if depends[at]:
                    held[(*at, *where)] = True
            row.append(held.reshape(math.prod(out), math.prod(shape)))
        blocks.append(np.concatenate(row, 1))
    return np.concatenate(blocks)


@pytest.mark.parametrize("limits", [(24, 64), (5, 3)])
@pytest.mark.parametrize("scenario", scenarios.params())
def test_each_cell_holds_what_the_boxes_hold(scenario, limits, key):
    args = scenario.make_args(key, scenario.dtypes[0])
    boxes = dependence(scenario.fun, *args, argnums=scenario.argnums)
    pattern, held = boxes.pattern(*limits), entries_of(boxes)
    assert pattern.counts.shape <= limits
    assert (pattern.nonzeros, pattern.size) == (held.sum(), held.size)
    for i, j in np.ndindex(*pattern.counts.shape):
        cell = held[
            pattern.rows[i] : pattern.rows[i + 1],
            pattern.columns[j] : pattern.columns[j + 1],
        ]
        assert cell.size > 0
        assert pattern.counts[i, j] == cell.sum()


def leaves(p):
    return {"a": jnp.diff(p["x"]), "b": p["y"].sum(), "c": p["x"][:2] * p["y"][:2]}


AT = {"e": jnp.ones((0,)), "x": jnp.ones(3), "y": jnp.ones(2), "z": jnp.ones(())}


def test_lines_stand_between_leaves():
    text = str(dependence(leaves, AT).pattern())
    title, picture, legend = text.split("\n\n")
    assert picture.splitlines() == [
        "██·│··│·",
        "·██│··│·",
        "───┼──┼─",
        "···│██│·",
        "───┼──┼─",
        "█··│█·│·",
        "·█·│·█│·",
    ]
    held = "Boxes hold 10 of 30 entries of the Jacobian, 33 %"
    assert title == f"{held}; the others are zero"
    assert legend == "outputs down, inputs across; · zero, █ in a box"


def test_many_leaves_share_cells():
    pattern = dependence(lambda p: jnp.stack(p), [jnp.ones(())] * 100).pattern(10, 20)
    assert pattern.counts.shape == (10, 20)
    assert pattern.breaks == ([], [])
    np.testing.assert_array_equal(pattern.counts.sum(0), [5] * 20)


def test_what_is_all_zero_or_all_in_boxes_is_a_line():
    assert str(dependence(lambda x: x.sum(), jnp.ones(9)).pattern()) == (
        "All 9 entries of the Jacobian may be nonzero"
    )
    assert str(dependence(lambda x: x * 0 + 1 - x * 0, jnp.ones(0)).pattern()) == (
        "All 0 entries of the Jacobian are zero"
    )
    stopped = dependence(jax.lax.stop_gradient, jnp.ones(3))
    assert str(stopped.pattern()) == "All 9 entries of the Jacobian are zero"


def test_no_line_is_wider_than_100_columns():
    for shape in [(30, 30), (1000,), (3, 4)]:
        text = str(
            dependence(lambda x: jnp.roll(x, 1, 0) - x, jnp.ones(shape)).pattern()
        )
        assert max(map(len, text.splitlines())) <= 100


def test_pickled_dependence_has_its_pattern():
    boxes = dependence(leaves, AT)
    loaded = pickle.loads(pickle.dumps(boxes))
    assert str(loaded.pattern()) == str(boxes.pattern())


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("error", "limits", "message"),
    [(ValueError, (0, 1), "`rows` must be at least 1, got 0"),
     (TypeError, (1, 2.0), "`columns` must be an integer, got float")],
)  # fmt: skip
def test_cells_are_counted_by_positive_integers(error, limits, message):
    with pytest.raises(error, match=message):
        dependence(jnp.sin, jnp.ones(3)).pattern(*limits)


def test_notebooks_show_a_table_and_a_picture_escaped():
    boxes = dependence(lambda p: p["<b>"] * 2, {"<b>": jnp.ones(3)})
    page = boxes._repr_html_()  # pyright: ignore[reportPrivateUsage]
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert page.count("<rect") == 3
    assert "elementwise: the Jacobian is diagonal" in page
