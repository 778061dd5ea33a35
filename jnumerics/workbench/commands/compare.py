"""`jnumerics compare MODULE:FUNCTION`: derivative modes of somebody's own function."""

import argparse
from typing import Any

from jnumerics.derivatives import compare_modes
from jnumerics.derivatives._compare.contenders import MODES
from jnumerics.derivatives._compare.timing import Interrupted
from jnumerics.workbench import devices, plots
from jnumerics.workbench._usage import UsageError
from jnumerics.workbench.commands import _functions, flags

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jnumerics compare`."""
    _functions.configure(parser)
    parser.add_argument(
        "--target", default="jacobian", help=f"{', '.join(MODES)} (jacobian)"
    )
    parser.add_argument(
        "--batch", action="store_true", help="the same as --target batch"
    )
    names = dict.fromkeys(mode for modes in MODES.values() for mode in modes)
    parser.add_argument("--modes", nargs="+", metavar="MODE", help=", ".join(names))
    parser.add_argument(
        "--repeats", metavar="N", default="20", help="runs of each mode (20)"
    )
    parser.add_argument(
        "--max-bytes", metavar="N", help="bound of each mode's temporary memory"
    )
    flags.add_flags(parser)


@_functions.shows_own_errors
def run(arguments: argparse.Namespace) -> int:
    """Measure the derivative modes of a function side by side."""
    asked, options = _functions.read(arguments), _options(arguments)
    flags.require_writable(arguments)
    devices.select(arguments.platform)
    is_whole = True
    with asked.loaded() as (fun, args):
        try:
            comparison = compare_modes(fun, *args, argnums=asked.argnums, **options)
        except Interrupted as interrupt:
            comparison, is_whole = interrupt.found, False
    try:
        print(comparison)
    finally:  # though nobody may read the table
        flags.write(
            arguments,
            comparison.to_json,
            lambda f: plots.mode_comparison(comparison, f),
        )
    if not is_whole:
        msg = f"after {len(comparison.evaluation.runs)} of {options['repeats']} runs"
        raise KeyboardInterrupt(msg)
    return 0


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    target = _functions.target(arguments, tuple(MODES))
    allowed = MODES[target]
    modes = [m for text in arguments.modes or () for m in text.split(",") if m]
    for mode in modes:
        if mode not in allowed:
            msg = f"--modes must be among {', '.join(allowed)}, got {mode!r}"
            raise UsageError(msg)
    return {
        "target": target,
        "modes": modes or None,
        "repeats": flags.integer("--repeats", arguments.repeats, least=1),
        "max_bytes": None
        if arguments.max_bytes is None
        else flags.integer(
            "--max-bytes", arguments.max_bytes, least=1, greatest=2**63 - 1
        ),
    }
