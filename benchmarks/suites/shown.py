"""What the pages show as examples, measured: tables that are printed, and pictures.

The functions that they show are those of `docs/which-mode.md`, run from its own code.
"""

import functools
import json
import linecache
import re
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks._measure import Bench
from jnumerics import derivatives
from jnumerics.derivatives import ModeComparison
from jnumerics.workbench import demo, plots, report

PAGE = Path(__file__).parents[2] / "docs" / "which-mode.md"
WIDTH = 95  # columns of a message


@functools.cache
def network() -> Any:
    """Run the page's `network.py` under that name, and return what it defines."""
    page = PAGE.read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(# network.py\n.*?)```", page, flags=re.DOTALL)
    lines = code.splitlines(keepends=True)
    linecache.cache["network.py"] = len(code), None, lines, "network.py"
    names: dict[str, Any] = {"__name__": "network"}
    exec(compile(code, "network.py", "exec"), names)
    return SimpleNamespace(**names)


def plan(bench: Bench) -> None:
    """What the plan says of a network, and of samples that mix."""
    planned = derivatives.plan(network().autoencoder, jnp.ones(784))
    bench.shown["plan"] = str(planned)
    try:
        derivatives.batch_jacobian(network().normalized)(jnp.ones((32, 784)))
    except derivatives.SampleMixingError as error:
        bench.shown["refusal"] = textwrap.fill(f"SampleMixingError: {error}", WIDTH)


def six_systems(bench: Bench) -> None:
    """The demo's table, and the picture of one of its systems."""
    performances = list(demo.performances())
    bench.shown["table"] = report.table(performances)
    _draw_lesson(bench, performances, "mlp_derivative", "mlp_derivative_growth.png")


def five_functions(bench: Bench) -> None:
    """The lesson on modes."""
    performances = list(demo.performances(["compare_modes"]))
    _draw_lesson(bench, performances, "compare_modes", "modes.png")


def _draw_lesson(bench: Bench, performances: Any, system: str, name: str) -> None:
    for performance in performances:
        if performance.system == system:
            for picture in performance.lesson.pictures:
                bench.draw(name, lambda file, p=picture: plots.save(p.figure, file))


def autoencoder(bench: Bench) -> None:
    """Modes of a network that is narrow in between."""
    comparison = _compared(bench, network().autoencoder, (784,))
    bench.draw("modes_autoencoder.png", lambda f: plots.mode_comparison(comparison, f))


def heat(bench: Bench) -> None:
    """Modes of a stencil."""
    comparison = _compared(bench, network().heat, (32, 32))
    bench.draw("modes_heat.png", lambda f: plots.mode_comparison(comparison, f))


def samples(bench: Bench) -> None:
    """Ways to the blocks of 32 samples."""
    _compared(bench, network().autoencoder, (32, 784), batch=True)


def _compared(
    bench: Bench, fun: Callable, shape: tuple[int, ...], **options: Any
) -> ModeComparison:
    x = jax.random.normal(jax.random.key(0), shape)
    repeats = 3 if bench.is_quick else 20
    comparison = derivatives.compare_modes(fun, x, repeats=repeats, **options)
    bench.shown["text"] = str(comparison)
    bench.shown["result"] = _without_runs(json.loads(comparison.to_json()))
    return comparison


def _without_runs(result: Any) -> Any:
    """Leave every single run's time out: the quartiles say enough."""
    if isinstance(result, dict):
        return {k: _without_runs(v) for k, v in result.items() if k != "runs"}
    return [*map(_without_runs, result)] if isinstance(result, list) else result


BENCHMARKS: Mapping[str, Callable[[Bench], None]] = {
    "plan": plan,
    "demo": six_systems,
    "five_functions": five_functions,
    "modes_autoencoder": autoencoder,
    "modes_heat": heat,
    "modes_samples": samples,
}
