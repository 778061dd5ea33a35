"""The public function: arguments checked, then a run begun, continued, or taken up."""

import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, SupportsIndex

import jax
import numpy as np
import optax
from jaxtyping import PyTree

from jnumerics import _check, _picture, _table
from jnumerics.workbench.checkpoint import Stored
from jnumerics.workbench.training import _order, _places, _program, _saved
from jnumerics.workbench.training._program import Carry
from jnumerics.workbench.training._run import Asked, Run


class Training(NamedTuple):
    """What a run came to."""

    params: PyTree
    """Parameters after the last update."""
    state: PyTree
    """State of the optimizer, from which `descent.minimize` could continue."""
    losses: np.ndarray
    """Loss before each update, from the first one, after a resume too."""
    step: int
    """Number of updates: `steps`, or fewer where `stop` ended the run."""

    def _repr_html_(self) -> str:
        """Show in a notebook how many updates were made, and how the loss fell."""
        leaves = [np.shape(leaf) for leaf in jax.tree.leaves(self.params)]
        numbers = sum(math.prod(shape) for shape in leaves)
        rows = [
            ("updates", str(self.step)),
            (
                "parameters",
                f"{numbers:,} in {_table.plural(len(leaves), 'leaf', 'leaves')}",
            ),
        ]
        finite = np.flatnonzero(np.isfinite(self.losses))
        if finite.size:
            least = finite[np.argmin(self.losses[finite])]
            shown = {"first": finite[0], "least": least, "last": finite[-1]}
            rows += [
                (
                    f"{name} loss",
                    f"{_table.number(float(self.losses[k]), 4)}, update {k + 1}",
                )
                for name, k in shown.items()
            ]
        curve = _picture.curve_svg(self.losses, "loss over updates")
        return f"{_table.html(('training', ''), rows)}{curve}"


def train(
    loss: Callable[[Any, Any], Any],
    params: PyTree,
    *,
    optimizer: optax.GradientTransformation,
    steps: SupportsIndex,
    data: PyTree | Callable[[int], PyTree],
    batch_size: SupportsIndex | None = None,
    key: Any = None,
    report_every: SupportsIndex = 100,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: SupportsIndex = 1000,
    keep: SupportsIndex = 3,
    resume: bool = False,
    stop: Callable[[int, np.ndarray, Any], Any] | None = None,
    evaluate: Callable[[PyTree], PyTree] | None = None,
    callback: Callable[[int, PyTree, np.ndarray], Any] | None = None,
    config: Mapping[str, Any] | None = None,
) -> Training:
    """Minimize a loss over batches by `steps` updates of an optax optimizer.

    The updates are those of `descent.minimize`. They run compiled, in chunks of about
    half a second; one compilation serves chunks of all lengths, and is kept for the
    loss and the optimizer as there. After each `report_every` updates, and the last
    one, the run is reported: `evaluate` is called, a line or a bar on the standard
    error stream tells how far it is, `metrics.csv` and `metrics.jsonl` in the folder
    get a row, then `callback` and `stop` are called. Beside the updates this costs the
    gathering of batches and what these functions take. Memory: parameters and state
    twice, as the chunk before is kept until the next one is known to be finite.

    A run with a folder can be killed at any moment: with `resume=True` it goes on from
    the newest good checkpoint and ends as it would have, bit for bit on CPU, with the
    same metrics. Ctrl-C and SIGTERM save at the end of the chunk, and a second one ends
    the process at once.

    Where several processes have joined (`workbench.devices`), each calls this with the
    same arguments, and each calls the functions; the first one writes. The folder has
    to be one that all of them see.

    Args:
        loss: Function of `(params, batch)` that returns a real scalar, or
            `(value, aux)` with any pytree of arrays. Of each reported step, `aux` of
            its last update goes into the metrics.
        params: Any pytree of floating-point arrays, as for `descent.minimize`: modules
            with other leaves are split first (`equinox.partition`, `nnx.split`). They
            stay on the devices where they are.
        optimizer: Any optax optimizer.
        steps: Number of updates, those before a resume included.
        data: Pytree of arrays whose first axis is that of the samples, or a function
            that returns the batch of a step, counted from 0. The function is called on
            the host, once for each step in a process, may read files, and must return
            the same for the same step; batches are stacked for a chunk of at most 64
            steps and 16 MiB.
        batch_size: Number of samples that an update sees. Each epoch has a permutation
            of its own, `jax.random.permutation(jax.random.fold_in(key, epoch), n)`, and
            `n // batch_size` batches; the remainder is left out of that epoch. None
            shows all data to each update. With a function, the size that its batches
            must have.
        key: From which the permutations are drawn; None is `jax.random.key(0)`.
        report_every: After how many updates to report.
        checkpoint: Folder of the run's checkpoints and metrics; None keeps nothing.
        checkpoint_every: After how many updates to save, besides at the end.
        keep: How many checkpoints to keep.
        resume: Whether to go on from the newest good checkpoint; where there is none
            the run starts afresh and says so. A run that is finished is returned as it
            was, with more `steps` it goes on.
        stop: Function of the number of updates, the losses so far and what `evaluate`
            returned, after which the run ends if it is true. It should depend on these
            alone, or a resumed run ends elsewhere.
        evaluate: Function of the parameters that returns a pytree of real scalars. It
            is not compiled: use `jax.jit`.
        callback: Function of the number of updates, the parameters and the losses so
            far.
        config: What else decides the run and cannot be seen from here, such as the
            learning rate, by name, as JSON has it. It is noted in each checkpoint, and
            a run is resumed with the same alone.

    Returns:
        The `Training`: parameters, state, losses of shape `(step,)`, and step.

    Raises:
        TypeError: If an argument has another type than above, as in
            `descent.minimize`, or `data` is an iterator.
        ValueError: If a number is out of range; a shape does not fit; `checkpoint`
            cannot be written to, or holds checkpoints without `resume`; or a resumed
            run differs in key, batch size, `config`, or the shapes and dtypes of data,
            parameters or state. What a folder or its checkpoints do not go with is a
            `FolderError`.
        NonFiniteError: If a loss, a gradient or a parameter is not finite. It names
            the step, the leaf and the last finite loss, and has the last finite
            parameters, which are saved as well.
        KeyboardInterrupt: After Ctrl-C, when the run is saved.
        SystemExit: After SIGTERM, likewise, with status 143.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> mean = lambda p, batch: jnp.mean((p - batch) ** 2)
        >>> x = jnp.arange(10.0)
        >>> run = train(mean, 0.0, optimizer=optax.sgd(0.1), steps=50, data=x)
        >>> run.params.round(2), run.losses.shape
        (Array(4.5, dtype=float32), (50,))
    """
    _check.function("loss", loss)
    functions = {"stop": stop, "evaluate": evaluate, "callback": callback}
    for name, function in functions.items():
        if function is not None:
            _check.function(name, function)
    _check.boolean("resume", resume)
    asked = Asked(
        _check.integer("steps", steps, least=0),
        _check.integer("report_every", report_every, least=1),
        _check.integer("checkpoint_every", checkpoint_every, least=1),
        _check.integer("keep", keep, least=1),
        **functions,
    )
    size = None
    if batch_size is not None:
        size = _check.integer("batch_size", batch_size, least=1)
    key = None if key is None else _check.key("key", key)
    config = None if config is None else _as_json(config)
    samples = _samples(data)
    held = None if callable(data) else samples
    _require_values(params=params, data=held, key=key)
    folder = _saved.folder_for(checkpoint, resume)
    _check.optimizer("optimizer", optimizer)
    order = size, key
    run = _begun(loss, params, optimizer, samples, order, folder, asked, config)
    run.is_resumable = bool(resume)
    run.go()
    losses = np.array(run.losses)
    return Training(run.carry.params, run.carry.state.inner, losses, run.step)


