"""The derivative of softmax is a matrix for each sample, and training needs J'g.

Summing J over its rows gives zero, because every row of J sums to zero: a network
trained with it never learns. A published answer contracts with `mnr,mrr->mr`, which
keeps only the diagonal of J. Both are shown beside the right product,
`p * (g - <p, g>)`, in training a classifier of handwritten digits.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jnumerics import descent, softmax
from jnumerics.workbench import cli, originals, plots
from jnumerics.workbench.config import Count, Settings
from jnumerics.workbench.lesson import Lesson, Picture, ask, numbers

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


def rows_of_jacobian_summed(x, g):
    """Wrong: the rows of J sum to zero."""
    return softmax.jacobian(x).sum(-1) * g


def einsum_mnr_mrr(x, g):
    """Wrong: it reads the diagonal of J only."""
    return jnp.einsum("mnr,mrr->mr", g[:, None, :], softmax.jacobian(x))


def main(config: Config) -> Lesson:
    scores = np.tile(SCORES, (config.repeats, 1))
    g = np.tile(COTANGENT, (len(scores), 1))

    def product():
        return softmax.vjp(scores, g)

    def product_by_jacobians():
        return originals.softmax_vjp(scores, g)

    answers = [ask(f"J'g for {len(scores):,} samples", product, product_by_jacobians)]
    ways = {
        "J summed over its rows": rows_of_jacobian_summed,
        "`einsum('mnr,mrr->mr')`": einsum_mnr_mrr,
    }
    notes = [
        f"wrong for the first sample, {name}: {numbers(way(SCORES, g[:3])[0], 8)}"
        for name, way in ways.items()
    ]
    if data := digits():
        return learn_digits(config, Lesson(answers, notes), *data)
    notes.append("no digits without scikit-learn: pip install scikit-learn")
    return Lesson(answers, notes)


def learn_digits(config: Config, lesson: Lesson, X, Y) -> Lesson:
    steps, rate, start = config.steps, config.learning_rate, jnp.zeros((65, 10))

    def loss(W):
        return jnp.sum((softmax.softmax(X @ W) - Y) ** 2) / (2 * len(X))

    def train(product):
        def update(W, _):
            scores = X @ W
            error = softmax.softmax(scores) - Y  # d loss / d probabilities, times n
            step = X.T @ product(scores, error / len(X))
            return W - rate * step, jnp.sum(error**2) / (2 * len(X))

        return jax.jit(lambda: jax.lax.scan(update, start, length=steps))

    train_by_hand, sgd = train(softmax.vjp), optax.sgd(rate)

    def by_hand():
        return train_by_hand()[0]

    def by_autodiff():
        return descent.minimize(loss, start, optimizer=sgd, steps=steps).params

    asked = f"weights that read digits, {steps} updates, by hand as by autodiff"
    answer = ask(asked, by_hand, by_autodiff, rival="autodiff")
    losses = {
        "J'g, by hand as by autodiff": train_by_hand()[1],
        "einsum mnr,mrr->mr": train(einsum_mnr_mrr)()[1],
        "rows of J summed": train(rows_of_jacobian_summed)()[1],
    }
    ends = ", ".join(
        f"{name} {float(history[-1]):.3f}" for name, history in losses.items()
    )
    return Lesson(
        [*lesson.answers, answer],
        [*lesson.notes, f"loss at the end: {ends}"],
        [
            Picture(
                "losses",
                "A classifier of 1,797 handwritten digits learns with J'g; with the "
                "diagonal of J it learns badly, with the sum of its rows not at all.",
                lambda: plots.lines(
                    {
                        name: (np.arange(steps), history)
                        for name, history in losses.items()
                    },
                    x_label="updates",
                    y_label="loss, half the mean squared error",
                ),
            )
        ],
    )


def digits():
    """A one for the bias and pixels, and the targets; None without scikit-learn."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        return None
    images, classes = load_digits(return_X_y=True)
    X = np.column_stack([np.ones(len(images)), images / 16])
    return X, np.eye(10)[classes]


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
