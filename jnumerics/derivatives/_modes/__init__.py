"""RUN: the passes of each mode, and what is made of their results.

Comes in: a `Problem`, a tangent program with the layouts of its ends, and the values
that
its passes read. Goes out: dense blocks, a diagonal, or single entries.

The idea: every mode gives the Jacobian as a sum of terms (`terms`), whose cheapest form
is kept until it is known what is asked for. For f(x) = w s, s = sum(x^2), with three
inputs and outputs:

    forward     3 passes (`ends`): the columns, a dense term
    reverse     3 passes (`ends`): the rows, a dense term
    cut         1 + 1 passes (`cut`): w and 2 x from the scalar s, a product of factors
    compressed  3 passes (`compressed`): each input meets each other, nothing to share

`passes` pushes and pulls directions; `flow` finds the narrowest cut, `skip` the
connections around it, `coloring` who shares a pass; `rewrite` makes programs anew;
`jacobian` and `sparse` make blocks of terms. A mode is added by a class with `terms`.
"""
