"""The folder that a run writes to."""

import pytest

from jnumerics.workbench import config
from jnumerics.workbench.config import UsageError


def test_output_folder_is_made_with_its_parents(tmp_path):
    assert config.output_folder(tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize("name", ["", "  "])
def test_output_folder_without_a_name_is_refused(name):
    with pytest.raises(UsageError, match=f"--out must be a folder, got '{name}'"):
        config.output_folder(name)


@pytest.mark.parametrize("name", ["file", "file/below", "null\0character"])
def test_output_folder_that_cannot_be_made_is_named(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(
        UsageError, match=f"{name}: must be a folder that can be written"
    ):
        config.output_folder(tmp_path / name)
