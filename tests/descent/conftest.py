"""What every test of descent starts from."""

import chex
import pytest


@pytest.fixture(autouse=True)
def fresh_trace_counter():
    chex.clear_trace_counter()
