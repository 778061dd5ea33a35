"""Commands in this process, and a file of functions that they are asked about."""

import sys

import pytest

from jnumerics.workbench import cli, demo
from tests.derivatives.compare._compare import MODULE

MORE = """
import jax

@jax.custom_jvp
def wrong(x):
    return jnp.sin(x)

wrong.defjvps(lambda t, ans, x: 1.01 * t)

def narrow(x):
    return jnp.outer(x, x[:2]) @ jnp.ones(2)

def weighted(labels, x):
    return x[labels] * x

def third(x):
    return (x**3).sum()
"""


@pytest.fixture
def run(capsys, monkeypatch):
    monkeypatch.setattr(demo, "CHAPTERS", ())

    def run(*argv):
        status = cli.main(argv)
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def file(tmp_path, monkeypatch):
    """The file, in the folder in which the commands run."""
    path = tmp_path / "own_functions.py"
    path.write_text(MODULE + MORE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, path.stem, raising=False)
    return path
