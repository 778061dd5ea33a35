"""The list of faults."""

from tests.fuzz.faults import joining, moving

FAULTS = [*moving.FAULTS, *joining.FAULTS]
