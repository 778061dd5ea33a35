"""How well does a small convolutional network read handwritten digits?

1,797 digits of 8 x 8 pixels; a fifth of them is held out. `training.train` is for runs
that take longer than this one: kill it, and `--resume` ends where it would have. The
devices that are there share each batch.
"""

import csv
import hashlib
import importlib.metadata
import json
import math
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.lib.stride_tricks import sliding_window_view

from jnumerics import conv, mlp, softmax
from jnumerics.workbench import checkpoint, cli, devices, plots, training
from jnumerics.workbench.config import Count, UsageError, condition
from jnumerics.workbench.lesson import Lesson

STRIDES = 1, 2


class Config(devices.Settings):
    """Settings of this example."""

    channels: Annotated[
        tuple[Count, ...], condition(lambda c: len(c) == 2, "2 numbers")
    ]
    """channels of the two convolutions"""
    steps: Count
    """updates of the network"""
    batch_size: Count
    """digits that an update sees"""
    learning_rate: float
    """size of an update"""
    weight_decay: float
    """part of the weights that is added to their gradient"""
    report_every: Count
    """updates between two lines of metrics.csv"""
    checkpoint_every: Count
    """updates between two checkpoints"""
    resume: bool = False
    """whether to go on from the newest checkpoint in the folder"""


def main(config: Config, lesson: Lesson) -> None:
    mesh, scores = shared_by(config), network(config)
    seen, (unseen, truth) = digits()

    def loss(params, batch):
        x, y = devices.shard(batch, mesh)
        return softmax.cross_entropy(scores(params, x), y)

    @jax.jit
    def evaluate(params):
        logits = scores(params, unseen)
        accuracy = jnp.mean(logits.argmax(1) == truth)
        return {"loss": softmax.cross_entropy(logits, truth), "accuracy": accuracy}

    trained = training.train(
        loss, devices.replicate(init(config.channels), mesh),
        optimizer=descent(config), steps=config.steps, data=moved(*seen),
        batch_size=config.batch_size, key=jax.random.key(1), evaluate=evaluate,
        report_every=config.report_every, checkpoint=config.out, resume=config.resume,
        checkpoint_every=config.checkpoint_every, config=deciding(config),
    )  # fmt: skip
    params = devices.gather(trained.params)
    if devices.is_first():
        file = Path(config.out, "result.json")
        file.write_text(result(config, trained.losses, params, evaluate(params), mesh))

    _, loaded = checkpoint.load(config.out, {"params": params})
    tell(lesson, scores, loaded["params"], unseen, truth)
    curves(lesson, trained.losses, config.out)


def digits() -> tuple[Any, Any]:
    """Images and labels, those to learn from and those held out."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8, 1).astype(np.float32) / 16
    x, unseen, y, truth = train_test_split(
        images, labels.astype(np.int32), test_size=360, random_state=0, stratify=labels
    )
    return (x, y), (unseen, truth)


def moved(images, labels):
    """The images, and each moved by a pixel up, down, left and right."""
    wide = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    at = (1, 1), (0, 1), (2, 1), (1, 0), (1, 2)
    copies = [wide[:, i : i + 8, j : j + 8] for i, j in at]
    return np.concatenate(copies), np.tile(labels, len(at))


def descent(config):
    """Nesterov's momentum, with weights that decay."""
    step = optax.sgd(config.learning_rate, momentum=0.9, nesterov=True)
    return optax.chain(optax.add_decayed_weights(config.weight_decay), step)


def deciding(config):
    """The settings with which alone a run may go on."""
    names = "channels", "learning_rate", "weight_decay", "matmul_precision", "precision"
    return {name: getattr(config, name) for name in names}


def shared_by(config):
    """The devices, which have to divide a batch."""
    mesh = devices.mesh(config.devices, name="--devices")
    if config.batch_size % mesh.size:
        msg = (
            f"--batch-size must be a multiple of the {mesh.size} devices, got "
            f"{config.batch_size}: --devices asks for fewer"
        )
        raise UsageError(msg)
    return mesh


