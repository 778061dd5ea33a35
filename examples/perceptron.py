"""One layer of sigmoids learns that the answer is the first number.

Four examples with three numbers each, no bias, and gradient descent on half the sum of
squared errors. The original looped in NumPy, and with `np.matrix` its elementwise
product became a matrix product and failed; here arrays and matrices mean the same.
"""

import numpy as np

from jnumerics import perceptron
from jnumerics.workbench import cli, originals, plots
from jnumerics.workbench.config import Count, Settings
from jnumerics.workbench.lesson import Lesson

X = np.array([[0.0, 0, 1], [1, 1, 1], [1, 0, 1], [0, 1, 1]])
Y = np.array([0.0, 1, 1, 0])
START = np.array([-0.16595599, 0.44064899, -0.99977125])
NEW = np.array([1.0, 0, 0])


class Config(Settings):
    """Settings of this example."""

    steps: Count
    """updates of the weights"""
    learning_rate: float
    """size of an update"""


def main(config: Config, lesson: Lesson) -> None:
    steps, rate = config.steps, config.learning_rate
    learned = perceptron.fit(START, X, Y, steps=steps, learning_rate=rate)
    output = perceptron.apply(learned.params, NEW)
    matrix, column = np.matrix(X), np.matrix(Y).T
    same = perceptron.fit(START, matrix, column, steps=steps, learning_rate=rate)

    expected = originals.perceptron(START, X, Y, steps=steps, rate=rate)
    lesson.compare(f"weights after {steps:,} updates", learned.params, expected)
    lesson.race(
        lambda: perceptron.fit(START, X, Y, steps=steps, learning_rate=rate),
        lambda: originals.perceptron(START, X, Y, steps=steps, rate=rate),
    )
    lesson.compare("the same from np.matrix inputs", same.params, expected)
    sigmoid = 1 / (1 + np.exp(-NEW @ expected))
    lesson.compare("output for the new input [1, 0, 0]", output, sigmoid)
    lesson.picture(
        "decision_surface",
        "Output over the first two numbers, the third being 1; the line is 0.5.",
        lambda: decision_surface(learned.params),
    )


def decision_surface(weights):
    side = np.linspace(-0.25, 1.25, 200)
    x1, x2 = np.meshgrid(side, side)
    grid = np.stack([x1, x2, np.ones_like(x1)], axis=-1)
    output = perceptron.apply(weights, grid.reshape(-1, 3))
    return plots.surface(
        np.asarray(output).reshape(x1.shape),
        x=(side[0], side[-1]),
        y=(side[0], side[-1]),
        labels=("first number", "second number", "output"),
        points=X[:, :2],
        classes=Y,
    )


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
