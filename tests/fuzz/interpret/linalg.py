"""Linear algebra and Fourier transforms."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg

from tests.fuzz.interpret.core import Eqn, Function, by_jax, evaluator


@evaluator("triangular_solve")
def _(eqn: Eqn) -> Function:
    p = eqn.params

    def fun(a: Any, b: Any) -> Any:
        a = np.tril(a) if p["lower"] else np.triu(a)
        if p["unit_diagonal"]:
            a = np.where(np.eye(a.shape[-1], dtype=bool), np.ones((), a.dtype), a)
        a = np.conj(a) if p["conjugate_a"] else a
        is_lower = p["lower"] != p["transpose_a"]
        a = np.swapaxes(a, -1, -2) if p["transpose_a"] else a
        if p["left_side"]:
            return _substituted(a, b, is_lower)
        turned = _substituted(
            np.swapaxes(a, -1, -2), np.swapaxes(b, -1, -2), not is_lower
        )
        return np.swapaxes(turned, -1, -2)

    return fun


def _substituted(a: Any, b: Any, is_lower: bool) -> Any:
    """Substitute row by row: zeros stay zeros."""
    n, x = a.shape[-1], np.array(b)
    for k in range(n) if is_lower else reversed(range(n)):
        known = slice(0, k) if is_lower else slice(k + 1, n)
        taken = np.einsum("...j,...jm->...m", a[..., k, known], x[..., known, :])
        x[..., k, :] = (b[..., k, :] - taken) / a[..., k, k][..., None]
    return x


@evaluator("tridiagonal_solve")
def _(_: Eqn) -> Function:
    def fun(low: Any, middle: Any, high: Any, b: Any) -> Any:
        n = middle.shape[-1]
        a, k = np.zeros((*middle.shape, n), b.dtype), np.arange(n)
        a[..., k, k] = middle
        a[..., k[1:], k[:-1]] = low[..., 1:]
        a[..., k[:-1], k[1:]] = high[..., :-1]
        return np.linalg.solve(a, b)

    return fun


def _each(fun: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    """Map over stacks of matrices."""

    def stacked(a: Any) -> list[Any]:
        flat = a.reshape(-1, *a.shape[-2:])
        results = [fun(matrix) for matrix in flat]
        return [
            np.stack(column).reshape(*a.shape[:-2], *column[0].shape)
            for column in zip(*results, strict=True)
        ]

    return stacked


@evaluator("cholesky")
def _(eqn: Eqn) -> Function:
    def one(a: Any) -> list[Any]:
        try:
            return [np.linalg.cholesky(a)]
        except np.linalg.LinAlgError:
            return [np.full_like(a, np.nan)]

    many = _each(one)
    dtype = eqn.outvars[0].aval.dtype
    return lambda a: a if a.size == 0 else many(a)[0].astype(dtype)


@evaluator("lu")
def _(eqn: Eqn) -> Function:
    if 0 in eqn.invars[0].aval.shape:
        return by_jax(eqn)

    def one(a: Any) -> list[Any]:
        factors, pivots = scipy.linalg.lu_factor(a, check_finite=False)
        order = _permutation(pivots, a.shape[0])
        return [factors, pivots.astype(np.int32), order]

    return _each(one)


def _permutation(pivots: Any, n: int) -> Any:
    order = np.arange(n, dtype=np.int32)
    for k, p in enumerate(pivots):
        order[k], order[p] = order[p], order[k]
    return order


@evaluator("lu_pivots_to_permutation")
def _(eqn: Eqn) -> Function:
    n = eqn.params["permutation_size"]

    def fun(pivots: Any) -> Any:
        flat = pivots.reshape(-1, pivots.shape[-1])
        permutations = [_permutation(p, n) for p in flat]
        return np.array(permutations, np.int32).reshape(*pivots.shape[:-1], n)

    return fun


def _lapack(name: str, a: Any) -> Any:
    (routine,) = scipy.linalg.lapack.get_lapack_funcs([name], [a])
    return routine


@evaluator("geqrf")
def _(eqn: Eqn) -> Function:
    if 0 in eqn.invars[0].aval.shape:
        return by_jax(eqn)

    def one(a: Any) -> list[Any]:
        factors, taus, _, _ = _lapack("geqrf", a)(a)
        return [factors, taus]

    return _each(one)


@evaluator("qr")
def _(eqn: Eqn) -> Function:
    p = eqn.params
    if p.get("pivoting") or 0 in eqn.invars[0].aval.shape:
        return by_jax(eqn)
    mode = "complete" if p["full_matrices"] else "reduced"
    return lambda a: [*np.linalg.qr(a, mode)]


@evaluator("householder_product")
def _(eqn: Eqn) -> Function:
    if 0 in eqn.invars[0].aval.shape:
        return by_jax(eqn)

    def fun(a: Any, taus: Any) -> Any:
        flat = zip(
            a.reshape(-1, *a.shape[-2:]), taus.reshape(-1, taus.shape[-1]), strict=True
        )
        name = "ungqr" if a.dtype.kind == "c" else "orgqr"
        matrices = [_lapack(name, m)(m, t)[0] for m, t in flat]  # fmt: skip
        return np.stack(matrices).reshape(a.shape)

    return fun


@evaluator("eigh")
def _(eqn: Eqn) -> Function:
    p = eqn.params
    if p.get("subset_by_index") is not None or 0 in eqn.invars[0].aval.shape:
        return by_jax(eqn)

    def fun(a: Any) -> list[Any]:
        if not np.isfinite(a).all():
            return [
                np.full_like(a, np.nan),
                np.full(a.shape[:-1], np.nan, a.real.dtype),
            ]
        values, vectors = np.linalg.eigh(a, "L" if p["lower"] else "U")
        return [vectors, values]

    return fun


_FFTS = {0: np.fft.fftn, 1: np.fft.ifftn, 2: np.fft.rfftn, 3: np.fft.irfftn}


@evaluator("fft")
def _(eqn: Eqn) -> Function:
    lengths, out = tuple(map(int, eqn.params["fft_lengths"])), eqn.outvars[0].aval
    transform = _FFTS[int(eqn.params["fft_type"])]
    axes = tuple(range(-len(lengths), 0))
    if 0 in eqn.invars[0].aval.shape or 0 in out.shape or not lengths:
        return by_jax(eqn)
    return lambda x: transform(x, lengths, axes).astype(out.dtype)
