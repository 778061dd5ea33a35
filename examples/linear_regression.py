"""A line is fitted by gradient descent, and the history of its cost is kept.

The original's history was an integer array, and was never returned; its `len(y)` meant
something else for a row of targets, and (m,) against (m, 1) broadcast silently to
(m, m). With many rows each of its iterations reads them all; here they are compressed
once to a triangle with the same cost, and an iteration no longer depends on m.
"""

import numpy as np

from jnumerics import linear_regression
from jnumerics.workbench import cli, originals, plots
from jnumerics.workbench.config import Count, Settings
from jnumerics.workbench.lesson import Lesson, Picture, ask

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


def main(config: Config) -> Lesson:
    steps, rate = config.steps, config.learning_rate
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(config.rows, 10))
    targets = rows @ np.arange(10.0) + rng.normal(size=config.rows)

    def fit():
        return linear_regression.gradient_descent(
            X, Y, np.zeros(2), learning_rate=rate, steps=steps
        )

    def fit_in_numpy():
        return originals.gradient_descent(X, Y, np.zeros(2), rate=rate, steps=steps)

    def fit_many_rows():
        return linear_regression.gradient_descent(
            rows, targets, np.zeros(10), learning_rate=rate, steps=steps
        )

    def fit_many_rows_in_numpy():
        theta = np.zeros(10)
        return originals.gradient_descent(rows, targets, theta, rate=rate, steps=steps)

    theta = ask(
        f"theta after {steps:,} updates",
        lambda: fit().theta,
        lambda: fit_in_numpy()[0],
        shown=fit,
    )
    costs = ask(
        "the history of the cost",
        lambda: fit().cost_history,
        lambda: fit_in_numpy()[1],
        shown=fit,
    )
    best = linear_regression.solve(X, Y)

    def curve():
        return plots.lines(
            {"gradient descent": (np.arange(1, steps + 1), costs.obtained)},
            x_label="updates",
            y_label="cost, half the mean of squared errors",
            scales=("log", "linear"),
            levels={"least squares": float(linear_regression.cost(best, X, Y))},
        )

    return Lesson(
        answers=[
            theta,
            costs,
            ask(
                f"theta of {config.rows:,} rows with 10 columns",
                lambda: fit_many_rows().theta,
                lambda: fit_many_rows_in_numpy()[0],
                shown=fit_many_rows,
            ),
        ],
        pictures=[
            Picture(
                "cost",
                "The cost falls by the first updates along one direction, then slowly "
                "along the other, towards that of least squares.",
                curve,
            )
        ],
    )


if __name__ == "__main__":
    cli.run_example(__file__, main, Config)
