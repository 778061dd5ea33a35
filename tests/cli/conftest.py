"""Commands in this process."""

import pytest

from jnumerics.workbench import cli, demo


@pytest.fixture
def run(capsys, monkeypatch):
    monkeypatch.setattr(demo, "CHAPTERS", ())

    def run(*argv):
        status = cli.main(argv)
        return status, *capsys.readouterr()

    return run
