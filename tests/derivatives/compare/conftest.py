"""A comparison and a file of functions, shared by these tests."""

import sys

import pytest

from jnumerics.derivatives import compare_modes
from jnumerics.workbench import cli
from tests.derivatives.compare._compare import AT, MODULE, ROWS, bottleneck


@pytest.fixture(scope="module")
def comparison():
    return compare_modes(bottleneck, AT, repeats=3)


@pytest.fixture(scope="module")
def of_batch():
    return compare_modes(bottleneck, ROWS, batch=True, repeats=2)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "own_functions.py"
    path.write_text(MODULE)
    return path


@pytest.fixture
def run(capsys, monkeypatch, file):
    """The command in this process, from the folder of the module."""
    monkeypatch.chdir(file.parent)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, file.stem, raising=False)

    def run(*argv):
        status = cli.main(["compare", *argv])
        return status, *capsys.readouterr()

    return run
