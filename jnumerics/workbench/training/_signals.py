"""Ctrl-C and SIGTERM during a run: noted at once, acted upon at the end of a chunk.

Python runs its handlers between two of its own instructions, and a chunk is one. So a
thread listens to what Python's C handler writes into a pipe: it answers the first
signal at once, and a second one ends the process at once.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
SECONDS_OF_ONE = 0.5  # within which the same comes twice: from a terminal and a parent
PATIENCE = 0.5  # seconds for an answer: none comes if others took Python's pipe


class Noted:
    """The signal that has come, if any."""

    def __init__(self) -> None:
        """Begin with none."""
        self.number: int | None = None
        self.is_answered = False
        self.told = threading.Event()

    def answer(self) -> None:
        """Let the caller act upon the signal, after the user was told of it."""
        self.is_answered = True  # another process' signal may be on its way here
        if self.number is not None:
            self.told.wait(PATIENCE)


@contextlib.contextmanager
def noted(answer: Callable[[str], None], close: Callable[[], None]) -> Iterator[Noted]:
    """Note signals instead of ending; in the main thread alone, where Python has them.

    Args:
        answer: Called at once, with the name of the first signal, in another thread.
        close: Called before a second signal ends the process.

    Yields:
        What has come. A signal that nobody answered is raised again at the end.
    """
    seen = Noted()
    ours = _replaceable()
    if not ours:
        yield seen
        return

    def note(number: int, _: object) -> None:
        seen.number = seen.number or number

    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    thread = threading.Thread(
        target=_listen, args=(reading, set(ours), seen, answer, close), daemon=True
    )
    thread.start()
    before = {number: signal.signal(number, note) for number in ours}
    wakeup = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield seen
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.write(writing, b"\0")
        thread.join()
        os.close(reading)
        os.close(writing)
        if seen.number is not None and not seen.is_answered:
            signal.raise_signal(seen.number)


def _replaceable() -> list[signal.Signals]:
    """Return the signals that end this process: not those that it ignores."""
    if threading.current_thread() is not threading.main_thread():
        return []
    theirs = (None, signal.SIG_IGN)  # of C, and of nobody
    return [number for number in SIGNALS if signal.getsignal(number) not in theirs]


def _listen(
    reading: int,
    ours: set[int],
    seen: Noted,
    answer: Callable[[str], None],
    close: Callable[[], None],
) -> None:
    first = None
    while number := os.read(reading, 1)[0]:
        if number not in ours:
            continue
        if first is None:
            first = time.monotonic()
            answer(SIGNALS[signal.Signals(number)])
            seen.told.set()
        elif time.monotonic() - first > SECONDS_OF_ONE:
            close()
            with contextlib.suppress(OSError, ValueError, AttributeError):
                sys.stdout.flush()
            os._exit(128 + number)
