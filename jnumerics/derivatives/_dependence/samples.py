"""Samples along an axis, and the proof that they do not mix.

Dependence boxes follow the axis of samples alone. Samples do not mix where every
output's box is its own index along that axis, or nothing. A proof holds for all values;
a probe decides at the given ones.
"""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jnumerics.derivatives._dependence.boxes import Box, batch_index
from jnumerics.derivatives._dependence.constants.fold import constants_of
from jnumerics.derivatives._dependence.mixing import Mixing, mixing
from jnumerics.derivatives._program.jaxpr import Var
from jnumerics.derivatives._program.layout import Env, Layout
from jnumerics.derivatives._program.linearity.directions import (
    forwardable,
    one_way,
    reach,
)
from jnumerics.derivatives._program.tangent import LinearPart, Program, part
from jnumerics.derivatives._program.trace import Target

RESULT = "fun's result"
ONE = "apply jax.vmap to a function of one sample"
REMEDY = (
    f"{ONE}, freeze what samples share with jax.lax.stop_gradient, or ask for "
    "`jacobian`"
)
EACH_APART = (
    "take jax.vmap of `jacobian`, of a function of one sample, whose samples share "
    "nothing, or check=None, which vouches for it"
)


class SampleMixingError(ValueError):
    """An output of one sample depends, or may depend, on another sample's input."""


class SampleAxes(NamedTuple):
    """The axis of samples of every input leaf and every output leaf."""

    inputs: list[int]
    outputs: list[int]
    samples: int


def sample_axes(target: Target, in_axis: int, out_axis: int) -> SampleAxes:
    """Find the axis of samples of every leaf; all must have the same length.

    Raises:
        ValueError: If a leaf lacks the axis, or its length differs.
    """
    inputs = [
        _axis("the argument", aval.shape, "in_axis", in_axis)
        for aval in target.in_avals
    ]
    outputs = [
        _axis(RESULT, aval.shape, "out_axis", out_axis) for aval in target.out_avals
    ]
    ends = [
        *zip(target.in_avals, inputs, itertools.repeat("the argument")),
        *zip(target.out_avals, outputs, itertools.repeat(RESULT)),
    ]
    samples = target.in_avals[0].shape[inputs[0]]
    for aval, axis, name in ends:
        if aval.shape[axis] != samples:
            msg = (
                f"`{name}` must have {samples} samples along axis {axis}, "
                f"got shape {aval.shape}{_hint(name)}"
            )
            raise ValueError(msg)
    return SampleAxes(inputs, outputs, samples)


def _axis(name: str, shape: tuple[int, ...], option: str, axis: int) -> int:
    if not -len(shape) <= axis < len(shape):
        must = f"must have the axis {option}={axis}, got shape {shape}"
        msg = f"`{name}` {must}{_hint(name)}"
        raise ValueError(msg)
    return axis % len(shape)


def _hint(name: str) -> str:
    """Tell of the likeliest mistake: the function is one of a single sample."""
    return f": {ONE}" if name == RESULT else ""


def batch_seeds(tangents: Sequence[Var], axes: Sequence[int]) -> dict[Var, Box]:
    """Return boxes of tangents that follow the axis of samples alone."""
    return {
        v: batch_index(Layout.from_var(v).shape, axis)
        for v, axis in zip(tangents, axes, strict=True)
    }


class _Running(NamedTuple):
    """The program that a mode runs, and the axes of samples of its ends."""

    program: Program
    starts: list[int]
    ends: list[int]
    what: tuple[str, str] = ("output", "the input")

    @classmethod
    def from_target(cls, target: Target, axes: SampleAxes, mode: str) -> "_Running":
        if target.ends is None:  # its transpose keeps the same samples apart
            return cls(target.program, axes.inputs, axes.outputs)
        if mode == "reverse":
            what = "derivative by input", "the output"
            program = target.ends.reverse.program or target.program
            return cls(program, axes.outputs, axes.inputs, what)
        return cls(target.program, axes.inputs, axes.outputs)


def require_independent(target: Target, axes: SampleAxes, mode: str) -> None:
    """Prove that samples do not mix, in the program that runs.

    In a program that is not proven linear, an output that is not zero where all
    tangents are zero is not zero whichever sample a pass moves.

    Raises:
        SampleMixingError: If the proof fails; it names an output, the samples it may
            read, and the user's line where samples first met.
    """
    running = _Running.from_target(target, axes, mode)
    if target.ends is not None:
        end = target.ends.reverse if mode == "reverse" else target.ends.forward
        if not all(end.linearity.is_zero_at_zero) and axes.samples > 1:
            msg = (
                "`fun` must be proven linear where samples share passes, got a "
                f"{mode} derivative that may not be zero where all tangents are "
                f"({end.linearity.reason}): {EACH_APART}"
            )
            raise SampleMixingError(msg)
    program = running.program
    seeds = batch_seeds(program.tangents, running.starts)
    mixed = mixing(program, constants_of(program), seeds, running.ends)
    if mixed is not None:
        raise SampleMixingError(_mixing_message(mixed, running.ends, running.what))


