"""A batch of programs in one process, and what it found."""

import gc
import multiprocessing
import os
import signal
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

FLAGS = "--xla_force_host_platform_device_count=4"
SHRINK_SECONDS = 20.0
LONGEST = 3600.0  # seconds of a job
SHRUNK = 3  # failures of a batch that are shrunk


class Job(NamedTuple):
    """Programs to draw and check.

    Attributes:
        family: Their family, or "" for all of them in turn.
        seed: The seed of the run.
        first: The number of the first program.
        programs: How many.
        shrinks: Whether failures are shrunk.
        compiles: How many programs there are to one that is compiled; 0: none is.
        stops: Whether the first failure ends it.
    """

    family: str
    seed: int
    first: int
    programs: int
    shrinks: bool = True
    compiles: int = 49
    stops: bool = False


class Finding(NamedTuple):
    """A wrong answer, with a script that shows it, and the number of the program."""

    family: str
    seed: int
    check: str
    detail: str
    script: str = ""
    number: int = 0

    def __str__(self) -> str:
        head = f"{self.family} {self.seed}: {self.check}: {self.detail}"
        return f"{head}\n{self.script}"


@dataclass
class Report:
    """Counts over programs."""

    programs: int = 0
    wrong: list[Finding] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    unserved: int = 0  # that JAX refuses, too
    undefined: int = 0
    independent: int = 0
    needless: list[tuple[str, int]] = field(default_factory=list)
    choices: Counter[str] = field(default_factory=Counter)
    fallbacks: Counter[str] = field(default_factory=Counter)
    coverage: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, other: "Report") -> None:
        """Add what another batch found."""
        from tests.fuzz import coverage

        self.programs += other.programs
        self.wrong += other.wrong
        self.refused.update(other.refused)
        self.unserved += other.unserved
        self.undefined += other.undefined
        self.independent += other.independent
        self.needless += other.needless
        self.choices.update(other.choices)
        self.fallbacks.update(other.fallbacks)
        merged = coverage.empty()
        coverage.merge(merged, self.coverage)
        coverage.merge(merged, other.coverage)
        self.coverage = dict(merged)


def each(
    function: Callable[[Any], Any], jobs: Iterable[Any], workers: int, restart: int
) -> Iterator[Any]:
    """Yield what becomes of jobs in workers, which are restarted after some of them.

    Few jobs wait, so that the last are given out when they are due. A worker that died,
    or hangs, ends the run.
    """
    context, waiting = multiprocessing.get_context("spawn"), deque()
    deaf = signal.signal, (signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    with context.Pool(workers, *deaf, maxtasksperchild=restart) as pool:
        for job in jobs:
            waiting.append(pool.apply_async(function, (job,)))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().get(LONGEST)
        while waiting:
            yield waiting.popleft().get(LONGEST)


def prepare() -> None:
    """Set what must be set before JAX starts: four devices, one thread."""
    flags = os.environ.get("XLA_FLAGS", "")
    if FLAGS not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {FLAGS}".strip()
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # remarks of the compiler
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def run(job: Job) -> Report:
    """Draw and check programs."""
    prepare()
    import jax

    from tests.fuzz import coverage, ways
    from tests.fuzz.interpret import core

    gc.set_threshold(50_000, 20, 20)  # traces are full of cycles, and short-lived
    report, counts = Report(), coverage.empty()
    core.fallbacks.clear()

    def record(eqn: Any, is_served: bool) -> None:
        coverage.record(counts, eqn, is_served)

    with jax.enable_x64(True), ways.recorded_rules(record):
        for number in range(job.first, job.first + job.programs):
            _one(job, number, report)
            if job.stops and report.wrong:
                break
    report.fallbacks = core.fallbacks.copy()
    report.coverage = dict(counts)
    return report


def is_second(number: int) -> bool:
    """Whether second derivatives are checked; all families have their turn."""
    return number % 9 == 8


def program_of(job: Job, number: int) -> Any:
    """Draw a program by its number."""
    from tests.fuzz.families import TURNS
    from tests.fuzz.programs.generate import draw

    family = job.family or TURNS[number % len(TURNS)]
    return draw(family, job.seed * 10**6 + number)


def _one(job: Job, number: int, report: Report) -> None:
    from tests.fuzz.check import examine

    is_compiled = bool(job.compiles) and number % job.compiles == job.compiles - 1
    report.programs += 1
    program = program_of(job, number)
    try:
        outcome = examine(program, second=is_second(number), compiled=is_compiled)
    except Exception:  # the fuzzer's own fault: it must not pass for a right answer
        told = traceback.format_exc()
        finding = Finding(program.family, program.seed, "fuzzer", told, number=number)
        report.wrong.append(finding)
        return
    report.unserved += outcome.both_refuse
    report.undefined += outcome.is_undefined
    report.independent += outcome.independent
    if outcome.choice:
        report.choices[outcome.choice] += 1
    if outcome.needless:
        report.needless.append((program.family, program.seed))
    if outcome.refused:
        report.refused[f"{outcome.refused} ({program.family} {program.seed})"] += 1
    if outcome.wrong:
        first = outcome.wrong[0]
        text = ""
        if job.shrinks and sum(bool(f.script) for f in report.wrong) < SHRUNK:
            text = _shown(program, first.check)
        report.wrong.append(Finding(program.family, program.seed, *first, text, number))


def _shown(program: Any, check: str) -> str:
    """Shrink a failure, and see whether the compiled functions fail as well."""
    from tests.fuzz import public
    from tests.fuzz.check import examine
    from tests.fuzz.programs.shrink import script, shrunk

    is_hessian = check.split()[0] in ("hessian", "laplacian")

    def fails(candidate: Any) -> bool:
        try:
            outcome = examine(
                candidate, second=is_hessian, compiled=check.startswith("compiled")
            )
        except Exception:
            return False
        return any(f.check == check for f in outcome.wrong)

    small = shrunk(program, fails, SHRINK_SECONDS)
    _, difference = public.compared(
        small, check.removeprefix("compiled "), small.arguments(0)
    )
    confirmed = (
        f"compiled: {difference}"
        if difference
        else "compiled functions: not seen at this point"
    )
    return f"# {check}; {confirmed}\n{script(small, check)}"
