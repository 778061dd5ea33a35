"""CHOOSE: which mode is predicted to be the cheapest, and why.

Comes in: a `Target`. Goes out: a `Plan`, the candidates and the choice, which runs
itself.

The idea: each mode's operations and bytes, weighted by measured rates, predict
seconds: those of forward and reverse mode are counted on one pass, those of the others
on the program that they would run. For f(x) = w s, s = sum(x^2), with three inputs and
outputs:

    reverse 3 passes   forward 3 passes   cut 1 + 1 passes *   compressed: as reverse

`plan` chooses (`second`: in the second order), and traces what it chose; `candidates`
counts, by `passes` and `cost`; `unproven` serves what is not proven linear, as JAX
would run it; `memory` bounds the passes that run at a time; `result` is what is
printed.
"""
