"""Random bits: keys that are known, and keys that are not."""

from tests.fuzz.programs.draft import Draft, SkipError, Value


def _key(d: Draft) -> str:
    seed = d.choice([str(d.integer(0, 3)), f"k[{d.integer(0, 5)}]"])
    return d.choice(
        [f"jax.random.key({seed})", f"jax.random.fold_in(jax.random.key(1), {seed})"]
    )


def noise(d: Draft, x: Value) -> str:
    if x.dtype.kind == "c":
        raise SkipError
    kind = d.choice(["normal", "uniform"])
    drawn = f"jax.random.{kind}({_key(d)}, {x.shape}, np.{x.dtype})"
    return (
        f"{x} {d.choice(['*', '+'])} {drawn}"
        if d.flip(0.7)
        else f"{drawn} * {d.like(x)}"
    )


def dropout(d: Draft, x: Value) -> str:
    return f"jnp.where(jax.random.bernoulli({_key(d)}, 0.6, {x.shape}), {x}, 0)"


def permuted(d: Draft, x: Value) -> str:
    if not x.size:
        raise SkipError
    axis = d.axis(x)
    return (
        f"jax.random.permutation({_key(d)}, {x}, axis={axis}, "
        f"independent={d.flip(0.3)})"
    )


def chosen(d: Draft, x: Value) -> str:
    axis = d.axis(x)
    if not x.size:
        raise SkipError
    drawn = (
        f"jax.random.randint({_key(d)}, ({d.integer(1, 3)},), 0, {x.shape[axis] + 1})"
    )
    return f"jnp.take({x}, {drawn}, {axis}, mode='clip')"


def stateful(d: Draft, x: Value) -> str:
    """Bits that differ at every evaluation: never known."""
    axis = d.axis(x)
    n = x.shape[axis]
    if not x.size:
        raise SkipError
    kind = d.choice(["indices", "branch", "bits"])
    if kind == "indices":
        drawn = f"lax.rng_uniform(np.int32(0), np.int32({n}), ({n},))"
        return f"jnp.take({x}, {drawn}, {axis}, mode='clip')"
    if kind == "branch":
        drawn = "lax.rng_uniform(np.float64(0), np.float64(1), ())"
        return f"lax.cond({drawn} < 0.5, jnp.sin, lambda v: lax.rev(v, ({axis},)), {x})"
    bits = f"lax.rng_bit_generator(np.arange(4, dtype=np.uint32), ({n},), np.uint32)[1]"
    return f"jnp.take({x}, ({bits} % {n}).astype(np.int32), {axis}, mode='clip')"


def gumbel(d: Draft, x: Value) -> str:
    if x.dtype.kind == "c" or not x.size:
        raise SkipError
    axis = d.axis(x)
    picked = (
        f"jnp.argmax({x} + jax.random.gumbel({_key(d)}, {x.shape}, np.{x.dtype}), "
        f"{axis})"
    )
    return f"jnp.take_along_axis({x}, jnp.expand_dims({picked}, {axis}), {axis})"


OPERATIONS = [noise, noise, dropout, permuted, chosen, stateful, stateful, gumbel]
