"""Coloring: inputs that no output reads together get one color, and share a pass.

Comes in: a linear program. Goes out: colors, and where each entry of its Jacobian
stands. In a chain output k reads the inputs k - 1, k and k + 1; three colors do for any
length, as no output reads two inputs of one color:

    input    0 1 2 3 4 5 6 7 ...
    color    0 1 2 0 1 2 0 1 ...
    pass 0 starts from the inputs 0, 3, 6, ...: row 4 of its result is entry (4, 3)

`detect` finds and proves the sparsity pattern; `lattice` colors patterns that repeat
along axes, `greedy` all others; `compress` joins these steps, and says where in the
passes' results each entry of the Jacobian stands. `star` colors symmetric patterns, of
which each entry is read on one of its sides.

Reference:
    A. H. Gebremedhin, F. Manne and A. Pothen, "What color is your Jacobian? Graph
    coloring for computing derivatives", SIAM Review 47 (2005).
"""
