"""A run: chunks, and between them reports, checkpoints and an ear for signals."""

import contextlib
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import PyTree

from jnumerics.workbench import devices
from jnumerics.workbench.training import (
    _finite,
    _metrics,
    _order,
    _progress,
    _saved,
    _signals,
)
from jnumerics.workbench.training._program import Carry, Chunk, Places, Program

SECONDS = 0.5  # that a chunk takes: so long a signal waits


class Asked(NamedTuple):
    """What `train` was asked for, checked."""

    steps: int
    report_every: int
    checkpoint_every: int
    keep: int
    stop: Callable[..., Any] | None
    evaluate: Callable[..., Any] | None
    callback: Callable[..., Any] | None


class Run:
    """A run on its way."""

    def __init__(
        self,
        program: Program,
        feeder: "_order.Arrays | _order.Function",
        carry: Carry,
        asked: Asked,
        folder: Path | None,
    ):
        """Begin before the first step."""
        self.program, self.feeder, self.asked = program, feeder, asked
        self.folder, self.carry, self.step = folder, carry, 0
        self.places: Places = ()
        self.has_aux = self.is_resumable = False
        self._losses, self._saved_at = np.zeros(0, np.float32), -1
        self._resumed: Path | None = None
        self._count = 1  # steps of the next chunk
        self.progress = _progress.Progress(asked.steps, 0)
        self.metrics: _metrics.Metrics | None = None

    @property
    def losses(self) -> np.ndarray:
        """The losses so far."""
        losses = self._losses[: self.step]
        losses.flags.writeable = False
        return losses

    def start_with(self, losses: np.ndarray, resumed: Path | None) -> None:
        """Take the losses so far, those of a checkpoint where the run is resumed."""
        self._losses, self.step, self._resumed = losses, len(losses), resumed
        self._saved_at = self.step if resumed else -1

    def go(self) -> None:
        """Run to the end."""
        listening: Any = contextlib.nullcontext(_signals.Noted())
        if self.folder:
            listening = _signals.noted(self._hear, lambda: self.progress.close())
        self.progress = _progress.begin(self.asked.steps, self.step)
        try:
            self._open()
            with listening as noted:
                is_done = self.step >= self.asked.steps or self._is_over_already()
                while not is_done:
                    is_done = self._boundary_is_last()
                    self._end_if(noted, is_done)
                self._save()
        finally:
            self.progress.close()

    def _open(self) -> None:
        """Say where the run begins, and begin its metrics there."""
        if self._resumed:
            self.progress.say(f"resumed at step {self.step:,} from {self._resumed}")
        elif self.is_resumable:
            self.progress.say(f"no checkpoint in {self.folder}: begun at step 0")
        if self.folder and devices.is_first():
            self.metrics = _opened(self.folder, self.step, self.progress.say)

    def _boundary_is_last(self) -> bool:
        """Run a chunk, do what is due behind it, and return whether the run is over."""
        asked, report = self.asked, None
        due = _next(self.step, asked.report_every, asked.steps)
        end = due
        if self.folder:
            end = min(due, _next(self.step, asked.checkpoint_every, asked.steps))
        aux = self._chunk(end, is_reported=end == due)
        is_over = self.step == asked.steps
        if self.step == due:
            report = self._report(aux)
            is_over |= self._is_stopped(report)
        is_due = self.folder and self.step % asked.checkpoint_every == 0
        if is_due and not self._save() and not is_over:
            self.progress.say("the run goes on")
        return is_over

    # updates

    def _chunk(self, end: int, *, is_reported: bool) -> PyTree:
        """Run updates up to `end` at most; return `aux` of the last where it is due."""
        left, aux = end - self.step, None
        if self.has_aux and is_reported:
            # the last update is a chunk of its own: what it starts from is looked at
            left = max(left - 1, 1)
        count = min(left, self._count, self.feeder.limit)
        start = time.monotonic()
        source = self.feeder.source(self.step, count)
        if self.has_aux and is_reported and end - self.step == 1:
            step = np.int32(self.step)
            returned = self.program.returned(
                self.carry, source, step, feed=self.feeder.feed
            )
            aux = devices.gather(returned[1])
        chunk = self._advance(source, self.carry, self.step, count)
        losses = devices.gather(chunk.losses)[:count]
        if not _finite.is_finite(chunk):
            self._fail(source, count)
        self._extend(losses)
        self.carry = chunk.carry
        self._settle_pace(count, time.monotonic() - start)
        self.progress.at(self.step, float(losses[-1]))
        return aux

    def _advance(self, source: Any, carry: Carry, step: int, count: int) -> Chunk:
        return self.program.advance(
            carry,
            source,
            np.int32(step),
            np.int32(count),
            feed=self.feeder.feed,
            limit=self.feeder.limit,
            dtype=self._losses.dtype,
            places=self.places,
        )

    def _extend(self, losses: np.ndarray) -> None:
        """Note losses, in an array that doubles: views of it stay as they are."""
        if not len(losses):
            return
        end = self.step + len(losses)
        if end > len(self._losses):
            longer = np.empty(max(2 * end, 1024), self._losses.dtype)
            longer[: self.step] = self._losses[: self.step]
            self._losses = longer
        self._losses[self.step : end] = losses
        self.step = end

    def _settle_pace(self, count: int, seconds: float) -> None:
        """Let the next chunk take about as long as a signal may wait."""
        fitting = int(count * SECONDS / max(seconds, 1e-6))
        if seconds > SECONDS:
            self._count = max(1, fitting)
        else:  # but what one short chunk tells is trusted only so far
            limit = min(64 * count, _order.MOST_STEPS)
            self._count = max(self._count, min(fitting, limit))

    def _fail(self, source: Any, count: int) -> None:
        """Find where a chunk ceased to be finite, save what was before, and raise."""

        def advance(carry: Carry, step: int, count: int) -> Chunk:
            return self._advance(source, carry, step, count)

        error, self.carry, replayed = _finite.located(
            advance, self.carry, self.step, self.losses, count=count
        )
        self._extend(replayed)
        if self.step > max(self._saved_at, 0):
            self._save()
        raise error

    # what is due behind them

    def _report(self, aux: PyTree) -> PyTree:
        """Report, call the user's functions, and return what `evaluate` returned."""
        evaluation = self._evaluated()
        reported = {"aux": aux} if self.has_aux else {}
        reported |= {"evaluation": evaluation} if self.asked.evaluate else {}
        row = _metrics.row(self.step, self.losses[-1], **devices.gather(reported))
        self.progress.report(row)
        if self.metrics:
            self.metrics.append(row)
        if self.asked.callback:
            self.asked.callback(self.step, self.carry.params, self.losses)
        return evaluation

    def _evaluated(self) -> PyTree:
        if not self.asked.evaluate:
            return None
        evaluation = self.asked.evaluate(self.carry.params)
        for path, leaf in jax.tree_util.tree_leaves_with_path(evaluation):
            _require_scalar(jax.tree_util.keystr(path), leaf)
        return evaluation

    def _is_stopped(self, evaluation: PyTree) -> bool:
        stop = self.asked.stop
        return stop is not None and devices.any_process(
            bool(stop(self.step, self.losses, evaluation))
        )

    def _is_over_already(self) -> bool:
        """Whether `stop` ended the run that is resumed; it says so again."""
        is_reported = self.step > 0 and self.step % self.asked.report_every == 0
        return (
            is_reported
            and self.asked.stop is not None
            and self._is_stopped(self._evaluated())
        )

    def _save(self) -> bool:
        """Save, where there is a folder; return whether it is saved."""
        if not self.folder or self._saved_at == self.step:
            return self.folder is not None
        if self.metrics:
            self.metrics.sync()
        params, state, _ = self.carry
        point = _saved.Point(self.step, params, state.inner, self.losses)
        notes = _saved.notes(self.feeder, self.step, self.asked)
        failure = _saved.save(self.folder, point, keep=self.asked.keep, notes=notes)
        if failure:
            self.progress.say(failure)
        # the others wait for the one that writes, and learn how that went
        if devices.any_process(failure is not None):
            return False
        self._saved_at = self.step
        return True

    # signals

    def _hear(self, name: str) -> None:
        self.progress.say(
            f"{name}: saving at the end of this chunk; a second one ends at once"
        )

    def _end_if(self, noted: _signals.Noted, is_done: bool) -> None:
        """End the run where a signal has come to any process."""
        number = noted.number or 0
        if jax.process_count() > 1:
            seen = np.asarray([number, -self._count])
            number, count = multihost_utils.process_allgather(seen).max(axis=0)
            self._count = -int(count)  # the same chunks in each process
        if not number or is_done:
            return
        noted.answer()
        where = f"at step {self.step:,} of {self.asked.steps:,}"
        saved = f"saved in {self.folder}: resume=True (--resume) goes on from there"
        told = f"{where}, {saved}" if self._save() else f"{where}, not saved"
        self.progress.close()
        if number == signal.SIGINT:
            raise KeyboardInterrupt(told)
        self.progress.say(f"{_signals.SIGNALS[signal.Signals(number)]} {told}")
        raise SystemExit(128 + int(number))


def _opened(folder: Path, step: int, say: Callable[[str], None]) -> _metrics.Metrics:
    try:
        return _metrics.Metrics(folder, step, say)
    except (OSError, UnicodeError) as e:
        must = "must be a folder whose metrics can be read and written"
        reason = e.strerror if isinstance(e, OSError) else e
        msg = f"`checkpoint` {must}, got {folder}: {reason}"
        raise _saved.FolderError(msg) from None


def _next(step: int, every: int, end: int) -> int:
    """Return the next multiple behind a step, or the end."""
    return min((step // every + 1) * every, end)


def _require_scalar(path: str, leaf: Any) -> None:
    kind = np.asarray(leaf).dtype if not hasattr(leaf, "dtype") else leaf.dtype
    at = f" at {path}" if path else ""
    must = "`evaluate` must return a pytree of real scalars"
    if not any(jnp.issubdtype(kind, k) for k in (np.bool_, np.integer, np.floating)):
        msg = f"{must}, got dtype {kind}{at}"
        raise TypeError(msg)
    if np.shape(leaf):
        msg = f"{must}, got shape {np.shape(leaf)}{at}"
        raise ValueError(msg)
