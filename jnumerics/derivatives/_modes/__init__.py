"""RUN: the passes of each mode, and what is made of their results.

Comes in: a `Problem`, a tangent program with the layouts of its ends, and the values
that its passes read. Goes out: dense blocks, a diagonal, or single entries.

The idea: every mode gives the Jacobian as a sum of terms (`terms`), which stay in their
cheapest form until it is known what is asked for. For f(x) = w s, s = sum(x^2), with
three inputs and outputs:

    forward     3 passes (`ends`): the columns, a dense term
    reverse     3 passes (`ends`): the rows, a dense term
    cut         1 + 1 passes (`cut`): w and 2 x from the scalar s, a product of factors
    compressed  3 passes (`compressed`): every output reads all inputs, none share

`passes` pushes directions forward and pulls them back; `flow` finds the narrowest cut,
`skip` the connections around it, `coloring` the inputs that share a pass (of Hessians,
with entries read on both sides: the star mode, which `compressed` runs); `rewrite`
writes programs anew; `jacobian` and `sparse` assemble the terms. A mode is added as a
class with `terms`. `collapsed` pushes second derivatives, summed, through `fun` itself.
"""
