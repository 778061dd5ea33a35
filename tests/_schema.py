"""What the commands write as JSON, key by key, and whether a value is of that form."""

NUMBER = (int, float)
TIMING = {"median": NUMBER, "q1": NUMBER, "q3": NUMBER, "runs": [NUMBER]}
VERSIONS = {"jax": str, "jaxlib": str, "numpy": str}


class Optional:
    """A schema, or null."""

    def __init__(self, schema):
        self.schema = schema


MODE = {
    "mode": str,
    "passes": Optional(int),
    "flops": Optional(NUMBER),
    "bytes": Optional(NUMBER),
    "temp_bytes": Optional(int),
    "compile_s": Optional(NUMBER),
    "predicted_s": Optional(NUMBER),
    "run_s": Optional(TIMING),
    "times_evaluation": Optional(NUMBER),
    "max_relative_difference": Optional(NUMBER),
    "same_as": Optional(str),
    "error": Optional(str),
}
COMPARE = {
    "device": str,
    "versions": VERSIONS,
    "function": str,
    "shapes": [[int]],
    "dtypes": [str],
    "evaluation_s": TIMING,
    "modes": [MODE],
    "predicted": str,
    "fastest": Optional(str),
    "tie": bool,
    "counted_by": str,
    "reference": str,
}
CELL = {
    "inputs": int,
    "outputs": int,
    "forward_s": NUMBER,
    "reverse_s": NUMBER,
    "predicted": str,
    "fastest": Optional(str),
    "tie": bool,
    "slowdown": NUMBER,
}
CROSSOVER = {
    "device": str,
    "versions": VERSIONS,
    "inputs": [int],
    "outputs": [int],
    "cells": [CELL],
    "decided": int,
    "right": int,
    "worst_slowdown": NUMBER,
}


def faults(value, schema, at="$"):
    """Every place where a value is not of the form of a schema."""
    if isinstance(schema, Optional):
        return [] if value is None else faults(value, schema.schema, at)
    if isinstance(schema, dict):
        if not isinstance(value, dict) or value.keys() != schema.keys():
            keys = sorted(value) if isinstance(value, dict) else value
            return [f"{at}: keys {keys}, expected {sorted(schema)}"]
        pairs = schema.items()
        return [f for k, s in pairs for f in faults(value[k], s, f"{at}.{k}")]
    if isinstance(schema, list):
        if not isinstance(value, list):
            return [f"{at}: {value!r}, expected a list"]
        return [
            f for k, v in enumerate(value) for f in faults(v, schema[0], f"{at}[{k}]")
        ]
    is_right = isinstance(value, schema) and (
        schema is bool or not isinstance(value, bool)
    )
    return [] if is_right else [f"{at}: {value!r}, expected {schema}"]
