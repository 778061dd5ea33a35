"""Every error that a `Raises:` section promises is raised, in one grammar.

`PROMISES`, from the modules of `_promises` beside this one, holds, for each public
function and each error that its docstring names, the docstring's own phrases with calls
that raise it. Together the phrases must be the whole section: a promise without a call,
and a call without its promise, fail.
"""

import inspect
import re

import pytest

from tests._public import public_functions
from tests.package._promises import (
    conv,
    derivatives,
    descent,
    linear_regression,
    mlp,
    perceptron,
    polynomial,
    softmax,
    tools,
)

pytestmark = pytest.mark.whole

GRAMMAR = re.compile(r"`[^`]+` must .+, got .+", re.DOTALL)  # of every message
CONNECTIVES = {"if", "or", "and", "at", "the", "call", "as", "also", "not", "is"}
PROMISES = {
    **softmax.PROMISES,
    **conv.PROMISES,
    **polynomial.PROMISES,
    **mlp.PROMISES,
    **descent.PROMISES,
    **linear_regression.PROMISES,
    **perceptron.PROMISES,
    **derivatives.PROMISES,
    **tools.PROMISES,
}


def promised():
    """The text behind each function's each error."""
    for name, fun in public_functions():
        doc = inspect.getdoc(fun) or ""
        section = doc.partition("\nRaises:\n")[2].partition("\n\n")[0]
        entries = re.findall(r"^    (\w+):((?:.|\n(?!    \w))*)", section, re.MULTILINE)
        for error, text in entries:
            if error != "KeyboardInterrupt":  # the user's own
                yield name, error, " ".join(text.split())


PROMISED = {(name, error): text for name, error, text in promised()}
CASES = [
    pytest.param(error, call, id=f"{name}-{error.__name__}: {phrase.strip('; ')} {k}")
    for (name, error), phrases in PROMISES.items()
    for phrase, calls in phrases.items()
    for k, call in enumerate(calls)
]


def without(text, phrases):
    """What is left of a promise: the words that none of the phrases has."""
    for phrase in sorted(phrases, key=len, reverse=True):
        assert phrase in text, f"the docstring does not promise {phrase!r}: {text}"
        text = text.replace(phrase, " ", 1)
    words = re.findall(r"[\w`$\"]+", text)
    return [word for word in words if word.lower() not in CONNECTIVES | {"in"}]


def test_every_public_function_promises_errors():
    assert {name for name, _ in public_functions()} == {name for name, _ in PROMISED}


def test_promises_are_those_of_the_docstrings():
    assert {(name, error.__name__) for name, error in PROMISES} == set(PROMISED)


@pytest.mark.parametrize(("name", "error"), PROMISED)
def test_every_phrase_of_a_promise_has_a_call(name, error):
    phrases = next(
        p for (n, e), p in PROMISES.items() if (n, e.__name__) == (name, error)
    )
    assert all(phrases.values())
    assert without(PROMISED[name, error], phrases) == []


@pytest.mark.boundary
@pytest.mark.parametrize(("error", "call"), CASES)
def test_promised_error_is_raised_in_the_grammar_of_messages(error, call):
    with pytest.raises(error) as caught:
        call()
    assert caught.type is error
    assert GRAMMAR.fullmatch(str(caught.value))
