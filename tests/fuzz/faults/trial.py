"""A fault in a process of its own, in which nothing of the library is imported yet."""

import time
from typing import NamedTuple

from tests.fuzz.work import Finding, Job, is_second, prepare, run


class Trial(NamedTuple):
    """What came of a fault: the number of the program that found it, or None."""

    name: str
    family: str
    number: int | None
    what: str
    seconds: float


def attempt(work: tuple[int, int, int]) -> tuple[Trial, list[Finding]]:
    """Put a fault in, and draw programs until one fails; a process of its own.

    Args:
        work: The fault's place in the list, the seed, and the most programs to draw.
    """
    index, seed, limit = work
    started = time.monotonic()
    prepare()
    from tests.fuzz.faults.inject import inject
    from tests.fuzz.faults.listed import FAULTS

    fault = FAULTS[index]
    inject(fault)
    job = Job(fault.family, seed, 0, limit, shrinks=False, compiles=0, stops=True)
    wrong = run(job).wrong
    number = wrong[0].number + 1 if wrong else None
    what = f"{wrong[0].check}: {wrong[0].detail}" if wrong else ""
    trial = Trial(fault.name, fault.family, number, what, time.monotonic() - started)
    return trial, wrong


def is_fault_free(finding: Finding) -> bool:
    """Whether the program is right where no fault is put in."""
    prepare()
    import jax

    from tests.fuzz.check import examine
    from tests.fuzz.programs.generate import draw

    with jax.enable_x64(True):
        program = draw(finding.family, finding.seed)
        return not examine(program, second=is_second(finding.number)).wrong
