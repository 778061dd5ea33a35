"""Laplacians of dense networks, beside folx's forward Laplacian and nested passes."""

from collections.abc import Callable, Mapping

import jax
import numpy as np

from benchmarks import _peers
from benchmarks._measure import Bench, at_least
from benchmarks.suites.functions import network, numbers
from jnumerics import derivatives

NETWORKS = (  # the layers, and how many samples
    ((50, 768, 768, 512, 512, 1), 8),
    ((30, 64, 64, 1), 256),
    ((100, 256, 256, 1), 32),
)


def laplacians(bench: Bench) -> None:
    """Laplacians of dense networks, for each sample of a batch."""
    for sizes, samples in NETWORKS[1:] if bench.is_quick else NETWORKS:
        layers = "-".join(map(str, sizes))
        _race(bench, f"{layers}, {samples} samples", sizes, samples)


def _race(bench: Bench, name: str, sizes: tuple[int, ...], samples: int) -> None:
    layers, X = network(*sizes), numbers(samples, sizes[0])
    ways = {
        f"laplacian of {name}, {mode}": derivatives.laplacian(
            lambda x: layers(x)[0], mode=mode
        )
        for mode in ("collapsed", "nested")
    }
    collapsed, nested = ways
    folx = _peers.folx()
    if folx is not None:
        forward = folx.forward_laplacian(lambda x: layers(x)[0])
        ways[f"folx of {name}"] = lambda x: forward(x).laplacian
    calls = {k: _call(jax.jit(jax.vmap(way)), X) for k, way in ways.items()}
    found = [np.asarray(call()) for call in calls.values()]
    for other in found[1:]:  # nothing is timed that is not the same
        np.testing.assert_allclose(found[0], other, rtol=1e-3, atol=1e-3)
    race = bench.race(calls)
    what = f"laplacian of {name}: nested over collapsed"
    bench.report(what, at_least(1.6), race.ratio(nested, collapsed))
    what, target = f"laplacian of {name}: folx over ours", at_least(0.95)
    ratio = race.ratio(f"folx of {name}", collapsed) if folx is not None else None
    bench.report(what, target, ratio, "" if folx else "folx does not import here")


def _call(run: Callable, X: jax.Array) -> Callable:
    return lambda: run(X)


BENCHMARKS: Mapping[str, Callable[[Bench], None]] = {"laplacians": laplacians}
