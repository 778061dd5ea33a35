"""Products, convolutions with the tangent on either side, sparse products."""

from tests.fuzz.programs.draft import Draft, SkipError, Value


def dot(d: Draft, x: Value) -> str:
    if not x.ndim:
        raise SkipError
    axes = list(range(x.ndim))
    batch = d.rng.sample(axes, d.integer(0, min(1, x.ndim)))
    left = [k for k in axes if k not in batch]
    contracted = d.rng.sample(left, d.integer(0, min(2, len(left))))
    parts = [("b", k) for k in batch] + [("c", k) for k in contracted]
    parts += [("f", d.integer(1, 3)) for _ in range(d.integer(0, 1))]
    d.rng.shuffle(parts)
    shape = [n if kind == "f" else x.shape[n] for kind, n in parts]
    where = {part: position for position, part in enumerate(parts) if part[0] != "f"}
    dims = (
        (tuple(contracted), tuple(where["c", k] for k in contracted)),
        (tuple(batch), tuple(where["b", k] for k in batch)),
    )
    other = d.weights(shape, x.dtype)
    same = [
        v for v in d.values + d.outer if v.shape == tuple(shape) and v.dtype == x.dtype
    ]
    if same and d.flip(0.6):
        other = d.choice(same)
    if d.flip():
        dims = tuple((b, a) for a, b in dims)
        return f"lax.dot_general({other}, {x}, {dims})"
    return f"lax.dot_general({x}, {other}, {dims})"


def with_itself(d: Draft, x: Value) -> str:
    axis = d.axis(x)
    return f"lax.dot_general({x}, {d.like(x)}, ((({axis},), ({axis},)), ((), ())))"


def product_of_known(d: Draft, x: Value) -> str:
    """A known matrix with zeros in it."""
    axis = d.axis(x)
    n = x.shape[axis]
    known = d.choice([f"jnp.eye({n})", f"jnp.tril(W({n}, {n}))", f"jnp.diag(W({n}))"])
    return f"jnp.tensordot({known}, {x}, (({d.integer(0, 1)},), ({axis},)))"


def einsum(d: Draft, x: Value) -> str:
    letters = "ijkl"[: x.ndim]
    other = "".join(d.rng.sample(letters, d.integer(0, len(letters)))) + d.choice(
        ["", "m"]
    )
    sizes = dict(zip(letters, x.shape, strict=True), m=2)
    out = [c for c in sorted({*letters, *other}) if d.flip(0.6)]
    d.rng.shuffle(out)
    weights = d.weights([sizes[c] for c in other], x.dtype)
    return f"jnp.einsum('{letters},{other}->{''.join(out)}', {x}, {weights})"


def convolution(d: Draft, x: Value) -> str:
    """The image, or the kernel, is the tangent; all dimension numbers are drawn."""
    if not x.size or x.dtype.kind == "c" or x.ndim > 3:
        raise SkipError
    space = d.integer(1, 2)
    tangent_is_image = d.flip(0.65)
    groups, parts = d.choice([(1, 1), (1, 1), (2, 1), (1, 2)])
    wanted = space + 2
    split = f"{x}.reshape({_split(d, x.size, wanted)})"
    shape = eval(split[split.index("(") :])
    if tangent_is_image:
        n, c, *size = shape
        if c % groups or n % parts:
            groups = parts = 1
        kernel = [
            groups * parts * d.integer(1, 2),
            c // groups,
            *(d.integer(1, 3) for _ in size),
        ]
        sides = [split, d.weights(kernel, x.dtype)]
        window, image = kernel[2:], size
    else:
        n_out, c_in, *window = shape
        if n_out % (groups * parts):
            groups = parts = 1
        image = [d.integer(1, 4) for _ in window]
        sides = [
            d.weights([parts * d.integer(1, 2), c_in * groups, *image], x.dtype),
            split,
        ]
    if d.flip(0.15) and tangent_is_image:
        sides[1] = f"({sides[1]} * {x}.ravel()[0])"
    options = (
        f"{tuple(d.integer(1, 2) for _ in image)}, "
        f"{[(d.integer(-1, 2), d.integer(-1, 2)) for _ in image]}, "
        f"{tuple(d.choice([1, 1, 2]) for _ in image)}, "
        f"{tuple(d.choice([1, 1, 2]) for _ in image)}"
    )
    return _laid_out(d, sides, options, space, groups, parts)


def _split(d: Draft, size: int, rank: int) -> tuple[int, ...]:
    shape, left = [], size
    for _ in range(rank - 1):
        shape.append(d.choice([n for n in range(1, left + 1) if left % n == 0]))
        left //= shape[-1]
    shape.append(left)
    d.rng.shuffle(shape)
    return tuple(shape)


def _laid_out(
    d: Draft, sides: list[str], options: str, space: int, groups: int, parts: int
) -> str:
    orders = [d.permutation(space + 2) for _ in range(3)]  # axis -> where it stands
    if d.flip(0.4):
        orders = [tuple(range(space + 2))] * 3
    moved = []
    for side, order in zip(sides, orders, strict=False):
        back = tuple(order.index(k) for k in range(space + 2))
        moved.append(f"jnp.transpose({side}, {back})")
    numbers = f"lax.ConvDimensionNumbers({orders[0]}, {orders[1]}, {orders[2]})"
    extra = f"feature_group_count={groups}, batch_group_count={parts}"
    return (
        f"lax.conv_general_dilated({moved[0]}, {moved[1]}, {options}, {numbers}, "
        f"{extra})"
    )


def sparse_product(d: Draft, x: Value) -> str:
    if x.ndim not in (1, 2) or x.dtype != "float64" or not x.size:
        raise SkipError
    n, m = x.shape[0], d.integer(1, 3)
    count = d.integer(1, 4)
    rows = [[d.integer(0, m), d.integer(0, n - 1)] for _ in range(count)]
    data = f"jnp.resize({x}, ({count},))" if d.flip() else d.weights((count,))
    index = f"np.array({rows}, np.int32)"
    if d.flip(0.2):
        index = f"(jnp.asarray({index}) + k[0] % 2)"
    dense = str(x) if d.flip(0.7) else d.weights(x.shape)
    return f"sparse.BCOO(({data}, jnp.asarray({index})), shape=({m}, {n})) @ {dense}"


OPERATIONS = [
    dot, dot, dot, with_itself, product_of_known, einsum, convolution, convolution,
    convolution, convolution, sparse_product,
]  # fmt: skip