def _require_values(**trees: PyTree) -> None:
    for name, tree in trees.items():
        if not _check.is_concrete(*jax.tree.leaves(tree)):
            msg = f"`{name}` must have values, got traced ones: a run is on the host"
            raise TypeError(msg)


def _as_json(config: Any) -> Any:
    """Return a mapping as it will be read again."""
    must = "`config` must be a mapping of names to what JSON has"
    if not isinstance(config, Mapping):
        msg = f"{must}, got {type(config).__name__}"
        raise TypeError(msg)
    try:
        return json.loads(json.dumps(dict(config)))
    except (TypeError, ValueError) as e:
        msg = f"{must}, got {e}"
        raise TypeError(msg) from None


def _samples(data: Any) -> Any:
    """Return data as arrays, or the function that makes batches."""
    if hasattr(data, "__next__"):
        kind = type(data).__name__
        must = "must be arrays or a function of the step"
        msg = f"`data` {must}, got {kind}: an iterator could not be resumed"
        raise TypeError(msg)
    return data if callable(data) else _order.rows(data)


def _begun(
    loss: Callable,
    params: PyTree,
    optimizer: Any,
    data: Any,
    order: tuple[int | None, Any],
    folder: Path | None,
    asked: Asked,
    config: Any,
) -> Run:
    """Return a run before its first step, or where its checkpoint was."""
    saved = _saved.stored(folder) if folder else None
    _require_enough(asked.steps, saved)
    mesh = _places.mesh_of(params)
    at = min(saved.step if saved else 0, max(asked.steps - 1, 0))
    feeder = _feeder(data, *order, mesh, at=at)
    feeder.notes["config"] = config
    program = _program.program(loss, optimizer.init, optimizer.update)
    source, first = feeder.source(at, 1), feeder.order(at)
    fresh = program.begin(params, source, first, feeder.feed)
    state = _places.state_like(fresh.params, fresh.state, program.optimizer, mesh)
    point = _saved.Point(0, fresh.params, state.inner, np.asarray(fresh.losses))
    if saved:
        _saved.require_same(saved, _saved.notes(feeder, saved.step, asked))
        point = _saved.restored(saved, point)
    carry = Carry(point.params, state._replace(inner=point.state), first)
    run = Run(program, feeder, carry, asked, folder)
    run.places = _places.places_of((carry.params, carry.state))
    run.has_aux = program.has_aux(carry, source, feeder.feed)
    run.start_with(point.losses, saved.path if saved else None)
    return run


def _feeder(
    data: Any, size: int | None, key: Any, mesh: Any, *, at: int
) -> _order.Arrays | _order.Function:
    if callable(data):
        return _order.Function(data, size, at)
    key = jax.random.key(0) if key is None else key
    data, key = _places.on_mesh((data, key), mesh)
    return _order.Arrays(data, size, key)


def _require_enough(steps: int, saved: Stored | None) -> None:
    if saved and saved.step > steps:
        msg = f"`steps` must be at least {saved.step}, as in {saved.path}, got {steps}"
        raise _saved.FolderError(msg)
