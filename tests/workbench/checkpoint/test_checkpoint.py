"""What `load` asks of a file, what other readers find in it, what training keeps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors
import safetensors.numpy

from jnumerics import mlp
from jnumerics.workbench import checkpoint
from tests.workbench.checkpoint.same import assert_same

# --- agreement with `like` ------------------------------------------------------------


def test_parameters_load_from_the_checkpoint_of_a_training_run(tmp_path, key):
    params = mlp.init(key, (2, 3, 1))
    checkpoint.save(tmp_path, 9, {"params": params, "state": [1.0], "losses": [2.0]})
    shapes = jax.eval_shape(lambda: mlp.init(key, (2, 3, 1)))
    step, loaded = checkpoint.load(tmp_path, {"params": shapes})
    assert step == 9
    jax.tree.map(assert_same, loaded["params"], params)


@pytest.mark.parametrize(
    ("like", "error", "message"),
    [
        ({"p": [np.ones((3, 2)), 1]}, ValueError,
         r"`like\['p'\]\[0\]` must be float64 of shape \(2, 3\), as in .*step-000000007"
         r".*, got float64 of shape \(3, 2\)$"),
        ({"p": [np.ones((2, 3), np.float32), 1]}, TypeError,
         r"`like\['p'\]\[0\]` must be float64 .*, got float32 of"),
        ({"p": [np.ones((2, 3)), 1.0]}, TypeError,
         r"`like\['p'\]\[1\]` must be Python int, as in .*, got Python float"),
        ({"p": [np.ones((2, 3))]}, ValueError,
         r"`like` must have the leaf 'p/1' of .*, got none"),
        ({"p": []}, ValueError, r"(?s)the leaf 'p/0' .*the leaf 'p/1' .*"),
        ({"p": [np.ones((2, 3)), 1, 1]}, ValueError,
         r"`like\['p'\]\[2\]` must be a leaf of .*, got one that it lacks"),
        ({"p": [np.ones((2, 3)), 1], "r": 1}, ValueError, r"`like\['r'\]` must be a"),
        ([np.ones((2, 3)), 1], ValueError, r"`like\[0\]` must be a leaf"),
        ({"k": jax.random.key(0, impl="rbg")}, TypeError,
         r"`like\['k'\]` must be key<fry> \(threefry2x32\) .*, got key<rbg> \(rbg\)"),
    ],
)  # fmt: skip
def test_disagreement_is_an_error_that_names_the_leaf(like, error, message, tmp_path):
    tree = {"p": [np.ones((2, 3)), 1], "q": 2, "k": jax.random.key(0)}
    checkpoint.save(tmp_path, 7, tree)
    with pytest.raises(error, match=message):
        checkpoint.load(tmp_path, like)


def test_a_sequence_may_not_leave_out_its_end(tmp_path):
    checkpoint.save(tmp_path, 0, [1, 2, 3])
    with pytest.raises(ValueError, match="`like` must have the leaf '2'"):
        checkpoint.load(tmp_path, [1, 2])


def test_a_message_about_many_leaves_is_short(tmp_path):
    checkpoint.save(tmp_path, 0, [*range(100)])
    with pytest.raises(ValueError, match="and 92 more") as caught:
        checkpoint.load(tmp_path, [])
    assert len(str(caught.value).splitlines()) == 9


# --- other readers --------------------------------------------------------------------


def test_safetensors_alone_reads_the_parameters(tmp_path, key):
    params = mlp.init(key, (2, 3), dtype=jnp.bfloat16)
    others = [jax.random.key(1), 2.5, np.array([1j]), np.zeros(0)]
    path = checkpoint.save(tmp_path, 0, {"params": params, "others": others})
    arrays = safetensors.numpy.load_file(path)
    assert_same(arrays["params/0/weight"], np.asarray(params[0].weight))
    assert arrays["others/1"] == 2.5


def test_the_library_writes_the_same_data(tmp_path):
    tree = {"b": np.arange(3.0), "a": np.ones((2, 2), np.int8), "c": np.float32(1)}
    data = checkpoint.save(tmp_path, 0, tree).read_bytes()
    theirs = safetensors.numpy.save({k: np.asarray(x) for k, x in tree.items()})
    count = sum(x.nbytes for x in tree.values())
    assert data[-count:] == theirs[-count:]
    assert len(data) % 8 == count % 8


def test_the_same_pytree_is_the_same_file(tmp_path):
    tree = {"x": np.arange(3.0), "y": jax.random.key(0), "z": 1}
    one = checkpoint.save(tmp_path / "one", 1, tree).read_bytes()
    assert checkpoint.save(tmp_path / "two", 1, tree).read_bytes() == one


# --- what training builds on ----------------------------------------------------------


def test_notes_and_versions_come_back(tmp_path):
    notes = {"rate": 0.1, "names": ["a", None], "deep": {"é": True}}
    tree = {"x": jnp.arange(3.0), "k": jax.random.key(0)}
    path = checkpoint.write(tmp_path, 4, tree, keep=2, notes=notes)
    stored = checkpoint.read(tmp_path)
    assert (stored.path, stored.step, stored.notes) == (path, 4, notes)
    assert {*stored.versions} == {"jnumerics", "jax", "python"}
    np.testing.assert_array_equal(stored.arrays["x"], [0, 1, 2])
    jax.tree.map(assert_same, checkpoint.restore(stored, tree), tree)


@pytest.mark.boundary
@pytest.mark.parametrize("notes", [{"x": jnp}, [1], {"x": {1, 2}}, {(1, 2): 3}])
def test_notes_that_json_cannot_say_are_refused(notes, tmp_path):
    with pytest.raises(TypeError, match="`notes` must "):
        checkpoint.write(tmp_path, 0, 1, keep=1, notes=notes)


def test_notes_that_no_reader_would_take_are_refused(tmp_path):
    with pytest.raises(ValueError, match="`tree` must have names and notes of at most"):
        checkpoint.write(tmp_path, 0, 1, keep=1, notes={"x": "x" * 2**24})
    assert [*tmp_path.iterdir()] == []


@pytest.mark.boundary  # a check of annotations stands between
def test_warning_points_at_who_loads(tmp_path):
    checkpoint.save(tmp_path, 1, 2.0)
    checkpoint.save(tmp_path, 2, 2.0).write_bytes(b"")
    with pytest.warns(UserWarning, match="^skipped .*truncated") as caught:
        checkpoint.load(tmp_path, 2.0)
    assert caught[0].filename == __file__


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("options", "error", "name"),
    [
        ({"step": -1}, ValueError, "step"),
        ({"step": 1.0}, TypeError, "step"),
        ({"step": True}, TypeError, "step"),
        ({"step": 2**63}, ValueError, "step"),
        ({"keep": 0}, ValueError, "keep"),
        ({"keep": None}, TypeError, "keep"),
        ({"folder": 3}, TypeError, "folder"),
        ({"folder": None}, TypeError, "folder"),
        ({"folder": b"run"}, TypeError, "folder"),
        ({"folder": ""}, ValueError, "folder"),
        ({"folder": "a\0b"}, ValueError, "folder"),
    ],
)
def test_wrong_argument_is_named(options, error, name, tmp_path):
    arguments = {"folder": tmp_path, "step": 0, "tree": 1, "keep": 1} | options
    with pytest.raises(error, match=f"^`{name}` must .*, got "):
        checkpoint.save(**arguments)
