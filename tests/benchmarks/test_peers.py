"""Other libraries in their own processes, and what is compared before it is timed."""

import io
import shutil
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import peers
from benchmarks._measure import Bench, Here, Missing, at_least
from benchmarks.worker import _frames
from jnumerics.workbench import originals

FALSE = shutil.which("false") or ""  # a program that ends at once
FAKE = """
import jax
__version__ = "0"
def jacobian(fun, x):
    print("a library may print")
    return jax.jacfwd(fun)
"""


@pytest.fixture
def fake_asdex(tmp_path, monkeypatch):
    """A library by that name, for workers of this Python alone."""
    (tmp_path / "asdex.py").write_text(FAKE)
    (tmp_path / "asdex-7.0.dist-info").mkdir()
    metadata = "Metadata-Version: 2.1\nName: asdex\nVersion: 7.0\n"
    (tmp_path / "asdex-7.0.dist-info" / "METADATA").write_text(metadata)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(peers, "pythons", lambda: [sys.executable])
    yield
    peers.close()


@pytest.mark.process
def test_peer_in_another_process_gives_its_result_its_times_and_its_errors(fake_asdex):
    x = np.linspace(0.0, 1.0, 16, dtype=np.float32)
    options = {"fun": "flat_heat", "size": 4}
    peer = peers.contender("asdex", "asdex_jacobian", x, **options, afresh=False)
    seconds, compiling = peer.first()
    assert 0 < compiling < seconds
    (jacobian,) = peer.result()
    assert jacobian.shape == (16, 16)
    assert jacobian[0, 0] == 1 - 0.8 * x[0]
    assert len(peer.times(3)) == 3
    assert min(peer.times(3)) > 0
    assert peers.versions()["asdex"].startswith("asdex 7.0, jax ")
    with pytest.raises(RuntimeError, match=r"AttributeError: module .* 'no_such'"):
        peers.contender("asdex", "no_such")
    assert len(peer.times(1)) == 1  # the worker goes on


@pytest.mark.process
def test_library_that_no_python_can_run_is_missing_with_each_reason(
    tmp_path, monkeypatch
):
    (tmp_path / "asdex.py").write_text("raise ImportError('it needs another JAX')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(peers, "pythons", lambda: [sys.executable, "/no/python", FALSE])
    missing = peers.contender("asdex", "asdex_jacobian")
    assert isinstance(missing, Missing)
    assert missing.reason.startswith(
        "asdex runs in no Python here: it needs another JAX"
    )
    assert "/no/python" in missing.reason
    assert "the worker ended with status 1" in missing.reason
    assert peers.versions() == {}
    peers.close()


def test_missing_contender_is_a_row_that_says_so():
    bench = Bench(is_quick=True)
    race = bench.race({"ours": lambda: 1, "torch": Missing("no torch here")})
    bench.compare("torch over ours", at_least(1), race, "torch", "ours")
    (line,) = bench.lines
    assert (line.value, line.is_met, line.measured) == (None, None, "no torch here")


@pytest.mark.parametrize("other", [[1.0, 2.1], [1.0, np.nan], [1.0]])
def test_nothing_is_timed_where_results_differ(other):
    calls = []

    def differs():
        calls.append(1)
        return np.array(other)

    bench = Bench(is_quick=True)
    with pytest.raises(ArithmeticError, match="`theirs` must give what `ours` gives"):
        bench.race(
            {"ours": lambda: jnp.array([1.0, 2.0]), "theirs": differs}, same=0.01
        )
    assert calls == [1]
    assert bench.clocks == []


def test_what_is_compared_is_a_view_of_the_result():
    both = {
        "ours": Here(lambda: {"value": 1.0, "more": 2.0}, lambda r: r["value"]),
        "theirs": lambda: np.array([[1.001]]),
    }
    race = Bench(is_quick=True).race(both, seconds=0.0, same=0.01)
    assert [len(c.steady.runs) for c in race.clocks.values()] == [5, 5]


def test_calls_afresh_are_three_and_one_that_is_compared():
    calls = []
    Bench().race({"ours": lambda: calls.append(1)}, afresh=True, same=1.0)
    assert len(calls) - 1 in (3, 5)  # short ones have one more before each, but once


@pytest.mark.parametrize(
    "array", [np.arange(6.0).reshape(2, 3).T, np.array(1), np.zeros((0, 3), np.int8)]
)
def test_frame_arrives_as_it_was_sent(array):
    pipe = io.BytesIO()
    _frames.send(pipe, ["times", 3], [array])
    pipe.seek(0)
    message, (received,) = _frames.receive(pipe)
    assert message == ["times", 3]
    assert (received.dtype, received.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(received, array)


def test_pipe_that_ends_within_a_frame_is_an_error():
    pipe = io.BytesIO()
    _frames.send(pipe, "first", [np.ones(3)])
    with pytest.raises(EOFError):
        _frames.receive(io.BytesIO(pipe.getvalue()[:-1]))


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch, of itself
def test_torch_does_what_the_originals_do():
    pytest.importorskip("torch")
    from benchmarks.worker import with_torch

    X, y, x, g = drawn(5, 3), drawn(5) > 0, drawn(1, 6, 6, 2), drawn(5, 3, seed=1)
    kernel, layers = drawn(3, 3, 2, 4), (drawn(1, 4), drawn(4), drawn(4, 2), drawn(2))
    weights = with_torch.perceptron(drawn(3), X, y.astype(float), steps=9)()
    to_torch, one = (0, 3, 1, 2), {"stride": 1, "padding": 0, "groups": 1}
    images, kernels = x.transpose(to_torch), kernel.transpose(3, 2, 0, 1)
    value = with_torch.conv2d(images, kernels, images, part="value", **one)()
    times = np.linspace(0.0, 1.0, 7)
    (speed,) = with_torch.arrays(with_torch.derivative(times, *layers, way="jvp")())
    pairs = zip(layers[::2], layers[1::2], strict=True)
    for actual, expected in (
        (weights, originals.perceptron(drawn(3), X, y, steps=9)),
        (with_torch.softmax_product(X, g)(), originals.softmax_vjp(X, g)),
        (value, originals.conv2d(x, kernel).transpose(to_torch)),
        (speed, originals.mlp_derivative(list(pairs), times)),
    ):
        (array,) = (
            with_torch.arrays(actual)
            if not isinstance(actual, np.ndarray)
            else [actual]
        )
        np.testing.assert_allclose(array, expected, rtol=1e-10, atol=1e-12)
