"""CHOOSE: which mode is predicted to be the cheapest, and why.

Comes in: a `Target`. Goes out: a `Plan`, the candidates and the choice, which runs
itself.

The idea: each mode is counted on the very program that it would run; operations and
bytes, weighted by measured rates (`cost`), predict seconds. For f(x) = w s,
s = sum(x^2), with three inputs and outputs:

    reverse 3 passes   forward 3 passes   cut 1 + 1 passes *   compressed: as reverse

`plan` chooses (`second`: in the second order); `candidates` counts; `unproven` serves
what is not proven linear, as JAX would run it; `memory` bounds the passes that run at a
time; `result` is what is printed.
"""
