"""Functions on shards: every device of the mesh in turn, equation by equation."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.fuzz.interpret.control import scan_parts
from tests.fuzz.interpret.core import (
    Eqn,
    Function,
    Interpreter,
    evaluator,
    shape_of,
)

Lanes = list[Any]  # an array for each device
Collective = Callable[[Lanes, Eqn, "Mesh"], Lanes]
_COLLECTIVES: dict[str, Collective] = {}


class Mesh:
    """Devices numbered row-major over the axes of a mesh."""

    def __init__(self, sizes: dict[str, int]) -> None:
        self.sizes = sizes
        self.places = list(itertools.product(*map(range, sizes.values())))

    def group(self, device: int, names: Sequence[str]) -> list[int]:
        """Return the devices that differ along some axes only, in their order."""
        own = dict(zip(self.sizes, self.places[device], strict=True))
        members = []
        for place in itertools.product(*(range(self.sizes[n]) for n in names)):
            there = own | dict(zip(names, place, strict=True))
            members.append(self.places.index(tuple(there[n] for n in self.sizes)))
        return members

    def rank(self, device: int, names: Sequence[str]) -> int:
        """Return a device's number along some axes."""
        return self.group(device, names).index(device)

    def piece(
        self, device: int, spec: Sequence[Any], shape: Sequence[int]
    ) -> tuple[slice, ...]:
        """Return where a device's shard stands in the whole array."""
        pieces = [slice(None)] * len(shape)
        for axis, entry in enumerate(spec):
            names = entry if isinstance(entry, tuple) else (entry,)
            names = [n for n in names if n in self.sizes]
            if names:
                count = len(self.group(device, names))
                size, k = shape[axis] // count, self.rank(device, names)
                pieces[axis] = slice(k * size, (k + 1) * size)
        return tuple(pieces)


class LaneInterpreter(Interpreter):
    """Evaluates a body on all devices at once: every value is a list of theirs."""

    def __init__(self, jaxpr: Any, mesh: Mesh) -> None:
        self._mesh, self._n = mesh, len(mesh.places)
        super().__init__(jaxpr)
        self._values = [[x] * self._n for x in self._values]

    def _add(self, eqn: Eqn) -> None:
        before = len(self.steps)
        super()._add(eqn)
        for k in range(before, len(self.steps)):
            fun, ins, outs = self.steps[k]
            if not isinstance(fun, _Together):
                fun = _Together(self._along(fun, outs))
            self.steps[k] = (self._together(eqn) or fun, ins, outs)

    def _along(self, fun: Function, outs: Any) -> Function:
        def each(*operands: Lanes) -> Any:
            lanes = zip(*operands, strict=True) if operands else [()] * self._n
            results = [fun(*lane) for lane in lanes]
            return (
                results
                if isinstance(outs, int)
                else [*map(list, zip(*results, strict=True))]
            )

        return each

    def _together(self, eqn: Eqn) -> "_Together | None":
        """Return the function of an equation in which devices communicate."""
        name = eqn.primitive.name
        if name == "axis_index":
            names = _names(eqn)
            ranks = [np.int32(self._mesh.rank(d, names)) for d in range(self._n)]
            return _Together(lambda: ranks)
        if name == "scan":
            return _Together(_scan(eqn, self._mesh))
        if name not in _COLLECTIVES:
            return None
        collective = _COLLECTIVES[name]
        if eqn.primitive.multiple_results:
            return _Together(lambda *xs: [collective(x, eqn, self._mesh) for x in xs])
        return _Together(lambda x: collective(x, eqn, self._mesh))


class _Together:
    """Marks the function of all devices."""

    def __init__(self, fun: Function) -> None:
        self._fun = fun

    def __call__(self, *args: Any) -> Any:
        return self._fun(*args)


def _scan(eqn: Eqn, mesh: Mesh) -> Function:
    n_consts, n_carry = scan_parts(eqn)
    body, length = LaneInterpreter(eqn.params["jaxpr"], mesh), eqn.params["length"]

    def fun(*args: Lanes) -> Any:
        consts, carry = args[:n_consts], args[n_consts : n_consts + n_carry]
        xs, rows = args[n_consts + n_carry :], [None] * length
        times = range(length)
        for time in reversed(times) if eqn.params["reverse"] else times:
            at = [[x[time] for x in lanes] for lanes in xs]
            results = body(*consts, *carry, *at)
            carry, rows[time] = results[:n_carry], results[n_carry:]
        stacked = [
            [np.stack(steps) for steps in zip(*column, strict=True)]
            for column in zip(*rows, strict=True)
        ]
        return [*carry, *stacked]

    return fun


