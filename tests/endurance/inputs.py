"""Wrong arguments of every public function: each an error in the one grammar."""

import contextlib
import re
import signal
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

import hypothesis
from hypothesis import strategies as st

from tests.endurance.calls import Case, subjects, tools, workbench
from tests.endurance.outcome import Outcome, Work
from tests.endurance.values import NOTHING

LONGEST = 60  # seconds of one call
GRAMMAR = re.compile(r"`[^`]+` must .+, got .+", re.DOTALL)
NAMED = {"x": "(x|args|argnums)"}  # a derivative's argument, by its place


def refusals(work: Work) -> Outcome:
    """Replace one or two arguments of right calls, drawn by hypothesis."""
    wrong: dict[str, str] = {}
    tried: Counter[str] = Counter()
    cases = subjects() | tools() | workbench()
    names = [*cases]

    @hypothesis.seed(work.seed)
    @hypothesis.settings(
        max_examples=work.count,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=[
            hypothesis.HealthCheck.too_slow,
            hypothesis.HealthCheck.data_too_large,
            hypothesis.HealthCheck.filter_too_much,
            hypothesis.HealthCheck.large_base_example,
        ],
    )
    @hypothesis.given(st.data())
    def try_one(data: st.DataObject) -> None:
        for _ in work.within([0]):
            name = data.draw(st.sampled_from(names))
            arguments, changed = _drawn(data, cases[name])
            tried[name] += 1
            told = outcome_of(cases[name], arguments, changed)
            if told:
                key = f"{name}({', '.join(changed)}): {told[:60]}"
                wrong.setdefault(key, f"{name}({_written(arguments, changed)}): {told}")

    try_one()
    figures = f"{tried.total():,} wrong calls of {len(tried)} functions, all refused"
    return Outcome(figures, [*wrong.values()])


def _drawn(data: st.DataObject, case: Case) -> tuple[dict[str, Any], list[str]]:
    """Replace one argument by any wrong value, and perhaps another by no value at all.

    Two that are wrong alone may be right together, such as shapes that agree.
    """
    first, *others = data.draw(st.permutations(sorted(case.wrong)))
    arguments = case.valid | {first: data.draw(case.wrong[first])}
    if not others or data.draw(st.booleans()):
        return arguments, [first]
    return arguments | {others[0]: data.draw(NOTHING)}, [first, others[0]]


def outcome_of(case: Case, arguments: dict[str, Any], changed: list[str]) -> str:
    """Call with wrong arguments; return what is wrong with what came, or nothing."""
    try:
        with warnings.catch_warnings(), _limit(LONGEST):
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", "overflow encountered in cast")  # JAX's
            warnings.filterwarnings("ignore", "Python iterable type 'list_i")
            result = case.call(**arguments)
    except (ValueError, TypeError) as e:
        if not GRAMMAR.fullmatch(str(e)):
            return f"not in the grammar: {type(e).__name__}: {e}"
        # shapes that do not fit each other may be told of either argument
        names = changed if isinstance(e, TypeError) else arguments
        listed = "|".join(NAMED.get(name, re.escape(name)) for name in names)
        named = re.match(rf"`({listed})\b", str(e))
        return "" if named else f"names another argument: {e}"
    except BaseException as e:
        return f"{type(e).__name__}: {e}"
    return f"silent answer {type(result).__name__}"


@contextlib.contextmanager
def _limit(seconds: int) -> Iterator[None]:
    """Raise TimeoutError in what takes longer; in the main thread alone."""

    def late(*_: object) -> None:
        msg = f"took more than {seconds} s"
        raise TimeoutError(msg)

    signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def _written(arguments: dict[str, Any], changed: list[str]) -> str:
    return ", ".join(f"{name}={arguments[name]!r}"[:150] for name in changed)
