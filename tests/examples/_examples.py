"""The examples, and settings with which they run in the suite, within seconds."""

import runpy
import sys
from pathlib import Path

import jax
import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(ROOT.glob("examples/*.py"))

SMALL = {
    "autoencoder_jacobian": ["--samples", "3", "--sizes", "[24, 9, 2, 9, 24]"],
    "compare_modes": [
        *("--repeats", "2", "--few", "2", "--many", "20"),
        *("--code", "2", "--points", "30", "--terms", "9"),
    ],
    "conv2d": ["--smoothings", "1"],
    "digits": [
        *("--channels", "[2, 3]", "--steps", "6", "--batch-size", "16"),
        *("--report-every", "3", "--checkpoint-every", "4", "--devices", "1"),
    ],
    "epidemic_pinn": [
        *("--hidden", "[16, 16]", "--steps", "2500", "--learning-rate", "0.02"),
        *("--tolerance", "0.1", "--report-every", "500"),
    ],
    "heat_newton": ["--grid", "12", "--large", "14"],
    "image_filters": ["--sigma", "1.0", "--steps", "200"],
    "linear_regression": ["--steps", "20", "--rows", "200"],
    "matrix_filter": [
        *("--masses", "4", "--band", "[0.9, 1.1]", "--nodes", "16"),
        *("--max-nodes", "4"),
    ],
    "matrix_polynomial": ["--max-nodes", "6", "--size", "3"],
    "mlp_derivative": ["--times", "3", "--growth", "[2, 4]"],
    "perceptron": ["--steps", "20"],
    "schroedinger": [
        *("--hidden", "[8]", "--steps", "60", "--tolerance", "0.02"),
    ],
    "score_divergence": [
        *("--dimensions", "8", "--hidden", "[24]", "--steps", "600"),
        *("--tolerance", "0.3"),
    ],
    "softmax": ["--steps", "3", "--repeats", "2"],
}
ADAM = {"epidemic_pinn", "schroedinger", "score_divergence"}  # it mixes dtypes

each_script = pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)


def run(script, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", [str(script), *arguments])
    with promotion(script):
        return runpy.run_path(str(script), run_name="__main__")


def promotion(script):
    """Return a context with the dtype promotion that an example's optimizer needs."""
    kind = "standard" if script.stem in ADAM else "strict"
    return jax.numpy_dtype_promotion(kind)
