"""Commands, in this process and in one of their own."""

import os
import subprocess
import sys

import numpy as np

from jnumerics.workbench.lesson import Answer, Lesson, Performance, Race


def perform(name, *, off=0.0):
    one = Answer("one", np.array(1.0 + off), np.array(1.0), Race(3.0, 0.5, 1.0))
    return Performance(name, "Title.", Lesson([one]))


def run_process(*argv, **options):
    return subprocess.run(
        [sys.executable, "-m", "jnumerics", *argv],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def with_environment(**variables):
    return {**os.environ, **variables}
