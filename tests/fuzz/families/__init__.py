"""Families of operations, each a list of functions that write one."""

from collections.abc import Callable

from tests.fuzz.families import (
    calls,
    control,
    custom,
    elementwise,
    indexing,
    linalg,
    movement,
    products,
    randomness,
    reduction,
    shards,
    solvers,
    windows,
)

COMMON = [*elementwise.OPERATIONS, *movement.OPERATIONS]
FAMILIES: dict[str, list[Callable]] = {
    "elementwise": elementwise.OPERATIONS,
    "movement": movement.OPERATIONS,
    "indexing": indexing.OPERATIONS,
    "window": windows.OPERATIONS,
    "product": products.OPERATIONS,
    "reduction": reduction.OPERATIONS,
    "linalg": linalg.OPERATIONS,
    "control": control.OPERATIONS,
    "calls": calls.OPERATIONS,
    "custom": custom.OPERATIONS,
    "solver": solvers.OPERATIONS,
    "random": randomness.OPERATIONS,
    "shards": shards.OPERATIONS,
    "trees": [],  # of all: several leaves, mixed dtypes, sizes 0 and 1
}
MIXED = [
    *COMMON,
    *indexing.OPERATIONS,
    *reduction.OPERATIONS,
    *products.OPERATIONS,
    *windows.OPERATIONS,
]
# The order in which families take turns; those with the most rules come more often.
TURNS = (
    "movement", "indexing", "control", "reduction", "product", "window", "trees",
    "calls", "indexing", "custom", "elementwise", "shards", "movement", "random",
    "control", "product", "indexing", "linalg", "reduction", "solver", "window",
    "trees", "custom", "calls", "control",
)  # fmt: skip
