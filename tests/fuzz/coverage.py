"""Which rules were used, at which values of their parameters."""

import enum
from collections import Counter, defaultdict
from typing import Any

from jnumerics.derivatives._dependence.rules import RULES

Counts = dict[str, Counter[str]]  # by primitive: "parameter=value"
SERVED, JOINED = "", "joined"
LIMIT = 12  # values of a parameter that are shown


def record(counts: Counts, eqn: Any, is_served: bool) -> None:
    """Count an equation that boxes passed."""
    name = eqn.primitive.name
    counter = counts[name]
    counter[SERVED if is_served else JOINED] += 1
    if name not in RULES or not is_served:
        return
    for key, value in eqn.params.items():
        if key in RULES[name][1]:
            counter[f"{key}={_summary(value)}"] += 1


def _summary(value: Any) -> str:
    """Name a parameter's value, or its kind where there are many."""
    if hasattr(value, "_fields"):  # dimension numbers: how many axes of each kind
        return " ".join(
            f"{k}:{_count(v)}" for k, v in zip(value._fields, value, strict=True)
        )
    if hasattr(value, "offset_dims") or hasattr(value, "update_window_dims"):
        return " ".join(str(_count(v)) for v in vars(value).values())
    if isinstance(value, bool | str | enum.Enum) or value is None:
        return str(value)
    if isinstance(value, int):
        return str(value) if abs(value) < 5 else "more"
    if isinstance(value, tuple | list):
        numbers = sorted({str(v) for v in _numbers(value)})
        return "{" + ",".join(numbers[:6]) + "}"
    return type(value).__name__


def _count(value: Any) -> int:
    return len(value) if isinstance(value, tuple | list) else 1


def _numbers(value: Any) -> list[Any]:
    if isinstance(value, tuple | list):
        return [n for v in value for n in _numbers(v)]
    return [value if isinstance(value, int | str) else type(value).__name__]


def empty() -> Counts:
    """Return no counts."""
    return defaultdict(Counter)


def merge(into: Counts, other: Counts) -> None:
    """Add counts."""
    for name, counts in other.items():
        into[name].update(counts)


def _shortened(names: list[str]) -> str:
    rest = f" and {len(names) - LIMIT} more" if len(names) > LIMIT else ""
    return ", ".join(names[:LIMIT]) + rest


def lines(counts: Counts) -> list[str]:
    """Print what occurred, and which rules did not."""
    told = []
    for name in sorted(counts):
        own, served, joined = counts[name], counts[name][SERVED], counts[name][JOINED]
        values: dict[str, list[str]] = defaultdict(list)
        for key, _ in own.most_common():
            if "=" in key:
                values[key.partition("=")[0]].append(key.partition("=")[2])
        shown = "; ".join(f"{k} {_shortened(v)}" for k, v in sorted(values.items()))
        rest = f", joined {joined}" if joined else ""
        told.append(f"{name}: {served}{rest}{'; ' + shown if shown else ''}")
    missing = sorted(set(RULES) - {n for n, c in counts.items() if c[SERVED]})
    told.append(f"rules that did not occur: {', '.join(missing) or 'none'}")
    return told
