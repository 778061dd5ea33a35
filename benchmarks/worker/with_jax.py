"""What asdex and folx do, on a JAX that they run on: functions that make contenders."""

import importlib
import importlib.metadata
import platform
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.experimental import sparse

from benchmarks import functions
from benchmarks._measure import first_call as first
from benchmarks.suites import second

__all__ = ["first"]

Run = Callable[[], Any]


def start(library: str, threads: int) -> dict[str, str]:
    """Import the library; return the versions. JAX takes every core of the process."""
    del threads
    jax.config.update("jax_compilation_cache_dir", None)
    importlib.import_module(library)
    jax.devices()  # raises where this Python's JAX lacks the platform
    versions = {name: importlib.metadata.version(name) for name in (library, "jax")}
    return versions | {"Python": platform.python_version()}


def wait(result: Any) -> None:
    """Wait until what was called is done."""
    jax.block_until_ready(result)


def arrays(value: Any) -> list[np.ndarray]:
    """Return results as dense arrays."""
    dense = value.todense() if isinstance(value, sparse.JAXSparse) else value
    return [np.asarray(leaf) for leaf in jax.tree.leaves(dense)]


def asdex_jacobian(x: np.ndarray, *, fun: str, size: int, afresh: bool) -> Run:
    """Take a sparse Jacobian; afresh: with all that goes before the first call."""
    asdex = importlib.import_module("asdex")

    at, made = jax.numpy.asarray(x), getattr(functions, fun)(size)

    def prepare() -> Callable:
        return jax.jit(asdex.jacobian(lambda x: made(x), at))

    def run() -> Any:
        jax.clear_caches()
        return prepare()(at)

    if afresh:
        return run
    program = prepare()
    return lambda: program(at)


def asdex_hessian(x: np.ndarray, *, name: str) -> Run:
    """Take a sparse Hessian of one of `second.HESSIANS`."""
    asdex = importlib.import_module("asdex")

    at = jax.numpy.asarray(x)
    program = jax.jit(asdex.hessian(second.HESSIANS[name], at))
    return lambda: program(at)


def folx_laplacian(*, name: str) -> Run:
    """Take the Laplacian of one of `second.CASES`, sample by sample."""
    folx = importlib.import_module("folx")

    case = second.CASES[name]()
    forward = folx.forward_laplacian(case.fun, sparsity_threshold=case.sparsity)
    program = jax.jit(jax.vmap(lambda x: forward(x).laplacian))
    return lambda: program(case.X)
