"""Answers and times, shared by the tests of reports."""

import numpy as np

from jnumerics.workbench.lesson import Answer, Lesson, Performance, Race


def answer(obtained, expected=(1.0, 2.0), *, ours=0.5, original=1.0, rival="NumPy"):
    obtained, expected = np.asarray(obtained), np.asarray(expected)
    race = Race(3.0, ours, original, rival)
    return Answer("two <numbers>", obtained, expected, race)


def performance(*answers, failure="", name="system"):
    return Performance(
        name,
        "A title.\n\nA & B, `f(x)`.",
        Lesson([*answers], ["a `note`"]),
        code="f(x) < 2",
        failure=failure,
    )


CORRECT = answer([1.0, 2.0])
WRONG = answer([1.0, 2.5])
