"""The six systems that jnumerics grew from, run one after another.

Each is an example script with its settings; the demo runs the same code. In a wheel the
scripts lie inside the package, in a checkout beside it.
"""

import importlib.util
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

from jnumerics.workbench import config, lesson
from jnumerics.workbench.lesson import Lesson, Performance

__all__ = ["CHAPTERS", "SYSTEMS", "chapters", "performances", "settings_file"]

SYSTEMS = (
    "perceptron",
    "mlp_derivative",
    "linear_regression",
    "conv2d",
    "matrix_polynomial",
    "softmax",
)


CHAPTERS = ("autoencoder_jacobian",)  # what the report tells beside the six


def performances(
    systems: Sequence[str] = SYSTEMS, flags: Mapping[str, str] | None = None
) -> Iterator[Performance]:
    """Run examples with the settings of their configs, and return what each has to say.

    Flags override the settings of every example, as `config.load` takes them. An
    example that raises an error gives a `Performance` with that failure, and its
    traceback goes to the standard error stream.
    """
    return (_performance(system, flags) for system in systems)


def chapters(flags: Mapping[str, str] | None = None) -> Iterator[Performance]:
    """Run the examples that the report tells beside the six systems."""
    return (_performance(system, flags) for system in CHAPTERS)


def _performance(system: str, flags: Mapping[str, str] | None) -> Performance:
    try:
        example = _load(system)
        settings = config.load(example.Config, settings_file(example.__file__), flags)
        about = example.__doc__ or ""
        return lesson.perform(system, about, example.main, settings)
    except Exception as e:
        traceback.print_exc()
        failure = f"{type(e).__name__}: {e}".splitlines()[0]
        return Performance(system, "", Lesson(), failure=failure)


def settings_file(script: str | Path | None) -> Path:
    """Return where an example's settings are: `configs/NAME.toml` beside `examples/`.

    Example:
        >>> settings_file("/checkout/examples/softmax.py").name
        'softmax.toml'
    """
    path = Path(script or "").resolve()
    return path.parents[1] / "configs" / f"{path.stem}.toml"


def _load(system: str) -> ModuleType:
    inside = Path(__file__).parent / "examples"
    folder = inside if inside.is_dir() else Path(__file__).parents[2] / "examples"
    name = f"jnumerics.workbench.examples.{system}"
    spec = importlib.util.spec_from_file_location(name, folder / f"{system}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # its settings look their annotations up there
    spec.loader.exec_module(module)
    return module
