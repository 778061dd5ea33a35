"""Check a function's derivatives against its values: `check_derivatives`.

Comes in: a function at its arguments. Goes out: a `DerivativeCheck`, which says whether
its derivatives agree with its values, and where not, or why that cannot be decided.

The idea: the remainder f(x + h u) - f(x) - h J u shrinks as h^2 where J is right and as
h where it is wrong, so it is looked at for all steps and none has to be chosen. For
f(x) = x^2 at x = 1, along u = 1:

    h        1/8       1/16      1/32
    J = 2    0.0156    0.0039    0.0010    a quarter at each step: right
    J = 3   -0.1094   -0.0586   -0.0303    about half: wrong

`flat` makes it a function of one vector, `taylor` measures the remainders along random
lines, `evidence` weighs them, `verdict` says what was found.
"""
