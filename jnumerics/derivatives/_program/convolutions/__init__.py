"""Convolutions in other forms than JAX's: of shared samples, of few features."""

from jnumerics.derivatives._program.convolutions.samples import samples_first
from jnumerics.derivatives._program.convolutions.taps import by_taps

__all__ = ["by_taps", "samples_first"]
