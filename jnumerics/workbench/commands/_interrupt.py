"""Ctrl-C that comes where Python drops it."""

import _thread
import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import Any

SOON = 0.1  # seconds: the hook has returned; what is raised in it is dropped too


@contextlib.contextmanager
def counted() -> Iterator[None]:
    """Raise again what Python drops: Ctrl-C in a callback of its garbage collector.

    JAX has such a callback. What it raises is handed to `sys.unraisablehook`, which
    prints it, and the program goes on.

    Raises:
        KeyboardInterrupt: At the end, where one is still on its way then.
    """
    before, late = sys.unraisablehook, []

    def hook(dropped: Any) -> None:
        if not issubclass(dropped.exc_type, KeyboardInterrupt):
            before(dropped)
            return
        late.append(threading.Timer(SOON, _thread.interrupt_main))
        late[-1].daemon = True
        late[-1].start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before
        waiting = [timer for timer in late if timer.is_alive()]
        for timer in waiting:
            timer.cancel()
    if waiting:
        raise KeyboardInterrupt
