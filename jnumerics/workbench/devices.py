"""Choice of the platform that JAX computes on.

A process has one JAX backend, started by its first computation. The choice must come
before that, and this is the only place in the package that changes `jax.config`.
"""

import jax

from jnumerics.workbench.config import UsageError

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def select(platform: str | None = None) -> jax.Device:
    """Start JAX's backend on a platform, and return its first device.

    Args:
        platform: One of "cpu", "cuda", "rocm", "tpu"; "gpu" means "cuda". None leaves
            the choice to JAX: the environment variable JAX_PLATFORMS, or else the
            fastest platform that is there.

    Returns:
        The device that computations run on by default.

    Raises:
        UsageError: If the platform is not there, or the backend runs on another one
            already; the message lists those that are there.

    Example:
        >>> select().platform == jax.default_backend()
        True
    """
    before = jax.config.jax_platforms
    if platform:
        # For the CPU alone no accelerator need start. Otherwise all start, so that
        # what is there can be named; JAX_PLATFORMS gives way to the argument.
        jax.config.update("jax_platforms", "cpu" if platform == "cpu" else None)
    name = "cuda" if platform == "gpu" else platform
    try:
        device = jax.devices(name)[0]
    except (RuntimeError, AssertionError):  # JAX asserts that some backend starts
        jax.config.update("jax_platforms", None)
        here = ", ".join(available())
        jax.config.update("jax_platforms", before)
        asked = name or before
        msg = f"platform {asked!r} is not here, expected one that is: {here}"
        raise UsageError(msg) from None
    if device != jax.devices()[0]:
        jax.config.update("jax_default_device", device)
    return device


def available() -> list[str]:
    """Return the platforms that are there; starts the backend.

    Example:
        >>> "cpu" in available()
        True
    """
    return [name for name in PLATFORMS if _has(name)]


def describe(device: jax.Device) -> str:
    """Name a device: its platform and what it is.

    Example:
        >>> describe(jax.devices("cpu")[0])
        'cpu'
    """
    kind = device.device_kind
    return kind if kind == device.platform else f"{device.platform}, {kind}"


def _has(platform: str) -> bool:
    try:
        return bool(jax.devices(platform))
    except RuntimeError:
        return False
