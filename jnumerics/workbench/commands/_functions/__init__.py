"""A person's own function: how it is named, found and called, and where it broke.

What does not fit, such as a module, a shape or a mode, is one line. An exception inside
the function is that person's to find, so it is shown with the frames of their own code.
"""

from jnumerics.workbench.commands._functions.asked import (
    Asked,
    configure,
    read,
    require_small,
    shape,
    target,
)
from jnumerics.workbench.commands._functions.errors import OwnError, shows_own_errors
from jnumerics.workbench.commands._functions.find import load

__all__ = [
    "Asked",
    "OwnError",
    "configure",
    "load",
    "read",
    "require_small",
    "shape",
    "shows_own_errors",
    "target",
]
