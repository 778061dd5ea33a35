"""Oracles in NumPy float64, written without JAX: short, slow and plainly right."""
