"""Random programs: compositions of everything that a rule serves, drawn by hypothesis."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st
from jax import lax

MAX_SIZE = 60  # of an intermediate array


class Draw:
    """Choices of one program, repeated whenever it is traced again.

    They shrink towards the first, the smallest, the known.
    """

    def __init__(self, data):
        self._data, self._made, self._next = data, [], 0

    def start(self):
        self._next = 0

    def _drawn(self, strategy):
        if self._next == len(self._made):
            self._made.append(self._data.draw(strategy))
        self._next += 1
        return self._made[self._next - 1]

    def integer(self, low, high):
        return self._drawn(st.integers(low, max(low, high)))

    def choice(self, options):
        return self._drawn(st.sampled_from(list(options)))

    def boolean(self):
        return self._drawn(st.booleans())

    def axis(self, x):
        return self.integer(0, x.ndim - 1)

    def integers(self, n, low, high):
        values = st.integers(low, max(low, high))
        return np.array(self._drawn(st.lists(values, min_size=n, max_size=n)), int)

    def permutation(self, n):
        return tuple(self._drawn(st.permutations(range(n))))

    def mask(self, shape):
        bits = self.integer(0, 2**16 - 1)
        places = np.arange(math.prod(shape)).reshape(shape)
        return (bits >> (places * 7 % 16)) & 1 == 1

    def index(self, x, size):
        """An index below a size: known, or read off the data."""
        k = self.integer(0, size - 1)
        return k if self.boolean() else (jnp.argmax(x) + k) % size


def weights(*shape):
    """Fixed numbers in [0.5, 1.5), without structure."""
    n = math.prod(shape)
    return jnp.asarray((0.5 + np.arange(1, n + 1) * 0.618034 % 1).reshape(shape))


def _elementwise(draw, x):
    kind = draw.integer(0, 5)
    if kind == 0:
        return x * x
    if kind == 1:
        return x + lax.rev(x, (draw.axis(x),)) * 0.5
    if kind == 2:
        return jnp.where(draw.mask(x.shape), x, 2 * lax.rev(x, (draw.axis(x),)))
    if kind == 3:
        return jnp.where(x > 1, x, x.ravel()[:1].sum() * x)
    if kind == 4:
        return jnp.clip(x, 0.2, 1.3)
    return jax.nn.silu(x)


def _reshape(draw, x):
    if x.size == 0:
        return x.reshape(0, draw.integer(0, 2))
    divisors = [d for d in range(1, x.size + 1) if x.size % d == 0]
    first = draw.choice(divisors)
    second = draw.choice([d for d in divisors if (x.size // first) % d == 0])
    shape = (first, second, x.size // first // second)
    if draw.boolean():
        return lax.reshape(x, shape, dimensions=draw.permutation(x.ndim))
    return x.reshape(shape)


def _move(draw, x):
    kind = draw.integer(0, 4)
    if kind == 0:
        return x.transpose(draw.permutation(x.ndim))
    if kind == 1:
        return jnp.roll(x, draw.integer(0, 3), draw.axis(x))
    if kind == 2:
        return jnp.tile(x, draw.integer(1, 2))
    if kind == 3:
        return jnp.broadcast_to(x[None], (draw.integer(0, 2), *x.shape))
    return x.squeeze() if x.ndim > 1 else x[:, None]


def _slice(draw, x):
    pieces = []
    for size in x.shape:
        start = draw.integer(0, size)
        pieces.append(slice(start, draw.integer(start, size), draw.integer(1, 3)))
    return x[tuple(pieces)]


def _pad(draw, x):
    config = [
        (draw.integer(-1, 2), draw.integer(-1, 2), draw.integer(0, 1)) for _ in x.shape
    ]
    spread = [
        max(0, n + max(0, n - 1) * i)
        for n, (_, _, i) in zip(x.shape, config, strict=True)
    ]
    if any(
        n + low + high < 0 for n, (low, high, _) in zip(spread, config, strict=True)
    ):
        return x
    value = x.ravel()[0] if draw.boolean() and x.size else jnp.zeros((), x.dtype)
    return lax.pad(x, value, config)


def _concatenate(draw, x):
    axis = draw.axis(x)
    parts = [x, lax.rev(x, (axis,)), jnp.ones_like(x)]
    chosen = [parts[k] for k in draw.integers(draw.integer(1, 3), 0, 2)]
    return jnp.concatenate(chosen, axis)


def _dynamic(draw, x):
    if x.size == 0:
        return x
    sizes = [draw.integer(1, n) for n in x.shape]
    starts = [draw.index(x, n) for n in x.shape]
    if draw.boolean():
        return lax.dynamic_slice(x, starts, sizes)
    update = 2 * lax.rev(x, (0,))[tuple(slice(0, n) for n in sizes)]
    base = x if draw.boolean() else jnp.ones_like(x)
    return lax.dynamic_update_slice(base, update, starts)


def _reduce(draw, x):
    axis = draw.axis(x)
    if x.shape[axis] == 0 or x.ndim == 1:
        return x
    kinds = [jnp.sum, jnp.prod, jnp.max, jnp.min, jnp.mean, jax.nn.logsumexp]
    return draw.choice(kinds)(x, axis=axis)


def _running(draw, x):
    kinds = [lax.cumsum, lax.cumprod, lax.cummax, lax.cummin, lax.cumlogsumexp]
    return draw.choice(kinds)(x, axis=draw.axis(x), reverse=draw.boolean())


def _dot(draw, x):
    axis, batch = draw.axis(x), draw.axis(x)
    other = weights(x.shape[axis], 2) if draw.boolean() else None
    if other is not None and axis != batch:
        n = x.shape[batch]
        sides = (x, weights(n, 2, x.shape[axis])), (((axis,), (2,)), ((batch,), (0,)))
    elif other is not None:
        sides = (x, other), (((axis,), (0,)), ((), ()))
    else:
        sides = (x, x), (((axis,), (axis,)), ((), ()))
    (a, b), dims = sides
    if draw.boolean():
        (a, b), ((ca, cb), (ba, bb)) = (b, a), dims
        dims = ((cb, ca), (bb, ba))
    return lax.dot_general(a, b, dims)


def _conv(draw, x):
    x = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    channels, width = x.shape
    groups = draw.choice(
        [g for g in (1, 2, 3) if channels and channels % g == 0] or [1]
    )
    kernel = weights(
        groups * draw.integer(1, 2), max(channels // groups, 0), draw.integer(1, 3)
    )
    low, high = draw.integer(-1, 2), draw.integer(-1, 2)
    lhs, rhs = (draw.integer(1, 2),), (draw.integer(1, 2),)
    spread = max(0, (width - 1) * lhs[0] + 1)
    if 0 in (channels, width) or spread + low + high < 0:
        return x
    stride = (draw.integer(1, 2),)
    if draw.boolean():
        return lax.conv_general_dilated(
            x[None],
            kernel,
            stride,
            [(low, high)],
            lhs,
            rhs,
            feature_group_count=groups,
        )[0]
    image = weights(2, channels, 4)
    return lax.conv_general_dilated(
        image, x[None], stride, [(2, 2 + max(width, 0) * 2)], lhs, rhs
    )[0]


def _window(draw, x):
    initial, kind = draw.choice(
        [(0.0, lax.add), (-jnp.inf, lax.max), (jnp.inf, lax.min)]
    )
    shape = [draw.integer(1, 3) for _ in x.shape]
    strides = [draw.integer(1, 2) for _ in x.shape]
    padding = [(draw.integer(0, w - 1), draw.integer(0, w - 1)) for w in shape]
    return lax.reduce_window(x, initial, kind, shape, strides, padding)


def _gather(draw, x):
    axis = draw.axis(x)
    n = x.shape[axis]
    if n == 0:
        return x
    index = jnp.asarray(draw.integers(draw.integer(0, 3), -n, n))
    if draw.boolean() and x.size:
        index = (index + jnp.argmax(x)) % n
    kind = draw.integer(0, 3)
    if kind == 0:
        return jnp.take(
            x,
            index,
            axis=axis,
            mode=draw.choice(["fill", "clip", "wrap"]),
            fill_value=0,
        )
    if kind == 1 and x.ndim > 1 and x.shape[1 - min(axis, 1)] >= len(index):
        first, second = (jnp.arange(len(index)), index)
        return x[(first, second) if axis else (second, first)]
    if kind == 2:
        return jnp.take_along_axis(x, jnp.argsort(x, axis=axis), axis)
    return (
        jax.vmap(lambda row, k: row[k], (0, None))(x, index % 2)
        if x.ndim > 1 and x.shape[1] > 1
        else x
    )


def _scatter(draw, x):
    n = x.shape[0]
    if n == 0:
        return x
    index = jnp.asarray(draw.integers(draw.integer(1, 2), 0, n))
    if draw.boolean():
        index = (index + jnp.argmax(x)) % n
    mode = draw.choice(["drop", "clip", "promise_in_bounds"])
    index = index % n if mode == "promise_in_bounds" else index
    at = (x if draw.boolean() else jnp.ones_like(x)).at[index]
    value = 3 * x[:1] if draw.boolean() else 2.0
    return (at.add if draw.boolean() else at.set)(value, mode=mode)


def _sort(draw, x):
    axis = draw.axis(x)
    if x.shape[axis] == 0:
        return x
    if draw.boolean():
        return jnp.sort(x, axis=axis)
    return lax.top_k(jnp.moveaxis(x, axis, -1), draw.integer(1, x.shape[axis]))[0]


def _linalg(draw, x):
    x = jnp.atleast_2d(x)
    n = x.shape[-2]
    if x.size == 0:
        return x
    matrix = 0.3 * weights(n, n) + 2 * jnp.eye(n)
    if draw.boolean():
        a = jnp.broadcast_to(matrix, (*x.shape[:-2], n, n))
        return jnp.linalg.solve(a, x)
    left = draw.boolean()
    m = n if left else x.shape[-1]
    a = jnp.broadcast_to(0.3 * weights(m, m) + 2 * jnp.eye(m), (*x.shape[:-2], m, m))
    lower, transposed = draw.boolean(), draw.boolean()
    return lax.linalg.triangular_solve(
        a, x, left_side=left, lower=lower, transpose_a=transposed
    )


def _stencil(u):
    return u + 0.25 * (jnp.roll(u, 1, 0) - u)


def _scan(draw, x):
    kind, reverse = draw.integer(0, 4), draw.boolean()
    first = jnp.zeros(x.shape[1:], x.dtype)
    if x.shape[0] and draw.boolean():
        first = x[0]
    if kind == 0:
        return lax.scan(lambda c, v: (0.5 * c + v, c * v), first, x, reverse=reverse)[1]
    if kind == 1:
        return lax.scan(lambda c, v: (v, c), first, x, reverse=reverse)[0]
    if kind == 2:
        return lax.scan(lambda u, _: (_stencil(u), None), x, length=draw.integer(0, 3))[
            0
        ]
    if kind == 3:
        n = max(x.shape[0], 1)
        return lax.scan(lambda i, v: ((i + 1) % n, v * x[i]), 0, x, reverse=reverse)[1]
    return lax.fori_loop(
        1, max(x.shape[0], 1), lambda i, y: y.at[i].add(0.5 * y[i - 1]), x
    )


def _branch(draw, x):
    kind = draw.integer(0, 2)
    if kind == 0:
        return lax.cond(x.sum() > 1, lambda x: lax.rev(x, (0,)), jnp.sin, x)
    if kind == 1:
        return lax.switch(draw.integer(0, 1), [lambda x: lax.rev(x, (0,)), jnp.sin], x)
    return lax.while_loop(
        lambda c: c[0] < 2, lambda c: (c[0] + 1, _stencil(c[1])), (0, x)
    )[1]


OPERATIONS = (
    _elementwise, _reshape, _move, _slice, _pad, _concatenate, _dynamic, _reduce,
    _running, _dot, _conv, _window, _gather, _scatter, _sort, _linalg, _scan, _branch,
)  # fmt: skip


def program(data, n_operations):
    """Draw a shape and a function of an array of that shape, with its operations."""
    draw = Draw(data)
    shape = tuple(draw.integers(draw.integer(1, 3), 1, 4).tolist())
    if draw.integer(0, 9) == 9:
        shape = (*shape[:-1], 0)
    kinds = [draw.choice(OPERATIONS) for _ in range(n_operations)]
    is_gradient = draw.integer(0, 3) == 3
    choices = Draw(data)

    def forward(x):
        choices.start()
        for kind in kinds:
            y = kind(choices, x)
            if y.size <= MAX_SIZE:
                x = jnp.atleast_1d(jnp.sin(y))
        return x

    def fun(x):
        if is_gradient:
            return jax.grad(lambda x: (forward(x) ** 3).sum())(x)
        return forward(x)

    return shape, fun, [kind.__name__ for kind in kinds]
