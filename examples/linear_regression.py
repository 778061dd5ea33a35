"""A line is fitted by gradient descent, and the history of its cost is kept.

The original's history was an integer array, and was never returned; its `len(y)` meant
something else for a row of targets, and (m,) against (m, 1) broadcast silently to
(m, m). With many rows each of its iterations reads them all; here they are compressed
once to a triangle with the same cost, and an iteration no longer depends on m.
"""

import numpy as np

from jnumerics.linear_regression import cost, gradient_descent, solve
from jnumerics.workbench import cli, originals, plots
from jnumerics.workbench.config import Count, Settings
from jnumerics.workbench.lesson import Lesson

X = np.array([[1.0, 5], [1, 2], [1, 4], [1, 5]])
Y = np.array([1.0, 6, 4, 2])


class Config(Settings):
    """Settings of this example."""

    steps: Count
    """updates of theta"""
    learning_rate: float
    """size of an update"""
    rows: Count
    """samples of the larger problem"""


def main(config: Config, lesson: Lesson) -> None:
    steps, rate = config.steps, config.learning_rate
    line = gradient_descent(X, Y, np.zeros(2), learning_rate=rate, steps=steps)
    best = solve(X, Y)
    rows, targets, start = random_problem(config.rows)
    many = gradient_descent(rows, targets, start, learning_rate=rate, steps=steps)

    theta, costs = originals.gradient_descent(X, Y, np.zeros(2), rate=rate, steps=steps)
    lesson.compare(f"theta after {steps:,} updates", line.theta, theta)
    lesson.race(
        lambda: gradient_descent(X, Y, np.zeros(2), learning_rate=rate, steps=steps),
        lambda: originals.gradient_descent(X, Y, np.zeros(2), rate=rate, steps=steps),
    )
    lesson.compare("the history of the cost", line.cost_history, costs)
    theta, _ = originals.gradient_descent(rows, targets, start, rate=rate, steps=steps)
    lesson.compare(f"theta of {len(rows):,} rows with 10 columns", many.theta, theta)
    lesson.race(
        lambda: gradient_descent(rows, targets, start, learning_rate=rate, steps=steps),
        lambda: originals.gradient_descent(
            rows, targets, start, rate=rate, steps=steps
        ),
    )
    lesson.picture(
        "cost",
        "The cost falls by the first updates along one direction, then slowly along "
        "the other, towards that of least squares.",
        lambda: curve(line.cost_history, cost(best, X, Y)),
    )


def random_problem(m):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(m, 10))
    targets = rows @ np.arange(10.0) + rng.normal(size=m)
    return rows, targets, np.zeros(10)


def curve(costs, least):
    return plots.lines(
        {"gradient descent": (np.arange(1, len(costs) + 1), np.asarray(costs))},
        x_label="updates",
        y_label="cost, half the mean of squared errors",
        scales=("log", "linear"),
        levels={"least squares": float(least)},
    )


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
