"""Coloring: inputs that no output reads together get one color, and share a pass.

`detect` finds and proves the sparsity pattern; `lattice` colors patterns that repeat
along axes, `greedy` all others; `compress` joins these steps, and says where in the
passes' results each entry of the Jacobian stands. `star` colors symmetric patterns, of
which each entry is read on one of its sides.

Reference:
    A. H. Gebremedhin, F. Manne and A. Pothen, "What color is your Jacobian? Graph
    coloring for computing derivatives", SIAM Review 47 (2005).
"""
