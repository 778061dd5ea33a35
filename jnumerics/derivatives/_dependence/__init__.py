"""PROVE: which inputs each output's derivative may depend on.

Comes in: a tangent program. Goes out: boxes, the lowest and highest index that each
element may depend on (`boxes` says how they are stored), and what follows from them.

The idea: boxes pass from the inputs' tangents through every linear equation, by a rule
for each primitive (`rules`); they may be too large, never too small. The program was
traced at shapes alone, so the result holds at every value. For
f(x) = (x0 x1, sin x1, x2):

    t0, t1, t2 start at [0, 0], [1, 1], [2, 2]
    u = a + b joins to [0, 1];   v is [1, 1]

so entry (1, 0) of the Jacobian is zero. Indices and masks that are known when the
program is traced are folded (`constants`). `propagate` walks the program; `mixing`
finds where samples meet; `samples` decides whether they may share a pass; `blocks` and
`outputs` give the boxes of each pair of leaves; `result` is the public `dependence`.
"""
