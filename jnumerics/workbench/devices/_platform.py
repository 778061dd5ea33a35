"""Choice of the platform that JAX computes on.

A process has one JAX backend, started by its first computation. The choice must come
before that, and this is the only place in the package that changes `jax.config`.
"""

import os
import platform
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from jnumerics.workbench._usage import UsageError

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def select(platform: str | None = None) -> str:
    """Start JAX's backend on a platform, and return what it computes on.

    Args:
        platform: One of "cpu", "cuda", "rocm", "tpu"; "gpu" means "cuda". None leaves
            the choice to JAX: the environment variable JAX_PLATFORMS, or else the
            fastest platform that is there.

    Returns:
        The device that computations run on by default, in words.

    Raises:
        UsageError: If the platform is not there, or the backend runs on another one
            already; the message lists those that are there.

    Example:
        >>> select() in names()
        True
    """
    before = jax.config.jax_platforms
    if platform:
        # For the CPU alone no accelerator need start. Otherwise all start, so that
        # what is there can be named; JAX_PLATFORMS gives way to the argument.
        jax.config.update("jax_platforms", "cpu" if platform == "cpu" else None)
    name = "cuda" if platform == "gpu" else platform
    try:
        device = jax.local_devices(backend=name)[0]
    except (RuntimeError, AssertionError):  # JAX asserts that some backend starts
        jax.config.update("jax_platforms", None)
        here = ", ".join(available())
        jax.config.update("jax_platforms", before)
        asked = name or before
        msg = f"platform {asked!r} is not here, expected one that is: {here}"
        raise UsageError(msg) from None
    if device != jax.local_devices()[0]:
        jax.config.update("jax_default_device", device)
    return _describe(device)


def available() -> list[str]:
    """Return the platforms that are there; starts the backend.

    Example:
        >>> "cpu" in available()
        True
    """
    return [name for name in PLATFORMS if _has(name)]


def names() -> list[str]:
    """Return the devices that are there on the default platform, in words.

    Example:
        >>> len(names()) == jax.device_count()
        True
    """
    return [_describe(device) for device in jax.devices()]


def counts() -> list[tuple[str, str]]:
    """Return how many devices and processes there are, by name.

    Example:
        >>> [name for name, _ in counts()]
        ['devices', 'processes']
    """
    everywhere, here = jax.device_count(), jax.local_device_count()
    processes, own = jax.process_count(), jax.process_index()
    is_alone = processes == 1
    return [
        (
            "devices",
            str(everywhere) if is_alone else f"{everywhere}, {here} of them here",
        ),
        ("processes", "1" if is_alone else f"{processes}, of which this is {own}"),
    ]


def cpu() -> str:
    """Return the model of the processor.

    Example:
        >>> bool(cpu())
        True
    """
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else ""
    match = re.search(r"model name\s*: (.*)", text)
    return match[1] if match else platform.processor() or platform.machine()


def cores() -> int:
    """Return the number of cores that this process may use.

    Example:
        >>> cores() > 0
        True
    """
    if hasattr(os, "sched_getaffinity"):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def precision() -> list[tuple[str, str]]:
    """Return what decides the precision of results, by name.

    Example:
        >>> [name for name, _ in precision()]
        ['default float', 'matrix products']
    """
    products = jax.config.jax_default_matmul_precision or "the platform's default"
    return [
        ("default float", jnp.zeros(()).dtype.name),
        ("matrix products", f"highest in jnumerics, {products} elsewhere"),
    ]


def _describe(device: Any) -> str:
    kind = device.device_kind
    return kind if kind == device.platform else f"{device.platform}, {kind}"


def _has(platform: str) -> bool:
    try:
        return bool(jax.devices(platform))
    except RuntimeError:
        return False
