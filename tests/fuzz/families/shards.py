"""Functions on the shards of a mesh of four devices, and what they send each other."""

from tests.fuzz.families import bodies
from tests.fuzz.programs.draft import Draft, SkipError, Value, fitted

_SHAPES = [(4,), (4, 2), (4, 4), (2, 4), (8, 3), (4, 1, 2)]


def _spec(d: Draft, shape: tuple[int, ...]) -> tuple[str, list[tuple[str, ...]]]:
    """Draw which mesh axes split which axes of an array."""
    free, entries = ["a", "b"], []
    d.rng.shuffle(free)
    for n in shape:
        here: tuple[str, ...] = ()
        while free and d.flip(0.6) and n % (2 ** (len(here) + 1)) == 0:
            here = (*here, free.pop())
        entries.append(here)
    return _printed(entries), entries


def _printed(entries: list[tuple[str, ...]]) -> str:
    text = [repr(e) if len(e) > 1 else repr(e[0]) if e else "None" for e in entries]
    return f"P({', '.join(text)})"


def _local(shape: tuple[int, ...], entries: list[tuple[str, ...]]) -> tuple[int, ...]:
    return tuple(n // 2 ** len(e) for n, e in zip(shape, entries, strict=True))


def _sharded(d: Draft, x: Value) -> tuple[Value, str, list[tuple[str, ...]]]:
    if not x.size or x.dtype.kind == "c":
        raise SkipError
    shape = d.choice(_SHAPES)
    whole = d.let(fitted(d, x, shape)) if x.shape != shape else x
    spec, entries = _spec(d, shape)
    return whole, spec, entries


def local(d: Draft, x: Value) -> str:
    """Each device works for itself."""
    whole, spec, entries = _sharded(d, x)
    piece = bodies.Like(_local(whole.shape, entries), whole.dtype).value()
    name = bodies.endo(d, [piece], closes=False)
    return _mapped(name, spec, spec, whole)


def _mapped(
    name: str, in_specs: str, out_specs: str, whole: Value, check: str = "True"
) -> str:
    return (
        f"jax.shard_map({name}, mesh=mesh(), in_specs={in_specs}, "
        f"out_specs={out_specs}, check_vma={check})({whole})"
    )


def crossed(d: Draft, x: Value) -> str:
    """The result is put together in another order than the argument was cut."""
    whole, spec, entries = _sharded(d, x)
    other = [e[::-1] for e in entries]
    d.rng.shuffle(other)
    if _local(whole.shape, other) != _local(whole.shape, entries):
        other = [e[::-1] for e in entries]
    return _mapped("jnp.sin", spec, _printed(other), whole)


def summed(d: Draft, x: Value) -> str:
    whole, spec, entries = _sharded(d, x)
    used = [name for e in entries for name in e]
    over = tuple(d.rng.sample(used, d.integer(1, len(used)))) if used else d.choice([])
    kind = d.choice(["psum", "pmean"])
    made = [tuple(n for n in e if n not in over) for e in entries]
    body = f"lambda v: lax.{kind}({d.choice(['v * v', 'jnp.sin(v)', 'v'])}, {over!r})"
    if d.flip(0.3):
        body = f"lambda v: jnp.cos(v) * lax.{kind}(v, {over!r})"
        made = entries
    return _mapped(body, spec, _printed(made), whole)


def sent(d: Draft, x: Value) -> str:
    whole, spec, entries = _sharded(d, x)
    used = [name for e in entries for name in e]
    over = d.choice(used)
    pairs = d.choice(["[(0, 1)]", "[(0, 1), (1, 0)]", "[(1, 0)]", "[(1, 1)]"])
    body = (
        f"lambda v: {d.choice(['', '2 * v + ', 'v * '])}lax.ppermute(v, {over!r}, "
        f"{pairs})"
    )
    return _mapped(body, spec, spec, whole)


def by_number(d: Draft, x: Value) -> str:
    whole, spec, entries = _sharded(d, x)
    used = [name for e in entries for name in e]
    over = d.choice(used)
    axis = d.axis(whole)
    number = f"lax.axis_index({over!r})"
    body = d.choice(
        [
            f"v * (1 + {number})",
            f"jnp.roll(v, {number}, {axis})",
            f"jnp.where({number} == 0, v, lax.rev(v, ({axis},)))",
        ]
    )
    return _mapped(f"lambda v: {body}", spec, spec, whole)


def gathered(d: Draft, x: Value) -> str:
    whole, spec, entries = _sharded(d, x)
    used = [name for e in entries for name in e]
    over, axis = d.choice(used), d.axis(whole)
    piece = _local(whole.shape, entries)[axis]
    start = f"lax.axis_index({over!r}) * {piece}"
    every = f"lax.all_gather(v, {over!r}, axis={axis}, tiled=True)"
    place = d.integer(0, whole.ndim)
    stacked = f"lax.all_gather(v, {over!r}, axis={place})"
    body = d.choice(
        [
            f"lax.dynamic_slice_in_dim(jnp.sin({every}), {start}, {piece}, {axis})",
            (
                f"lax.psum_scatter({every}, {over!r}, scatter_dimension={axis}, "
                "tiled=True)"
            ),
            f"v * {every}.sum()",
            f"v * {stacked}.sum({place})",
            f"lax.psum_scatter({stacked}, {over!r}, scatter_dimension={place})",
        ]
    )
    return _mapped(f"lambda v: {body}", spec, spec, whole)


def exchanged(d: Draft, x: Value) -> str:
    whole, spec, entries = _sharded(d, x)
    used = [name for e in entries for name in e]
    over, piece = d.choice(used), _local(whole.shape, entries)
    axis, other = (
        d.choice([k for k, n in enumerate(piece) if n % 2 == 0]),
        d.axis(whole),
    )
    body = f"lax.all_to_all(v, {over!r}, {axis}, {axis}, tiled=True)"
    if d.flip(0.4):  # there and back
        there = f"lax.all_to_all(v, {over!r}, {axis}, {other}, tiled=True)"
        body = (
            f"lax.all_to_all(jnp.sin({there}), {over!r}, {other}, {axis}, tiled=True)"
        )
    elif d.flip(0.6) and piece[axis] == 2:
        moved = f"lax.all_to_all(v, {over!r}, {axis}, {other})"
        body = f"jnp.moveaxis({moved}, {other}, {axis})"
    return _mapped(f"lambda v: {body}", spec, spec, whole)


def looped(d: Draft, x: Value) -> str:
    whole, spec, entries = _sharded(d, x)
    used = [name for e in entries for name in e]
    over = d.choice(used)
    inner = d.choice(
        [
            f"0.5 * c + lax.ppermute(c, {over!r}, [(0, 1), (1, 0)])",
            "0.5 * c + jnp.sin(c)",
        ]
    )
    body = (
        f"lambda v: lax.scan(lambda c, _: ({inner}, None), v, "
        f"length={d.integer(1, 3)})[0]"
    )
    return _mapped(body, spec, spec, whole)


OPERATIONS = [
    local, local, crossed, summed, summed, sent, by_number, gathered, exchanged, looped
]  # fmt: skip
