"""Linear algebra and Fourier transforms."""

from tests.fuzz.programs.draft import Draft, SkipError, Value, fitted


def _stack(d: Draft, x: Value, rows: int, columns: int) -> str:
    """Write a stack of matrices made of a value."""
    if not x.size:
        raise SkipError
    count = d.choice([(), (), (2,)])
    return fitted(d, x, (*count, rows, columns))


def _regular(d: Draft, x: Value, n: int) -> str:
    """Write a stack of regular matrices: made of a value, or known."""
    if d.flip(0.4):
        return f"(0.3 * W({n}, {n}) + 2 * np.eye({n}))"
    return f"(0.3 * jnp.sin({fitted(d, x, (n, n))}) + 2 * np.eye({n}))"


def _size(d: Draft, x: Value) -> int:
    if not x.size or x.dtype.kind == "c":
        raise SkipError
    return d.integer(1, 3)


def solve(d: Draft, x: Value) -> str:
    n = _size(d, x)
    b = d.let(_stack(d, x, n, d.integer(1, 2)))
    a = d.let(f"jnp.broadcast_to({_regular(d, x, n)}, {(*b.shape[:-2], n, n)})")
    return f"jnp.linalg.solve({a}, {b})"


def triangular(d: Draft, x: Value) -> str:
    n, left = _size(d, x), d.flip()
    m = d.integer(1, 2)
    b = d.let(_stack(d, x, *((n, m) if left else (m, n))))
    a = d.let(f"jnp.broadcast_to({_regular(d, x, n)}, {(*b.shape[:-2], n, n)})")
    return (
        f"lax.linalg.triangular_solve({a}, {b}, left_side={left}, lower={d.flip()}, "
        f"transpose_a={d.flip()}, unit_diagonal={d.flip(0.3)})"
    )


def tridiagonal(d: Draft, x: Value) -> str:
    n = _size(d, x) + 1
    b = d.let(_stack(d, x, n, d.integer(1, 2)))
    lines = [
        f"jnp.broadcast_to({v}, {b.shape[:-1]})"
        for v in (f"W({n})", f"(3 + W({n}))", f"W({n})")
    ]
    lines[0] = f"{lines[0]} * (np.arange({n}) > 0)"
    lines[2] = f"{lines[2]} * (np.arange({n}) < {n - 1})"
    return f"lax.linalg.tridiagonal_solve({', '.join(lines)}, {b})"


def factor(d: Draft, x: Value) -> str:
    n = _size(d, x)
    a = d.let(_regular(d, x, n))
    symmetric = f"({a} @ {a}.T + np.diag(np.arange(1.0, {n + 1})))"
    return d.choice(
        [
            f"jnp.linalg.cholesky({symmetric})",
            f"jnp.linalg.qr({a})[{d.integer(0, 1)}]",
            f"jnp.linalg.eigh({symmetric})[0]",
            f"jnp.linalg.eigh({symmetric})[1] ** 2",
            f"jnp.linalg.inv({a})",
            f"jnp.linalg.det({a})",
            f"jnp.linalg.slogdet({a})[1]",
            f"jax.scipy.linalg.lu({a})[{d.integer(1, 2)}]",
            (
                "jax.scipy.linalg.cho_solve("
                f"(jnp.linalg.cholesky({symmetric}), True), {a})"
            ),
        ]
    )


def singular(d: Draft, x: Value) -> str:
    n = _size(d, x)
    return f"jnp.linalg.norm({_regular(d, x, n)}, axis={d.integer(0, 1)})"


def fourier(d: Draft, x: Value) -> str:
    if not x.ndim or not x.size:
        raise SkipError
    n = d.integer(1, min(2, x.ndim))
    lengths = x.shape[-n:]
    if x.dtype.kind == "c":
        kind = d.choice(["FFT", "IFFT", "IRFFT"])
        lengths = (*lengths[:-1], 2 * lengths[-1] - 1) if kind == "IRFFT" else lengths
        return f"lax.fft({x}, '{kind}', {lengths})"
    if d.flip(0.3):
        return f"jnp.abs(jnp.fft.{d.choice(['fft', 'ifft'])}({x}, axis={d.axis(x)}))"
    return f"lax.{d.choice(['real', 'imag'])}(lax.fft({x}, 'RFFT', {lengths}))"


def transformed_back(d: Draft, x: Value) -> str:
    if not x.ndim or not x.size or x.dtype.kind == "c":
        raise SkipError
    axis, n = d.axis(x), d.integer(1, 5)
    return (
        f"jnp.fft.irfft(jnp.fft.rfft({x}, axis={axis}) * (1 + 0.5j), n={n}, "
        f"axis={axis})"
    )


OPERATIONS = [
    solve, solve, triangular, triangular, triangular, tridiagonal, factor, factor,
    singular, fourier, fourier, transformed_back,
]  # fmt: skip