@evaluator("shard_map")
def _(eqn: Eqn) -> Function:
    p = eqn.params
    manual = p["newly_manual_axes" if "newly_manual_axes" in p else "manual_axes"]
    sizes = {k: n for k, n in p["mesh"].shape.items() if k in manual}
    mesh = Mesh(sizes)
    body, devices = LaneInterpreter(p["jaxpr"], mesh), range(len(mesh.places))

    def fun(*args: Any) -> Any:
        shards = [
            [x[mesh.piece(d, spec, x.shape)] for d in devices]
            for x, spec in zip(args, p["in_specs"], strict=True)
        ]
        wholes = []
        for lanes, v, spec in zip(
            body(*shards), eqn.outvars, p["out_specs"], strict=True
        ):
            whole = np.zeros(shape_of(v), v.aval.dtype)
            for d in reversed(devices):  # of devices that hold the same, the first
                whole[mesh.piece(d, spec, whole.shape)] = lanes[d]
            wholes.append(whole)
        return wholes

    return fun


def _names(eqn: Eqn) -> list[str]:
    names = eqn.params.get("axes", eqn.params.get("axis_name", ()))
    return [names] if isinstance(names, str) else list(names)


def _collective(*names: str) -> Callable[[Collective], Collective]:
    def register(fun: Collective) -> Collective:
        _COLLECTIVES.update(dict.fromkeys(names, fun))
        return fun

    return register


_COMBINE: dict[str, Any] = {"pmax": np.maximum, "pmin": np.minimum}


@_collective("psum", "psum_invariant", "pmax", "pmin")
def _(x: Lanes, eqn: Eqn, mesh: Mesh) -> Lanes:
    combine = _COMBINE.get(eqn.primitive.name, np.add)
    names = _names(eqn)
    groups = [mesh.group(d, names) for d in range(len(x))]
    return [combine.reduce([x[k] for k in group]) for group in groups]


@_collective("pvary", "pbroadcast", "pcast")
def _(x: Lanes, _: Eqn, __: Mesh) -> Lanes:
    return x


@_collective("ppermute")
def _(x: Lanes, eqn: Eqn, mesh: Mesh) -> Lanes:
    names, received = _names(eqn), [np.zeros_like(v) for v in x]
    for d in range(len(x)):
        group = mesh.group(d, names)
        for source, target in eqn.params["perm"]:
            received[group[target]] = x[group[source]]
    return received


@_collective("all_gather", "all_gather_invariant")
def _(x: Lanes, eqn: Eqn, mesh: Mesh) -> Lanes:
    p, names = eqn.params, _names(eqn)
    join = np.concatenate if p["tiled"] else np.stack
    axis = p["all_gather_dimension"]
    return [join([x[k] for k in mesh.group(d, names)], axis) for d in range(len(x))]


@_collective("reduce_scatter")
def _(x: Lanes, eqn: Eqn, mesh: Mesh) -> Lanes:
    p, names = eqn.params, _names(eqn)
    axis, scattered = p["scatter_dimension"], []
    for d in range(len(x)):
        group = mesh.group(d, names)
        total = np.add.reduce([x[k] for k in group])
        piece = np.split(total, len(group), axis)[group.index(d)]
        scattered.append(piece if p["tiled"] else np.squeeze(piece, axis))
    return scattered


@_collective("all_to_all")
def _(x: Lanes, eqn: Eqn, mesh: Mesh) -> Lanes:
    p, names, gathered = eqn.params, _names(eqn), []
    split, concat = p["split_axis"], p["concat_axis"]
    for d in range(len(x)):
        group = mesh.group(d, names)
        k = group.index(d)
        pieces = [np.split(x[source], len(group), split)[k] for source in group]
        if not p["tiled"]:
            pieces = [np.expand_dims(np.squeeze(v, split), concat) for v in pieces]
        gathered.append(np.concatenate(pieces, concat))
    return gathered
