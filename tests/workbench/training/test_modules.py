"""Modules of other libraries: Equinox, and Flax NNX; split, they are plain pytrees."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jnumerics.workbench import checkpoint, training
from tests.workbench.training._problem import KEY, X, Y, same_bits

OPTIMIZER = optax.sgd(0.02, momentum=0.9)
EVERY = {"report_every": 4, "checkpoint_every": 5}
WIDTH = 4


def plain(key):
    one, two = jax.random.normal(key, (2, 3, WIDTH))
    return {"one": one, "two": two[0]}


def plain_value(params, x):
    return jnp.tanh(x @ params["one"]) @ params["two"]


def trained(value, params, steps=11, **options):
    def loss(params, batch):
        return jnp.mean((value(params, batch[0]) - batch[1]) ** 2)

    return training.train(
        loss, params, optimizer=OPTIMIZER, steps=steps, data=(X, Y), batch_size=4,
        key=KEY, **EVERY, **options,
    )  # fmt: skip


def from_equinox(start):
    equinox = pytest.importorskip("equinox")
    model = equinox.nn.MLP(
        3, "scalar", WIDTH, 1, jnp.tanh, use_bias=False, use_final_bias=False, key=KEY
    )
    weights = (start["one"].T, start["two"][None])
    model = equinox.tree_at(lambda m: [x.weight for x in m.layers], model, weights)
    params, rest = equinox.partition(model, equinox.is_inexact_array)
    return params, lambda params, x: jax.vmap(equinox.combine(params, rest))(x)


def from_nnx(start):
    nnx = pytest.importorskip("flax.nnx")

    class Network(nnx.Module):
        def __init__(self):
            self.one = nnx.Linear(3, WIDTH, use_bias=False, rngs=nnx.Rngs(0))
            self.two = nnx.Linear(WIDTH, 1, use_bias=False, rngs=nnx.Rngs(1))

        def __call__(self, x):
            return self.two(jnp.tanh(self.one(x)))[:, 0]

    model = Network()
    model.one.kernel[...] = start["one"]
    model.two.kernel[...] = start["two"][:, None]
    graph, params, rest = nnx.split(model, nnx.Param, ...)
    return params, lambda params, x: nnx.merge(graph, params, rest)(x)


@pytest.mark.slow
@pytest.mark.parametrize("split", [from_equinox, from_nnx], ids=["equinox", "nnx"])
def test_module_trains_as_a_plain_pytree_and_is_resumed(split, tmp_path):
    start = plain(KEY)
    expected = trained(plain_value, start)
    params, value = split(start)
    trained(value, params, steps=6, checkpoint=tmp_path)
    run = trained(value, params, checkpoint=tmp_path, resume=True)
    np.testing.assert_allclose(run.losses, expected.losses, rtol=1e-4)
    np.testing.assert_allclose(
        value(run.params, X), plain_value(expected.params, X), rtol=1e-4, atol=1e-5
    )
    _, loaded = checkpoint.load(tmp_path, {"params": params})
    assert same_bits(loaded["params"], run.params)
    assert jax.tree.structure(run.params) == jax.tree.structure(params)


@pytest.mark.boundary
def test_module_that_is_not_split_is_refused_by_the_leaf():
    equinox = pytest.importorskip("equinox")
    model = equinox.nn.MLP(3, "scalar", WIDTH, 1, key=KEY)
    with pytest.raises(TypeError, match=r"`params\.activation\S*` must be an array"):
        trained(lambda model, x: jax.vmap(model)(x), model)
