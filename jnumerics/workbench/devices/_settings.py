"""Settings of a script that runs on many devices and in many processes."""

from contextlib import AbstractContextManager, nullcontext
from typing import Annotated

from pydantic import Field

from jnumerics.workbench import config
from jnumerics.workbench.config import Count
from jnumerics.workbench.devices._processes import joined


class Settings(config.Settings):
    """The settings that every such script has."""

    devices: Count | None = None
    """devices that share each batch; all that there are if no number is given"""
    coordinator: str | None = None
    """HOST:PORT of the first of several processes; auto where JAX can find it out"""
    processes: Count | None = None
    """number of processes"""
    process_id: Annotated[int, Field(ge=0)] | None = None
    """number of this process, from 0"""
    initialization_timeout: Count = 300
    """seconds to wait for the other processes at the beginning"""
    heartbeat_timeout_seconds: Count = 100
    """seconds without a sign of life after which a process counts as dead"""


def joined_as(settings: config.Settings) -> AbstractContextManager[None]:
    """Join the processes that settings tell of; others tell of none.

    Example:
        >>> with joined_as(config.Settings()):
        ...     pass
    """
    if not isinstance(settings, Settings):
        return nullcontext()
    return joined(
        settings.coordinator,
        settings.processes,
        settings.process_id,
        initialization_timeout=settings.initialization_timeout,
        heartbeat_timeout_seconds=settings.heartbeat_timeout_seconds,
    )