def _mixing_message(mixed: Mixing, axes: Sequence[int], what: tuple[str, str]) -> str:
    low, high = mixed.inputs
    own = mixed.element[axes[mixed.leaf]]
    leaf = f" of leaf {mixed.leaf}" if len(axes) > 1 else ""
    read = f"sample {low}" if low == high else f"samples {low} to {high}"
    return (
        f"`fun` must not mix samples, got {what[0]} {list(mixed.element)}{leaf}, of "
        f"sample {own}, which may depend on {read} of {what[1]} ({mixed.operation} at "
        f"{mixed.line}): {REMEDY}"
    )


def probe(target: Target, axes: SampleAxes, env: Env) -> tuple[Array, Array]:
    """Decide at the values in `env`: push random tangents of some samples.

    Any two samples are separated by a subset that holds one of them and not the other
    (a Sperner family: few subsets of equal size). Tangents are drawn at random, because
    leaks of equal tangents may cancel. A program that has no forward pass is pulled
    back instead: its transpose keeps the same samples apart.

    Returns:
        For each sample, whether tangents of other samples reached it; and whether all
        results were finite.

    Raises:
        ValueError: If the program has neither a forward nor a reverse pass.
    """
    program = target.program
    starts = list(zip(program.tangents, axes.inputs, strict=True))
    pairs = zip(program.outputs, axes.outputs, strict=True)
    ends = [(v, axis) for v, axis in pairs if v is not None]
    if not ends:
        return jnp.zeros(axes.samples, bool), jnp.array(True)
    linear = part(program.linear, program.tangents, [v for v, _ in ends])
    push = linear.forward(env)
    if not all(map(forwardable, linear.equations)):
        _require_reverse(linear)
        starts, ends, push = ends, starts, linear.reverse(env)
    subsets = jnp.asarray(sperner(axes.samples))
    key = jax.random.key(0)

    def leak(subset: Array, key: Array) -> tuple[Array, Array]:
        keys = jax.random.split(key, len(starts))
        tangents = [
            _draw(k, v, axis, subset) for k, (v, axis) in zip(keys, starts, strict=True)
        ]
        results = [
            Layout.from_var(v, axis).flat(r)
            for (v, axis), r in zip(ends, push(*tangents), strict=True)
        ]
        reached = [jnp.any(r != 0, axis=1) for r in results]
        finite = [jnp.all(jnp.isfinite(r)) for r in results]
        outside = jnp.any(jnp.stack(reached), axis=0) & ~subset
        return outside, jnp.all(jnp.stack(finite))

    leaks, finite = jax.vmap(leak)(subsets, jax.random.split(key, len(subsets)))
    return jnp.any(leaks, axis=0), jnp.all(finite)


def _require_reverse(linear: LinearPart) -> None:
    """Require a reverse pass of a program that has no forward one."""
    ways = one_way(linear.equations, reach(linear.equations, linear.inputs))
    if ways.forward:
        msg = (
            "`check` must be 'proof' or None here, got 'probe', which cannot decide: "
            f"{ways.reason}"
        )
        raise ValueError(msg)


def _draw(key: Array, var: Var, axis: int, subset: Array) -> Array:
    layout = Layout.from_var(var)
    shape, dtype = layout.shape, layout.dtype
    mask = subset.reshape([-1 if k == axis else 1 for k in range(len(shape))])
    drawn = jax.random.normal(key, shape, dtype)
    return jnp.where(jnp.broadcast_to(mask, shape), drawn, jnp.zeros_like(drawn))


def sperner(samples: int) -> np.ndarray:
    """Return subsets `(k, samples)` that separate any two samples, either way round.

    Each sample is in the subsets of its own combination of k // 2 out of k.
    """
    k = next(k for k in itertools.count(1) if math.comb(k, k // 2) >= samples)
    family = np.zeros((k, samples), bool)
    chosen = itertools.islice(itertools.combinations(range(k), k // 2), samples)
    for sample, members in enumerate(chosen):
        family[list(members), sample] = True
    return family
