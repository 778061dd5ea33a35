"""`jnumerics check MODULE:FUNCTION`: whether somebody's own derivatives are right."""

import argparse
import dataclasses

import jax

from jnumerics import _table
from jnumerics.derivatives import DerivativeCheck, check_derivatives
from jnumerics.derivatives._jacobian import gradient
from jnumerics.workbench import devices
from jnumerics.workbench.commands import _functions, flags
from jnumerics.workbench.commands._functions import Asked

__all__ = ["configure", "run"]

TARGETS = ("jacobian", "hessian")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jnumerics check`."""
    _functions.configure(parser)
    parser.add_argument(
        "--target", default="jacobian",
        help="jacobian, or hessian: the derivatives of the gradient (jacobian)",
    )  # fmt: skip
    flags.add_flags(parser, figure=None)


@_functions.shows_own_errors
def run(arguments: argparse.Namespace) -> int:
    """Check the derivatives of a function against the function; 1 if they are wrong."""
    asked = _functions.read(arguments)
    target = _functions.target(arguments, TARGETS)
    flags.require_writable(arguments)
    devices.select(arguments.platform)
    with asked.loaded() as (fun, args):
        if target == "hessian":
            fun = gradient(fun, asked.argnums)
        key = jax.random.key(asked.seed)
        check = check_derivatives(fun, *args, argnums=asked.argnums, key=key)
    try:
        print(f"{_title(asked, target)}\n\n{check}")
    finally:  # though nobody may read the table
        flags.write(arguments, lambda: _to_json(asked, target, check))
    return 0 if check.passed else 1


def _title(asked: Asked, target: str) -> str:
    what = asked.described()
    return what if target == "jacobian" else f"gradient of {what}"


def _to_json(asked: Asked, target: str, check: DerivativeCheck) -> str:
    """Write all that was found; what is not served, or infinite, is null."""
    return _table.to_json(
        {
            **asked.as_dict(),
            "target": target,
            **dataclasses.asdict(check),
            "reason": check.reason,
        }
    )
