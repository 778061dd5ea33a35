"""Nested calls: jit, vmap, grad, jvp, remat, and calls that JAX keeps as equations."""

from tests.fuzz.families import bodies
from tests.fuzz.programs.draft import Draft, SkipError, Value, fitted


def jit(d: Draft, x: Value) -> str:
    return f"jax.jit({bodies.function(d, [x])})({x})"


def remat(d: Draft, x: Value) -> str:
    policy = d.choice(
        [
            "",
            ", policy=jax.checkpoint_policies.dots_saveable",
            ", policy=jax.checkpoint_policies.nothing_saveable",
            ", prevent_cse=False",
        ]
    )
    return f"jax.checkpoint({bodies.function(d, [x])}{policy})({x})"


def vmap(d: Draft, x: Value) -> str:
    axis = d.axis(x)
    row = bodies.Like([n for k, n in enumerate(x.shape) if k != axis], x.dtype).value()
    name = bodies.function(d, [row])
    out = d.integer(0, 1) if d.flip(0.3) else 0
    return f"jax.vmap({name}, in_axes={axis}, out_axes={out})({x})"


def vmap_of_control(d: Draft, x: Value) -> str:
    """Branches and loops whose predicates differ from sample to sample."""
    if not x.size or x.dtype.kind == "c":
        raise SkipError
    axis = d.axis(x)
    row = bodies.Like([n for k, n in enumerate(x.shape) if k != axis], x.dtype).value()
    name = bodies.endo(d, [row])
    inner = d.choice(
        [
            f"lambda v: lax.cond(v.sum() > 0.7, {name}, jnp.sin, v)",
            f"lambda v: lax.fori_loop(0, 2, lambda i, c: {name}(c), v)",
            (
                "lambda v: lax.while_loop(lambda c: (c[0] < 2) & (c[1].sum() < 5), "
                f"lambda c: (c[0] + 1, {name}(c[1])), (0, v))[1]"
            ),
            (
                "lambda v: lax.while_loop(lambda c: c[0] < k[0], lambda c: (c[0] + 1, "
                f"{name}(c[1])), (0, v))[1]"
            ),
            f"lambda v: lax.scan(lambda c, _: ({name}(c), c), v, length=2)[1]",
            "lambda v: lax.dynamic_slice(v.ravel(), (jnp.argmax(v),), (1,))",
        ]
    )
    return f"jax.vmap({inner}, in_axes={axis})({x})"


def vmap_of_two(d: Draft, x: Value) -> str:
    axis = d.axis(x)
    other = d.like(x)
    row = bodies.Like([n for k, n in enumerate(x.shape) if k != axis], x.dtype).value()
    name = bodies.endo(d, [row, row])
    shared = d.flip(0.3) and x.shape[axis] > 0
    if shared:
        other = f"jnp.take(jnp.asarray({other}), 0, {axis})"
    return (
        f"jax.vmap({name}, in_axes=({axis}, {None if shared else axis}))({x}, {other})"
    )


def grad(d: Draft, x: Value) -> str:
    if x.dtype.kind == "c":
        raise SkipError
    name = bodies.function(d, [x])
    return f"jax.grad(lambda v: jnp.real(({name}(v) ** 2).sum()))({x})"


def jvp(d: Draft, x: Value) -> str:
    name = bodies.function(d, [x])
    return f"jax.jvp({name}, ({x},), (jnp.asarray({d.like(x)}),))[{d.integer(0, 1)}]"


def vjp(d: Draft, x: Value) -> str:
    name = bodies.endo(d, [x])
    return f"jax.vjp({name}, {x})[1](jnp.asarray({d.like(x)}))[0]"


def jacobian(d: Draft, x: Value) -> str:
    if x.size > 4 or x.dtype.kind == "c":
        raise SkipError
    name = bodies.function(d, [x])
    return f"jax.{d.choice(['jacfwd', 'jacrev'])}({name})({x})"


def hessian_product(d: Draft, x: Value) -> str:
    if x.dtype.kind == "c":
        raise SkipError
    name = bodies.function(d, [x])
    return f"jax.jvp(jax.grad(lambda v: jnp.real({name}(v)).sum()), ({x},), ({x},))[1]"


def linearized(d: Draft, x: Value) -> str:
    name = bodies.function(d, [x])
    return f"jax.linearize({name}, {x})[1](jnp.asarray({d.like(x)}))"


def closure_converted(d: Draft, x: Value) -> str:
    """A call that JAX keeps as an equation, with its transpose."""
    from_, scale = "jax.custom_derivatives.linear_call", d.weights(x.shape, x.dtype)
    kind = d.choice(["scaled", "reversed"])
    if kind == "reversed" and x.ndim:
        axis = d.axis(x)
        pair = (
            f"lambda r, v: lax.rev(r * v, ({axis},)), lambda r, t: r * lax.rev(t, "
            f"({axis},))"
        )
    else:
        pair = "lambda r, v: r * v, lambda r, t: r * t"
    residual = d.choice([scale, f"jnp.cos({x})"])
    return f"{from_}({pair}, {residual}, {x})"


def evaluated(d: Draft, x: Value) -> str:
    name = bodies.function(d, [x], closes=False)
    return f"jax.extend.core.jaxpr_as_fun(jax.make_jaxpr({name})({x}))({x})[0]"


def nested(d: Draft, x: Value) -> str:
    """A call inside a call."""
    if not x.ndim:
        raise SkipError
    name = bodies.endo(d, [x])
    outer = d.choice(
        [
            "jax.jit(jax.checkpoint({}))",
            "jax.jit(jax.jit({}))",
            "jax.checkpoint(jax.jit({}))",
            "jax.vmap(jax.jit(jax.vmap({}, in_axes=0)), in_axes=None, axis_size=2)",
        ]
    )
    if "vmap" in outer:
        raise SkipError
    return f"{outer.format(name)}({fitted(d, x, x.shape)})"


OPERATIONS = [
    jit, remat, vmap, vmap, vmap_of_control, vmap_of_control, vmap_of_two, grad, jvp,
    vjp, jacobian, hessian_product, linearized, closure_converted, nested, evaluated,
]  # fmt: skip
