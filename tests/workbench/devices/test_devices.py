import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics import conv, mlp
from jnumerics.workbench import devices
from jnumerics.workbench.config import UsageError


@pytest.fixture
def same_platforms():
    """The choice is the process's own; give it back."""
    before = jax.config.jax_platforms
    yield
    jax.config.update("jax_platforms", before)


def test_platform_that_is_there_is_selected(same_platforms):
    assert devices.select("cpu") == "cpu"


def test_platform_that_is_not_there_lists_those_that_are(same_platforms):
    here = ", ".join(devices.available())
    message = f"platform 'abacus' is not here, expected one that is: {here}$"
    with pytest.raises(UsageError, match=message):
        devices.select("abacus")
    assert devices.select() == devices.names()[0]


@pytest.mark.parametrize("before", ["cpu", None])
def test_platform_that_is_not_there_leaves_the_choice_as_it_was(before, same_platforms):
    jax.config.update("jax_platforms", before)
    with pytest.raises(UsageError):
        devices.select("abacus")
    assert jax.config.jax_platforms == before


@pytest.mark.process
@pytest.mark.parametrize(
    ("flag", "variable", "line"),
    [
        ("tpu", "", "platform 'tpu' is not here, expected one that is: "),
        ("gpu", "cpu", "platform 'cuda' is not here, expected one that is: cpu"),
        ("cpu", "abacus", "cpu"),
        ("", "abacus", "platform 'abacus' is not here, expected one that is: "),
    ],
)
def test_choice_is_made_before_the_backend_starts(flag, variable, line, monkeypatch):
    if flag in devices.available():
        line = flag
    elif flag == "gpu" and "cuda" in devices.available():
        line = "gpu"
    monkeypatch.setenv("JAX_PLATFORMS", variable)
    program = f"""
from jnumerics.workbench import config, devices
try:
    print(devices.select({flag!r} or None))
except config.UsageError as e:
    print(e)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(line)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="not the CPU's products")
def test_on_a_cpu_products_of_every_precision_are_the_same():
    layers = mlp.init(jax.random.key(0), (50, 40, 30))
    x, image = jnp.sin(jnp.arange(200.0)).reshape(4, 50), jnp.ones((1, 9, 9, 3)) / 3
    kernel = jnp.cos(jnp.arange(108.0)).reshape(3, 3, 3, 4)
    of_layers, of_images = (
        [fun(precision) for precision in ("default", "high", "highest")]
        for fun in (
            lambda precision: mlp.apply(layers, x, precision=precision),
            lambda precision: conv.conv2d(image, kernel, precision=precision),
        )
    )
    for low, high, highest in (of_layers, of_images):
        np.testing.assert_array_equal(low, highest)
        np.testing.assert_array_equal(high, highest)


def test_a_platform_beside_the_fastest_becomes_the_default(same_platforms, monkeypatch):
    (cpu, *_), settings = jax.devices(), {}
    monkeypatch.setattr(
        jax, "local_devices", lambda backend=None: [cpu if backend else "fastest"]
    )
    monkeypatch.setattr(
        type(jax.config), "update", lambda _, k, v: settings.update({k: v})
    )
    devices.select("cpu")
    assert settings.pop("jax_default_device") is cpu
