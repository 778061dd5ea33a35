"""Solvers that are given functions: iterative ones, truncated ones, exact ones."""

from tests.fuzz.programs.draft import Draft, SkipError, Value


def _matrix(d: Draft, x: Value, n: int) -> str:
    """Write a positive definite operator: known, of values, or diagonal."""
    return d.choice(
        [
            f"lambda v: (2 + W({n})) * v",
            f"lambda v: (2 + jnp.sin(jnp.resize({x}, ({n},)))) * v",
            f"lambda v: (3 * np.eye({n}) + 0.2 * (W({n}, {n}) + W({n}, {n}).T)) @ v",
            "lambda v: 3 * v - 0.5 * jnp.roll(v, 1) - 0.5 * jnp.roll(v, -1)",
            (
                "lambda v: 4 * v + 0.5 * jnp.concatenate([v[1:], jnp.zeros(1)]) "
                "+ 0.5 * jnp.concatenate([jnp.zeros(1), v[:-1]]) "
                f"if {n} > 1 else 4 * v"
            ),
        ]
    )


def _side(d: Draft, x: Value) -> tuple[str, int]:
    if x.dtype != "float64" or not x.size:
        raise SkipError
    n = d.integer(2, 4)
    return d.let(f"jnp.resize({x}, ({n},))"), n


def conjugate_gradients(d: Draft, x: Value) -> str:
    b, n = _side(d, x)
    options = d.choice(["", ", maxiter=1", ", maxiter=2", ", tol=1e-2", ", tol=1e-12"])
    name = d.choice(["cg", "cg", "bicgstab"])
    return f"jax.scipy.sparse.linalg.{name}({_matrix(d, x, n)}, {b}{options})[0]"


def gmres(d: Draft, x: Value) -> str:
    b, n = _side(d, x)
    options = d.choice(["", ", maxiter=1, restart=1", ", restart=2"])
    return (
        f"jax.scipy.sparse.linalg.gmres({_matrix(d, x, n)}, {b}{options}, "
        "solve_method='incremental')[0]"
    )


def by_samples(d: Draft, x: Value) -> str:
    """One solver for each sample, or one for all of them."""
    if x.dtype != "float64" or not x.size:
        raise SkipError
    rows = d.let(f"jnp.resize({x}, ({d.integer(2, 3)}, 3))")
    operator = d.choice(["lambda v: (2 + W(3)) * v", "lambda v: 3 * v"])
    options = d.choice(["", ", maxiter=1", ", tol=1e-2"])
    if d.flip():
        return (
            f"jax.vmap(lambda b: jax.scipy.sparse.linalg.cg({operator}, "
            f"b{options})[0])({rows})"
        )
    return f"jax.scipy.sparse.linalg.cg({operator}, {rows}{options})[0]"


def exact_solve(d: Draft, x: Value) -> str:
    """`custom_linear_solve` whose solver is a factorization, or a division."""
    b, n = _side(d, x)
    if d.flip():
        a = d.let(f"2 + jnp.sin(jnp.resize({x}, ({n},)))")
        return (
            f"lax.custom_linear_solve(lambda v: {a} * v, {b}, lambda _, r: r / {a}, "
            "symmetric=True)"
        )
    a = d.let(f"3 * np.eye({n}) + 0.3 * jnp.sin(jnp.resize({x}, ({n}, {n})))")
    return (
        f"lax.custom_linear_solve(lambda v: {a} @ v, {b}, "
        f"lambda _, r: jnp.linalg.solve({a}, r), "
        f"lambda _, r: jnp.linalg.solve({a}.T, r))"
    )


def truncated_solve(d: Draft, x: Value) -> str:
    """`custom_linear_solve` whose solver stops on a count."""
    b, n = _side(d, x)
    steps = d.integer(1, 3)
    body = d.choice(
        ["0.3 * (r - m(v)) + v", "v + 0.2 * r / (1 + jnp.sum(r * r)) - 0.2 * m(v)"]
    )
    return (
        f"lax.custom_linear_solve({_matrix(d, x, n)}, {b}, lambda m, r: "
        f"lax.fori_loop(0, {steps}, lambda i, v: {body}, jnp.zeros_like(r)), "
        "symmetric=True)"
    )


def root(d: Draft, x: Value) -> str:
    b, n = _side(d, x)
    residual = d.choice(
        [
            f"lambda y: y ** 3 + 2 * y - {b}",
            f"lambda y: 3 * y + jnp.sin(y) - {b}",
            f"lambda y: 3 * y + 0.3 * W({n}, {n}) @ jnp.sin(y) - {b}",
        ]
    )
    newton = (
        "lambda f, y: lax.fori_loop(0, 25, lambda i, u: u - "
        "jnp.linalg.solve(jax.jacfwd(f)(u), f(u)), y)"
    )
    tangent = d.choice(
        [
            "lambda g, y: jnp.linalg.solve(jax.jacfwd(g)(y), y)",
            "lambda g, y: jax.scipy.sparse.linalg.bicgstab(g, y, tol=1e-12)[0]",
            "lambda g, y: jax.scipy.sparse.linalg.bicgstab(g, y, maxiter=1)[0]",
        ]
    )
    return f"lax.custom_root({residual}, jnp.zeros({n}), {newton}, {tangent})"


def iterated(d: Draft, x: Value) -> str:
    """A fixed-point iteration, differentiated through."""
    b, n = _side(d, x)
    del n
    stop = d.choice(
        ["c[0] < 4", f"jnp.abs(3 * c[1] + jnp.sin(c[1]) - {b}).max() > 1e-3"]
    )
    return (
        f"lax.while_loop(lambda c: {stop}, lambda c: (c[0] + 1, ({b} - jnp.sin(c[1])) "
        f"/ 3), (0, jnp.zeros_like({b})))[1]"
    )


OPERATIONS = [
    conjugate_gradients, conjugate_gradients, conjugate_gradients, by_samples,
    by_samples, exact_solve, exact_solve, exact_solve, truncated_solve, truncated_solve,
    iterated, iterated, gmres, root,
]  # fmt: skip
