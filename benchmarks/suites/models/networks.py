"""The derivative of a small network at many times, one sample each."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks import peers
from benchmarks._measure import Bench, at_least, at_most
from jnumerics import derivatives, mlp

SIZES = (1, 20, 20, 4)
WAYS = ("jvp", "vmap")  # torch.func.jvp of all samples; vmap of torch.func.jacfwd


def mlp_derivative(bench: Bench) -> None:
    """The derivative of a network 1-20-20-4 in time, beside the plain network."""
    params = mlp.init(jax.random.key(0), SIZES)

    def network(t: Any) -> Any:
        return mlp.apply(params, t[:, None])

    def derivative(t: Any) -> Any:
        return jax.jvp(network, (t,), (jnp.ones_like(t),))[1]

    evaluate, ours = jax.jit(lambda t: plain(params, t[:, None])), jax.jit(derivative)
    many = jnp.linspace(0.0, 10.0, 100_000)
    evaluation = "network 1-20-20-4 at 100,000 times"
    mine = "its derivative by one JVP"
    race = bench.race({evaluation: lambda: evaluate(many), mine: lambda: ours(many)})
    what = "derivative of 1-20-20-4 at 100,000 times"
    in_evaluations = f"{what}, in evaluations of a plain network"
    bench.compare(in_evaluations, at_most(1.3), race, mine, evaluation)
    _beside_torch(bench, what, params, (many, ours))
    _full_jacobians(bench, network, ours, 100 if bench.is_quick else 1_000)


def batch_blocks(bench: Bench) -> None:
    """The same as per-sample blocks, as `batch_jacobian` gives them."""
    params = mlp.init(jax.random.key(0), SIZES)
    X = jnp.linspace(0.0, 5.0, 100_000)[:, None]
    evaluate = jax.jit(lambda X: plain(params, X))
    blocks = derivatives.batch_jacobian(lambda X: mlp.apply(params, X))
    evaluation, mine = "1-20-20-4 of 100,000 samples", "its batch_jacobian"
    race = bench.race({evaluation: lambda: evaluate(X), mine: lambda: blocks(X)})
    bench.compare(
        "batch_jacobian, 1-20-20-4, 100,000 samples, in evaluations of a plain network",
        at_most(1.3), race, mine, evaluation,
    )  # fmt: skip


def plain(params: Any, x: Any) -> Any:
    """Evaluate the network, written out."""
    *hidden, last = params
    for weight, bias in hidden:
        x = jnp.tanh(x @ weight + bias)
    return x @ last[0] + last[1]


def _beside_torch(bench: Bench, what: str, params: Any, ours: Any) -> None:
    times, derivative = ours
    layers = jax.tree.leaves(params)
    torch = {
        f"torch.func.{way} of it": peers.contender(
            "torch", "derivative", times, *layers, way=way
        )
        for way in WAYS
    }
    race = bench.race(
        {"the same derivative": lambda: derivative(times), **torch}, same=1e-4
    )
    bench.compare(
        f"{what}: torch.func over ours",
        at_least(4), race, list(torch), "the same derivative",
        "the better of torch.func.jvp and vmap(jacfwd)",
    )  # fmt: skip


def _full_jacobians(bench: Bench, network: Callable, ours: Callable, n: int) -> None:
    few = jnp.linspace(0.0, 10.0, n)
    full = {
        f"full Jacobian by {name}, diagonal": jax.jit(
            lambda t, take=take: jnp.einsum("iki->ik", take(network)(t))
        )
        for name, take in (("jacfwd", jax.jacfwd), ("jacrev", jax.jacrev))
    }
    ways = {name: lambda run=run: run(few) for name, run in full.items()}
    mine = f"one JVP at {n:,} times"
    race = bench.race({mine: lambda: ours(few), **ways}, same=1e-4)
    for name, mode in zip(ways, ("forward", "reverse, as the original's"), strict=True):
        bench.compare(
            f"the same at {n:,} times: full Jacobian ({mode}) and its diagonal over "
            "ours",
            at_least(1_000), race, name, mine,
        )  # fmt: skip


BENCHMARKS: Mapping[str, Callable[[Bench], None]] = {
    "mlp_derivative": mlp_derivative,
    "batch_jacobian": batch_blocks,
}
