"""What passes read: the values of a point, some of them replaced at random."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np


class Values:
    """What passes may read at a point, by the program that they belong to."""

    def __init__(self, traced: Any, leaves: Sequence[Any]) -> None:
        self._traced, self._leaves = traced, leaves
        self._cache: dict[int, list[Any]] = {}

    def residuals(self, program: Any) -> list[Any]:
        """Evaluate a program's primal part, once."""
        if id(program) not in self._cache:
            self._cache[id(program)] = self._traced.evaluated(program, self._leaves)
        return self._cache[id(program)]


class Scrambled(NamedTuple):
    """Random numbers where residuals are floats and made of the inputs.

    What a coincidence of values makes independent does not stay so.
    """

    point: Values
    seed: int

    def residuals(self, program: Any) -> list[Any]:
        """Return the values of the point, some of them replaced."""
        rng, scrambled = np.random.default_rng(self.seed), []
        for x, is_made in zip(
            self.point.residuals(program), _made(program), strict=True
        ):
            if is_made and x.dtype.kind == "f":
                x = rng.uniform(0.5, 1.5, np.shape(x)).astype(x.dtype)
            scrambled.append(x)
        return scrambled


def _made(program: Any) -> list[bool]:
    """Tell which of the values that passes read are made of inputs."""
    jaxpr = program.primal_jaxpr().jaxpr
    n = len(program.consts)
    made = set(jaxpr.invars[n:])
    for eqn in jaxpr.eqns:
        if any(v in made for v in eqn.invars if not hasattr(v, "val")):
            made.update(eqn.outvars)
    read = [*jaxpr.invars, *jaxpr.outvars[len(program.values) :]]
    return [not hasattr(v, "val") and v in made for v in read]