def init(channels):
    """Kernels of the convolutions and the layer behind them."""
    *keys, last = jax.random.split(jax.random.key(0), 3)
    shapes = [(3, 3, n, m) for n, m in zip((1, *channels), channels, strict=False)]
    return {
        "kernels": tuple(
            jax.random.normal(key, shape) * math.sqrt(2 / math.prod(shape[:3]))
            for key, shape in zip(keys, shapes, strict=True)
        ),
        "layers": mlp.init(last, (4 * 4 * channels[-1], 10)),
    }


def network(config):
    """Return the network: a function that gives each image a score for each digit."""
    precision = config.matmul_precision
    correlate = partial(conv.conv2d, padding="SAME", precision=precision)
    last = partial(mlp.apply, precision=precision)

    def scores(params, x):
        for kernel, stride in zip(params["kernels"], STRIDES, strict=True):
            x = jax.nn.relu(correlate(x, kernel, stride=stride))
        return last(params["layers"], x.reshape(len(x), -1))

    return scores


def by_numpy(params, x):
    """The same network, written without JAX."""
    for kernel, stride in zip(params["kernels"], STRIDES, strict=True):
        # "SAME" pads an even size with stride 2 at its end alone
        wide = np.pad(x, ((0, 0), (2 - stride, 1), (2 - stride, 1), (0, 0)))
        windows = sliding_window_view(wide, (3, 3), axis=(1, 2))[:, ::stride, ::stride]
        x = np.maximum(np.einsum("nhwcij,ijck->nhwk", windows, kernel), 0)
    (layer,) = params["layers"]
    return x.reshape(len(x), -1) @ layer.weight + layer.bias


# what it has to say


def result(config, losses, params, evaluation, mesh):
    """What decides the run and what it came to, as JSON; no times, no places."""
    elsewhere = {"out", "resume", "coordinator", "processes", "process_id"}
    packages = "jnumerics", "jax", "jaxlib", "numpy", "optax"
    told = {
        "accuracy": float(evaluation["accuracy"]),
        "params_sha256": digest(params),
        "config": config.model_dump(mode="json", exclude=elsewhere),
        "versions": {name: importlib.metadata.version(name) for name in packages},
        "device": f"{mesh.size} x {devices.names()[0]}",
        "losses": [float(str(loss)) for loss in losses],  # in the digits they have
    }
    return json.dumps(told, indent=1) + "\n"


def digest(params):
    """SHA-256 of the parameters' bytes, leaf by leaf."""
    leaves = jax.tree.leaves(params)
    return hashlib.sha256(b"".join(x.tobytes() for x in leaves)).hexdigest()


def tell(lesson, scores, params, images, truth):
    """Compare the network with NumPy's, and show where it is wrong."""
    network, inputs = jax.jit(scores), jnp.asarray(images)
    logits = np.asarray(network(params, inputs))
    asked = f"the scores of {len(images)} digits that it has not seen"
    lesson.compare(asked, logits, by_numpy(params, images))
    lesson.race(
        lambda: network(params, inputs), lambda: by_numpy(params, images), rival="NumPy"
    )
    guess = logits.argmax(1)
    wrong = np.flatnonzero(guess != truth)
    lesson.note(
        f"{1 - len(wrong) / len(truth):.1%} of them are right, {len(wrong)} are wrong"
    )
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (truth, guess), 1)
    lesson.picture(
        "confusion",
        "What the held-out digits are, and what the network takes them for.",
        lambda: plots.confusion(counts),
    )
    names = [f"{truth[k]} taken for {guess[k]}" for k in wrong]
    lesson.picture(
        "wrong",
        "The held-out digits that the network takes for others.",
        lambda: plots.gallery(images[wrong, ..., 0], names),
    )


def curves(lesson, losses, folder):
    """Show how the run went, from what it has written."""
    with Path(folder, "metrics.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = "step", "evaluation.loss", "evaluation.accuracy"
    columns = [np.array([float(row[name]) for row in rows]) for name in names]
    lesson.picture(
        "curves",
        "The loss of each batch and of the held-out digits, update after update, and "
        "how many of these are taken for others.",
        lambda: plots.learning(losses, *columns),
    )


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
