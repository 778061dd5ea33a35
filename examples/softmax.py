"""The derivative of softmax is a matrix for each sample, and training needs J'g.

Summing J over its rows gives zero, because every row of J sums to zero: a network
trained with it never learns. A published answer contracts with `mnr,mrr->mr`, which
keeps only the diagonal of J. Both are shown beside the right product,
`p * (g - <p, g>)`, in training a classifier of handwritten digits.
"""

import functools
import importlib.util

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jnumerics import descent, softmax
from jnumerics.workbench import cli, originals, plots
from jnumerics.workbench.config import Count, Settings
from jnumerics.workbench.lesson import Lesson, numbers

SCORES = np.array(
    [
        [0.3394572666491664, 0.3089068053925853, 0.3516359279582483],
        [0.33932706934615525, 0.3094755563319447, 0.3511973743219001],
        [0.3394407172182317, 0.30889042266755573, 0.35166886011421256],
    ]
)
COTANGENT = np.array([1.0, -2.0, 0.5])


class Config(Settings):
    """Settings of this example."""

    steps: Count
    """updates of the classifier"""
    learning_rate: float
    """size of an update"""
    repeats: Count
    """copies of the three rows of scores, for the timing"""


def main(config: Config, lesson: Lesson) -> None:
    scores = np.tile(SCORES, (config.repeats, 1))
    g = np.tile(COTANGENT, (len(scores), 1))
    product = softmax.vjp(scores, g)
    summed = rows_of_jacobian_summed(scores, g)
    diagonal = einsum_mnr_mrr(scores, g)

    expected = originals.softmax_vjp(scores, g)
    lesson.compare(f"J'g for {len(scores):,} samples", product, expected)
    lesson.race(
        lambda: softmax.vjp(scores, g), lambda: originals.softmax_vjp(scores, g)
    )
    wrong = "wrong for the first sample"
    lesson.note(f"{wrong}, J summed over its rows: {numbers(summed[0], 8)}")
    lesson.note(f"{wrong}, `einsum('mnr,mrr->mr')`: {numbers(diagonal[0], 8)}")
    if importlib.util.find_spec("sklearn"):
        read_digits(config, lesson)
    else:
        lesson.note("no digits without scikit-learn: pip install scikit-learn")


def rows_of_jacobian_summed(x, g):
    """Wrong: the rows of J sum to zero."""
    return softmax.jacobian(x).sum(-1) * g


def einsum_mnr_mrr(x, g):
    """Wrong: it reads the diagonal of J only."""
    return jnp.einsum("mnr,mrr->mr", g[:, None, :], softmax.jacobian(x))


def read_digits(config, lesson):
    """Train a classifier by autodiff, and by hand with each of the three products."""
    (X, Y), steps, sgd = digits(), config.steps, optax.sgd(config.learning_rate)
    start = jnp.zeros((X.shape[1], Y.shape[1]))

    def loss(W):
        return jnp.sum((softmax.softmax(X @ W) - Y) ** 2) / (2 * len(X))

    def by_hand(product=softmax.vjp):
        return descend(start, X, Y, product, steps=steps, rate=config.learning_rate)

    learned = descent.minimize(loss, start, optimizer=sgd, steps=steps)
    weights, curve = by_hand()
    losses = {
        "J'g, by hand as by autodiff": curve,
        "einsum mnr,mrr->mr": by_hand(einsum_mnr_mrr)[1],
        "rows of J summed": by_hand(rows_of_jacobian_summed)[1],
    }

    asked = f"weights that read digits, {steps} updates, by autodiff as by hand"
    lesson.compare(asked, learned.params, weights)
    lesson.race(
        lambda: descent.minimize(loss, start, optimizer=sgd, steps=steps),
        by_hand,
        rival="a loop by hand",
    )
    ends = ", ".join(f"{name} {float(h[-1]):.3f}" for name, h in losses.items())
    lesson.note(f"loss at the end: {ends}")
    lesson.picture(
        "losses",
        "A classifier of 1,797 handwritten digits learns with J'g; with the diagonal "
        "of J it learns badly, with the sum of its rows not at all.",
        lambda: plots.lines(
            {name: (np.arange(steps), history) for name, history in losses.items()},
            x_label="updates",
            y_label="loss, half the mean squared error",
        ),
    )


@functools.partial(jax.jit, static_argnames=("product", "steps"))
def descend(W, X, Y, product, *, steps, rate):
    """Descend by hand, with a product for J'g; return the weights and the losses."""

    def update(W, _):
        scores = X @ W
        error = softmax.softmax(scores) - Y  # d loss / d probabilities, times n
        step = X.T @ product(scores, error / len(X))
        return W - rate * step, jnp.sum(error**2) / (2 * len(X))

    return jax.lax.scan(update, W, length=steps)


def digits():
    """A one for the bias and pixels, and the targets."""
    from sklearn.datasets import load_digits

    images, classes = load_digits(return_X_y=True)
    X = np.column_stack([np.ones(len(images)), images / 16])
    return X, np.eye(10)[classes]


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
