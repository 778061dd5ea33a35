"""What every test of linearity starts from."""

import pytest


@pytest.fixture(autouse=True)
def _wide(x64):
    """Every derivative here is in float64."""
