"""Data movement at the level of lax."""

import itertools

from tests.fuzz.programs.draft import Draft, SkipError, Value


def broadcast(d: Draft, x: Value) -> str:
    rank = d.integer(x.ndim, min(x.ndim + 2, 4))
    where = sorted(d.rng.sample(range(rank), x.ndim))
    shape = [d.integer(1, 3) for _ in range(rank)]
    for axis, target in enumerate(where):
        n = x.shape[axis]
        shape[target] = d.integer(1, 3) if n == 1 else n
    return f"lax.broadcast_in_dim({x}, {tuple(shape)}, {tuple(where)})"


def reshape(d: Draft, x: Value) -> str:
    shape, left = [], x.size
    for _ in range(d.integer(0, 2)):
        options = [n for n in range(1, left + 1) if left % n == 0] or [1]
        shape.append(d.choice(options))
        left = left // shape[-1] if shape[-1] else 0
    if left != 1 or d.flip():
        shape.append(left)
    d.rng.shuffle(shape)
    order = f", dimensions={d.permutation(x.ndim)}" if d.flip(0.3) else ""
    return f"lax.reshape({x}, {tuple(shape)}{order})"


def transpose(d: Draft, x: Value) -> str:
    return f"lax.transpose({x}, {d.permutation(x.ndim)})"


def squeeze(d: Draft, x: Value) -> str:
    ones = [k for k, n in enumerate(x.shape) if n == 1]
    if not ones:
        return f"lax.expand_dims({x}, ({d.integer(0, x.ndim)},))"
    return f"lax.squeeze({x}, {tuple(d.rng.sample(ones, d.integer(1, len(ones))))})"


def rev(d: Draft, x: Value) -> str:
    return f"lax.rev({x}, {d.axes(x, 1)})"


def slice_(d: Draft, x: Value) -> str:
    start = [d.integer(0, n) if d.flip(0.1) else d.integer(0, n // 2) for n in x.shape]
    stop = [d.integer(min(s + 1, n), n) for s, n in zip(start, x.shape, strict=True)]
    strides = tuple(d.integer(1, 3) for _ in x.shape) if d.flip() else None
    return f"lax.slice({x}, {tuple(start)}, {tuple(stop)}, {strides})"


def split(d: Draft, x: Value) -> str:
    axis = d.axis(x)
    cut = sorted(d.integer(0, x.shape[axis]) for _ in range(d.integer(1, 2)))
    edges = [0, *cut, x.shape[axis]]
    sizes = tuple(b - a for a, b in itertools.pairwise(edges))
    return f"lax.split({x}, {sizes}, axis={axis})[{d.integer(0, len(sizes) - 1)}]"


def concatenate(d: Draft, x: Value) -> str:
    parts = [str(x)] + [d.like(x) for _ in range(d.integer(0, 2))]
    if d.flip(0.3):
        axis = d.axis(x)
        shape = tuple(
            d.integer(0, 2) if k == axis else n for k, n in enumerate(x.shape)
        )
        parts.append(d.weights(shape, x.dtype))
    else:
        axis = d.axis(x)
    d.rng.shuffle(parts)
    return f"lax.concatenate([{', '.join(parts)}], {axis})"


def stack(d: Draft, x: Value) -> str:
    parts = [str(x)] + [d.like(x) for _ in range(d.integer(0, 2))]
    d.rng.shuffle(parts)
    return f"jnp.stack([{', '.join(parts)}], {d.integer(0, x.ndim)})"


def unstack(d: Draft, x: Value) -> str:
    axis = d.axis(x)
    if not x.shape[axis]:
        raise SkipError
    n = x.shape[axis]
    rows = f"jnp.unstack({x}, axis={axis})"
    return f"{rows}[{d.integer(0, n - 1)}]" if d.flip() else f"sum({rows})"


def pad(d: Draft, x: Value) -> str:
    config = [
        (d.integer(-2, 2), d.integer(-2, 2), d.choice([0, 0, 1, 2]))
        if d.flip(0.7)
        else (0, 0, 0)
        for _ in x.shape
    ]
    value = f"np.zeros((), np.{x.dtype})"
    if d.flip(0.4) and x.size:
        value = (
            f"{x}[{', '.join(str(d.integer(0, n - 1)) for n in x.shape)}]"
            if x.ndim
            else f"{x}"
        )
    return f"lax.pad({x}, {value}, {tuple(config)})"


def tile(d: Draft, x: Value) -> str:
    return f"jnp.tile({x}, {tuple(d.integer(1, 2) for _ in x.shape)})"


def roll(d: Draft, x: Value) -> str:
    return f"jnp.roll({x}, {d.integer(-2, 3)}, {d.axis(x)})"


def dynamic_slice(d: Draft, x: Value) -> str:
    if not x.ndim:
        raise SkipError
    sizes = tuple(n if d.flip(0.3) else d.integer(min(1, n), n) for n in x.shape)
    starts = ", ".join(d.index(x, n) for n in x.shape)
    return f"lax.dynamic_slice({x}, ({starts},), {sizes})"


def dynamic_update_slice(d: Draft, x: Value) -> str:
    if not x.ndim:
        raise SkipError
    sizes = [n if d.flip(0.4) else d.integer(min(1, n), n) for n in x.shape]
    pieces = ", ".join(f":{n}" for n in sizes)
    starts = ", ".join(d.index(x, n) for n in x.shape)
    source, base = d.choice([str(x), d.like(x)]), d.choice([str(x), d.like(x)])
    return (
        f"lax.dynamic_update_slice({base}, 2 * jnp.asarray({source})[{pieces}], "
        f"({starts},))"
    )


def triangle(d: Draft, x: Value) -> str:
    if x.ndim < 2:
        raise SkipError
    return f"jnp.{d.choice(['tril', 'triu'])}({x}, {d.integer(-1, 1)})"


def diagonal(d: Draft, x: Value) -> str:
    if x.ndim == 1:
        return f"jnp.diag({x}, {d.integer(-1, 1)})"
    axes = d.rng.sample(range(x.ndim), 2) if x.ndim > 1 else d.choice([])
    return f"jnp.diagonal({x}, {d.integer(-1, 1)}, {axes[0]}, {axes[1]})"


OPERATIONS = [
    broadcast, reshape, reshape, transpose, squeeze, rev, slice_, split, concatenate,
    stack, unstack, pad, pad, tile, roll, dynamic_slice, dynamic_slice,
    dynamic_update_slice, dynamic_update_slice, triangle, diagonal,
]  # fmt: skip
