"""A fault, and how it gets into the library: a text of its source is replaced."""

import importlib.machinery
import importlib.util
import sys
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[3] / "jnumerics" / "derivatives"


class Fault(NamedTuple):
    """A text of the source, and what stands there instead.

    Attributes:
        name: What is wrong with it, in words.
        family: The programs that are to find it.
        file: The module, below `jnumerics/derivatives`.
        old: The text; it occurs there once.
        new: The other text.
    """

    name: str
    family: str
    file: str
    old: str
    new: str

    def source(self) -> str:
        """Return the module's text with the fault.

        Raises:
            ValueError: If the text does not occur once: the source has changed.
        """
        text = (ROOT / self.file).read_text()
        count = text.count(self.old)
        if count != 1:
            msg = (
                f"`{self.name}` must fit {self.file} once, got {count} times: "
                f"{self.old!r}"
            )
            raise ValueError(msg)
        return text.replace(self.old, self.new)


def inject(fault: Fault) -> None:
    """Let the library be imported with a fault; it must not be imported yet."""
    name = ".".join(
        ["jnumerics", "derivatives", *Path(fault.file).with_suffix("").parts]
    )
    name = name.removesuffix(".__init__")
    if name in sys.modules:
        msg = f"`{name}` must not be imported yet"
        raise RuntimeError(msg)
    sys.meta_path.insert(0, _Finder(name, fault))


class _Finder:
    def __init__(self, name: str, fault: Fault) -> None:
        self._name, self._fault = name, fault

    def find_spec(self, name: str, *_: Any) -> Any:
        """Find the faulty module alone."""
        if name != self._name:
            return None
        file = str(ROOT / self._fault.file)
        loader = _Loader(name, file, self._fault.source())
        return importlib.util.spec_from_file_location(name, file, loader=loader)


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, file: str, text: str) -> None:
        super().__init__(name, file)
        self._text = text

    def get_code(self, fullname: str) -> Any:
        """Compile the faulty text, and keep no bytecode of it."""
        del fullname
        return compile(self._text, self.path, "exec", dont_inherit=True)
