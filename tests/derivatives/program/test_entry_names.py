"""What a function reads by names: of its class, of itself, of a module."""

import types
from typing import Any

import jax.numpy as jnp
import pytest

from tests.derivatives.program._changes import check_a_change_is_seen

WEIGHT = jnp.ones(3)
constants: Any = types.ModuleType("constants")


class Reader:
    """Holds nothing itself: its class does, and what its function names."""

    shared = jnp.ones(3)

    def __call__(self, x):
        return WEIGHT * self.shared * x**2


def of_a_global_that_a_class_names():
    global WEIGHT
    WEIGHT, Reader.shared = jnp.ones(3), jnp.ones(3)

    def change():
        global WEIGHT
        WEIGHT = 2 * WEIGHT

    return Reader(), change


def of_a_class():
    reader, _ = of_a_global_that_a_class_names()

    def change():
        Reader.shared = 2 * Reader.shared

    return reader, change


def of_a_class_behind_a_function():
    reader, change = of_a_class()
    return lambda x: reader(x), change


def of_a_function():
    def read(x):
        return fun.weight * x**2

    fun: Any = read
    fun.weight = jnp.ones(3)

    def change():
        fun.weight = 2 * fun.weight

    return fun, change


def of_a_module():
    constants.weight = jnp.ones(3)

    def change():
        constants.weight = 2 * constants.weight

    return lambda x: constants.weight * x**2, change


class Indirect:
    """Reads a global by a property and by a class method."""

    @property
    def weight(self):
        return WEIGHT

    @classmethod
    def scaled(cls, x):
        return WEIGHT * x**2

    def __call__(self, x):
        return self.weight * x**2


def of_a_property():
    _, change = of_a_global_that_a_class_names()
    return Indirect(), change


def of_a_class_method():
    _, change = of_a_global_that_a_class_names()
    reader = Indirect()
    return lambda x: reader.scaled(x), change


MAKERS = [
    of_a_property,
    of_a_class_method,
    of_a_global_that_a_class_names,
    of_a_class,
    of_a_class_behind_a_function,
    of_a_function,
    of_a_module,
]


@pytest.mark.parametrize("make", MAKERS)
def test_another_array_under_a_name_gives_another_derivative(make):
    check_a_change_is_seen(make)
